"""The data plane against Arrow: CSV ingestion and statistics of taxi trips, their CPU, memory and two workers.

The rows are those of chicago_taxi.csv, drawn again and again with their decimals jittered, always the same ones. The
limit of ingestion is pyarrow.csv's read and pyarrow.parquet's write (zstd) of the same file, that of statistics min,
max, mean and count of each column by pyarrow.compute over the same shards; both on one thread, in the same run. Each
side is a process of its own: CPU seconds are those of the process and its workers without imports (these are a figure
of their own), memory is the greatest sum of the resident memory of all its processes, pages that they share counted in
each. The data is found by $PENSTOCK_DATA, or in ../shared/data beside the checkout.

    python benchmarks/data_plane.py                    # all, 4 to 6 minutes and 3 GB of scratch disk
    python benchmarks/data_plane.py --parts ratio      # some of: ratio, memory, workers, shapes
    python benchmarks/data_plane.py --rows 600000      # the largest size, by default 6 million
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
DATA = pathlib.Path(os.environ.get("PENSTOCK_DATA", CHECKOUT.parent / "shared" / "data"))
FEW, ROWS, MANY = 150_000, 1_500_000, 6_000_000
PIECE, JITTER, COPIES = 75_000, 0.05, 28
TFX_INGESTION_CPU_S, TFX_STATISTICS_CPU_S = 111.0, 21.0
OPTIONS = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
PARTS = ("ratio", "memory", "workers", "shapes")


# --- the data -----------------------------------------------------------------------------------------------------


def trips(rows: int, piece: int) -> pa.Table:
    """Return a piece of jittered trips: the same for the same number."""
    table = pyarrow.csv.read_csv(DATA / "chicago_taxi.csv", convert_options=OPTIONS)
    rng = np.random.default_rng(piece)
    part = table.take(pa.array(rng.integers(0, table.num_rows, rows)))
    return pa.table({name: _jittered(part[name].combine_chunks(), rng) for name in part.column_names})


def _jittered(column: pa.Array, rng: np.random.Generator) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    return pc.round(pc.multiply(column, pa.array(1.0 + JITTER * rng.standard_normal(len(column)))), 6)


def wide(rows: int, piece: int) -> pa.Table:
    """Return trips side by side: 18 columns become 504."""
    copies = [trips(rows, COPIES * piece + copy) for copy in range(COPIES)]
    return pa.table({f"{name}_{copy}": each[name] for copy, each in enumerate(copies) for name in each.column_names})


def distinct(rows: int, piece: int) -> pa.Table:
    """Return trips with two columns of 32 characters more: one is distinct in a million rows, one in all."""
    numbers = range(piece * rows, (piece + 1) * rows)
    ids = [hashlib.blake2b(str(number % 1_000_000).encode(), digest_size=16).hexdigest() for number in numbers]
    keys = [hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest() for number in numbers]
    return trips(rows, piece).append_column("trip_id", pa.array(ids)).append_column("key", pa.array(keys))


def write(path: str, rows: int, piece: int, make: Callable[[int, int], pa.Table] = trips) -> None:
    """Write CSV of `rows` rows in pieces."""
    writer: pyarrow.csv.CSVWriter | None = None
    for number in range(-(-rows // piece)):
        table = make(min(piece, rows - number * piece), number)
        options = pyarrow.csv.WriteOptions(quoting_style="needed")
        writer = writer or pyarrow.csv.CSVWriter(path, table.schema, write_options=options)
        writer.write_table(table)
    assert writer is not None
    writer.close()


# --- the sides, each in a process of its own ----------------------------------------------------------------------


def limit_of_ingestion(path: str, folder: str, _: int) -> str:
    """Read CSV and write Parquet by Arrow alone."""
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=32 << 20)
    os.makedirs(folder, exist_ok=True)
    with (
        pyarrow.csv.open_csv(path, read_options=options, convert_options=OPTIONS) as reader,
        pq.ParquetWriter(f"{folder}/limit.parquet", reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
    return ""


def ingestion(path: str, folder: str, workers: int) -> str:
    """Ingest and digest as `CsvExampleGen` and the executor do, and return the digest."""
    from penstock.artifacts import Examples, QuarantinedRows
    from penstock.components.ingestion.csv_example_gen import CsvExampleGen
    from penstock.data import examples
    from penstock.pipeline import Beam, FileEntry, Files

    files = Files(os.path.dirname(path), (FileEntry(path, os.path.basename(path), os.path.getsize(path), ""),))
    os.makedirs(f"{folder}-bad", exist_ok=True)
    CsvExampleGen(
        examples=Examples(folder),
        quarantined=QuarantinedRows(f"{folder}-bad"),
        input_base=files,
        beam=Beam(workers=workers),
    )
    return examples.digest(folder)


def limit_of_statistics(path: str, _: str, __: int) -> str:
    """Read min, max, mean and count of every column by Arrow alone."""
    from penstock.data.examples import read_batches, split_files, split_names

    for batch in read_batches([file for split in split_names(path) for file in split_files(path, split)]):
        for column in batch.columns:
            pc.count(column)
            pc.min_max(column)
            if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                pc.mean(column)
            else:
                pc.sum(pc.binary_length(column))
    return ""


def statistics(path: str, folder: str, workers: int) -> str:
    """Describe examples as `StatisticsGen` does, and return the digest of what it writes."""
    from penstock.artifacts import Examples, ExampleStatistics
    from penstock.components.validation.statistics_gen import StatisticsGen
    from penstock.data.protos import digest_statistics
    from penstock.pipeline import Beam

    StatisticsGen(examples=Examples(path), statistics=ExampleStatistics(folder), beam=Beam(workers=workers))
    return digest_statistics(folder)


def leakage(path: str, folder: str, workers: int) -> str:
    """Describe examples and look for every kind of leakage in the same pass."""
    from penstock.artifacts import Examples, ExampleStatistics
    from penstock.components import LeakageChecks, StatisticsGen
    from penstock.pipeline import Beam

    checks = LeakageChecks(
        max_duplicate_fraction=0.0,
        group_features=["company"],
        time_feature="trip_start_timestamp",
        label="payment_type",
    )
    statistics = ExampleStatistics(folder)
    StatisticsGen(examples=Examples(path), statistics=statistics, leakage=checks, beam=Beam(workers=workers))
    return ""


def imports_of_ingestion(*_: Any) -> str:
    """Import what ingestion needs."""
    from penstock.components.ingestion import csv_example_gen, ingestion_ranges  # noqa: F401
    from penstock.data import csv_rows, examples  # noqa: F401

    return ""


def imports_of_statistics(*_: Any) -> str:
    """Import what statistics need."""
    from penstock.components.validation import statistics_gen, statistics_ranges  # noqa: F401

    return ""


def start_of_a_worker(folder: str, _: str, __: int) -> str:
    """Wait until a second worker has answered for the first time."""
    import data_plane

    from penstock.pipeline import range_pool

    for _result in range_pool.map_ranges("Start", data_plane.Meets(folder), range(2), workers=2):
        pass
    return ""


@dataclass(frozen=True)
class Meets:
    """Work that imports what a step needs, and is done in one process when another has come."""

    folder: str

    def __call__(self, _: int) -> None:
        """Import and wait."""
        imports_of_ingestion()
        imports_of_statistics()
        pathlib.Path(self.folder, str(os.getpid())).touch()
        while len(os.listdir(self.folder)) < 2:
            time.sleep(0.001)


SIDES: dict[str, tuple[Callable[[str, str, int], str], Callable[..., str]]] = {
    "limit_of_ingestion": (limit_of_ingestion, str),
    "ingestion": (ingestion, imports_of_ingestion),
    "limit_of_statistics": (limit_of_statistics, imports_of_statistics),
    "statistics": (statistics, imports_of_statistics),
    "leakage": (leakage, imports_of_statistics),
    "start_of_a_worker": (start_of_a_worker, imports_of_ingestion),
}


def be(side: str, path: str, folder: str, workers: str) -> None:
    """Be one side: do it and print what it took."""
    pa.set_cpu_count(1)
    work, imports = SIDES[side]
    begin = _cpu()
    imports()
    pa.scalar(0)  # Arrow imports pandas now
    start, own, wall = _cpu(), time.process_time(), time.perf_counter()
    digest = work(path, folder, int(workers))
    figures = {"cpu_s": _cpu() - start, "wall_s": time.perf_counter() - wall, "imports_cpu_s": start - begin}
    figures["own_cpu_s"] = time.process_time() - own
    print(json.dumps({**{name: round(value, 3) for name, value in figures.items()}, "digest": digest}))


def _cpu() -> float:
    """Return the CPU seconds of this process and of the workers that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


# --- measuring ----------------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """What one side took: CPU seconds (of all processes, of the first alone, of imports), wall seconds, peak memory."""

    cpu_s: float
    own_cpu_s: float
    wall_s: float
    imports_cpu_s: float
    digest: str
    peak_mb: int = 0


def measured(side: str, path: str, folder: str = "", *, workers: int = 1, times: int = 1) -> Measured:
    """Run a side, some times over, and return the run of the least CPU seconds, with the greatest memory of all."""
    found = [_run(side, path, folder or f"{path}-{side}", workers) for _ in range(times)]
    best = min(found, key=lambda each: each.cpu_s)
    best.peak_mb = max(each.peak_mb for each in found)
    return best


def _run(side: str, path: str, folder: str, workers: int) -> Measured:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--be", side, path, folder, str(workers)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        watch = Watch(process.pid)
        said, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{side} failed")
    return Measured(**json.loads(said.splitlines()[-1]), peak_mb=watch.peak() >> 20)


class Watch(threading.Thread):
    """Looks every 10 ms how much memory a process and its children hold together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._peak = 0
        self.start()

    def run(self) -> None:
        """Watch until the process is gone."""
        children: list[psutil.Process] = []
        for look in range(1 << 40):
            try:
                if look % 10 == 0:
                    children = self._process.children(recursive=True)
                self._peak = max(self._peak, self._process.memory_info().rss + sum(map(_resident, children)))
            except psutil.Error:
                return
            time.sleep(0.01)

    def peak(self) -> int:
        """Return the most bytes seen."""
        self.join(timeout=1)
        return self._peak


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


@dataclass
class Report:
    """The figures, and the verdict on each that has a limit."""

    figures: dict[str, Any] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)

    def tell(self, name: str, value: float, limit: float | None = None, *, at_least: bool = False) -> None:
        """Keep a figure, and print it against its limit."""
        self.figures[name] = round(value, 3)
        if limit is None:
            print(f"      {name} = {value:.3g}", flush=True)
            return
        good = value >= limit if at_least else value <= limit
        if not good:
            self.over.append(name)
        sign = ">=" if at_least else "<="
        print(f"{'PASS' if good else 'OVER'}  {name} = {value:.3g} (limit: {sign} {limit:g})", flush=True)


class DataPlane:
    """The measures, over data that is made once."""

    def __init__(self, folder: str, most: int, pairs: int) -> None:
        self.folder, self.most, self.pairs = folder, most, pairs
        self.report = Report()
        self._ingested: dict[tuple[str, int], Measured] = {}

    def csv(self, rows: int, make: Callable[[int, int], pa.Table] = trips, piece: int = PIECE) -> str:
        """Return the path of a CSV file, made when first asked for."""
        path = os.path.join(self.folder, f"{make.__name__}-{rows}.csv")
        if not os.path.exists(path):
            write(path, rows, piece, make)
        return path

    def ingested(self, path: str, workers: int = 1, times: int = 1) -> Measured:
        """Return what ingestion took; the examples stay, in `examples(path)`."""
        if (path, workers) not in self._ingested:
            self._ingested[path, workers] = measured(
                "ingestion",
                path,
                f"{self.examples(path)}{'' if workers == 1 else workers}",
                workers=workers,
                times=times,
            )
        return self._ingested[path, workers]

    @staticmethod
    def examples(path: str) -> str:
        """Return the folder of the examples of a CSV file."""
        return f"{path}-examples"

    def ratio(self) -> None:
        """CPU seconds against Arrow's."""
        for name, rows, times in (("150k", FEW, 3), ("1.5M", ROWS, 2), ("6M", self.most, 1)):
            path = self.csv(rows)
            found, floor = self.ingested(path, times=times), measured("limit_of_ingestion", path, times=times)
            self.report.tell(f"ingestion_cpu_s_{name}", found.cpu_s)
            self.report.tell(f"ingestion_ratio_to_arrow_{name}", found.cpu_s / floor.cpu_s, 2.5)
            self.report.figures[f"arrow_read_write_cpu_s_{name}"] = floor.cpu_s
            described = measured("statistics", self.examples(path), times=times + 2)
            floor = measured("limit_of_statistics", self.examples(path), times=times)
            self.report.tell(f"statistics_cpu_s_{name}", described.cpu_s, 4.0 if rows == ROWS else None)
            self.report.tell(f"statistics_ratio_to_arrow_{name}", described.cpu_s / floor.cpu_s)
            self.report.figures |= {
                f"arrow_compute_cpu_s_{name}": floor.cpu_s,
                f"statistics_peak_mb_{name}": described.peak_mb,
                "ingestion_imports_cpu_s": found.imports_cpu_s,
                "statistics_imports_cpu_s": described.imports_cpu_s,
            }
            if rows == ROWS:
                leaks = measured("leakage", self.examples(path), times=times)
                self.report.tell("statistics_with_leakage_cpu_s_1.5M", leaks.cpu_s)
                self.report.figures["statistics_with_leakage_peak_mb_1.5M"] = leaks.peak_mb
            for step, took in (("ingestion", found), ("statistics", described)):
                self.report.figures[f"{step}_us_a_row_{name}"] = round(1e6 * took.cpu_s / rows, 3)
        self._constant()
        self.report.tell(
            "ingestion_ratio_to_tfx", self.report.figures["ingestion_cpu_s_1.5M"] / TFX_INGESTION_CPU_S, 0.1
        )
        self.report.tell("statistics_ratio_to_tfx", self.report.figures["statistics_cpu_s_1.5M"] / TFX_STATISTICS_CPU_S)

    def _constant(self) -> None:
        """Cost a row between sizes: the fixed start, measured on a thousand rows, is not of the rows."""
        path = self.csv(1000)
        start = {
            "ingestion": self.ingested(path, times=3),
            "statistics": measured("statistics", self.examples(path), times=3),
        }
        for step, fixed in start.items():
            self.report.figures[f"{step}_fixed_cpu_s"] = fixed.cpu_s
            costs = [
                (self.report.figures[f"{step}_cpu_s_{name}"] - fixed.cpu_s) / rows
                for name, rows in (("150k", FEW), ("1.5M", ROWS), ("6M", self.most))
            ]
            self.report.tell(f"{step}_cost_a_row_greatest_to_least", max(costs) / min(costs), 1.15)

    def memory(self) -> None:
        """Peak memory of all processes, with one worker and with two, at two sizes."""
        for workers in (1, 2):
            peaks = {"ingestion": [], "statistics": []}
            for rows in (ROWS, self.most):
                path = self.csv(rows)
                peaks["ingestion"].append(self.ingested(path, workers).peak_mb)
                peaks["statistics"].append(measured("statistics", self.examples(path), workers=workers).peak_mb)
            for step, (few, many) in peaks.items():
                name = f"{step}_peak_mb_{'one_worker' if workers == 1 else 'two_workers'}"
                self.report.tell(f"{name}_1.5M", few, 1000)
                self.report.tell(f"{name}_6M", many, 1000)
                self.report.tell(f"{name}_6M_to_1.5M", many / few, 1.15)

    def workers(self) -> None:
        """Two workers against one in wall time, the better of some pairs, and that the digests are equal."""
        begin = os.path.join(self.folder, "start")
        os.makedirs(begin)
        self.report.tell("fixed_start_of_a_second_worker_s", measured("start_of_a_worker", begin).wall_s, 2.0)
        path = self.csv(self.most)
        self.ingested(path)
        for step, source in (("ingestion", path), ("statistics", self.examples(path))):
            pairs = [[measured(step, source, f"{source}-{n}", workers=n) for n in (1, 2)] for _ in range(self.pairs)]
            best = max(pairs, key=lambda pair: pair[0].wall_s / pair[1].wall_s)
            self.report.tell(f"{step}_wall_s_one_worker", best[0].wall_s)
            self.report.tell(f"{step}_wall_s_two_workers", best[1].wall_s)
            self.report.tell(f"{step}_two_workers_speed_up", best[0].wall_s / best[1].wall_s, 1.6, at_least=True)
            # What the wall would show on cores of its own: the first process works from the beginning to the end.
            undisturbed = min(each.cpu_s for each, _ in pairs) / min(each.own_cpu_s for _, each in pairs)
            self.report.tell(f"{step}_two_workers_speed_up_in_cpu_of_the_first", undisturbed)
            digests = {each.digest for pair in pairs for each in pair}
            self.report.tell(f"{step}_digests_of_one_and_two_workers", len(digests), 1)

    def shapes(self) -> None:
        """Five hundred columns with as many cells as 1.5M trips, and a million distinct strings."""
        for name, rows, make, piece in (
            ("504_columns", ROWS // COPIES, wide, 6000),
            ("1M_distinct", ROWS, distinct, PIECE),
        ):
            path = self.csv(rows, make, piece)
            found = self.ingested(path)
            described = measured("statistics", self.examples(path))
            for step, took in (("ingestion", found), ("statistics", described)):
                self.report.tell(f"{step}_{name}_cpu_s", took.cpu_s)
                self.report.tell(f"{step}_{name}_peak_mb", took.peak_mb, 1000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--rows", type=int, default=MANY)
    parser.add_argument("--pairs", type=int, default=3, help="How often one worker is held against two.")
    parser.add_argument("--be", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.be:
        be(*asked.be)
        return
    if not (DATA / "chicago_taxi.csv").exists():
        print(json.dumps({"skipped": f"no chicago_taxi.csv in {DATA.name}; set PENSTOCK_DATA to its folder"}))
        return
    with tempfile.TemporaryDirectory() as folder:
        plane = DataPlane(folder, asked.rows, asked.pairs)
        for part in asked.parts:
            getattr(plane, part)()
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    facts = {"python": platform.python_version(), "python_optimised": optimised, "rows": [FEW, ROWS, asked.rows]}
    print(json.dumps({**facts, **plane.report.figures, "over_limit": plane.report.over}))


if __name__ == "__main__":
    main()

"""Ingestion of 1.5M rows by 18 columns of taxi data from CSV, with split and digest, against the limit of Arrow.

The rows are those of chicago_taxi.csv, drawn again and again with their decimals jittered, always the same ones, at
150k and 1.5M rows. The limit is pyarrow.csv's read and pyarrow.parquet's write (zstd) of the same file in the same run,
on one thread. Each side is a process of its own, so that CPU seconds and peak memory are its own; imports are taken
off. TFX takes 111 CPU s and 4.4 GB. The data is found by $PENSTOCK_DATA, or in ../shared/data beside the checkout.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
DATA = pathlib.Path(os.environ.get("PENSTOCK_DATA", CHECKOUT.parent / "shared" / "data"))
ROWS, FEW, PIECE, JITTER = 1_500_000, 150_000, 75_000, 0.05
TFX_CPU_S = 111.0
REPEATS = 3
OPTIONS = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])


def make(path: str, rows: int) -> None:
    """Write `rows` rows of CSV."""
    table = pyarrow.csv.read_csv(DATA / "chicago_taxi.csv", convert_options=OPTIONS)
    writer: pyarrow.csv.CSVWriter | None = None
    for piece in range(rows // PIECE):
        rng = np.random.default_rng(piece)
        part = table.take(pa.array(rng.integers(0, table.num_rows, PIECE)))
        jittered = pa.table({name: _jittered(part[name].combine_chunks(), rng) for name in part.column_names})
        writer = writer or pyarrow.csv.CSVWriter(
            path, jittered.schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed")
        )
        writer.write_table(jittered)
    assert writer is not None
    writer.close()


def _jittered(column: pa.Array, rng: np.random.Generator) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    return pc.round(pc.multiply(column, pa.array(1.0 + JITTER * rng.standard_normal(len(column)))), 6)


def limit(path: str, folder: str) -> float:
    """Read CSV and write Parquet by Arrow alone, and return the CPU seconds of it."""
    start = _cpu()
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=32 << 20)
    with pyarrow.csv.open_csv(path, read_options=options, convert_options=OPTIONS) as reader:
        os.makedirs(folder)
        with pq.ParquetWriter(f"{folder}/limit.parquet", reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
    return _cpu() - start


def ours(path: str, folder: str) -> float:
    """Ingest and digest as `CsvExampleGen` and the executor do with one worker, and return the CPU seconds of it."""
    from penstock.artifacts import Examples, QuarantinedRows
    from penstock.components.ingestion import ingestion_beam  # noqa: F401 - imports are not what is measured
    from penstock.components.ingestion.csv_example_gen import CsvExampleGen
    from penstock.data import csv_rows, examples  # noqa: F401
    from penstock.pipeline import FileEntry, Files

    files = Files(os.path.dirname(path), (FileEntry(path, os.path.basename(path), os.path.getsize(path), ""),))
    os.makedirs(f"{folder}-bad")
    start = _cpu()
    CsvExampleGen(examples=Examples(folder), quarantined=QuarantinedRows(f"{folder}-bad"), input_base=files)
    examples.digest(folder)
    return _cpu() - start


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(side: str, path: str) -> dict[str, float]:
    """Run one side some times, in a process of its own each, and return the best."""
    found = []
    for _ in range(REPEATS):
        folder = f"{path}-{side}"
        start = time.perf_counter()
        environment = os.environ | {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
        command = [sys.executable, __file__, side, path, folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        found.append({**json.loads(done.stdout.splitlines()[-1]), "wall_s": round(time.perf_counter() - start, 2)})
        shutil.rmtree(folder)
        shutil.rmtree(f"{folder}-bad", ignore_errors=True)
    return min(found, key=lambda each: each["cpu_s"])


def main() -> None:
    """Measure and print; with a side, a file and a folder, be that side."""
    if len(sys.argv) == 4:
        pa.set_cpu_count(1)
        seconds = {"limit": limit, "ours": ours}[sys.argv[1]](*sys.argv[2:])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"cpu_s": round(seconds, 2), "peak_mb": round(peak)}))
        return
    if not (DATA / "chicago_taxi.csv").exists():
        print(json.dumps({"skipped": f"no chicago_taxi.csv in {DATA.name}; set PENSTOCK_DATA to its folder"}))
        return
    figures: dict[str, object] = {
        "python": platform.python_version(),
        "python_optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "rows": ROWS,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("", ROWS), ("_of_a_tenth", FEW)):
            path = f"{folder}/taxi{name}.csv"
            make(path, rows)
            floor, found = measured("limit", path), measured("ours", path)
            figures |= {
                f"ingestion_cpu_s{name}": found["cpu_s"],
                f"ingestion_peak_mb{name}": found["peak_mb"],
                f"limit_cpu_s{name}": floor["cpu_s"],
                f"ratio_to_limit{name}": round(found["cpu_s"] / floor["cpu_s"], 2),
                f"us_a_row{name}": round(1e6 * found["cpu_s"] / rows, 2),
            }
    figures["ratio_to_tfx"] = round(float(str(figures["ingestion_cpu_s"])) / TFX_CPU_S, 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

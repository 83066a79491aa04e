"""Statistics of 1.5M rows by 18 columns of taxi data, against a pyarrow.compute pass over the same files.

The rows are those of chicago_taxi.csv, drawn again and again with their floats jittered, always the same ones.
The limit is min, max, mean and count of each column by pyarrow.compute in the same run, on one thread. Each side is a
process of its own, so that CPU seconds and peak memory are its own; imports are measured and taken off. TFX takes 21
CPU s. The data is found by $PENSTOCK_DATA, or in ../shared/data beside the checkout.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from penstock.data.examples import record_batches
from penstock.data.shards import ShardWriter, shard_path

if TYPE_CHECKING:
    from penstock.components import LeakageChecks

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
DATA = pathlib.Path(os.environ.get("PENSTOCK_DATA", CHECKOUT.parent / "shared" / "data"))
ROWS, SHARDS, JITTER = 1_500_000, 8, 0.05
TFX_CPU_S = 21.0
OPTIONS = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])


def make(folder: str, rows: int) -> int:
    """Write `rows` rows of examples, and return how many columns they have."""
    table = pyarrow.csv.read_csv(DATA / "chicago_taxi.csv", convert_options=OPTIONS)
    os.makedirs(f"{folder}/Split-train")
    for shard in range(SHARDS):
        rng = np.random.default_rng(shard)
        part = table.take(pa.array(rng.integers(0, table.num_rows, rows // SHARDS)))
        columns = {field.name: _jittered(part[field.name].combine_chunks(), rng) for field in table.schema}
        jittered = pa.table(columns)
        with ShardWriter(shard_path(folder, "train", shard, SHARDS), jittered.schema) as writer:
            for batch in jittered.to_batches(16384):
                writer.write(batch)
    return table.num_columns


def _jittered(column: pa.Array, rng: np.random.Generator) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    return pc.multiply(column, pa.array(1.0 + JITTER * rng.standard_normal(len(column))))


def limit(folder: str) -> float:
    """Read min, max, mean and count of every column, and return the CPU seconds of it."""
    start = _cpu()
    for batch in record_batches(folder, "train"):
        for column in batch.columns:
            pc.count(column)
            if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                pc.min_max(column)
                pc.mean(column)
            else:
                pc.min_max(column)
                pc.sum(pc.binary_length(column))
    return _cpu() - start


def ours(folder: str) -> float:
    """Describe the examples as `StatisticsGen` does with one worker, and return the CPU seconds of it."""
    return _described(folder, None)


def leaks(folder: str) -> float:
    """Describe the examples and look for leakage in the same pass, and return the CPU seconds of it."""
    from penstock.components import LeakageChecks

    checks = LeakageChecks(
        max_duplicate_fraction=0.0,
        group_features=["company"],
        time_feature="trip_start_timestamp",
        label="payment_type",
    )
    return _described(folder, checks)


def _described(folder: str, leakage: LeakageChecks | None) -> float:
    from penstock.artifacts import Examples, ExampleStatistics
    from penstock.components.validation import statistics_beam  # noqa: F401 - imports are not what is measured
    from penstock.components.validation.statistics_gen import StatisticsGen

    start = _cpu()
    StatisticsGen(examples=Examples(folder), statistics=ExampleStatistics(f"{folder}-statistics"), leakage=leakage)
    return _cpu() - start


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(side: str, folder: str) -> dict[str, float]:
    """Run one side in a process of its own."""
    start = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    command = [sys.executable, __file__, side, folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return {**json.loads(done.stdout.splitlines()[-1]), "wall_s": round(time.perf_counter() - start, 2)}


def main() -> None:
    """Measure and print; with a side and a folder, be that side."""
    if len(sys.argv) == 3:
        pa.set_cpu_count(1)
        seconds = {"limit": limit, "ours": ours, "leaks": leaks}[sys.argv[1]](sys.argv[2])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"cpu_s": round(seconds, 2), "peak_mb": round(peak)}))
        return
    if not (DATA / "chicago_taxi.csv").exists():
        print(json.dumps({"skipped": f"no chicago_taxi.csv in {DATA.name}; set PENSTOCK_DATA to its folder"}))
        return
    with tempfile.TemporaryDirectory() as folder:
        columns = make(f"{folder}/examples", ROWS)
        floor = measured("limit", f"{folder}/examples")
        found = measured("ours", f"{folder}/examples")
        leakage = measured("leaks", f"{folder}/examples")
        few = f"{folder}/few"
        make(few, ROWS // 10)
        small = measured("ours", few)
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "python_optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
                "rows": ROWS,
                "columns": columns,
                "statistics_cpu_s": found["cpu_s"],
                "statistics_peak_mb": found["peak_mb"],
                "statistics_peak_mb_of_a_tenth": small["peak_mb"],
                "statistics_cpu_s_of_a_tenth": small["cpu_s"],
                "with_leakage_cpu_s": leakage["cpu_s"],
                "with_leakage_peak_mb": leakage["peak_mb"],
                "limit_cpu_s": floor["cpu_s"],
                "limit_peak_mb": floor["peak_mb"],
                "ratio_to_limit": round(found["cpu_s"] / floor["cpu_s"], 2),
                "ratio_to_tfx": round(found["cpu_s"] / TFX_CPU_S, 3),
            }
        )
    )


if __name__ == "__main__":
    main()

"""The whole job on the Chicago taxi data: cold and fully cached, as a user types it, per step.

Every figure is of the whole process tree. TFX 1.21 (optimised Python, bytecode compiled) takes 30 CPU s cold, of which
imports 5, transform 10.6, trainer 6.3, evaluator 3.7, ingestion 1.6 and statistics 1.8; and 5.7 cached. The data is
found by $PENSTOCK_DATA, or in ../shared/data beside the checkout.
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
from typing import Any

from penstock.metadata.store import MlmdStore

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
DATA = pathlib.Path(os.environ.get("PENSTOCK_DATA", CHECKOUT.parent / "shared" / "data"))
TFX = {"cold_cpu_s": 30.0, "cached_cpu_s": 5.7, "all_but_transform_and_trainer_cpu_s": 13.1}
HEAVY = ("Transform", "Trainer")


def timed(command: list[str]) -> tuple[float, float, int]:
    """Run a command and return the CPU and wall seconds of its process tree and its lines of output."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - wall, len((done.stdout + done.stderr).splitlines())


def steps_of(root: str) -> dict[str, dict[str, Any]]:
    """Return what the store has recorded of each step of the only run."""
    with MlmdStore.open(f"{root}/metadata.db") as store:
        (run,) = store.runs()
        return {execution.step: dict(execution.facts) for execution in store.executions(run.id)}


def main() -> None:
    """Measure and print."""
    if not (DATA / "chicago_taxi.csv").exists():
        print(json.dumps({"skipped": f"no chicago_taxi.csv in {DATA.name}; set PENSTOCK_DATA to its folder"}))
        return
    with tempfile.TemporaryDirectory() as root:
        command = [os.path.join(os.path.dirname(sys.executable), "penstock"), "run", "examples/taxi/pipeline.py"]
        command += ["-p", f"data={DATA}", "-p", f"serving_dir={root}/serving", "--root", root]
        cold = timed(command)
        steps = steps_of(root)
        cached = timed(command)
    cpu = {name: facts["cpu_s"] for name, facts in steps.items()}
    parts = steps.get("Transform", {}).get("cpu_parts_s", {})
    light = cold[0] - sum(cpu.get(name, 0.0) for name in HEAVY)
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "python_optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
                "cold_cpu_s": round(cold[0], 2),
                "cold_wall_s": round(cold[1], 2),
                "cold_lines_printed": cold[2],
                **{f"cold_cpu_s_{name}": round(seconds, 2) for name, seconds in cpu.items()},
                "cold_cpu_s_transform_analysis": round(parts.get("analyze", 0.0), 2),
                "all_but_transform_and_trainer_cpu_s": round(light, 2),
                "cached_cpu_s": round(cached[0], 2),
                "cached_wall_s": round(cached[1], 2),
                "ratio_to_tfx_cold": round(cold[0] / TFX["cold_cpu_s"], 3),
                "ratio_to_tfx_cached": round(cached[0] / TFX["cached_cpu_s"], 3),
                "ratio_to_tfx_all_but_transform_and_trainer": round(
                    light / TFX["all_but_transform_and_trainer_cpu_s"], 3
                ),
            }
        )
    )


if __name__ == "__main__":
    main()

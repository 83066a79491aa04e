"""What the machine costs by itself: a chain of 30 trivial steps, in CPU milliseconds a step.

Two chains are run cold, one of 30 steps and one of 5; their difference leaves out what is paid once a run (opening the
store, starting a worker, importing). Scheduler, worker and store are counted together. TFX 1.21: 13 CPU ms a step.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time

STEPS, FEW, REPEATS = 30, 5, 5
COMPONENTS = '''
from penstock.artifacts import Artifact
from penstock.pipeline import Input, Output, component, pipeline


class Note(Artifact):
    """A line of text."""


@component
def first(note: Output[Note], *, text: str) -> None:
    with open(f"{note.path}/note.txt", "w") as file:
        file.write(text)


@component
def follow(before: Input[Note], note: Output[Note]) -> None:
    with open(f"{before.path}/note.txt") as file, open(f"{note.path}/note.txt", "w") as copy:
        copy.write(file.read() + ".")
'''
SOURCE = (
    COMPONENTS
    + """

def chain(length, text):
    node = first(text=text)
    for number in range(1, length):
        node = follow(before=node.note, id=f"follow-{number}")


@pipeline
def long_chain(text: str = "a"):
    chain(30, text)


@pipeline
def short_chain(text: str = "a"):
    chain(5, text)
"""
)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(run: object, **arguments: object) -> tuple[float, float]:
    """Run a pipeline and return its CPU and wall seconds."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = run(**arguments)  # type: ignore[operator]
    assert result.state == "COMPLETE", result
    return cpu_seconds() - cpu, time.perf_counter() - wall


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "chain.py"), "w", encoding="utf-8") as file:
            file.write(SOURCE)
        sys.path.insert(0, folder)
        import chain

        timed(chain.short_chain.run, root=f"{folder}/warm-up")
        costs: dict[str, list[float]] = {"cpu": [], "wall": [], "cached": [], "whole": []}
        for repeat in range(REPEATS):
            root = f"{folder}/{repeat}"
            few = timed(chain.short_chain.run, root=root)
            many = timed(chain.long_chain.run, root=root, text="b")
            again = timed(chain.long_chain.run, root=root, text="b")
            costs["cpu"].append((many[0] - few[0]) / (STEPS - FEW) * 1000)
            costs["wall"].append((many[1] - few[1]) / (STEPS - FEW) * 1000)
            costs["whole"].append(many[0] / STEPS * 1000)
            costs["cached"].append(again[0] / STEPS * 1000)
    middle = {name: round(statistics.median(values), 2) for name, values in costs.items()}
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "python_optimised": "--enable-optimizations"
                in (__import__("sysconfig").get_config_var("CONFIG_ARGS") or ""),
                "steps": STEPS,
                "cpu_ms_a_step": middle["cpu"],
                "wall_ms_a_step": middle["wall"],
                "cpu_ms_a_step_with_start": middle["whole"],
                "cached_cpu_ms_a_step": middle["cached"],
                "tfx_cpu_ms_a_step": 13,
                "ratio_to_tfx": round(middle["cpu"] / 13, 3),
            }
        )
    )


if __name__ == "__main__":
    main()

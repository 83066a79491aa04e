"""Sixteen different pipelines at once on one store, each run in a process of its own, against the same in sequence.

The ratio of their wall times says what one store costs those who share it: with C cores nothing can be below 1/C, and
locks that are waited for would show as a ratio near or above 1. The longest single run and the shortest tell the same.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time

from chain import COMPONENTS

PIPELINES, STEPS = 16, 10
CHAIN = """

@pipeline
def p{number}(text: str = "{number}"):
    node = first(text=text)
    for place in range(1, {steps}):
        node = follow(before=node.note, id=f"follow-{{place}}")
"""
RUN = """
import sys, time
from chains import p{number}
began = time.perf_counter()
result = p{number}.run(root=sys.argv[1], text=sys.argv[2])
print(result.state, time.perf_counter() - began)
"""


def start(folder: str, root: str, text: str, number: int) -> subprocess.Popen[str]:
    """Start one pipeline in a process of its own."""
    command = [sys.executable, "-c", RUN.format(number=number), root, text]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": folder}
    )


def ended(process: subprocess.Popen[str]) -> float:
    """Wait for a run, and return the seconds that it took without the start of its process."""
    said, _ = process.communicate()
    state, seconds = said.split()
    assert state == "COMPLETE", said
    return float(seconds)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "chains.py"), "w", encoding="utf-8") as file:
            file.write(COMPONENTS + "".join(CHAIN.format(number=number, steps=STEPS) for number in range(PIPELINES)))
        root = os.path.join(folder, "root")
        ended(start(folder, root, "warm-up", 0))
        began = time.perf_counter()
        alone = [ended(start(folder, root, "in sequence", number)) for number in range(PIPELINES)]
        in_sequence = time.perf_counter() - began
        began = time.perf_counter()
        together = [ended(process) for process in [start(folder, root, "at once", each) for each in range(PIPELINES)]]
        at_once = time.perf_counter() - began
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "pipelines": PIPELINES,
                "steps_each": STEPS,
                "wall_s_in_sequence": round(in_sequence, 2),
                "wall_s_at_once": round(at_once, 2),
                "ratio": round(at_once / in_sequence, 2),
                "longest_run_s_in_sequence": round(max(alone), 2),
                "longest_run_s_at_once": round(max(together), 2),
                "shortest_run_s_at_once": round(min(together), 2),
            }
        )
    )


if __name__ == "__main__":
    main()

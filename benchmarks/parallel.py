"""Do independent steps run at once: four steps that sleep 5 seconds on 2 workers, wall seconds of the whole run.

Twice 5 seconds are the least; the rest is the start of two workers, the store and the end of the run.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time

STEPS, SECONDS, WORKERS = 4, 5.0, 2
SOURCE = """
import time

from penstock.pipeline import component, pipeline


@component
def sleep(*, seconds: float, number: int) -> float:
    time.sleep(seconds)
    return seconds


@pipeline
def sleepers(steps: int = 4):
    for number in range(4):
        sleep(seconds=5.0, number=number, id=f"sleep-{number}")
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "sleepers.py"), "w", encoding="utf-8") as file:
            file.write(SOURCE)
        sys.path.insert(0, folder)
        import sleepers

        from penstock.pipeline.runner import RunRequest, runner

        plan = sleepers.sleepers.compile()
        request = RunRequest(parameters={"steps": STEPS}, root=f"{folder}/root", code_root=folder, workers=WORKERS)
        started = time.perf_counter()
        result = runner("local").run(plan, request)
        wall = time.perf_counter() - started
        assert result.state == "COMPLETE", result
    least = SECONDS * STEPS / WORKERS
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "steps": STEPS,
                "workers": WORKERS,
                "wall_s": round(wall, 2),
                "least_s": least,
                "overhead_s": round(wall - least, 2),
            }
        )
    )


if __name__ == "__main__":
    main()

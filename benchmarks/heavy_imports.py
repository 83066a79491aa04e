"""Heavy imports are paid once a worker: two steps that import TensorFlow, one after the other, in one worker.

Told are wall and CPU seconds of both steps, from the moment a task is handed over: the first one's hold the import, the
second one's must not. The start of the worker itself is told apart, as the first step of a chain of trivial ones.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

SOURCE = '''
from penstock.artifacts import Artifact
from penstock.pipeline import Input, Output, component, pipeline


class Note(Artifact):
    """A line of text."""


@component
def light(note: Output[Note]) -> None:
    import os
    with open(f"{note.path}/note.txt", "w") as file:
        file.write(str(os.getpid()))


@component
def heavy(before: Input[Note], note: Output[Note]) -> None:
    import os
    import tensorflow as tf
    with open(f"{note.path}/note.txt", "w") as file:
        file.write(str(os.getpid()))
    tf.constant(1.0) + 1.0


@pipeline
def twice():
    first = light()
    second = heavy(before=first.note, id="first")
    heavy(before=second.note, id="second")
'''


class Clock:
    """Takes down when each step began and ended, and what it cost; a RunObserver."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self._began: dict[str, float] = {}

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        if event["event"] == "step_started":
            self._began[event["step"]] = time.perf_counter()
        elif event["event"] == "step_finished":
            self.wall[event["step"]] = time.perf_counter() - self._began[event["step"]]


def main() -> None:
    """Measure and print."""
    from penstock.metadata import MlmdStore
    from penstock.pipeline.runner import RunRequest
    from penstock.runners import LocalRunner

    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "twice.py"), "w", encoding="utf-8") as file:
            file.write(SOURCE)
        sys.path.insert(0, folder)
        from twice import twice

        clock, root = Clock(), os.path.join(folder, "root")
        request = RunRequest(parameters={}, root=root, code_root=folder, workers=1, cache=False, observers=(clock,))
        result = LocalRunner().run(twice.compile(), request)
        assert result.state == "COMPLETE", result
        with MlmdStore.open(os.path.join(root, "metadata.db")) as store:
            steps = {each.step: each.facts for each in store.executions(result.id)}
    assert len({facts["worker"] for facts in steps.values()}) == 1, "the steps ran in several workers"
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "start_of_worker_s": round(clock.wall["light"], 3),
                "first_heavy_step_s": round(clock.wall["first"], 3),
                "second_heavy_step_s": round(clock.wall["second"], 3),
                "first_heavy_step_cpu_s": round(float(steps["first"]["cpu_s"]), 3),
                "second_heavy_step_cpu_s": round(float(steps["second"]["cpu_s"]), 3),
                "ratio_of_second_to_first": round(clock.wall["second"] / clock.wall["first"], 4),
            }
        )
    )


if __name__ == "__main__":
    main()

"""Traces which of our files a run enters on its way to the user's function; prints them as JSON.

A script, run in a process of its own: the pipeline of `one_step.py` is run with every call in the scheduler watched
until the step is handed to a worker; then the worker's part is done here, with the very task that was handed over.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import msgspec
from one_step import one_step, write

import penstock
from penstock.pipeline.task import Task
from penstock.runners import executor, local, worker
from penstock.runners.pool import WorkerPool

HOME = os.path.dirname(penstock.__file__)


@dataclass
class Way:
    """What was entered until a function was called.

    Attributes:
        entered: (file, function) of every call into our files, in order.
        stack: The files on the call stack at the end.
        arguments: What the function was called with.
    """

    entered: list[tuple[str, str]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)


@contextmanager
def watching(end: Callable[..., Any]) -> Iterator[Way]:
    """Watch every call of this thread until `end` is called."""
    way, last = Way(), (end.__code__.co_filename, end.__code__.co_name)

    def watch(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or way.arguments or code.co_name == "<module>":
            return
        if code.co_filename.startswith(HOME):
            way.entered.append((os.path.relpath(code.co_filename, HOME), code.co_name))
        if (code.co_filename, code.co_name) == last:
            way.arguments = dict(frame.f_locals)
            way.stack = list(reversed([*callers(frame)]))

    sys.setprofile(watch)
    try:
        yield way
    finally:
        sys.setprofile(None)


def callers(frame: FrameType | None) -> Iterator[str]:
    """Yield our files on the call stack, from the innermost."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(HOME):
            yield os.path.relpath(frame.f_code.co_filename, HOME)
        frame = frame.f_back


def below(task: Task, folder: str) -> Task:
    """Return the same task, to be done in another folder."""
    outputs = {
        name: msgspec.structs.replace(output, path=os.path.join(folder, name)) for name, output in task.outputs.items()
    }
    return msgspec.structs.replace(task, staging=folder, outputs=outputs, log=os.path.join(folder, "log"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with watching(WorkerPool.submit) as scheduling:
            one_step.run(root=os.path.join(folder, "root"))
        task = below(scheduling.arguments["task"], os.path.join(folder, "again"))
        with watching(write.function) as working, worker.clean_state(task), worker.log_to(task):
            executor.execute(task, print)
    assert working.arguments, "the user's function wasn't reached"
    names = [name for _, name in scheduling.entered]
    step = scheduling.entered[names.index(local._LocalRun._start_ready.__name__) :]
    found = {
        "run": [file for file, _ in scheduling.entered + working.entered],
        "step": [file for file, _ in step + working.entered],
        "stack": [*scheduling.stack, "runners/worker.py", *working.stack],
    }
    print(json.dumps({name: list(dict.fromkeys(files)) for name, files in found.items()}))


if __name__ == "__main__":
    main()

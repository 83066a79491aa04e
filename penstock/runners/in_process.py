"""The local runner without processes and without a file of metadata, for tests of one's own pipelines."""

from __future__ import annotations

import atexit
import io
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from penstock.metadata.store import MetadataStore, MlmdStore
from penstock.pipeline.errors import Unsupported
from penstock.pipeline.task import FAILED, Failure, Finished, Outcome, Progress, Task, WorkerEvent
from penstock.runners.alarms import timed_out
from penstock.runners.executor import execute
from penstock.runners.layout import Layout
from penstock.runners.local import LocalRunner
from penstock.runners.pool import Workers
from penstock.runners.worker import seeded


class InProcessRunner(LocalRunner):
    """Runs a plan in this process, one step after another, with its metadata in memory: the test double.

    Everything else is as the local runner does it: cache, conditions, gates, retries, errors. So a test can patch what
    the steps call, a debugger stops in them, their coverage is measured, what they print is captured, and a pipeline of
    small steps takes milliseconds. What it can't do: several steps at once, end a step that takes too long (it is
    recorded as timed out when it has ended), or survive a step that takes its process down.

    Two runs with one runner share its store, so that the second one is cached:

        from penstock.artifacts import Model
        from penstock.pipeline import Output, component, pipeline
        from penstock.runners import InProcessRunner

        @component
        def train(model: Output[Model], *, epochs: int) -> float:
            with open(f"{model.path}/weights.txt", "w") as file:
                file.write("0.5 " * epochs)
            return 0.9

        @pipeline
        def tiny(epochs: int = 1):
            train(epochs=epochs)

        def test_training_makes_a_model_and_tells_its_accuracy(tmp_path):
            run = tiny.run(epochs=3, runner=InProcessRunner(), root=tmp_path)

            assert run["train"].values == {"value": 0.9}
            assert open(f"{run['train'].model.path}/weights.txt").read() == "0.5 0.5 0.5 "

        def test_unchanged_training_is_reused(tmp_path):
            runner = InProcessRunner()
            tiny.run(runner=runner, root=tmp_path)

            assert tiny.run(runner=runner, root=tmp_path)["train"].state == "CACHED"

        def test_the_function_itself(tmp_path):
            assert train(model=Model(str(tmp_path)), epochs=1) == 0.9

    Attributes:
        store: What it has recorded, for a test to look into.
        root: Where artifacts lie of runs that name no root: a temporary folder, removed when the process ends.
    """

    def __init__(self, store: MetadataStore | None = None) -> None:
        self.store: MetadataStore = store or MlmdStore.in_memory()
        self.root = tempfile.mkdtemp(prefix="penstock-")
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)

    def _open_store(self, layout: Layout, stack: ExitStack) -> MetadataStore:
        if os.path.exists(layout.database):
            raise Unsupported(
                f"{layout.root} is the root of runs with a metadata store, and InProcessRunner records in memory only. "
                f"Name another root, such as pytest's tmp_path, or none."
            )
        return self.store

    def _workers(self, size: int, layout: Layout, run: str) -> Workers:
        return _ThisProcess()


class _ThisProcess:
    """Takes one task at a time, and does it when it is asked for news."""

    def __init__(self) -> None:
        self._task: Task | None = None

    @property
    def busy(self) -> list[Task]:
        return [self._task] if self._task else []

    @property
    def free(self) -> int:
        return 0 if self._task else 1

    def submit(self, task: Task) -> None:
        self._task = task

    def events(self, timeout: float | None = None) -> list[WorkerEvent]:
        task, self._task = self._task, None
        if task is None:
            time.sleep(timeout or 0.0)
            return []
        said: list[Progress] = []
        with _set_up(task):
            outcome = execute(task, said.append)
        if outcome.failure and "KeyboardInterrupt" in outcome.failure.kinds:
            raise KeyboardInterrupt
        if task.timeout is not None and outcome.facts.wall > task.timeout:
            outcome = self.end(task, timed_out(task))
        return [*said, Finished(outcome=outcome)]

    def end(self, task: Task, failure: Failure) -> Outcome:
        return Outcome(execution=task.execution, state=FAILED, reason=failure.message, failure=failure)

    def close(self) -> None:
        self._task = None


@contextmanager
def _set_up(task: Task) -> Iterator[None]:
    """Give a step its folder, environment, seeds and log; its modules stay, as do its changes to them."""
    folder, environment, path, state = os.getcwd(), dict(os.environ), list(sys.path), random.getstate()
    os.makedirs(os.path.dirname(task.log), exist_ok=True)
    with open(task.log, "a", encoding="utf-8", errors="backslashreplace") as log:
        os.environ.update(task.env)
        sys.path.insert(0, task.code_root)
        if os.path.isdir(task.code_root):
            os.chdir(task.code_root)
        try:
            with seeded(task.seed), redirect_stdout(_Both(sys.stdout, log)), redirect_stderr(_Both(sys.stderr, log)):
                yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:] = path
            random.setstate(state)


class _Both(io.TextIOBase):
    """Writes what a step prints where it goes anyway, and into the step's log."""

    def __init__(self, shown: TextIO, log: TextIO) -> None:
        self._shown, self._log = shown, log

    def write(self, text: str) -> int:
        self._log.write(text)
        return self._shown.write(text)

    def flush(self) -> None:
        self._log.flush()
        self._shown.flush()

    def fileno(self) -> int:
        return self._shown.fileno()

"""Work over ranges on one machine: this process takes them in order, and others help while it pays.

No Beam takes part: ranges go out and small results come back, so nothing is held that a barrier would hold, and a
step of a few rows doesn't import what it takes 1.3 CPU seconds to import.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, TypeVar, cast

from penstock.pipeline import step
from penstock.pipeline.errors import PlatformError

PATIENCE_S = 0.1
"""How long this process works alone before others are started, which takes 0.3 s and costs half a CPU second.

So work that is done sooner starts none, and longer work loses next to nothing.
"""

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True)
class _Failed:
    """Stands for the result of a range; `error` is None where it was met in another process."""

    error: Exception | None = None


@dataclass(frozen=True)
class _Answer:
    """Stands for the result of a range that was made in another process, and is not yet unpickled."""

    pickled: bytes

    def value(self) -> Any:
        """Return the result."""
        return pickle.loads(self.pickled)  # noqa: S301 - our own process made it


@dataclass(frozen=True)
class _NotBegun:
    """Stands for the result of a range whose process never got to work."""


@dataclass(frozen=True)
class _Lost:
    """Stands for the result of a range whose process has died."""

    exit_code: int


def map_ranges(
    label: str, work: Callable[[R], S], ranges: Sequence[R], *, workers: int, patience: float | None = None
) -> Iterator[S]:
    """Yield what `work` makes of each range, in the order of the ranges.

    Results, and the error raised, are the same for any number of workers: of several ranges that fail it is the
    first in order, and it is raised in this process by the work itself.

    Args:
        label: What is done, for messages.
        work: Pickles; so do the ranges and what is made of them.
        ranges: What is worked on.
        workers: Processes that work at once, this one among them.
        patience: Seconds until the others are started; by default `PATIENCE_S`.

    Raises:
        PlatformError: A process was killed.
    """
    if workers == 1 or len(ranges) == 1:
        yield from map(work, ranges)
        return
    with _Crew(work, ranges, min(workers, len(ranges)) - 1, PATIENCE_S if patience is None else patience) as crew:
        for number, range_ in enumerate(ranges):
            result = crew.result(number)
            if isinstance(result, _Lost):
                raise _died(label, number, len(ranges), result.exit_code)
            if isinstance(result, _Failed):
                if result.error is not None:
                    raise result.error
                result = work(range_)
                crew.go_on()
            yield cast(S, result)


def _died(label: str, number: int, count: int, exit_code: int) -> PlatformError:
    how = f"ended with exit code {exit_code}"
    if exit_code < 0:
        how = f"was killed by signal {-exit_code} ({signal.Signals(-exit_code).name})"
    likely = ", probably for lack of memory" if exit_code == -signal.SIGKILL else ""
    return PlatformError(
        f"{label}: a data worker {how}{likely}, at range {number + 1} of {count}. The step's log holds what it said. "
        "Run again with fewer data workers (--beam-workers), or give the machine more memory."
    )


class _Crew:
    """This process and its helpers, who take ranges in order from one place."""

    def __init__(self, work: Callable[[Any], Any], ranges: Sequence[Any], helpers: int, patience: float) -> None:
        self._work, self._ranges, self._patience = work, ranges, patience
        # Pickled here, so that what doesn't pickle fails in the step's own thread, and before the work fills caches.
        self._pickled = pickle.dumps(work)
        self._lock = threading.Lock()
        self._next, self._stopped = 0, False
        self._over = threading.Event()
        self._arrived: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._results: dict[int, Any] = {}
        self._helpers: list[_Helper] = []
        self._threads = [threading.Thread(target=self._feed, daemon=True) for _ in range(helpers)]

    def __enter__(self) -> _Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._over.set()
        if kind is not None:
            for helper in list(self._helpers):
                helper.kill()
        for thread in self._threads:
            thread.join()
        if self._helpers:
            step.was_helped(sum(helper.peak_memory for helper in self._helpers))

    def result(self, number: int) -> Any:
        """Return the result of a range; while it isn't there, work on what nobody has taken."""
        while number not in self._results:
            own = self._take()
            if own is not None:
                self._results[own] = self._attempt(own)
            while own is None or not self._arrived.empty():
                own, result = self._arrived.get()
                self._results[own] = self._attempt(own) if isinstance(result, _NotBegun) else result
                self._stopped |= isinstance(result, _Failed | _Lost)
        found = self._results.pop(number)
        return found.value() if isinstance(found, _Answer) else found

    def go_on(self) -> None:
        """Take ranges again: what failed has succeeded."""
        self._stopped = False

    def _take(self) -> int | None:
        with self._lock:
            if self._stopped or self._next == len(self._ranges):
                return None
            self._next += 1
            return self._next - 1

    def _attempt(self, number: int) -> Any:
        try:
            return self._work(self._ranges[number])
        except Exception as error:
            self._stopped = True
            return _Failed(error)

    def _feed(self) -> None:
        """Hand ranges to a helper, in a thread of its own, which must outlive it: Linux kills it with its thread."""
        if self._over.wait(self._patience) or self._next == len(self._ranges):
            return
        try:
            helper = _Helper(self._pickled)
        except OSError as error:
            logging.getLogger(__name__).warning("No further data worker can be started: %s", error)
            return
        self._helpers.append(helper)
        while (number := self._take()) is not None:
            try:
                self._arrived.put((number, helper.ask(self._ranges[number])))
            except (EOFError, OSError):
                self._arrived.put((number, helper.fate()))
                return
            except Exception as error:  # the range doesn't pickle
                self._arrived.put((number, _Failed(error)))
        helper.end()


class _Helper:
    """A process that works on ranges when asked; `peak_memory` (bytes) is known once it has ended."""

    def __init__(self, pickled: bytes) -> None:
        self._connection, theirs = Pipe()
        self._process = _start(theirs)
        theirs.close()
        self._asked = self._answered = False
        self.peak_memory = 0
        with suppress(OSError):  # it has died; asking it says so
            self._connection.send((sys.path, logging.root.getEffectiveLevel()))
            self._connection.send_bytes(pickled)

    def ask(self, range_: Any) -> _Answer | _Failed:
        """Return its answer.

        Raises:
            EOFError: It has died.
            OSError: It has died.
        """
        self._connection.send(range_)
        self._asked = True
        answer = self._connection.recv_bytes()
        self._answered = True
        return _Answer(answer) if answer else _Failed()

    def fate(self) -> _Lost | _NotBegun:
        """Return what became of it, when it has died."""
        exit_code = self.end()
        if self._answered or exit_code < 0:
            return _Lost(exit_code)
        # Such as work of a notebook, which is no module that another process could import.
        logging.getLogger(__name__).warning("A data worker could not begin; the step goes on without it.")
        return _NotBegun()

    def end(self) -> int:
        """Let it end, and return its exit code."""
        self.peak_memory = step.peak_memory(self._process.pid)
        self._connection.close()
        if not self._asked:  # it is still starting, for nothing
            self._process.kill()
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill(self) -> None:
        """End it now."""
        self._process.kill()


def _start(theirs: Connection) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "penstock.pipeline.range_worker", str(theirs.fileno()), str(os.getpid())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONSAFEPATH": "1"},  # a user's file must not hide a module that the worker starts with
    )

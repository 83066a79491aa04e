"""Worker processes: started by spawn, reused while they fit, waited for over one selector, as Ctrl-C allows."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Protocol

import msgspec

from penstock.data import files
from penstock.pipeline.task import (
    COMPLETE,
    CUT_OFF,
    FAILED,
    Facts,
    Failure,
    Finished,
    Outcome,
    Task,
    WorkerEvent,
    encode,
    event_decoder,
)
from penstock.runners import capacity
from penstock.runners.layout import LOG_HEAD, LOG_TAIL
from penstock.runners.strays import WORKER_VARIABLE, kill_strays

HEARTBEAT = 1.0
"""Seconds after which silent workers are looked at: one whose child holds its socket dies without a word."""

MEMORY_LIMIT = 4 << 30
"""A worker whose step peaked above this many bytes is retired rather than reused."""

LAST_WORDS, LAST_WORDS_OF_A_STEP = 0.05, 1.0
"""Seconds that a worker whose socket is closed has to end by itself, so that its exit code is its own."""

CRASHES = {
    signal.SIGSEGV: ": the step, or a library that it uses, read or wrote memory that isn't its own",
    signal.SIGBUS: ": the step, or a library that it uses, read or wrote memory that isn't there",
    signal.SIGABRT: ": the step, or a library that it uses, gave up",
    signal.SIGFPE: ": the step, or a library that it uses, divided by zero",
    signal.SIGILL: ": the step, or a library that it uses, asks for instructions that this processor hasn't",
}
FIXED_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "0",  # importing tensorflow_transform sets it to 1, and tf.keras becomes Keras 2
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its kernels round differently from run to run
    "KERAS_BACKEND": "tensorflow",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(eq=False)
class Worker:
    """One process: its socket, what it was started for, what it is doing."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    environment: tuple[tuple[str, str], ...]
    mark: str
    task: Task | None = None
    done: int = 0
    peak: int = 0
    cut_off: bool = False
    unread: bytearray = field(default_factory=bytearray)


class Workers(Protocol):
    """What a run gives its tasks to; `WorkerPool` does them in processes of its own."""

    @property
    def busy(self) -> list[Task]:
        """The tasks under way."""

    @property
    def free(self) -> int:
        """How many more tasks can be taken now."""

    def submit(self, task: Task) -> None:
        """Take a task; there must be a free place."""

    def events(self, timeout: float | None = None) -> list[WorkerEvent]:
        """Wait for news, for some seconds at most, and return it."""

    def end(self, task: Task, failure: Failure) -> Outcome:
        """Stop a task and return what is to be said of it."""

    def close(self) -> None:
        """Stop everything."""


class WorkerPool:
    """At most `size` workers; a task goes to the warmest one with its environment, else to a new one."""

    def __init__(self, size: int, folder: str, mark: str) -> None:
        self.size = size
        self._folder, self._mark = folder, mark
        self._workers: list[Worker] = []
        self._started = 0
        self._kills = capacity.memory_kills()
        self._selector = selectors.DefaultSelector()

    @property
    def busy(self) -> list[Task]:
        """The tasks under way."""
        return [worker.task for worker in self._workers if worker.task]

    @property
    def free(self) -> int:
        """How many more tasks can be taken now."""
        return self.size - len(self.busy)

    def submit(self, task: Task) -> None:
        """Give a task to a worker; there must be a free place."""
        environment = tuple(sorted(task.env.items()))
        idle = [worker for worker in self._workers if worker.task is None]
        fitting = [worker for worker in idle if worker.environment == environment]
        if fitting:
            worker = max(fitting, key=lambda each: each.done)
        else:
            if len(self._workers) >= self.size and idle:
                self._stop(idle[0])
            worker = self._start(environment)
        worker.task = task
        with suppress(ConnectionError):  # a worker's end is reported by the next `events`
            worker.channel.sendall(encode(task) + b"\n")

    def events(self, timeout: float | None = None) -> list[WorkerEvent]:
        """Wait for news, for `HEARTBEAT` by default, and return it; a worker that died yields a failed outcome."""
        news: list[WorkerEvent] = []
        ready = self._selector.select(HEARTBEAT if timeout is None else timeout)
        for key, _ in ready:
            news += self._read(key.data)
        if not ready:
            for worker in [each for each in self._workers if _reap(each, os.WNOHANG)]:
                news += self._lost(worker)
        return news

    def end(self, task: Task, failure: Failure) -> Outcome:
        """Kill the worker of a task and return what is to be said of the task."""
        worker = next(each for each in self._workers if each.task is task)
        self._stop(worker)
        facts = Facts(wall=task.timeout or 0.0, peak_memory=worker.peak, worker=worker.process.pid)
        return Outcome(execution=task.execution, state=FAILED, reason=failure.message, failure=failure, facts=facts)

    def close(self) -> None:
        """Stop every worker, busy ones too."""
        for worker in list(self._workers):
            self._stop(worker)
        self._selector.close()

    def _start(self, environment: tuple[tuple[str, str], ...]) -> Worker:
        ours, theirs = socket.socketpair()
        threads = str(os.cpu_count() or 1)
        fixed = FIXED_ENVIRONMENT | {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}
        # What the caller's environment or the node says stands above our defaults, but for what would break us.
        merged = {**fixed, **os.environ, **dict(environment), "TF_USE_LEGACY_KERAS": "0", "PYTHONHASHSEED": "0"}
        self._started += 1
        merged[WORKER_VARIABLE] = mark = f"{self._mark}/{self._started}/"
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock.runners.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=merged,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        worker = Worker(process, ours, environment, mark)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return worker

    def _read(self, worker: Worker) -> list[WorkerEvent]:
        try:
            received = worker.channel.recv(1 << 18)
        except ConnectionResetError:
            received = b""
        if not received:
            return self._lost(worker)
        worker.unread += received
        *lines, rest = worker.unread.split(b"\n")
        worker.unread = bytearray(rest)
        try:
            news = [event_decoder.decode(line) for line in lines]
        except msgspec.MsgspecError:
            worker.cut_off = True
            return self._lost(worker)
        for event in news:
            if isinstance(event, Finished):
                self._finished(worker, event)
        return news

    def _finished(self, worker: Worker, said: Finished) -> None:
        worker.task = None
        worker.done += said.outcome.state == COMPLETE
        if said.spent or said.outcome.facts.peak_memory > MEMORY_LIMIT:
            self._stop(worker)

    def _lost(self, worker: Worker) -> list[WorkerEvent]:
        task = worker.task
        worker.cut_off = worker.cut_off or not _wait(worker, LAST_WORDS_OF_A_STEP)
        self._stop(worker)
        worker.task = None
        if task and os.path.exists(task.log):
            with open(task.log, "ab+", buffering=0) as log:
                files.drop_middle(log.fileno(), LOG_HEAD, LOG_TAIL)
        before, self._kills = self._kills, capacity.memory_kills()
        return [Finished(outcome=_died(task, worker, before, self._kills))] if task else []

    def _stop(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.channel)
        worker.channel.close()
        _kill_group(worker)


class Interrupts:
    """Makes a first Ctrl-C or SIGTERM wait until nothing is half done; a second one acts at once.

    Only in the main thread, and only where they mean KeyboardInterrupt: handlers of others stay.
    """

    def __init__(self) -> None:
        self._asked = False
        self._open = False
        self._ours: list[signal.Signals] = []

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            both = (signal.SIGINT, signal.SIGTERM)
            self._ours = [each for each in both if signal.getsignal(each) is signal.default_int_handler]
        for number in self._ours:
            signal.signal(number, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number in self._ours:
            signal.signal(number, signal.default_int_handler)
        if self._asked and error is None:
            raise KeyboardInterrupt

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Let Ctrl-C interrupt this block, also one that was held back until now."""
        if self._asked:
            raise KeyboardInterrupt
        self._open = True
        try:
            yield
        finally:
            self._open = False

    def forgive(self) -> None:
        """Treat the next Ctrl-C as a first one: what the last one asked for has been done."""
        self._asked = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        at_once = self._open or self._asked
        self._asked = True
        if at_once:
            raise KeyboardInterrupt


def _kill_group(worker: Worker) -> None:
    """Kill a worker with all that it started; it has nothing to clean up, staging is removed by the scheduler."""
    _wait(worker, LAST_WORDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.pid, signal.SIGKILL)
    _reap(worker, 0)
    if worker.task:
        kill_strays(worker.mark)


def _wait(worker: Worker, seconds: float) -> bool:
    """Wait for a worker's end; False when it still lives."""
    patience = time.monotonic() + seconds
    while not _reap(worker, os.WNOHANG):
        if time.monotonic() > patience:
            return False
        time.sleep(0.002)
    return True


def _reap(worker: Worker, options: int) -> bool:
    """Take note of a worker's end, and of its peak memory, which `Popen.wait` doesn't tell; False while it lives."""
    process = worker.process
    if process.returncode is None:
        pid, status, usage = os.wait4(process.pid, options)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            worker.peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return process.returncode is not None


def _died(task: Task, worker: Worker, kills_before: int | None, kills_now: int | None) -> Outcome:
    code, fault = worker.process.returncode, "platform"
    if worker.cut_off or code == CUT_OFF:
        fault = "user code"
        message = (
            "the step closed the worker's connection, or wrote to it: a step leaves descriptors alone that it hasn't "
            "opened (os.close, os.closerange, os.write)"
        )
    elif code == -signal.SIGKILL:
        asked = f"; the step asks for memory={capacity.size_text(task.memory)}" if task.memory else ""
        message = f"the worker was {capacity.cause_of_kill(worker.peak, kills_before, kills_now)}{asked}"
    elif code < 0:
        crash = signal.Signals(-code)
        fault = "user code" if crash in CRASHES else fault
        message = f"the worker was killed by {crash.name}{CRASHES.get(crash, '')}"
    else:
        fault = "user code"
        message = f"the step ended its process with exit code {code} (os._exit, or a library that gave up)"
    failure = Failure(type="WorkerDied", message=message, fault=fault)
    facts = Facts(peak_memory=worker.peak, worker=worker.process.pid)
    return Outcome(execution=task.execution, state=FAILED, reason=message, failure=failure, facts=facts)

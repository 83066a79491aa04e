"""The worker process: takes tasks from a socket, runs each in a clean state, and dies with its scheduler.

Started as `python -m penstock.runners.worker FD`. It reads one JSON task a line and writes events, one JSON object a
line. It never opens the metadata store.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, TextIO

import msgspec

from penstock.data import files
from penstock.pipeline import step
from penstock.pipeline.task import COMPLETE, CUT_OFF, Finished, Message, Outcome, Task, encode, task_decoder
from penstock.runners.executor import Report, execute, failed, is_local
from penstock.runners.layout import LOG_HEAD, LOG_TAIL
from penstock.runners.secrecy import MASK, secrets_of

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIGNALS = tuple(
    getattr(signal, f"SIG{name}")
    for name in ("ALRM", "VTALRM", "PROF", "CHLD", "HUP", "INT", "PIPE", "QUIT", "TERM", "USR1", "USR2", "WINCH")
)
"""Those whose handlers steps change: all 62 would take 50 microseconds a step."""

LOG_LOOK = 0.05
"""Seconds between two looks at the size of a log."""

MASKED_AT_ONCE = 1 << 16
PATIENCE_WITH_CHILDREN = 5.0
SEEDED: dict[str, Callable[[Any, int], object]] = {
    "numpy": lambda numpy, seed: numpy.random.seed(seed),
    "tensorflow": lambda tensorflow, seed: tensorflow.random.set_seed(seed),
    "torch": lambda torch, seed: torch.manual_seed(seed),
}


def main() -> None:
    """Serve tasks until the scheduler closes the socket."""
    _die_with_parent()
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.setblocking(True)
    lock = threading.Lock()

    def send(event: Message) -> None:
        try:
            with lock:
                channel.sendall(encode(event) + b"\n")
        except OSError:
            os._exit(CUT_OFF)

    inbox, waiting = os.pipe()
    threading.Thread(target=_forward, args=(channel, waiting), daemon=True).start()
    _keeper(os.getpid())
    ours = frozenset(threading.enumerate())
    with os.fdopen(inbox, "rb") as tasks:
        for line in tasks:
            try:
                task = task_decoder.decode(line)
            except msgspec.DecodeError:  # an earlier step wrote into a descriptor that wasn't its own
                os._exit(CUT_OFF)
            outcome = serve(task, send)
            send(Finished(outcome=outcome, spent=bool(_left_threads(ours))))


def serve(task: Task, report: Report) -> Outcome:
    """Run one task in a clean state, its output in its log; what goes wrong around it is its failure too."""
    outcome: Outcome | None = None
    try:
        with clean_state(task), log_to(task):
            outcome = execute(task, report)
    except Exception as error:
        if outcome is None or outcome.state == COMPLETE:
            outcome = failed(task, error, {})
    assert outcome is not None
    return outcome


def _forward(channel: socket.socket, waiting: int) -> None:
    """Hand tasks to the main thread, and end the process as soon as the scheduler is gone."""
    with suppress(OSError):  # a scheduler that dies with messages unread resets the connection
        while received := channel.recv(1 << 16):
            os.write(waiting, received)
    os._exit(0)


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_CHILD_SUBREAPER, 1)  # what a step detaches from itself becomes ours, and is found after it


@contextmanager
def clean_state(task: Task) -> Iterator[None]:
    """Set the process up for a task, and put everything back afterwards.

    Modules below the code root are forgotten, so that the next task imports them anew; directory, environment, import
    path, arguments, seeds, logging, signal handlers, timers and the mask of new files are restored.
    """
    folder, environment, path, arguments = os.getcwd(), dict(os.environ), list(sys.path), list(sys.argv)
    signals, mask = {number: signal.getsignal(number) for number in SIGNALS}, _file_mask()
    level, handlers = logging.root.level, list(logging.root.handlers)
    os.environ.update(task.env)
    sys.path.insert(0, task.code_root)
    if os.path.isdir(task.code_root):
        os.chdir(task.code_root)
    _reset_peak_memory()
    try:
        with seeded(task.seed):
            yield
    finally:
        _forget_user_modules(task.code_root)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:], sys.argv[:] = path, arguments
        os.umask(mask)
        _restore_signals(signals)
        logging.root.setLevel(level)
        logging.root.handlers[:] = handlers
        if "keras" in sys.modules:
            sys.modules["keras"].backend.clear_session(free_memory=False)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make what a step draws the same every time, in a new worker and in a warm one."""
    random.seed(seed)
    for name, apply in SEEDED.items():
        if name in sys.modules:
            apply(sys.modules[name], seed)
    finder = _SeedingFinder(seed)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


class _SeedingFinder(importlib.abc.MetaPathFinder):
    """Finds what the other finders find, and seeds it once it is loaded."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._searching = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in SEEDED or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            spec.loader = _SeedingLoader(spec.loader, fullname, self._seed)
        return spec


class _SeedingLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, name: str, seed: int) -> None:
        self._loader, self._name, self._seed = loader, name, seed

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__.loader = self._loader  # type: ignore[union-attr]
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        SEEDED[self._name](module, self._seed)


_kept: set[str] = set()
"""Modules that are not the user's; looked at once, since a worker serves one code root and holds thousands."""


def _forget_user_modules(code_root: str) -> None:
    for name in sys.modules.keys() - _kept:
        module = sys.modules[name]
        places = [getattr(module, "__file__", None), *_folders(module)]
        if any(place and is_local(place, code_root) for place in places) and name.split(".", 1)[0] != "penstock":
            del sys.modules[name]
        else:
            _kept.add(name)
    for folder in [each for each in sys.path_importer_cache if f"{each}{os.sep}".startswith(code_root + os.sep)]:
        del sys.path_importer_cache[folder]


def _folders(module: ModuleType) -> list[str]:
    """Return where a package lies that has no `__init__.py`, and so no file."""
    try:
        return list(getattr(module, "__path__", ()))
    except Exception:  # modules that load themselves when touched
        return []


def _reset_peak_memory() -> None:
    if sys.platform == "linux":
        # A sandbox may not have it; the peak then is that of the whole process.
        with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")


def _file_mask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def _restore_signals(before: Mapping[Any, Any]) -> None:
    """Stop timers, and put back the handlers that were changed."""
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _kill_children() -> None:
    """End what the step has left running, whatever session it went to: orphans become this process's children."""
    until = time.monotonic() + PATIENCE_WITH_CHILDREN
    while (sys.platform != "linux" or _has_children()) and time.monotonic() < until:
        import psutil

        children = psutil.Process().children(recursive=True)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    logging.getLogger(__name__).warning("Process %d was left running by the step; killed.", child.pid)
                    child.kill()
        psutil.wait_procs(children, timeout=PATIENCE_WITH_CHILDREN)
        if sys.platform != "linux":
            return


def _left_threads(ours: frozenset[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that a step has left running: they can't be ended, only their process can."""
    return [thread for thread in threading.enumerate() if thread not in ours]


def _has_children() -> bool:
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                if file.read():
                    return True
        except OSError:
            return True
    return False


@contextmanager
def log_to(task: Task) -> Iterator[None]:
    """Send all output of this process and its children to the step's log, secrets masked; end the children."""
    os.makedirs(os.path.dirname(task.log), exist_ok=True)
    target = os.open(task.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    saved, streams = (os.dup(1), os.dup(2)), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = _stream(1), _stream(2)  # the step may close or replace its own
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(step.LOG_FORMAT))
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    if task.attempt > 1:
        os.write(target, f"--- attempt {task.attempt} ---\n".encode())
    with bounded(target), masked(target, secrets_of(task)) as sink:
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        try:
            yield
        finally:
            _kill_children()
            with suppress(OSError, ValueError):  # closed by the step, or a full disk
                sys.stdout.flush()
            sys.stdout, sys.stderr = streams
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            logging.root.removeHandler(handler)
    for descriptor in (*saved, target):
        os.close(descriptor)


def _stream(descriptor: int) -> TextIO:
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


@contextmanager
def masked(target: int, secrets: list[str]) -> Iterator[int]:
    """Yield a descriptor to write to: the target itself, or a pipe that takes the secrets out on the way to it."""
    if not secrets:
        yield target
        return
    needles = [secret.encode() for secret in secrets]
    reader, writer = os.pipe()
    ours = os.dup(target)  # the thread outlives this block where a process that couldn't be killed holds the pipe
    thread = threading.Thread(target=_pump, args=(reader, ours, needles), daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        os.close(writer)
        thread.join(timeout=1)


def _pump(reader: int, target: int, needles: list[bytes]) -> None:
    """Copy lines from a pipe to a file without the needles; of a line without end, some at a time."""
    longest, rest = max(map(len, needles)), b""
    with os.fdopen(reader, "rb") as lines, os.fdopen(target, "wb", buffering=0) as file:
        while line := lines.readline(MASKED_AT_ONCE):
            text = functools.reduce(lambda text, needle: text.replace(needle, MASK.encode()), needles, rest + line)
            cut = len(text) if text.endswith(b"\n") else max(len(text) - longest, 0)  # a needle may go on in what comes
            rest = text[cut:]
            file.write(text[:cut])
        file.write(rest)


class _LogKeeper:
    """Keeps the log of the step under way from filling the disk: one thread a worker looks at its size.

    The file stays what the step and its children write to, so that nothing is lost of a process that crashes: what lies
    between beginning and end becomes a hole, and is cut out when nobody writes any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._target, self._emptied = -1, LOG_HEAD
        threading.Thread(target=self._look, daemon=True).start()

    def begin(self, target: int) -> None:
        with self._lock:
            self._target, self._emptied = target, LOG_HEAD

    def end(self) -> None:
        with self._lock:
            self._target = -1

    def _look(self) -> None:
        while True:
            time.sleep(LOG_LOOK)
            with self._lock:
                if self._target >= 0:
                    self._empty()

    def _empty(self) -> None:
        with suppress(OSError):  # closed by the step
            last = os.fstat(self._target).st_size - LOG_TAIL
            if last - self._emptied > LOG_TAIL and files.make_hole(self._target, self._emptied, last):
                self._emptied = last


@functools.lru_cache(maxsize=1)
def _keeper(process: int) -> _LogKeeper:
    """Return this process's keeper: a forked child has no threads of its parent's."""
    return _LogKeeper()


@contextmanager
def bounded(target: int) -> Iterator[None]:
    """Keep a log that is written to within bounds, by cutting out its middle."""
    keeper = _keeper(os.getpid())
    keeper.begin(target)
    try:
        yield
    finally:
        keeper.end()
        with suppress(OSError):
            files.drop_middle(target, LOG_HEAD, LOG_TAIL)


if __name__ == "__main__":
    main()

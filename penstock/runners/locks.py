"""A run's lock: who holds it lives; a lock that can be had belongs to a dead run."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.runners.layout import Layout


@dataclass
class RunLock:
    """An flock held on `<root>/.runs/<run>.lock` for as long as the process lives.

    Released when all that the run did is recorded; dropped otherwise, so that the next start recovers the run.
    """

    path: str
    descriptor: int

    def release(self) -> None:
        """Give the lock up and remove its file."""
        os.unlink(self.path)
        self.drop()

    def drop(self) -> None:
        """Give the lock up and leave its file; a second call does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def acquire(layout: Layout, run: str) -> RunLock:
    """Take the lock of a new run."""
    os.makedirs(layout.locks, exist_ok=True)
    path = layout.lock(run)
    # It gets its name once it is held and written: a lock that another process finds is never half made.
    lock = _try(f"{path}.new", os.O_CREAT | os.O_RDWR)
    assert lock is not None, f"run {run} is new, so nobody else holds its lock"
    os.write(lock.descriptor, json.dumps({"pid": os.getpid()}).encode())
    os.rename(lock.path, path)
    return RunLock(path, lock.descriptor)


def dead_runs(layout: Layout) -> Iterator[tuple[str, RunLock]]:
    """Yield the runs whose process is gone, each with its lock taken, so that one recoverer works on it."""
    if not os.path.isdir(layout.locks):
        return
    for name in sorted(os.listdir(layout.locks)):
        if name.endswith(".lock"):
            lock = _try(os.path.join(layout.locks, name), os.O_RDWR)
            if lock is not None:
                yield name.removesuffix(".lock"), lock


def holder(layout: Layout, run: str) -> int | None:
    """Return the process id of a live run, None when the run isn't live."""
    path = layout.lock(run)
    if not os.path.exists(path):
        return None
    lock = _try(path, os.O_RDWR)
    if lock is not None:
        os.close(lock.descriptor)
        return None
    with open(path, encoding="utf-8") as file:
        pid: int = json.load(file)["pid"]
    return pid


def _try(path: str, flags: int) -> RunLock | None:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    # The file may have been released and removed between opening and locking.
    if not os.path.exists(path) or os.stat(path).st_ino != os.fstat(descriptor).st_ino:
        os.close(descriptor)
        return None
    return RunLock(path, descriptor)

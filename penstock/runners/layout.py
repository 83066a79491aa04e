"""Where everything lies below a root, what an id looks like, and the lock of a run that lives.

<root>/metadata.db                                              ML Metadata
<root>/artifacts/<pipeline>/<node>/<execution>/<output>/...     published outputs, outcome.json, _key.json
<root>/.staging/<run>/<execution>-<attempt>/...                 the same while a worker fills it
<root>/runs/<run>/plan.json, events.jsonl, logs/<step>.log      what a run was and said
<root>/runs/<run>/keys/<step>.json                              the key of a step that published nothing
<root>/.runs/<run>.lock                                         held while the run lives
<root>/lost+found/...                                           what fsck found among artifacts and belongs to none
<root>/.cache/hashes.db                                         memoised hashes of source files
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.pipeline.errors import PlatformError
from penstock.pipeline.project import ROOT_VARIABLE, is_root_by_chance

LEAST_ROOM = 1 << 20
"""Bytes that must be left on the root's disk for a run to start: the metadata of its first step alone take as many."""

LOG_HEAD = LOG_TAIL = 4 << 20
"""Bytes of a step's log that are kept of its beginning and its end, when it is longer than both together."""

OUTCOME = "outcome.json"
KEY = "_key.json"
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """Return a new ULID: 48 bits of milliseconds and 80 random ones, in Crockford's base 32."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_BASE32[number >> shift & 31] for shift in range(125, -1, -5))


def ulid_number(identifier: str) -> int:
    """Return the 128 bits of a ULID as a number."""
    number = 0
    for letter in identifier:
        number = number << 5 | _BASE32.index(letter)
    return number


def _name(step: str) -> str:
    """Return a step's name as a file's: "Trainer[2]" is no pattern in anybody's glob as "Trainer.2"."""
    return step.replace("[", ".").replace("]", "") if "[" in step else step


@dataclass(frozen=True)
class Layout:
    """The places below one root, all absolute."""

    root: str

    @property
    def database(self) -> str:
        """The metadata store's file."""
        return os.path.join(self.root, "metadata.db")

    @property
    def locks(self) -> str:
        """The folder of the locks of live runs."""
        return os.path.join(self.root, ".runs")

    @property
    def hashes(self) -> str:
        """The memo of source file hashes."""
        return os.path.join(self.root, ".cache", "hashes.db")

    @property
    def artifacts(self) -> str:
        """The folder of all that was published."""
        return os.path.join(self.root, "artifacts")

    def lock(self, run: str) -> str:
        """The lock of one run."""
        return os.path.join(self.locks, f"{run}.lock")

    def run(self, run: str) -> str:
        """The folder of what a run was and said."""
        return os.path.join(self.root, "runs", run)

    def log(self, run: str, step: str) -> str:
        """The log file of a step."""
        return os.path.join(self.run(run), "logs", f"{_name(step)}.log")

    def kept_key(self, run: str, step: str) -> str:
        """The cache key of a step of a run that published nothing, because it failed for one."""
        return os.path.join(self.run(run), "keys", f"{_name(step)}.json")

    def staging(self, run: str) -> str:
        """The folder of all that a run has in the making."""
        return os.path.join(self.root, ".staging", run)

    def attempt(self, run: str, execution: str, attempt: int) -> str:
        """The staging folder of one attempt."""
        return os.path.join(self.staging(run), f"{execution}-{attempt}")

    def execution(self, pipeline: str, node: str, execution: str) -> str:
        """The final folder of an execution."""
        return os.path.join(self.artifacts, pipeline, _name(node), execution)

    def absolute(self, uri: str) -> str:
        """Return the local path of a recorded URI, which is relative to the root unless it lies outside."""
        return uri if "://" in uri else os.path.join(self.root, uri)

    def relative(self, path: str) -> str:
        """Return what is recorded of a path: relative to the root when it lies below."""
        inside = path.startswith(self.root + os.sep)
        return os.path.relpath(path, self.root) if inside else path


def prepare_root(layout: Layout, code_root: str) -> None:
    """Make a root usable; a new one that only the working directory has chosen is told of.

    Args:
        layout: The root.
        code_root: The folder of the pipeline's code.

    Raises:
        PlatformError: It can't be made or written, or its disk is full.
    """
    try:
        os.makedirs(os.path.join(layout.root, ".staging"), exist_ok=True)
        probe = os.path.join(layout.root, ".staging", f".probe-{os.getpid()}")
        with open(probe, "w", encoding="ascii"):
            os.unlink(probe)
    except OSError as error:
        raise PlatformError(
            f"The root {layout.root} can't be written: {error.strerror}. Choose another with --root DIR, or repair "
            f"its permissions."
        ) from error
    room = shutil.disk_usage(layout.root).free
    if room < LEAST_ROOM:
        raise PlatformError(
            f"The disk of the root {layout.root} is full: {room / 1e6:.1f} MB are left. Free some space there, or "
            f"choose another with --root DIR."
        )
    if not os.path.exists(layout.database) and is_root_by_chance(layout.root, code_root):
        logging.getLogger(__name__).warning(
            "New root %s, where you stand; the pipeline is in %s, and nothing that ran in another root is reused. To "
            'use one root wherever you stand, name it: --root DIR, $%s, or root = "DIR" in a penstock.toml there.',
            layout.root,
            code_root,
            ROOT_VARIABLE,
        )


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


def acquire_lock(layout: Layout, run: str) -> RunLock:
    """Take the lock of a new run."""
    os.makedirs(layout.locks, exist_ok=True)
    path = layout.lock(run)
    # It gets its name once it is held and written: a lock that another process finds is never half made.
    lock = _try_lock(f"{path}.new", os.O_CREAT | os.O_RDWR)
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
            lock = _try_lock(os.path.join(layout.locks, name), os.O_RDWR)
            if lock is not None:
                yield name.removesuffix(".lock"), lock


def lock_holder(layout: Layout, run: str) -> int | None:
    """Return the process id of a live run, None when the run isn't live."""
    path = layout.lock(run)
    if not os.path.exists(path):
        return None
    lock = _try_lock(path, os.O_RDWR)
    if lock is not None:
        os.close(lock.descriptor)
        return None
    with open(path, encoding="utf-8") as file:
        pid: int = json.load(file)["pid"]
    return pid


def _try_lock(path: str, flags: int) -> RunLock | None:
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

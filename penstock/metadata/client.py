"""Calls into ML Metadata's C++ library, with a backoff in milliseconds where other writers are in the way.

The library's own Python client sleeps 2 s on average before it tries again and logs every conflict as an error.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as library
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

from penstock.metadata.errors import StoreError

ALREADY_EXISTS = 6
NOT_FOUND = 5
_ABORTED = 10
_BUSY_WORDS = ("database is locked", "database is busy", "database table is locked", "Concurrent writes aborted")
_DISK_FULL = "disk is full"
_PATIENCE_SECONDS = 30.0
_SHORTEST_WAIT = 0.001
_LONGEST_WAIT = 0.064


class StatusError(StoreError):
    """A call that ML Metadata refused; ``code`` is its status (``ALREADY_EXISTS``, ...)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """One connection; calls from several threads take turns.

    Args:
        config: Where to connect to.
        where: The store's place in words, for messages.
        patience: Seconds to keep trying while other processes write.
        file: The SQLite file, which has to stay in its place; None in memory.

    Raises:
        StoreError: It can't be opened, or stayed locked.
    """

    def __init__(
        self,
        config: metadata_store_pb2.ConnectionConfig,
        where: str,
        patience: float = _PATIENCE_SECONDS,
        file: Path | None = None,
    ) -> None:
        self.where = where
        self._config = config.SerializeToString()
        self._patience = patience
        self._lock = threading.Lock()
        self._file, self._opened = file, _identity(file) if file else None
        self._handle: Any = None
        waits = _Backoff(patience)
        while self._handle is None:
            try:
                self._handle = library.CreateMetadataStore(self._config, b"")
            except RuntimeError as error:
                if not _is_busy(str(error)):
                    raise StoreError(f"The metadata store {where} can't be opened: {error}") from error
                waits.wait(where)

    def call(self, method: str, request: Any) -> Any:
        """Call one method of ML Metadata's service: a request proto in, a response proto out.

        Raises:
            StatusError: It was refused.
            StoreError: Other processes kept the store locked, it is closed, or its file isn't in its place any more.
        """
        function = getattr(library, method)
        payload = request.SerializeToString()
        waits = _Backoff(self._patience)
        while True:
            with self._lock:
                if self._handle is None:
                    raise StoreError(f"The metadata store {self.where} is closed. Open it again.")
                answer, message, code = function(self._handle, payload)
            self._check_place()
            if code == 0:
                response = getattr(metadata_store_service_pb2, method + "Response")()
                response.ParseFromString(answer)
                return response
            text = message.decode("utf-8", "replace")
            if _DISK_FULL in text:
                # The library leaves its transaction open; only a new connection is of use again.
                self._handle = library.CreateMetadataStore(self._config, b"")
                raise StoreError(
                    f"The disk of the metadata store {self.where} is full. Free some space and run again: what was "
                    f"published is kept and reused."
                )
            if code != _ABORTED and not _is_busy(text):
                raise StatusError(f"The metadata store {self.where} refused {method}: {text}", code)
            waits.wait(self.where)

    def _check_place(self) -> None:
        """See to it that what was just written is where the next process looks for it."""
        if self._file is None:
            return
        try:
            problem = "" if _identity(self._file) == self._opened else "replaced by another file"
        except OSError:
            problem = "deleted or moved"
        if problem:
            raise StoreError(
                f"The metadata store {self.where} was {problem} while it was in use: what is recorded now would be "
                f"lost. See that no step and nobody else touches it. Put the file back and run again; without it a "
                f"new store is made, and every step runs anew."
            )

    def close(self) -> None:
        """Let go of the connection; later calls raise."""
        with self._lock:
            self._handle = None


class _Backoff:
    """Exponential waits with jitter, up to a deadline."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._deadline = time.monotonic() + patience
        self._longest = _SHORTEST_WAIT

    def wait(self, where: str) -> None:
        """Sleep a little longer than last time at most.

        Raises:
            StoreError: The deadline has passed.
        """
        if time.monotonic() > self._deadline:
            raise StoreError(
                f"The metadata store {where} was locked by other processes for over {self._patience:g} s. "
                f"See who holds it (fuser {where}), and run again."
            )
        self._longest = min(2 * self._longest, _LONGEST_WAIT)
        time.sleep(random.uniform(_SHORTEST_WAIT / 2, self._longest))  # noqa: S311  # jitter, no secret


def _is_busy(text: str) -> bool:
    return any(words in text for words in _BUSY_WORDS)


NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs"}
)
_BUSY_SECONDS = 10.0
_open_files: Counter[tuple[int, int]] = Counter()
_open_files_lock = threading.Lock()


def prepare_file(path: Path, schema_version: int) -> tuple[int, int]:
    """Check that ``path`` can be a metadata store, and put it in WAL mode (not on a network file system).

    A missing or empty file is made ready; anything else that isn't a metadata store is left untouched.

    Args:
        path: The SQLite file.
        schema_version: The schema that the installed ml-metadata writes.

    Returns:
        A token for ``release_file``: until then the file counts as open in this process.

    Raises:
        StoreError: Not a file, not a database, somebody else's database, another schema, or not accessible.
    """
    _check_access(path)
    with _open_files_lock:
        if not path.exists() or not _open_files[_identity(path)]:
            _inspect_patiently(path, schema_version)
        identity = _identity(path)
        _open_files[identity] += 1
        return identity


def release_file(identity: tuple[int, int]) -> None:
    """Note that one of this process's connections is closed."""
    with _open_files_lock:
        _open_files[identity] -= 1


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _check_access(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"No metadata store at {path}: its folder does not exist. Create it, or choose another root.")
    if path.is_dir():
        raise StoreError(f"The metadata store {path} is a folder. Move it away, or choose another root.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"The folder {folder} can't be written, and the metadata store {path.name} in it needs that. "
            f"Ask for write permission, or choose another root."
        )
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(
            f"The metadata store {path} can't be read and written by this user. "
            f"Ask for the permission, or choose another root."
        )


def _inspect_patiently(path: Path, schema_version: int) -> None:
    """Inspect a file, again while another process is making it a store: SQLite's own patience ends at once there."""
    waits = _Backoff(_BUSY_SECONDS)
    while True:
        try:
            return _inspect(path, schema_version)
        except (sqlite3.DatabaseError, OSError) as error:
            if not _is_busy(str(error)):
                raise _explain(path, error) from error
            waits.wait(str(path))


def _inspect(path: Path, schema_version: int) -> None:
    if not path.exists():
        path.touch()
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not tables & {"MLMDEnv", "Type"}:
            raise StoreError(
                f"{path} is a SQLite database, but not a metadata store (its tables: {', '.join(sorted(tables)[:5])}). "
                f"It was left as it is. Move it away, or choose another root."
            )
        if "MLMDEnv" in tables:
            _check_schema(path, connection, schema_version)
        if not _on_network(path) and connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _check_schema(path: Path, connection: sqlite3.Connection, schema_version: int) -> None:
    row = connection.execute("SELECT max(schema_version) FROM MLMDEnv").fetchone()
    found = row[0] if row else None
    if found is None or found == schema_version:
        return
    if found > schema_version:
        advice = "It was written by a newer ml-metadata: upgrade (pip install -U ml-metadata), or choose another root."
    else:
        advice = "It was written by an older ml-metadata: migrate a copy with its upgrade tool, or choose another root."
    raise StoreError(
        f"The metadata store {path} has schema {found}, the installed ml-metadata reads {schema_version}. {advice}"
    )


def _explain(path: Path, error: Exception) -> StoreError:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        size = path.stat().st_size
        return StoreError(
            f"{path} is not a metadata store: {text} ({size:,} bytes). It was left as it is. "
            f"Move it away or restore a copy, then run again."
        )
    return StoreError(f"The metadata store {path} can't be opened: {text}. Check the disk and its permissions.")


def _on_network(path: Path) -> bool:
    """Whether the file lies on a network file system, where WAL's shared memory doesn't work; Linux only."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    folder = str(path.parent.resolve())
    kind_by_point = {line.split(" ")[1]: line.split(" ")[2] for line in mounts if line.count(" ") >= 2}
    above = [point for point in kind_by_point if (folder + "/").startswith(point.rstrip("/") + "/")]
    return bool(above) and kind_by_point[max(above, key=len)] in NETWORK_FILE_SYSTEMS

"""Source files: what a `Files` parameter stands for, hashed once per content."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from penstock.data import files, spans
from penstock.pipeline.errors import DataError, Unsupported
from penstock.pipeline.plan import Json
from penstock.pipeline.task import TaskFile, TaskFiles

SETTLED_NS = 2_000_000_000
"""A file that changed less than this ago may change again within its clock tick; its hash isn't memoised."""


class HashMemo:
    """sha256 of files by (path, size, mtime, ctime, inode): ctime can't be set back, so this is sound and cheap.

    With "" for a path it is kept in memory. It only saves time: where its file can't be used (a full disk, a damaged
    file), files are hashed each time.
    """

    def __init__(self, path: str) -> None:
        try:
            if path:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            self._db = _opened(path or ":memory:")
        except sqlite3.DatabaseError as error:
            logging.getLogger(__name__).warning("%s is not used: %s", path, error)
            self._db = _opened(":memory:")

    def sha256(self, path: str) -> tuple[int, str]:
        """Return a file's size in bytes and its hash."""
        stat = os.stat(path)
        mark = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"
        row = self._db.execute("SELECT stat, sha256 FROM hashes WHERE path = ?", (path,)).fetchone()
        if row and row[0] == mark:
            return stat.st_size, row[1]
        found = files.sha256_of(path)
        if time.time_ns() - stat.st_ctime_ns > SETTLED_NS:
            with suppress(sqlite3.DatabaseError):
                self._db.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)", (path, mark, found))
        return stat.st_size, found

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _opened(path: str) -> sqlite3.Connection:
    opened = sqlite3.connect(path, timeout=10, isolation_level=None)
    opened.execute("PRAGMA journal_mode=WAL")
    opened.execute("CREATE TABLE IF NOT EXISTS hashes (path TEXT PRIMARY KEY, stat TEXT, sha256 TEXT)")
    return opened


def resolve(
    parameter: str, value: Json, base: str, memo: HashMemo, choice: Mapping[str, Json] | None = None
) -> TaskFiles:
    """Resolve a path, folder, glob or pattern of spans into its files.

    Args:
        parameter: "CsvExampleGen(input_base=...)", for messages.
        value: What was passed.
        base: The folder that relative paths are relative to.
        memo: Known hashes.
        choice: The step's parameters, of which `span`, `span_range` and so on choose spans.

    Raises:
        DataError: There is no such file or span, or it can't be read.
    """
    if not isinstance(value, str):
        raise Unsupported(f"{parameter} takes one path, folder or glob as text, got {value!r:.60}.")
    if "://" in value:
        raise Unsupported(f"{parameter} got the URL {value!r}; this version reads local files.")
    path = os.path.normpath(os.path.join(base, os.path.expanduser(value)))
    if spans.has_spans(path):
        return _of_spans(parameter, path, choice or {}, memo)
    folder, names = files.list_files(path)
    if not names:
        raise DataError(_nothing(parameter, path))
    return TaskFiles(base=folder, files=tuple(_entries(parameter, folder, names, memo)))


def _of_spans(parameter: str, pattern: str, choice: Mapping[str, Json], memo: HashMemo) -> TaskFiles:
    try:
        found = spans.resolve(pattern, spans.SpanChoice.of(choice))
    except spans.SpanError as error:
        raise DataError(f"{parameter}: {error}") from error
    listed = {path: files.list_files(path) for path in found.paths}
    for path, (_, names) in listed.items():
        if not names:
            raise DataError(_nothing(parameter, path))
    folder = spans.base_of(pattern)
    below = {os.path.relpath(os.path.join(base, name), folder) for base, names in listed.values() for name in names}
    names = sorted(name.replace(os.sep, "/") for name in below)
    entries = tuple(_entries(parameter, folder, names, memo))
    return TaskFiles(base=folder, files=entries, span=found.span, version=found.version)


def _entries(parameter: str, folder: str, names: Iterable[str], memo: HashMemo) -> Iterable[TaskFile]:
    for name in names:
        path = os.path.join(folder, name)
        try:
            size, sha256 = memo.sha256(path)
        except OSError as error:
            raise DataError(
                f"{parameter}: {path} can't be read: {error.strerror}. Put a file there, or pass a path that leaves it "
                "out."
            ) from error
        yield TaskFile(path=path, name=name, size=size, sha256=sha256)


def _nothing(parameter: str, path: str) -> str:
    if os.path.isdir(path):
        return f"{parameter}: the folder {path} holds no files. Put the data there, or pass another path."
    there = path
    while there != os.path.dirname(there) and not os.path.isdir(there):
        there = os.path.dirname(there)
    held = ", ".join(sorted(os.listdir(there))[:8]) or "nothing"
    hint = " ".join(filter(None, (spans.odd_placeholder(path), "Pass another path.")))
    return f"{parameter}: there is no file at {path}. The folder {there} holds: {held}. {hint}"

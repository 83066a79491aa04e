"""What a push leaves at its destination: numbered versions, each with a record by which it is known again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from penstock.data.files import sha256_of

RECORD_FILE = "_penstock.json"
RECORD_FORMAT = 1


@dataclass(frozen=True)
class PushedFile:
    """One file of a version.

    Attributes:
        path: Relative to the version's folder, with "/".
        size: In bytes.
        sha256: Of its content.
        stamp: Modification time, change time (both in nanoseconds) and inode as they were after writing. A change
            time can't be set back, so that a file with an equal stamp need not be read again.
    """

    path: str
    size: int
    sha256: str
    stamp: tuple[int, int, int]


@dataclass(frozen=True)
class PushRecord:
    """Where a version comes from: `_penstock.json` in its folder.

    Attributes:
        key: The push's identity: model digest and destination.
        model_digest: The semantic digest of the pushed `Model`.
        model_uri: Where the artifact stands in its root.
        model_id: Its id in the metadata store, 0 where it has none.
        execution: ULID of the pushing execution, "" outside a run.
        run: ULID of its run, "" outside a run.
        pushed_at: UTC time, ISO 8601.
        files: Every file of the model.
    """

    key: str
    model_digest: str
    model_uri: str
    model_id: int
    execution: str
    run: str
    pushed_at: str
    files: tuple[PushedFile, ...]


def push_key(model_digest: str, destination: str) -> str:
    """Return the identity of a push: equal for the same model content at the same destination."""
    told = f"{model_digest}\n{os.path.realpath(destination)}"
    return "push-1:" + hashlib.sha256(told.encode()).hexdigest()[:32]


def stamp_of(path: str) -> tuple[int, int, int]:
    """Return the stamp of a file as it is now."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def write_record(folder: str, record: PushRecord) -> None:
    """Write a version's record and force it to the disk."""
    with open(os.path.join(folder, RECORD_FILE), "w", encoding="utf-8") as file:
        json.dump({"format": RECORD_FORMAT, **asdict(record)}, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def read_record(folder: str) -> PushRecord | None:
    """Return a version's record; None where there is none that this Penstock can read."""
    try:
        with open(os.path.join(folder, RECORD_FILE), encoding="utf-8") as file:
            document = json.load(file)
        if document.pop("format") != RECORD_FORMAT:
            return None
        files = [PushedFile(**{**entry, "stamp": tuple(entry["stamp"])}) for entry in document.pop("files")]
        return PushRecord(**document, files=tuple(files))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def versions(destination: str) -> list[int]:
    """Return the numbers of the versions at a destination, ascending; none where it doesn't exist."""
    try:
        names = os.listdir(destination)
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if name.isascii() and name.isdigit() and str(int(name)) == name)


def latest_version(destination: str) -> str | None:
    """Return the folder of the highest version, the one that a server loads; None where there is none."""
    found = versions(destination)
    return os.path.join(destination, str(found[-1])) if found else None


def holds(folder: str, key: str) -> bool:
    """Say whether a version's folder holds the push `key`, with every file as it was written."""
    record = read_record(folder)
    return record is not None and record.key == key and not changed_files(folder, record.files)


def changed_files(folder: str, files: Iterable[PushedFile]) -> list[str]:
    """Return which files are missing or have another content than recorded; untouched ones aren't read."""
    return [file.path for file in files if not _is_unchanged(os.path.join(folder, file.path), file)]


def _is_unchanged(path: str, file: PushedFile) -> bool:
    try:
        if os.path.getsize(path) != file.size:
            return False
        return stamp_of(path) == file.stamp or sha256_of(path) == file.sha256
    except OSError:
        return False

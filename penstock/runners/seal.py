"""Whether published files are as they were published: names and sizes always, content where a file was changed since.

`outcome.json` is the last file that is written before an execution's folder gets its final place: its time of change
(`st_ctime`, which no program can set back) is the seal. A file with a later one is read, and all is well if its content
is the recorded one: a root that was copied has new times everywhere. Then the seal is renewed, so that this is paid
once. Whether a file is late is known without reading: 10 microseconds for an artifact of a few files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from penstock.data import files
from penstock.runners.layout import OUTCOME


def differences(path: str, bytes_digest: str, *, deep: bool = False) -> list[str]:
    """Compare an artifact's files with what is recorded of them.

    Args:
        path: Where they lie; something does.
        bytes_digest: The SHA-256 of its manifest, of the file itself where it is a single one.
        deep: Read every file, not only those that were changed after the artifact was published.

    Returns:
        One sentence for each difference.
    """
    late = is_late(path, files.stamps(path))
    if os.path.isdir(path):
        problems = files.check_manifest(path, deep=deep, sealed_ns=_sealed_ns(path) if late else None)
        if (deep or late) and not problems:
            problems = _manifest(path, bytes_digest)
    else:
        read = deep or late is not False
        problems = ["The file has another content."] if read and files.sha256_of(path) != bytes_digest else []
    if late and not problems:
        _renew(path)
    return problems


def alterations(path: str, bytes_digest: str, stamps: Mapping[str, files.Stamp]) -> list[str]:
    """Return what `differences` finds, at the price of a look at the times where nothing was touched since.

    Args:
        path: Where the artifact lies.
        bytes_digest: See `differences`.
        stamps: The stamps of what lies there, none when nothing does.
    """
    if not stamps:
        return ["It is gone."]
    return [] if is_late(path, stamps) is False else differences(path, bytes_digest)


def is_late(path: str, stamps: Mapping[str, files.Stamp]) -> bool | None:
    """Say whether something of an output was touched after it was sealed; None for what lies elsewhere, unsealed."""
    sealed = _sealed_ns(path)
    return None if sealed is None else any(changed > sealed for _, _, changed, _ in stamps.values())


def changed_at(path: str) -> float:
    """Return when an artifact's files were last changed, added or deleted, in seconds since the epoch."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return max(changed for _, _, changed, _ in files.stamps(path).values()) / 1e9


def _sealed_ns(path: str) -> int | None:
    """Return when an output was sealed, in nanoseconds since the epoch; None for what lies elsewhere."""
    try:
        return os.stat(_seal(path)).st_ctime_ns
    except FileNotFoundError:
        return None


def _manifest(path: str, bytes_digest: str) -> list[str]:
    found = hashlib.sha256(Path(path, files.MANIFEST).read_bytes()).hexdigest()
    return [] if found == bytes_digest else ["The manifest is another than the recorded one."]


def _seal(path: str) -> str:
    return os.path.join(os.path.dirname(path), OUTCOME)


def _renew(path: str) -> None:
    with suppress(OSError):  # a root that is read-only
        os.utime(_seal(path))

"""A disk without room: how its error is recognised, whoever hands it on, and which disk it is."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable

_ERRORS = (errno.ENOSPC, errno.EDQUOT)
_TEXTS = tuple(os.strerror(number) for number in _ERRORS)


def is_full(error: BaseException) -> bool:
    """Say whether an error, or what it came from, is that a disk has no room; Beam and TensorFlow say so as text.

    >>> is_full(RuntimeError("RESOURCE_EXHAUSTED: model.data; No space left on device"))
    True
    """
    current: BaseException | None = error
    while current is not None:
        if getattr(current, "errno", None) in _ERRORS or any(text in str(current) for text in _TEXTS):
            return True
        current = current.__cause__ or current.__context__
    return False


def tightest(folders: Iterable[str]) -> tuple[str, int]:
    """Return the folder whose disk has the least room, the first of equals, and the bytes left there."""
    room = {folder: shutil.disk_usage(folder).free for folder in folders}
    folder = min(room, key=lambda each: room[each])
    return folder, room[folder]

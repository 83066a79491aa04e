"""A file that a command writes: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.pipeline.errors import PlatformError


def write_text(text: str, path: str) -> None:
    """Write a text to a file, over what was there.

    Raises:
        PlatformError: It can't be written; what was there stays.
    """
    beside = f"{path}.new"
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(0, "it is a folder")
        Path(beside).write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise PlatformError(f"{os.path.abspath(path)} can't be written: {error.strerror}.") from error

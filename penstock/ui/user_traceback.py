"""The part of a traceback that is the user's: without the frames by which Penstock came to call their code."""

from __future__ import annotations

import ast
import importlib
import os
import re
import traceback
from collections.abc import Iterator

OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
LOADERS = (ast.__file__, importlib.__file__)
_HEADER = "Traceback (most recent call last):"
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line \d+')
_OUR_ERROR = re.compile(r"(penstock\.pipeline\.errors\.)?UserCodeError: ")
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"


def user_traceback(text: str) -> str:
    """Return a printed traceback without our frames before the user's first, and without our wrapping of the error.

    Args:
        text: As Python prints it, causes included.

    Returns:
        What is left; "" when there is no frame of the user's, and the message of our own error says it all.
    """
    blocks = text.rstrip("\n").split(_CAUSE)
    while len(blocks) > 1 and _OUR_ERROR.match(blocks[-1].rsplit("\n", 1)[-1].lstrip()):
        blocks.pop()
    shown = [_without_machinery(block) for block in blocks]
    if len(shown) == 1 and _OUR_ERROR.match(shown[0]):
        return ""
    return _CAUSE.join(shown).rstrip("\n")


def printed(error: BaseException) -> str:
    """Return the user's part of an exception's traceback."""
    return user_traceback("".join(traceback.format_exception(error)))


def innermost(error: BaseException, below: str) -> str:
    """Return "model.py:41" of the innermost frame below a folder, or "" when there is none."""
    if isinstance(error, SyntaxError) and error.filename and _lies_below(error.filename, below):
        return f"{os.path.relpath(error.filename, below)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _lies_below(frame.filename, below)]
    return f"{os.path.relpath(frames[-1].filename, below)}:{frames[-1].lineno}" if frames else ""


def is_ours(error: BaseException) -> bool:
    """Say whether an exception was raised in Penstock's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(OURS)


def _without_machinery(block: str) -> str:
    head, header, frames = block.partition(_HEADER + "\n")
    if not header:
        return block
    groups = list(_frames(frames))
    start = next((place for place, group in enumerate(groups) if not _is_machinery(group)), 0)
    kept = groups[start:]
    has_frames = any(_FRAME.match(group) for group in kept)
    return head + (header if has_frames else "") + "".join(kept)


def _frames(text: str) -> Iterator[str]:
    """Yield each frame with its source lines, then the message."""
    group = ""
    for line in text.splitlines(keepends=True):
        if group and (_FRAME.match(line) or (line[:1] != " " and _FRAME.match(group))):
            yield group
            group = ""
        group += line
    yield group


def _is_machinery(group: str) -> bool:
    found = _FRAME.match(group)
    if found is None:
        return False
    file = found["file"]
    return file.startswith((OURS, "<frozen importlib")) or file in LOADERS


def _lies_below(path: str, folder: str) -> bool:
    return os.path.abspath(path).startswith(os.path.join(os.path.abspath(folder), ""))

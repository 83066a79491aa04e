"""A Schema as the text that it is kept in."""

from __future__ import annotations

import os

from rich.console import RenderableType
from rich.text import Text

from penstock.data.protos import SCHEMA_FILE


def document(path: str) -> dict[str, str]:
    """Return the schema's text.

    Raises:
        OSError: There is no `schema.pbtxt` in the folder.
    """
    file = os.path.join(path, SCHEMA_FILE) if os.path.isdir(path) else path
    with open(file, encoding="utf-8") as opened:
        return {"text": opened.read()}


def render(path: str) -> RenderableType:
    """Return the schema's text."""
    return Text(document(path)["text"].rstrip("\n"))

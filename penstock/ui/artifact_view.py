"""One artifact for the terminal: what is recorded of it, its files, and what is inside where the type says how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.data.errors import DataFormatError
from penstock.data.files import MANIFEST
from penstock.metadata.records import ArtifactRecord
from penstock.ui import formats, pictures, tables
from penstock.ui.lineage_tree import source_files
from penstock.ui.run_view import fact
from penstock.ui.shown import EVERYTHING, Shown, Wish

MAX_FILES = 20


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact: its name below the artifact's path and its size in bytes."""

    name: str
    size: int


def artifact_detail(artifact: ArtifactRecord, shown: Shown, wish: Wish = EVERYTHING) -> RenderableType:
    """Return one artifact.

    Args:
        artifact: Its record.
        shown: Where its files are, or were, and what explains them.
        wish: What of its content is wanted.
    """
    path = shown.path
    facts = tables.facts()
    facts.add_row("artifact", str(artifact.id))
    facts.add_row("type", artifact.type)
    facts.add_row("path", path + ("" if os.path.exists(path) else "  (gone)"))
    facts.add_row("state", artifact.state)
    facts.add_row("digest", artifact.digest)
    facts.add_row("bytes digest", artifact.bytes_digest)
    facts.add_row("created", formats.local_time(artifact.created))
    facts.add_row("made by", producer(artifact))
    parts: list[RenderableType] = [facts]
    recorded = {name: value for name, value in artifact.properties.items() if name != "files"}
    if recorded:
        properties = tables.facts()
        for name, value in recorded.items():
            properties.add_row(f"  {name}", fact(value))
        parts += [Text("\nproperties", "bold"), properties]
    parts += _files(artifact, path) + content(shown, wish)
    return Group(*parts)


def producer(artifact: ArtifactRecord) -> str:
    """Return who made an artifact."""
    if not artifact.step:
        return "nobody here: it comes from outside"
    return f"{artifact.step}.{artifact.output} in run {formats.short_id(artifact.run)} of {artifact.pipeline}"


def files_of(path: str) -> list[FileEntry]:
    """List an artifact's files by name, its manifest left out; none when it is gone."""
    if os.path.isfile(path):
        return [FileEntry(os.path.basename(path), os.path.getsize(path))]
    found = (os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names if name != MANIFEST)
    return sorted((FileEntry(os.path.relpath(each, path), os.path.getsize(each)) for each in found), key=_name)


def content_of(shown: Shown, wish: Wish = EVERYTHING) -> Any:
    """Return what is inside as JSON; None for a type without a known content, or when it can't be read."""
    if shown.type not in pictures.CONTENTS or not os.path.exists(shown.path):
        return None
    try:
        return pictures.document(shown, wish)
    except (OSError, ValueError, DataFormatError):
        return None


def content(shown: Shown, wish: Wish = EVERYTHING) -> list[RenderableType]:
    """Return what is inside, and a line where it can't be read; nothing for a type without a known content."""
    if shown.type not in pictures.CONTENTS or not os.path.exists(shown.path):
        return []
    try:
        return [Text(), pictures.render([shown], wish)]
    except (OSError, ValueError, KeyError, DataFormatError) as error:
        return [Text(f"\nIts content can't be read: {error}", "yellow")]


def _name(entry: FileEntry) -> str:
    return entry.name


def _files(artifact: ArtifactRecord, path: str) -> list[RenderableType]:
    if artifact.type == "ExternalFiles":
        return [Text("\nfiles, as they were when they were read", "bold"), *source_files(artifact)]
    found = files_of(path)
    if not found:
        return []
    table = tables.facts()
    for entry in found[:MAX_FILES]:
        table.add_row(f"  {formats.size(entry.size)}", entry.name)
    head = f"\n{formats.counted(len(found), 'file')}, {formats.size(sum(entry.size for entry in found))}"
    more = [Text(f"  … {len(found) - MAX_FILES:,} more", "dim")] if len(found) > MAX_FILES else []
    return [Text(head, "bold"), table, *more]

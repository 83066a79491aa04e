"""The upkeep of a root for the terminal: what `gc` deletes, what `fsck` finds."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.runners.integrity import Finding
from penstock.runners.retention import Collection
from penstock.ui import formats, tables

SHOWN = 20


def collection_view(found: Collection, *, done: bool) -> RenderableType:
    """Return what was deleted, or would be."""
    kept = formats.counted(found.kept_runs, "kept run")
    pushed = f" and {formats.counted(len(found.pushed), 'pushed model')}" if found.pushed else ""
    if not found.folders and not found.artifacts:
        return Text(f"Nothing is to be deleted. All there is belongs to {kept}{pushed}.")
    parts: list[RenderableType] = []
    if found.artifacts:
        table: Table = tables.listing("artifact", "type", "step", "run", right=("artifact",))
        for artifact in found.artifacts[:SHOWN]:
            run = formats.short_id(artifact.run)
            table.add_row(str(artifact.id), artifact.type, f"{artifact.pipeline}.{artifact.step}", run)
        parts.append(table)
    if len(found.artifacts) > SHOWN:
        parts.append(Text(f"and {len(found.artifacts) - SHOWN} more"))
    counted = formats.counted(len(found.artifacts), "artifact")
    left = f", {formats.counted(len(found.leftovers), 'leftover')}" if found.leftovers else ""
    left += f", logs of {formats.counted(len(found.logs), 'run')}" if found.logs else ""
    verb = "Deleted" if done else "Would delete"
    parts.append(Text(f"{verb} {counted}{left}: {formats.size(found.size)}. The rest belongs to {kept}{pushed}."))
    if not done:
        parts.append(Text("Nothing was deleted. Do it with: --yes"))
    return Group(*parts)


def findings_view(found: Sequence[Finding], *, repaired: bool) -> RenderableType:
    """Return what was found, and what was done about it."""
    if not found:
        return Text("Nothing is wrong.")
    table: Table = tables.listing("found", "what", "where", folds=("what", "where"))
    for each in found[:SHOWN]:
        table.add_row(Text(each.kind, "bold red"), each.what, formats.place(each.where))
    parts: list[RenderableType] = [table]
    if len(found) > SHOWN:
        parts.append(Text(f"and {len(found) - SHOWN} more"))
    problems = formats.counted(len(found), "problem")
    parts.append(Text(f"{problems} repaired." if repaired else f"{problems}. Repair with: --repair"))
    return Group(*parts)

"""Lineage as a tree: every artifact with who made it, and below that what it was made from (or what came of it)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from penstock.metadata.records import ArtifactRecord, ExecutionRecord, LineageGraph
from penstock.ui import formats
from penstock.ui.run_report import pushed_to

MAX_FILES = 20


def lineage_tree(graph: LineageGraph, start: int, *, down: bool = False) -> Tree:
    """Return the tree below one artifact; what was shown before is named, not repeated.

    Args:
        graph: The whole lineage.
        start: The artifact's id.
        down: Go to what came of it instead of what it came from.
    """
    tree = Tree(_artifact_line(graph.artifacts[start]), guide_style="dim")
    _grow(tree, graph, start, down, seen={start})
    return tree


def _grow(tree: Tree, graph: LineageGraph, artifact: int, down: bool, seen: set[int]) -> None:
    for line in source_files(graph.artifacts[artifact]):
        tree.add(line)
    for execution, reuses in _neighbours(graph, artifact, down):
        branch = tree.add(_execution_line(execution, down, reuses))
        beyond = graph.outputs_of(execution.ulid) if down else graph.inputs_of(execution.ulid)
        for other in {each.id: each for each in beyond}.values():
            known = other.id in seen
            leaf = branch.add(_artifact_line(other, known=known))
            if not known:
                seen.add(other.id)
                _grow(leaf, graph, other.id, down, seen)


def _neighbours(graph: LineageGraph, artifact: int, down: bool) -> list[tuple[ExecutionRecord, int]]:
    """Return the executions next to an artifact, each with how many later ones only repeated it from the cache."""
    if not down:
        return [(each, 0) for each in graph.producers(artifact)[:1]]
    used = {each.ulid: each for each in graph.consumers(artifact) if each.state != "SKIPPED"}
    repeats = Counter(each.cached_from for each in used.values() if each.cached_from in used)
    return [(each, repeats[each.ulid]) for each in used.values() if each.cached_from not in used]


def source_files(artifact: ArtifactRecord) -> list[Text]:
    """Return a line for each file of an ExternalFiles artifact: its name, size and sha256."""
    files: Sequence[Mapping[str, Any]] = artifact.properties.get("files") or []
    if artifact.type != "ExternalFiles":
        return []
    lines = [
        Text.assemble(
            str(file.get("name") or file.get("path")),
            (f"  {formats.size(int(file.get('size', 0)))}  ", "dim"),
            (f"sha256:{file.get('sha256', '')}", "cyan"),
        )
        for file in files[:MAX_FILES]
    ]
    return lines + ([Text(f"… {len(files) - MAX_FILES:,} more files", "dim")] if len(files) > MAX_FILES else [])


def place_of(artifact: ArtifactRecord) -> str:
    """Return where an artifact is in the world: a source's path, a push's destination; "" for what the root holds."""
    return pushed_to(artifact) or (artifact.uri if artifact.type == "ExternalFiles" or not artifact.step else "")


def _artifact_line(artifact: ArtifactRecord, *, known: bool = False) -> Text:
    gone = "  deleted" if artifact.state == "DELETED" else ""
    return Text.assemble(
        (artifact.type, "bold"),
        f" {artifact.id}",
        (f"  {formats.short_digest(artifact.digest)}" if artifact.digest else "", "cyan"),
        (f"  {place_of(artifact)}" if place_of(artifact) else "", "dim"),
        (gone, "yellow"),
        ("  (above)" if known else "", "dim"),
    )


def _execution_line(execution: ExecutionRecord, down: bool, reuses: int) -> Text:
    verb = "used by" if down else "made by"
    when = formats.local_time(execution.ended)
    return Text.assemble(
        (f"{verb} ", "dim"),
        (execution.step, "green"),
        (f"  {execution.state}" if execution.state != "COMPLETE" else "", "yellow"),
        (f"  run {formats.short_id(execution.run)}  {when}", "dim"),
        (f"  reused by {formats.counted(reuses, 'later run')}" if reuses else "", "dim"),
    )

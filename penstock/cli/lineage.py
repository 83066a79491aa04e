"""`penstock lineage`: what an artifact was made from, back to the source files, or what came of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import lineage_document, write
from penstock.cli.lookup import root_of
from penstock.cli.not_found import NotFound
from penstock.cli.printing import show_lines
from penstock.cli.root import Root, open_root
from penstock.cli.shown import find
from penstock.metadata.records import ArtifactRecord, RunRecord
from penstock.pipeline.errors import listing
from penstock.ui.lineage_tree import lineage_tree

app = typer.Typer(add_completion=False)


@app.command()
def lineage(
    artifact: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT",
            help="An artifact's id or path, STEP or STEP.OUTPUT, or a folder that a model was pushed to.",
            show_default=False,
        ),
    ],
    down: Annotated[bool, typer.Option("--down", help="What came of it, instead of what it came from.")] = False,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Show what an artifact was made from, back to each source file's sha256, as a tree."""
    with open_root(root or root_of(artifact)) as opened:
        found = _artifact(opened, artifact)
        graph = opened.store.lineage([found.id], "down" if down else "up")
        if as_json:
            write(lineage_document(graph, found.id, opened.layout))
        else:
            show_lines(lineage_tree(graph, found.id, down=down), sys.stdout)


def _artifact(root: Root, name: str) -> ArtifactRecord:
    """Return the artifact that a name stands for.

    Raises:
        NotFound: It stands for nothing, for a run, or for a step with several outputs or none.
    """
    found = find(root, name)
    if isinstance(found, ArtifactRecord):
        return found
    if isinstance(found, RunRecord):
        raise NotFound(f"{name!r} is a run, and lineage is of an artifact. List its artifacts: penstock show {name}")
    made = [f"{name}.{output}" for output, records in found.outputs.items() if records]
    if len(made) == 1 and len(next(iter(found.outputs.values()))) == 1:
        return next(iter(found.outputs.values()))[0]
    if not made:
        raise NotFound(f"Step {name!r} ({found.state}) put out no artifact, and lineage is of one.")
    raise NotFound(f"Step {name!r} put out {len(made)} artifacts. Name one: {listing(made)}.")

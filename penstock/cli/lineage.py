"""`penstock lineage`: what an artifact was made from, back to the source files, or what came of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import lineage_document, write
from penstock.cli.lookup import find_artifact, root_of, something_like
from penstock.cli.printing import show_lines
from penstock.cli.root import open_root
from penstock.ui.lineage_tree import lineage_tree

app = typer.Typer(add_completion=False)


@app.command()
def lineage(
    artifact: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT",
            help="An artifact's id, its path, or a folder that a model was pushed to.",
            show_default=False,
        ),
    ],
    down: Annotated[bool, typer.Option("--down", help="What came of it, instead of what it came from.")] = False,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Show what an artifact was made from, back to each source file's sha256, as a tree."""
    with open_root(root or root_of(artifact)) as opened:
        found = find_artifact(opened, artifact)
        if found is None:
            raise something_like(opened, artifact)
        graph = opened.store.lineage([found.id], "down" if down else "up")
        if as_json:
            write(lineage_document(graph, found.id, opened.layout))
        else:
            show_lines(lineage_tree(graph, found.id, down=down), sys.stdout)

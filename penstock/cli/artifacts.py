"""`penstock artifacts`: list what runs have made and read."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import artifact_document, write
from penstock.cli.lookup import find_run
from penstock.cli.not_found import NotFound
from penstock.cli.printing import show
from penstock.cli.root import Root, open_root
from penstock.metadata.records import ArtifactRecord
from penstock.pipeline.errors import listing, nearest
from penstock.ui.run_view import artifact_list

app = typer.Typer(add_completion=False)


@app.command()
def artifacts(
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="T", help="Only this artifact type.", show_default=False)
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Only what this run put out, reused or new.", show_default=False),
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="S", help="Only what this step put out.", show_default=False)
    ] = None,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """List artifacts, newest first. Deleted ones are left out."""
    with open_root(root) as opened:
        found = _of_run(opened, run) if run else opened.store.artifacts(type_name, step=step)
        wanted = [each for each in found if type_name in (None, each.type) and step in (None, each.step)]
        if type_name and not wanted:
            _check_type(opened, type_name)
        if as_json:
            write([artifact_document(each, opened.layout) for each in wanted])
        else:
            show(artifact_list(wanted) if wanted else "No artifacts.")


def _of_run(root: Root, text: str) -> list[ArtifactRecord]:
    steps = root.store.executions(find_run(root, text).id)
    made = {each.id: each for step in steps for ports in step.outputs.values() for each in ports}
    return sorted((each for each in made.values() if each.state == "LIVE"), key=lambda each: -each.id)


def _check_type(root: Root, type_name: str) -> None:
    """Refuse a type that no artifact has: a misspelt one would look like an empty list.

    Raises:
        NotFound: It is unknown here.
    """
    known = {each.type for each in root.store.artifacts(state=None)}
    if type_name not in known:
        raise NotFound(
            f"There is no artifact of type {type_name!r} in {root.layout.root}.{nearest(type_name, known)} "
            f"There are: {listing(sorted(known))}."
        )

"""`penstock why STEP`: why a step ran and wasn't reused, down to the line of code, the value or the file."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import why_document, write
from penstock.cli.lookup import find_run, find_step, something_like
from penstock.cli.printing import show
from penstock.cli.root import open_root
from penstock.runners import causes
from penstock.ui.why_view import why_view

app = typer.Typer(add_completion=False)


@app.command()
def why(
    step: Annotated[str, typer.Argument(metavar="STEP", help="A step's id, or an execution's.", show_default=False)],
    run: options.OfRun = None,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Show how a step differs from its nearest earlier execution: code by a diff, parameters, versions, inputs."""
    with open_root(root) as opened:
        found = find_step(opened, step, find_run(opened, run) if run else None)
        if found is None:
            raise something_like(opened, step)
        told = causes.why(opened.store, opened.layout, found)
        if as_json:
            write(why_document(told))
        else:
            show(why_view(told))

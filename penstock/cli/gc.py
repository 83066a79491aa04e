"""`penstock gc`: delete what no kept run, pushed model or live run needs; says so first."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import collection_document, write
from penstock.cli.printing import show
from penstock.cli.root import open_root
from penstock.pipeline.durations import seconds_of
from penstock.pipeline.errors import ParameterError
from penstock.runners.retention import Policy, collect, plan_collection
from penstock.ui.upkeep_view import collection_view

DEFAULT_KEPT = 10

app = typer.Typer(add_completion=False)


@app.command()
def gc(
    keep_runs: Annotated[
        int | None,
        typer.Option(
            "--keep-runs",
            metavar="N",
            min=0,
            help="Keep what the last N runs of each pipeline used; 10 unless an age is given.",
            show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Keep what younger runs used: 30d.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete; without it only say what would go.")] = False,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Delete what no kept run used, old runs' logs too. Pushed models that still stand, and their origins, are kept."""
    kept = keep_runs if keep_runs is not None else 0 if older_than else DEFAULT_KEPT
    policy = Policy(kept, _seconds(older_than) if older_than else None)
    with open_root(root) as opened:
        found = plan_collection(opened.store, opened.layout, policy)
        if yes:
            collect(opened.store, opened.layout, found)
        if as_json:
            write(collection_document(found, opened.layout, done=yes))
        else:
            show(collection_view(found, done=yes))


def _seconds(age: str) -> float:
    try:
        return seconds_of(age)
    except ValueError as error:
        raise ParameterError(f"--older-than: {error}") from None

"""`penstock fsck`: compare a root with its metadata store, and repair what can be repaired."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import finding_document, write
from penstock.cli.exit_codes import ExitCode
from penstock.cli.printing import show
from penstock.cli.root import open_root
from penstock.runners import integrity
from penstock.ui.upkeep_view import findings_view

app = typer.Typer(add_completion=False)


@app.command()
def fsck(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file: sha256, not names and sizes alone.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what is found; damaged files stay, and are reused no longer.")
    ] = False,
    root: options.Root = None,
    as_json: options.Json = False,
) -> ExitCode:
    """Look for missing and damaged files, orphaned folders, leftovers, and executions without a process."""
    with open_root(root) as opened:
        found = integrity.check(opened.store, opened.layout, deep=deep)
        if repair:
            integrity.repair(opened.store, opened.layout, found)
        if as_json:
            write([finding_document(each, repaired=repair) for each in found])
        else:
            show(findings_view(found, repaired=repair))
    return ExitCode.DAMAGED if found and not repair else ExitCode.DONE

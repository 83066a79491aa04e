"""`penstock runs`: the list of runs; `show`, `rm` and `cancel` for one of them."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import run_document, write
from penstock.cli.exit_codes import ExitCode
from penstock.cli.lookup import find_run
from penstock.cli.printing import show
from penstock.cli.removal import Removal, plan_removal, remove
from penstock.cli.root import Root, open_root
from penstock.cli.show import show_run
from penstock.pipeline.errors import ParameterError
from penstock.runners.layout import lock_holder
from penstock.ui.formats import counted, short_id, size
from penstock.ui.run_view import run_list

TABLE_LENGTH = 20
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05

app = typer.Typer(add_completion=False, invoke_without_command=True)


@app.callback()
def runs(
    ctx: typer.Context,
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", metavar="NAME", help="Only this pipeline's.", show_default=False)
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="At most so many; 20, or all with --json.", show_default=False
        ),
    ] = None,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """List runs, newest first; or show, remove or cancel one."""
    if ctx.invoked_subcommand is not None:
        return
    with open_root(root) as opened:
        found = opened.store.runs(pipeline, limit or (None if as_json else TABLE_LENGTH))
        steps = {run.id: opened.store.executions(run.id) for run in found}
        live = {run.id for run in found if run.state == "RUNNING" and lock_holder(opened.layout, run.id) is not None}
        if as_json:
            write([{**run_document(run, steps[run.id]), "live": run.id in live} for run in found])
        else:
            dead = {run.id for run in found if run.state == "RUNNING"} - live
            show(run_list(found, steps, dead) if found else "No runs.")


@app.command("show")
def show_one(run: options.Run, root: options.Root = None, as_json: options.Json = False) -> None:
    """Show a run: its facts, its steps, what they put out."""
    with open_root(root) as opened:
        show_run(opened, find_run(opened, run), as_json=as_json)


@app.command("rm")
def remove_one(
    run: options.Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    root: options.Root = None,
) -> ExitCode:
    """Remove a run: hide it, and delete what it made and no other run uses."""
    with open_root(root) as opened:
        found = find_run(opened, run)
        if lock_holder(opened.layout, found.id) is not None:
            raise ParameterError(
                f"Run {short_id(found.id)} is under way. Cancel it first: penstock runs cancel "
                f"{short_id(found.id)}{opened.option}."
            )
        removal = plan_removal(opened, found)
        told = _describe(removal)
        if not yes and not _confirmed(f"{told} Go on?"):
            show("Nothing was removed.")
            return ExitCode.DONE
        remove(opened, removal)
        show(f"Removed. {told}" if yes else "Removed.")
    return ExitCode.DONE


@app.command("cancel")
def cancel_one(run: options.Run, root: options.Root = None) -> ExitCode:
    """Cancel a run that is under way, as Ctrl-C would."""
    with open_root(root) as opened:
        found = find_run(opened, run)
        name = short_id(found.id)
        process = lock_holder(opened.layout, found.id)
        if process is None:
            raise ParameterError(f"Run {name} is not under way (it is {found.state}), so there is nothing to cancel.")
        os.kill(process, signal.SIGINT)
        if not _is_over(opened, found.id):
            show(f"Asked run {name} (process {process}) to stop; it still cleans up. See: penstock runs{opened.option}")
            return ExitCode.DONE
        ended = opened.store.run(found.id)
        show(f"Run {name} is over: {ended.state if ended else 'removed'}.")
    return ExitCode.DONE


def _is_over(root: Root, run: str) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if lock_holder(root.layout, run) is None:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _describe(removal: Removal) -> str:
    deleted = f"{counted(len(removal.deleted), 'artifact')} ({size(removal.size)})"
    kept = f"; {counted(len(removal.kept), 'artifact')} stay, other runs use them" if removal.kept else ""
    return f"Run {short_id(removal.run.id)} of {removal.run.pipeline} is hidden, {deleted} deleted{kept}."


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ParameterError("Removing a run asks first, and nobody is there to answer. Pass --yes.")
    return typer.confirm(question)

"""A group of commands each of which is imported when it is called: listing them costs nothing."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import typer.main
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand, TyperGroup

from penstock.cli.exit_codes import ExitCode


class LazyCommand(NamedTuple):
    """A command by the module that holds it (as `app`), and the sentence that `--help` shows."""

    module: str
    summary: str


COMMANDS: dict[str, LazyCommand] = {
    "run": LazyCommand("penstock.cli.run", "Run a pipeline."),
    "plan": LazyCommand("penstock.cli.plan", "Show what a run would do, and why; nothing runs."),
    "check": LazyCommand("penstock.cli.check", "Check a pipeline's wiring without running it."),
    "compile": LazyCommand("penstock.cli.compile", "Compile a pipeline to a plan in JSON."),
    "runs": LazyCommand("penstock.cli.runs", "List, show, remove and cancel runs."),
    "why": LazyCommand("penstock.cli.why", "Show why a step ran and wasn't reused."),
    "show": LazyCommand("penstock.cli.show", "Show a run, a step or an artifact."),
    "logs": LazyCommand("penstock.cli.logs", "Print what a step said."),
    "artifacts": LazyCommand("penstock.cli.artifacts", "List artifacts."),
    "schema": LazyCommand("penstock.cli.schema", "Infer, compare and change schemas."),
    "lineage": LazyCommand("penstock.cli.lineage", "Show what an artifact was made from, or what came of it."),
    "gc": LazyCommand("penstock.cli.gc", "Delete what no kept run and no pushed model needs."),
    "fsck": LazyCommand("penstock.cli.fsck", "Compare a root with its metadata store, and repair it."),
}


class LazyGroup(TyperGroup):
    """The top of the command line: `COMMANDS`, and the exit codes below the help."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name=name, help=lazy.summary) for name, lazy in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the called command and import it."""
        name, found, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            found = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
            found.name = name
        return name, found, rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help, then the table of exit codes."""
        super().format_help(ctx, formatter)
        Console(highlight=False).print(_exit_codes())


def _exit_codes() -> Table:
    table = Table(box=None, show_header=False, title=" Exit codes", title_justify="left", title_style="dim")
    table.add_column(justify="right", style="bold")
    table.add_column()
    for code in ExitCode:
        table.add_row(str(int(code)), code.meaning)
    return table

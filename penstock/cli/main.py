"""The entry point: the global options, and how every error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from penstock import __version__
from penstock.cli import failures
from penstock.cli.exit_codes import ExitCode
from penstock.cli.lazy_group import LazyGroup

app = typer.Typer(
    name="penstock",
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"penstock {__version__}")
        raise typer.Exit


@app.callback()
def penstock(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of any error.")] = False,
) -> None:
    """ML pipelines from raw data to a pushed model, cached by content and traceable by lineage."""


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line.

    Returns:
        Its exit code, one of `ExitCode`.
    """
    debug = "--debug" in arguments[: _first_command(arguments)]
    try:
        code = int(app(arguments, prog_name="penstock", standalone_mode=False) or ExitCode.DONE)
    except BrokenPipeError:
        code = ExitCode.DONE
    except SystemExit as leaving:  # typer's answer to a broken pipe
        code = ExitCode.DONE if isinstance(leaving.__context__, BrokenPipeError) else int(leaving.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("Interrupted.\n")
        code = ExitCode.INTERRUPTED
    except Exception as error:
        code = failures.report(error, debug=debug)
    _flush()
    return code


def _flush() -> None:
    """Write out what is left; a reader that has gone, such as `head`, has seen enough."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _first_command(arguments: list[str]) -> int:
    return next((place for place, text in enumerate(arguments) if not text.startswith("-")), len(arguments))

"""`penstock plan FILE`: what a run would do, why, and about how long it would take; nothing runs."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import forecast_document, write
from penstock.cli.exit_codes import ExitCode
from penstock.cli.loading import compile_pipeline, load_pipeline
from penstock.cli.printing import show
from penstock.cli.requests import Policy, request_for, selection_of
from penstock.pipeline.errors import ParameterError
from penstock.pipeline.plan import Plan
from penstock.pipeline.runner import RunRequest
from penstock.runners.forecast import forecast
from penstock.ui.forecast_view import forecast_markdown, forecast_view

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    file: options.File,
    *,
    parameters: options.Parameters = None,
    root: options.Root = None,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = None,
    verify: options.Verify = False,
    first: options.From = None,
    last: options.To = None,
    only: options.Only = None,
    skip: options.SkipStep = None,
    as_json: options.Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table, for a review.")] = False,
) -> ExitCode:
    """Show which steps would run, be reused or skipped, and why. Exit code 2 when work is pending, 0 when none."""
    if as_json and markdown:
        raise ParameterError("--json and --markdown are two forms of one answer. Pass one of them.")
    with contextlib.redirect_stdout(sys.stderr):  # what the pipeline's file itself prints
        pipeline = load_pipeline(file)
        compiled = compile_pipeline(pipeline)
        policy = Policy(not no_cache, tuple(refresh or ()), verify, selection_of(first, last, only, skip))
        request = request_for(pipeline, compiled, parameters, root=root, policy=policy)
    return show_forecast(compiled, request, as_json=as_json, markdown=markdown)


def show_forecast(compiled: Plan, request: RunRequest, *, as_json: bool, markdown: bool = False) -> ExitCode:
    """Print what a run would do.

    Returns:
        WORK_PENDING or DONE.
    """
    told = forecast(compiled, request)
    if as_json:
        write(forecast_document(told))
    elif markdown:
        sys.stdout.write(forecast_markdown(told))
    else:
        show(forecast_view(told))
    return ExitCode.WORK_PENDING if told.pending else ExitCode.DONE

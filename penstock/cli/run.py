"""`penstock run FILE`: run a pipeline here, show it as it happens, and say what came of it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.documents import write
from penstock.cli.exit_codes import ExitCode
from penstock.cli.loading import compile_pipeline, load_pipeline
from penstock.cli.plan import show_forecast
from penstock.cli.printing import console, show_lines
from penstock.cli.requests import Policy, ResumeCommand, request_for, selection_of
from penstock.cli.root import root_option
from penstock.cli.run_result import exit_code, report_on, result_document
from penstock.pipeline.plan import Plan
from penstock.pipeline.runner import RunRequest, runner
from penstock.ui import formats
from penstock.ui.run_progress import LiveProgress, PlainProgress
from penstock.ui.run_report import RunReport, report

app = typer.Typer(add_completion=False)


@app.command(cls=ResumeCommand)
def run(
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
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="[RUN]",
            help="Go on with a run, the latest by default: its parameters, its finished steps.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, as `penstock plan` does.")] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Steps at once; one a core by default.", show_default=False),
    ] = None,
    beam: Annotated[str, typer.Option("--beam", metavar="NAME", help="The Beam profile of the data steps.")] = "direct",
    beam_workers: Annotated[
        int,
        typer.Option(
            "--beam-workers",
            metavar="N",
            min=0,
            help="Workers of the direct Beam profile; one a core by default, 4 at most.",
            show_default=False,
        ),
    ] = 0,
    as_json: options.Json = False,
) -> ExitCode:
    """Run a pipeline on this machine. Steps whose inputs, code and parameters are as before are reused."""
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        pipeline = load_pipeline(file)
        plan = compile_pipeline(pipeline)
        policy = Policy(not no_cache, tuple(refresh or ()), verify, selection_of(first, last, only, skip))
        asked = request_for(pipeline, plan, parameters, root=root, policy=policy, resume=resume)
        request = replace(asked, workers=workers, beam=beam, beam_workers=beam_workers)
        told = None if dry_run else _run(plan, request, file, parameters or [])
    if dry_run:
        return show_forecast(plan, request, as_json=as_json)
    if told is None:
        return ExitCode.INTERRUPTED
    show_lines(report(told), sys.stderr if as_json else sys.stdout)
    if as_json:
        write(result_document(told))
    return exit_code(told.result)


class _Watch:
    """Remembers which run has been started, for the last words of an interrupted one; a RunObserver."""

    run = ""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        self.run = event["run"]


def _run(plan: Plan, request: RunRequest, file: str, parameters: list[str]) -> RunReport | None:
    """Run a plan with its progress on stdout; None when it was interrupted."""
    watch = _Watch()
    try:
        with _interruptible(), _progress() as progress:
            result = runner("local").run(plan, replace(request, observers=(progress, watch)))
    except KeyboardInterrupt:
        name = f"Run {formats.short_id(watch.run)}" if watch.run else "The run"
        again = resume_command(file, parameters, request, watch.run)
        sys.stderr.write(f"{name} is canceled. Go on where it stopped, finished steps are reused: {again}\n")
        return None
    return report_on(result, resume_command(file, parameters, request, result.id))


def _progress() -> LiveProgress | PlainProgress:
    """Return a live table for a person at a terminal, plain lines for CI, pipes and files."""
    terminal = console()
    if terminal.is_terminal and not terminal.is_dumb_terminal and not os.environ.get("CI"):
        return LiveProgress(terminal)
    return PlainProgress(sys.stdout)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run in order, also where the starting shell had them ignored."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def resume_command(file: str, parameters: list[str], request: RunRequest, run: str) -> str:
    """Return the command that goes on with a run, as it can be pasted into the same shell.

    Args:
        file: The pipeline's file, as typed.
        parameters: "name=value" as typed; a run that is resumed knows its own.
        request: What was asked of the run.
        run: Its id, "" for one that never began.
    """
    words = ["penstock", "run", file]
    words += ["--resume", formats.short_id(run)] if run else [w for each in parameters for w in ("-p", each)]
    words += [
        word for option, names in request.selection.options().items() for name in names for word in (option, name)
    ]
    words += [word for step in request.refresh for word in ("--refresh", step)]
    words += ["--no-cache"] if not request.cache else []
    words += ["--verify"] if request.verify else []
    words += ["--workers", str(request.workers)] if request.workers else []
    words += ["--beam", request.beam] if request.beam != RunRequest.beam else []
    words += ["--beam-workers", str(request.beam_workers)] if request.beam_workers != RunRequest.beam_workers else []
    return shlex.join(words) + root_option(request.root)

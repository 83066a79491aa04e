"""`penstock logs STEP`: what a step printed and logged, to the end or as it comes."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.lookup import find_run, find_step, something_like
from penstock.cli.not_found import NotFound
from penstock.cli.root import Root, open_root
from penstock.metadata.records import ExecutionRecord
from penstock.runners.layout import lock_holder
from penstock.ui.formats import short_id

POLL_SECONDS = 0.2
CHUNK = 1 << 16

app = typer.Typer(add_completion=False)


@app.command()
def logs(
    step: Annotated[str, typer.Argument(metavar="STEP", help="A step's id, or an execution's.", show_default=False)],
    run: options.OfRun = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the step is over.")] = False,
    root: options.Root = None,
) -> None:
    """Print a step's log; for a step that was reused, the log of the execution that made what it reuses."""
    with open_root(root) as opened:
        found = find_step(opened, step, find_run(opened, run) if run else None)
        if found is None:
            raise something_like(opened, step)
        path = _path(opened, found)
        with open(path, "rb") as file:
            while True:
                over = not follow or _is_over(opened, found)
                if os.path.getsize(path) < file.tell():  # its middle was dropped, since the step prints too much
                    file.seek(0, os.SEEK_END)
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    sys.stdout.buffer.write(chunk.lstrip(b"\0"))  # a hole, where so much is printed
                sys.stdout.flush()
                if over:
                    return
                time.sleep(POLL_SECONDS)


def _path(root: Root, step: ExecutionRecord) -> str:
    made = root.store.execution(step.cached_from) if step.cached_from else step
    recorded = str(made.facts.get("log", "")) if made else ""
    path = root.layout.absolute(recorded) if recorded else ""
    if not path or not os.path.exists(path):
        why = "its run was removed" if recorded else f"no worker ran it ({step.state}: {step.reason or 'no reason'})"
        raise NotFound(f"Step {step.step!r} of run {short_id(step.run)} has no log: {why}.")
    return path


def _is_over(root: Root, step: ExecutionRecord) -> bool:
    now = root.store.execution(step.ulid)
    return now is None or now.state != "RUNNING" or lock_holder(root.layout, step.run) is None

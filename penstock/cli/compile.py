"""`penstock compile FILE`: write the plan that a runner would be given."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.loading import compile_pipeline, load_pipeline
from penstock.pipeline.errors import PlatformError, Unsupported, listing, nearest

TARGETS = ("plan",)

app = typer.Typer(add_completion=False)


@app.command()
def compile(
    file: options.File,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help="A file instead of stdout.", show_default=False)
    ] = None,
    target: Annotated[str, typer.Option("--to", metavar="TARGET", help="What to compile to: plan.")] = "plan",
) -> None:
    """Compile a pipeline to a plan in JSON; its schema is docs/plan.schema.json."""
    if target not in TARGETS:
        raise Unsupported(
            f"--to {target} is not compiled to by this version.{nearest(target, TARGETS)} It takes: {listing(TARGETS)}."
        )
    text = compile_pipeline(load_pipeline(file)).to_json().decode() + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with open(output, "w", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        raise PlatformError(f"The plan can't be written to {os.path.abspath(output)}: {error.strerror}.") from error

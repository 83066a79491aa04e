"""`penstock check FILE`: compile a pipeline, and say what it would do; nothing runs."""

from __future__ import annotations

import typer

from penstock.cli import options
from penstock.cli.documents import write
from penstock.cli.loading import compile_pipeline, load_pipeline
from penstock.cli.printing import show
from penstock.ui.plan_view import plan_view

app = typer.Typer(add_completion=False)


@app.command()
def check(file: options.File, as_json: options.Json = False) -> None:
    """Check a pipeline's wiring without running it: names, types, cycles, module files, parameters."""
    plan = compile_pipeline(load_pipeline(file))
    if as_json:
        write({"pipeline": plan.name, "steps": [node.id for node in plan.nodes]})
        return
    show(plan_view(plan))

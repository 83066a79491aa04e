"""`penstock show`: one run, step or artifact, whatever the name stands for."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import artifact_document, run_detail_document, step_document, write
from penstock.cli.lookup import find_artifact, find_run, find_step, is_part_of_run, root_of, something_like
from penstock.cli.printing import show as show_on_stdout
from penstock.cli.root import Root, open_root
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, RunRecord
from penstock.ui.artifact_view import artifact_detail, content_of, files_of
from penstock.ui.run_view import run_detail
from penstock.ui.step_view import step_detail

app = typer.Typer(add_completion=False)


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|STEP|ARTIFACT",
            help="A run's id or a part of it, a step's id, an artifact's id or path, or a pushed folder.",
            show_default=False,
        ),
    ],
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="The run of a step; its latest by default.", show_default=False),
    ] = None,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Show a run with its steps, a step with its latest execution, or an artifact with what is inside."""
    with open_root(root or root_of(name)) as opened:
        found = _find(opened, name, find_run(opened, run) if run else None)
        if isinstance(found, RunRecord):
            show_run(opened, found, as_json=as_json)
        elif isinstance(found, ExecutionRecord):
            _show_step(opened, found, as_json=as_json)
        else:
            _show_artifact(opened, found, as_json=as_json)


def show_run(root: Root, run: RunRecord, *, as_json: bool) -> None:
    """Print one run."""
    steps = root.store.executions(run.id)
    if as_json:
        write(run_detail_document(run, steps, root.layout))
    else:
        show_on_stdout(run_detail(run, steps))


def _find(root: Root, name: str, run: RunRecord | None) -> RunRecord | ExecutionRecord | ArtifactRecord:
    artifact = find_artifact(root, name) if run is None else None
    if artifact is not None:
        return artifact
    step = find_step(root, name, run)
    if step is not None:
        return step
    if run is None and is_part_of_run(root, name):
        return find_run(root, name)
    raise something_like(root, name)


def _show_step(root: Root, step: ExecutionRecord, *, as_json: bool) -> None:
    if as_json:
        write({**step_document(step, root.layout), "log": _log(root, step)})
        return
    show_on_stdout(step_detail(step, step.facts.get("parameters", {}), _log(root, step)))


def _log(root: Root, step: ExecutionRecord) -> str:
    """Return the log of what made the outputs: for a cached execution that of the one it reuses."""
    made = root.store.execution(step.cached_from) if step.cached_from else step
    recorded = made.facts.get("log", "") if made else ""
    path = root.layout.absolute(recorded) if recorded else ""
    return path if os.path.exists(path) else ""


def _show_artifact(root: Root, artifact: ArtifactRecord, *, as_json: bool) -> None:
    path = root.layout.absolute(artifact.uri)
    if as_json:
        files = [asdict(each) for each in files_of(path)]
        content = {"files": files, "content": content_of(artifact, path)}
        write({**artifact_document(artifact, root.layout), **content})
    else:
        show_on_stdout(artifact_detail(artifact, path))

"""`penstock show`: one run, step or artifact, whatever the name stands for; several as pictures beside each other."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from dataclasses import asdict
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.documents import artifact_document, run_detail_document, step_document, write
from penstock.cli.lookup import find_run, root_of
from penstock.cli.printing import show as show_on_stdout
from penstock.cli.root import Root, open_root, root_option
from penstock.cli.shown import find, on_disk, outputs_with_pictures, pictured, shown_of
from penstock.cli.text_file import write_text
from penstock.data.errors import DataFormatError
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, RunRecord
from penstock.pipeline.errors import DataError
from penstock.ui import pictures
from penstock.ui.artifact_view import artifact_detail, content, content_of, files_of
from penstock.ui.run_view import run_detail
from penstock.ui.shown import Wish
from penstock.ui.step_view import step_detail

FEATURES_LISTED = 100

app = typer.Typer(add_completion=False)


@app.command()
def show(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="A run's id or a part of it; a step: STEP, STEP.OUTPUT, STEP@RUN; an artifact's id or path; a pushed "
            "folder; statistics, anomalies or a schema on disk. Several are set beside each other.",
            show_default=False,
        ),
    ],
    *,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="The run of a step; its latest by default.", show_default=False),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME", help="Only this feature; 'trip_*' for several.", show_default=False),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort", metavar="BY", help="data, name, type, missing, zeros, unique, mean, std, max or distance."
        ),
    ] = "data",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help=f"At most so many features; {FEATURES_LISTED}.", show_default=False
        ),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="NAME", help="This slice beside the whole.", show_default=False),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write a page that needs no network.", show_default=False),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Show a run with its steps, a step with what it put out, an artifact with what is inside, or several artifacts."""
    listed = limit or (None if as_json or html is not None or open_page else FEATURES_LISTED)
    wish = Wish(tuple(feature or ()), sort, listed, tuple(slices or ()), root_option(root) if root else "")
    try:
        if html is not None or open_page:
            _write_page(names, run, wish, root, html, open_page=open_page)
        elif len(names) > 1 or on_disk(names[0]) is not None:
            _show_pictures(names, run, wish, root, as_json=as_json)
        else:
            _show_record(names[0], run, wish, root, as_json=as_json)
    except (DataFormatError, JSONDecodeError) as error:
        raise DataError(f"What is inside can't be read: {error}") from error


def show_run(root: Root, run: RunRecord, *, as_json: bool) -> None:
    """Print one run."""
    steps = root.store.executions(run.id)
    if as_json:
        write(run_detail_document(run, steps, root.layout))
    else:
        show_on_stdout(run_detail(run, steps))


def _write_page(
    names: list[str], run: str | None, wish: Wish, root: str | None, path: str | None, *, open_page: bool
) -> None:
    text = pictures.page(pictured(names, run, root), wish)
    place = path or os.path.join(tempfile.mkdtemp(prefix="penstock-"), "page.html")
    write_text(text, place)
    show_on_stdout(f"Written: {place}")
    if open_page:
        webbrowser.open(Path(place).absolute().as_uri())


def _show_pictures(names: list[str], run: str | None, wish: Wish, root: str | None, *, as_json: bool) -> None:
    artifacts = pictured(names, run, root)
    if as_json:
        described = [
            {"type": each.type, "uri": each.path, "label": each.label, "content": pictures.document(each, wish)}
            for each in artifacts
        ]
        write(described[0] if len(names) == 1 else described)
    else:
        show_on_stdout(pictures.render(artifacts, wish))


def _show_record(name: str, run: str | None, wish: Wish, root: str | None, *, as_json: bool) -> None:
    with open_root(root or root_of(name)) as opened:
        found = find(opened, name, find_run(opened, run) if run else None)
        if isinstance(found, RunRecord):
            show_run(opened, found, as_json=as_json)
        elif isinstance(found, ExecutionRecord):
            _show_step(opened, found, wish, as_json=as_json)
        else:
            _show_artifact(opened, found, wish, as_json=as_json)


def _show_step(root: Root, step: ExecutionRecord, wish: Wish, *, as_json: bool) -> None:
    if as_json:
        write({**step_document(step, root.layout), "log": _log(root, step)})
        return
    pictured_outputs = (shown_of(root, each) for each in outputs_with_pictures(step))
    inside = [part for shown in pictured_outputs for part in content(shown, wish)]  # first: a wish may fit nothing
    for part in (step_detail(step, step.facts.get("parameters", {}), _log(root, step)), *inside):
        show_on_stdout(part)


def _log(root: Root, step: ExecutionRecord) -> str:
    """Return the log of what made the outputs: for a cached execution that of the one it reuses."""
    made = root.store.execution(step.cached_from) if step.cached_from else step
    recorded = made.facts.get("log", "") if made else ""
    path = root.layout.absolute(recorded) if recorded else ""
    return path if os.path.exists(path) else ""


def _show_artifact(root: Root, artifact: ArtifactRecord, wish: Wish, *, as_json: bool) -> None:
    shown = shown_of(root, artifact)
    if as_json:
        files = [asdict(each) for each in files_of(shown.path)]
        inside = {"files": files, "content": content_of(shown, wish)}
        write({**artifact_document(artifact, root.layout), **inside})
    else:
        show_on_stdout(artifact_detail(artifact, shown, wish))

"""A name typed by a person becomes the record that it stands for: a run, a step, an artifact, a path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from penstock.cli.not_found import NotFound
from penstock.cli.root import Root
from penstock.components.push.push_record import PushRecord, latest_version, read_record
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, RunRecord
from penstock.pipeline.errors import listing, nearest
from penstock.runners.layout import Layout
from penstock.ui.formats import short_id
from penstock.ui.run_report import pushed_to

SHORTEST_PART = 4
RUNS_SEARCHED_FOR_NAMES = 10


def find_run(root: Root, text: str) -> RunRecord:
    """Return the run with this id, or the only one whose id ends or begins with it.

    Raises:
        NotFound: None fits, or several do.
    """
    runs = root.store.runs()
    matching = _matching(runs, text)
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise NotFound(
            f"{text!r} stands for {len(matching)} runs: {listing(run.id for run in matching)}. Give more of the id."
        )
    known = [short_id(run.id) for run in runs]
    raise NotFound(f"There is no run {text!r} in {root.layout.root}.{nearest(text.upper(), known)} {_latest(root)}")


def find_step(root: Root, text: str, run: RunRecord | None = None) -> ExecutionRecord | None:
    """Return the latest execution of a step, of one run where it is given; None when there is none.

    Args:
        root: Where to look.
        text: The step's id, or an execution's.
        run: The run that it must belong to.
    """
    if run is not None:
        return next((step for step in reversed(root.store.executions(run.id)) if text in (step.step, step.ulid)), None)
    pipelines = {each.pipeline for each in root.store.runs()}
    found = [step for pipeline in pipelines for step in root.store.history(pipeline, text, limit=1)]
    return max(found, key=lambda step: step.ulid, default=None) or root.store.execution(text)


def find_artifact(root: Root, text: str) -> ArtifactRecord | None:
    """Return the artifact with this id, at this path or URI, or pushed to this folder; None when there is none.

    Raises:
        NotFound: The folder was pushed from another root.
    """
    if text.isdecimal():
        return root.store.artifact(int(text))
    if not os.path.exists(text) and os.sep not in text:
        return None
    return _pushed(root, os.path.abspath(text)) or _at_path(root, text)


def root_of(text: str) -> str | None:
    """Return the root that a path leads to: one that it lies in, or the one that pushed it; None when there is none."""
    path = os.path.abspath(text)
    if not os.path.exists(path):
        return None
    record = _record(path)
    starts = [path, *([record.model_uri] if record else [])]
    above = (str(place) for start in starts for place in (Path(start), *Path(start).parents))
    return next((place for place in above if os.path.exists(Layout(place).database)), None)


def something_like(root: Root, text: str) -> NotFound:
    """Return the error for a name that is neither run nor step nor artifact, with the nearest step."""
    steps = {
        step.step for run in root.store.runs(limit=RUNS_SEARCHED_FOR_NAMES) for step in root.store.executions(run.id)
    }
    hint = nearest(text, steps)
    if any(run.pipeline == text for run in root.store.runs()):
        hint = f" It is a pipeline, see its runs with: penstock runs --pipeline {text}{root.option}."
    return NotFound(
        f"There is no run, step or artifact {text!r} in {root.layout.root}.{hint} "
        f"Steps of the latest runs: {listing(sorted(steps))}. {_latest(root)} List artifacts with: "
        f"penstock artifacts{root.option}."
    )


def is_part_of_run(root: Root, text: str) -> bool:
    """Say whether a text could mean a run."""
    return bool(_matching(root.store.runs(), text))


def _matching(runs: list[RunRecord], text: str) -> list[RunRecord]:
    part = text.upper()
    exact = [run for run in runs if run.id == part]
    if exact or len(part) < SHORTEST_PART:
        return exact
    return [run for run in runs if run.id.endswith(part) or run.id.startswith(part)]


def _latest(root: Root) -> str:
    runs = root.store.runs(limit=3)
    return f"Latest runs: {listing(short_id(run.id) for run in runs)}."


def _pushed(root: Root, folder: str) -> ArtifactRecord | None:
    """Return the PushedModel that a folder was pushed as; the highest version of a folder of versions."""
    record = _record(folder)
    if record is None:
        every = root.store.artifacts("PushedModel")
        return next((each for each in every if pushed_to(each) == folder), None)
    execution = root.store.execution(record.execution) if record.execution else None
    if execution is None:
        raise NotFound(
            f"{folder} was pushed by run {record.run or '(none)'}, which is not recorded in {root.layout.root}. "
            f"Name the root of that run with --root DIR."
        )
    pushed = [each for made in execution.outputs.values() for each in made if each.type == "PushedModel"]
    return next(iter(pushed), None) or root.store.artifact(record.model_id)


def _record(folder: str) -> PushRecord | None:
    """Return what a push left in a folder, or in the highest of a folder of versions."""
    record = read_record(folder)
    if record is None and os.path.isdir(folder):
        latest = latest_version(folder)
        record = read_record(latest) if latest else None
    return record


def _at_path(root: Root, text: str) -> ArtifactRecord | None:
    """Return the artifact at a path, or the one that holds it."""
    for path in _upwards(text, root.layout.root):
        found = root.store.find_artifact_by_uri(root.layout.relative(path))
        if found is not None and _holds(found, path, os.path.abspath(text)):
            return found
    return None


def _upwards(text: str, root: str) -> Iterator[str]:
    """Yield a path and the folders above it; a text that is relative to the root is looked up there too."""
    for start in dict.fromkeys((os.path.abspath(text), os.path.normpath(os.path.join(root, text)))):
        path = start
        while path not in (root, os.path.dirname(path)):
            yield path
            path = os.path.dirname(path)


def _holds(artifact: ArtifactRecord, path: str, wanted: str) -> bool:
    """Say whether a path inside an artifact is one of its files; source files are only those that were listed."""
    if artifact.type != "ExternalFiles" or wanted == path:
        return True
    names = {file.get("name") for file in artifact.properties.get("files", ())}
    return os.path.relpath(wanted, path) in names

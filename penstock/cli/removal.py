"""Removing a run: it is hidden, and what it made and nobody else uses is deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.cli.root import Root
from penstock.metadata.records import ArtifactRecord, RunRecord
from penstock.ui.artifact_view import files_of


@dataclass(frozen=True)
class Removal:
    """What removing a run would do.

    Attributes:
        deleted: Artifacts that only this run uses.
        kept: Artifacts that it made, or removed runs before it, and other runs use.
        size: Bytes of the files of `deleted`.
    """

    run: RunRecord
    deleted: tuple[ArtifactRecord, ...]
    kept: tuple[ArtifactRecord, ...]
    size: int


def plan_removal(root: Root, run: RunRecord) -> Removal:
    """Return what removing a run would delete and keep."""
    made = _left_to(root, run)
    used = _used_by_others(root, run, min((each.created for each in made), default=run.started))
    deleted = tuple(each for each in made if each.id not in used)
    size = sum(entry.size for each in deleted if _is_inside(each) for entry in files_of(root.layout.absolute(each.uri)))
    return Removal(run, deleted, tuple(each for each in made if each.id in used), size)


def remove(root: Root, removal: Removal) -> None:
    """Carry a removal out: the store first, so that nothing is found that is half gone."""
    root.store.mark_deleted(each.id for each in removal.deleted)
    root.store.hide_run(removal.run.id)
    kept = {each.execution for each in removal.kept}
    for artifact in removal.deleted:
        if _is_inside(artifact):
            _remove(root.layout.absolute(artifact.uri))
    for execution, artifact in {each.execution: each for each in removal.deleted}.items():
        if execution and execution not in kept:
            _remove(root.layout.execution(artifact.pipeline, artifact.step, execution))
    _remove(root.layout.run(removal.run.id))


def _left_to(root: Root, run: RunRecord) -> list[ArtifactRecord]:
    """Return the artifacts that a run made, and those that it uses of removed runs."""
    owners = {run.id, *(each.id for each in root.store.runs(hidden=True) if each.hidden)}
    mine = {each.id: each for each in [*root.store.artifacts(run=run.id), *_touched(root, run)]}
    return [each for each in mine.values() if each.run in owners and each.state == "LIVE"]


def _touched(root: Root, run: RunRecord) -> Iterator[ArtifactRecord]:
    """Yield what went into a run's steps and came out of them."""
    for step in root.store.executions(run.id):
        for artifacts in (*step.inputs.values(), *step.outputs.values()):
            yield from artifacts


def _used_by_others(root: Root, run: RunRecord, since: float) -> set[int]:
    """Return the artifacts of all other runs that were under way at a time or later."""
    others = [each for each in root.store.runs() if each.id != run.id and (not each.ended or each.ended >= since)]
    return {artifact.id for other in others for artifact in _touched(root, other)}


def _is_inside(artifact: ArtifactRecord) -> bool:
    """Say whether the files are the root's own: what comes from outside is never touched."""
    return "://" not in artifact.uri and not os.path.isabs(artifact.uri)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)

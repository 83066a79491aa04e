"""What may be deleted of a root: artifacts that no kept run, pushed model or live run holds, and old runs' logs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from penstock.metadata.records import ArtifactRecord, ExecutionRecord, RunRecord
from penstock.metadata.store import MetadataStore
from penstock.runners.cache import effect_gone
from penstock.runners.layout import Layout, lock_holder
from penstock.runners.recovery import recover

PUSHED = "PushedModel"
PUSH_RECORD = "_penstock.json"
"""What `Pusher` leaves at a destination; runners know components by their files only."""


@dataclass(frozen=True)
class Policy:
    """Which runs keep what they used and made; a run that one of the two keeps is kept.

    Attributes:
        keep_runs: The latest runs of each pipeline; its latest complete run is always kept.
        older_than: Seconds; younger runs are kept. None means that age keeps nothing.
    """

    keep_runs: int = 10
    older_than: float | None = None


@dataclass(frozen=True)
class Collection:
    """What would be deleted.

    Attributes:
        artifacts: Whose files go, and that are marked DELETED.
        folders: Absolute paths of what goes: the artifacts' folders, and leftovers that no execution stands for.
        leftovers: Those of `folders` that belong to no artifact: staging of dead runs, files of deleted artifacts.
        logs: Those of `folders` that hold plan, events and logs of runs that are not kept and made nothing that stays.
        size: Bytes of all of it.
        kept_runs: How many runs are kept.
        pushed: Pushed models whose destination still holds them, so that their ancestry is kept.
    """

    artifacts: tuple[ArtifactRecord, ...]
    folders: tuple[str, ...]
    leftovers: tuple[str, ...]
    logs: tuple[str, ...]
    size: int
    kept_runs: int
    pushed: tuple[ArtifactRecord, ...]


def plan_collection(store: MetadataStore, layout: Layout, policy: Policy, now: float | None = None) -> Collection:
    """Return what a policy would delete; nothing is changed."""
    runs = store.runs(hidden=True)
    live = live_runs(layout)
    kept = _kept_runs([run for run in runs if not run.hidden], policy, now or time.time()) | live
    busy = {run.pipeline for run in runs if run.id in live}
    held = {artifact.id for run in runs if run.id in kept for artifact in _touched(store.executions(run.id))}
    pushed = tuple(each for each in store.artifacts(PUSHED) if _still_holds(store, layout, each))
    held |= store.lineage([each.id for each in pushed]).artifacts.keys() if pushed else set()
    inside = [each for each in store.artifacts() if _is_inside(each)]
    doomed = tuple(each for each in inside if each.id not in held and each.pipeline not in busy)
    going = {each.id for each in doomed}
    spared = {each.execution for each in inside if each.id not in going}
    leftovers = tuple(_leftovers(store, layout, live, busy))
    needed = kept | {each.run for each in inside if each.id not in going}
    logs = tuple(_logs(layout, needed, {run.id for run in runs if run.pipeline in busy}))
    folders = (*dict.fromkeys(_folders(layout, doomed, spared)), *leftovers, *logs)
    return Collection(doomed, folders, leftovers, logs, sum(map(size_of, folders)), len(kept), pushed)


def collect(store: MetadataStore, layout: Layout, collection: Collection) -> None:
    """Delete what was planned: the store first, so that nothing is found that is half gone."""
    recover(store, layout)
    store.mark_deleted(each.id for each in collection.artifacts)
    for folder in collection.folders:
        remove(folder)


def live_runs(layout: Layout) -> set[str]:
    """Return the runs whose process holds their lock."""
    names = os.listdir(layout.locks) if os.path.isdir(layout.locks) else []
    runs = {name.removesuffix(".lock") for name in names if name.endswith(".lock")}
    return {run for run in runs if lock_holder(layout, run) is not None}


def _kept_runs(runs: Iterable[RunRecord], policy: Policy, now: float) -> set[str]:
    by_pipeline: dict[str, list[RunRecord]] = defaultdict(list)
    for run in runs:
        by_pipeline[run.pipeline].append(run)
    kept: set[str] = set()
    for mine in by_pipeline.values():
        latest = sorted(mine, key=lambda run: run.id, reverse=True)
        kept |= {run.id for run in latest[: policy.keep_runs]}
        kept |= {run.id for run in [run for run in latest if run.state == "COMPLETE"][:1]}
        if policy.older_than is not None:
            kept |= {run.id for run in latest if now - (run.ended or run.started) < policy.older_than}
    return kept


def _touched(executions: Iterable[ExecutionRecord]) -> Iterator[ArtifactRecord]:
    for execution in executions:
        for artifacts in (*execution.inputs.values(), *execution.outputs.values()):
            yield from artifacts


def _still_holds(store: MetadataStore, layout: Layout, pushed: ArtifactRecord) -> bool:
    """Say whether a pushed model is live: an earlier version that still stands is, and one that can't be checked."""
    destination = pushed.properties.get("pushed_destination")
    if isinstance(destination, str) and os.path.isabs(destination):
        if not os.path.exists(destination):
            return False
        if _pushed_by(destination) == pushed.execution:
            return True
    execution = store.execution(pushed.execution) if pushed.execution else None
    reference = str(execution.facts.get("still_true", "")) if execution else ""
    if execution is None or not reference:
        return True
    return effect_gone(reference, execution, layout) != "its effect doesn't hold any more"


def _pushed_by(destination: str) -> str:
    """Return the execution that a push's own record names, "" where there is no such record."""
    try:
        with open(os.path.join(destination, PUSH_RECORD), encoding="utf-8") as file:
            return str(json.load(file)["execution"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _is_inside(artifact: ArtifactRecord) -> bool:
    """Say whether the files are the root's own: what comes from outside is never touched."""
    return "://" not in artifact.uri and not os.path.isabs(artifact.uri)


def _folders(layout: Layout, doomed: Iterable[ArtifactRecord], spared: set[str]) -> Iterator[str]:
    """Yield the folder of each execution that loses all it made, else those of its artifacts."""
    for artifact in doomed:
        if artifact.execution and artifact.execution not in spared:
            yield layout.execution(artifact.pipeline, artifact.step, artifact.execution)
        else:
            yield layout.absolute(artifact.uri)


def _leftovers(store: MetadataStore, layout: Layout, live: set[str], busy: set[str]) -> Iterator[str]:
    """Yield the staging of dead runs, and folders whose artifacts are all marked DELETED."""
    yield from stale_staging(layout, live)
    gone: dict[str, list[ArtifactRecord]] = defaultdict(list)
    for artifact in store.artifacts(state=None):
        if artifact.execution and _is_inside(artifact) and artifact.pipeline not in busy:
            gone[artifact.execution].append(artifact)
    for execution, artifacts in gone.items():
        folder = layout.execution(artifacts[0].pipeline, artifacts[0].step, execution)
        if all(each.state == "DELETED" for each in artifacts) and os.path.isdir(folder):
            yield folder


def _logs(layout: Layout, needed: set[str], busy: set[str]) -> Iterator[str]:
    """Yield the folders of runs whose logs and events nobody needs; records of them stay in the store."""
    folder = os.path.dirname(layout.run("-"))
    for run in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if run not in needed and run not in busy and lock_holder(layout, run) is None:
            yield os.path.join(folder, run)


def stale_staging(layout: Layout, live: set[str]) -> list[str]:
    """Return the staging folders of runs that don't live."""
    staging = os.path.dirname(layout.staging("-"))
    names = sorted(os.listdir(staging)) if os.path.isdir(staging) else []
    return [os.path.join(staging, name) for name in names if name not in live and not name.startswith(".")]


def size_of(path: str) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 when there is nothing."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)


def remove(path: str) -> None:
    """Remove a file or folder, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)

"""Whether a root is as its metadata store says: files, digests, folders and executions; and its repair."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from penstock.metadata.records import ArtifactRecord, ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.runners.layout import KEY, OUTCOME, Layout, new_id
from penstock.runners.publisher import Publisher
from penstock.runners.recovery import recover
from penstock.runners.retention import live_runs, remove, stale_staging
from penstock.runners.seal import differences

ENDED = ("CANCELED", "FAILED", "SKIPPED")
LOST = "lost+found"
Kind = Literal["missing", "damaged", "orphan", "stray", "stuck", "leftover"]


@dataclass(frozen=True)
class Finding:
    """One thing that isn't as it should be.

    Attributes:
        kind: missing (an artifact's files), damaged (they differ from what is recorded), orphan (a folder that no
            execution stands for), stray (something beside the outputs or folders of executions), stuck (an execution or
            run that is RUNNING without a process), leftover (staging of a dead run).
        where: A path, or the id of an execution or run.
        what: What is wrong, in one sentence.
        repair: What `repair` does about it.
        artifact: The artifact's id, 0 where there is none.
    """

    kind: Kind
    where: str
    what: str
    repair: str
    artifact: int = 0


def check(store: MetadataStore, layout: Layout, *, deep: bool = False) -> list[Finding]:
    """Compare a root with its store; nothing is changed. What live runs have in the making is left alone.

    Args:
        store: The metadata store.
        layout: The root.
        deep: Read every file and compare its sha256, instead of names, sizes and what was changed later.
    """
    live = live_runs(layout)
    found = [*_stuck(store, live), *_artifacts(store, layout, deep), *_orphans(store, layout, live), *_beside(layout)]
    found += [
        Finding("leftover", path, "Staging of a run whose process is gone.", "removed")
        for path in stale_staging(layout, live)
    ]
    return found


def repair(store: MetadataStore, layout: Layout, findings: list[Finding]) -> None:
    """Repair what was found, as each finding says; safe to repeat.

    Nothing of a user's is lost: damaged files stay where they are, they are only reused no longer.
    """
    recover(store, layout)
    store.mark_deleted(found.artifact for found in findings if found.artifact)
    actions: dict[Kind, Callable[[Finding], None]] = {
        "orphan": lambda found: remove(found.where),
        "leftover": lambda found: remove(found.where),
        "stray": lambda found: _set_aside(layout, found.where),
        "stuck": lambda found: _end(store, layout, found.where),
    }
    for found in findings:
        if found.kind in actions:
            actions[found.kind](found)


def _artifacts(store: MetadataStore, layout: Layout, deep: bool) -> Iterator[Finding]:
    for artifact in store.artifacts():
        if "://" in artifact.uri or os.path.isabs(artifact.uri):
            continue
        path = layout.absolute(artifact.uri)
        if not os.path.exists(path):
            yield _unusable("missing", artifact, path, "Its files are gone.")
            continue
        problems = differences(path, artifact.bytes_digest, deep=deep)
        if problems:
            more = f" ({len(problems)} problems)" if len(problems) > 1 else ""
            yield _unusable("damaged", artifact, path, f"{problems[0]}{more}")


def _unusable(kind: Kind, artifact: ArtifactRecord, path: str, what: str) -> Finding:
    told = f"{artifact.type} {artifact.id} of {artifact.step}: {what}"
    return Finding(kind, path, told, "marked DELETED, so that the step runs again when it is needed", artifact.id)


def _orphans(store: MetadataStore, layout: Layout, live: set[str]) -> Iterator[Finding]:
    """Yield execution folders that the store doesn't know, or whose execution published nothing."""
    for folder in _subfolders(_subfolders(_subfolders([layout.artifacts]))):
        execution = store.execution(os.path.basename(folder))
        if execution is None:
            yield Finding("orphan", folder, "No execution in the store stands for this folder.", "removed")
        elif execution.run not in live and execution.state in ENDED and not execution.outputs:
            yield Finding("orphan", folder, f"Its execution ended {execution.state} and published nothing.", "removed")
        elif execution.run not in live:
            yield from _strays(folder, {KEY, OUTCOME, *execution.outputs})


def _beside(layout: Layout) -> Iterator[Finding]:
    """Yield files where only folders of pipelines, steps and executions belong."""
    pipelines = [layout.artifacts] if os.path.isdir(layout.artifacts) else []
    for folder in (*pipelines, *_subfolders(pipelines), *_subfolders(_subfolders(pipelines))):
        yield from _strays(folder, {entry.name for entry in os.scandir(folder) if entry.is_dir()})


def _strays(folder: str, expected: set[str]) -> Iterator[Finding]:
    for name in sorted(set(os.listdir(folder)) - expected):
        yield Finding("stray", os.path.join(folder, name), "It is nobody's output.", f"moved to {LOST} of the root")


def _set_aside(layout: Layout, path: str) -> None:
    """Move something out of the way, under a name that nothing has yet."""
    target = os.path.join(layout.root, LOST, f"{new_id()}-{os.path.basename(path)}")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.rename(path, target)


def _subfolders(folders: Iterator[str] | list[str]) -> Iterator[str]:
    for folder in folders:
        if os.path.isdir(folder):
            yield from (
                entry.path for entry in sorted(os.scandir(folder), key=lambda each: each.name) if entry.is_dir()
            )


def _stuck(store: MetadataStore, live: set[str]) -> Iterator[Finding]:
    for run in store.runs(hidden=True):
        if run.id in live:
            continue
        running = store.running(run.id)
        for execution in running:
            what = f"{execution.step} is RUNNING, and the process of its run is gone."
            yield Finding("stuck", execution.ulid, what, "published if it was complete, else CANCELED")
        if run.state == "RUNNING" and not running:
            yield Finding("stuck", run.id, "The run is RUNNING, and its process is gone.", "closed as FAILED")


def _end(store: MetadataStore, layout: Layout, name: str) -> None:
    """End an execution or run, unless recovery has done so by now."""
    execution: ExecutionRecord | None = store.execution(name)
    if execution is not None and execution.state == "RUNNING":
        Publisher(store, layout).adopt(execution)
    run = store.run(execution.run if execution else name)
    if run is not None:
        store.abandon(run.id, time.time())

"""Why an execution had other ingredients than the nearest earlier one, followed upstream to where the change began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from penstock.metadata.records import ArtifactRecord, ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.runners import cache, explanation
from penstock.runners.cache import CacheKey
from penstock.runners.explanation import Difference
from penstock.runners.layout import KEY, Layout

EXTERNAL_FILES = "ExternalFiles"
DEEPEST = 50


@dataclass(frozen=True)
class FileChange:
    """A source file that differs: `before` and `now` are its sha256, "" where there is no such file."""

    name: str
    before: str
    now: str


@dataclass(frozen=True)
class InputChange:
    """An input artifact that differs, and why.

    Attributes:
        input: The input's name.
        before: The artifact then, None when there was none.
        now: The artifact now, None when there is none.
        files: For source files, those that differ.
        causes: What differs between the executions that made the two.
        note: What there is to say instead of causes, "" when nothing.
    """

    input: str
    before: ArtifactRecord | None
    now: ArtifactRecord | None
    files: tuple[FileChange, ...] = ()
    causes: Causes | None = None
    note: str = ""


@dataclass(frozen=True)
class Causes:
    """What differs between two executions of a step.

    Attributes:
        now: The later execution.
        before: The earlier one.
        differences: Every ingredient that differs.
        inputs: The input artifacts that differ.
    """

    now: ExecutionRecord
    before: ExecutionRecord
    differences: tuple[Difference, ...]
    inputs: tuple[InputChange, ...]


@dataclass(frozen=True)
class Why:
    """Why an execution ran, or was reused.

    Attributes:
        execution: The one that is explained.
        reason: What was recorded of it, in one line.
        causes: How it differs from the nearest earlier execution that ended COMPLETE or, where there is none, another
            way; None without one, and for one that was reused.
    """

    execution: ExecutionRecord
    reason: str
    causes: Causes | None = None


def why(store: MetadataStore, layout: Layout, execution: ExecutionRecord) -> Why:
    """Explain one execution."""
    key = key_of(layout, execution)
    if execution.state in ("CACHED", "SKIPPED") or key is None:
        return Why(execution, execution.reason)
    earlier = _nearest(store, layout, execution, key)
    if earlier is None:
        return Why(execution, execution.reason)
    return Why(execution, execution.reason, _Upstream(store, layout).compare(execution, earlier, 0))


def key_of(layout: Layout, execution: ExecutionRecord) -> CacheKey | None:
    """Return the key that an execution left beside its outputs, or with its run if it failed; None when it is gone."""
    folder = layout.execution(execution.pipeline, execution.step, execution.ulid)
    return cache.read_key(f"{folder}/{KEY}") or cache.read_key(layout.kept_key(execution.run, execution.step))


def _nearest(store: MetadataStore, layout: Layout, execution: ExecutionRecord, key: CacheKey) -> ExecutionRecord | None:
    """Return the earlier execution with the fewest differing ingredients, preferring those that ended COMPLETE."""
    best: tuple[tuple[bool, int], ExecutionRecord] | None = None
    for earlier in store.history(execution.pipeline, execution.step, explanation.RECENT):
        if earlier.ulid >= execution.ulid or earlier.state not in ("COMPLETE", "FAILED"):
            continue
        found = key_of(layout, earlier)
        if found is not None:
            distance = (earlier.state != "COMPLETE", len(explanation.changed(found.ingredients, key.ingredients)))
            best = (distance, earlier) if best is None or distance < best[0] else best
    return best[1] if best else None


@dataclass(frozen=True)
class _Upstream:
    """Follows differing inputs to what made them."""

    store: MetadataStore
    layout: Layout

    def compare(self, now: ExecutionRecord, before: ExecutionRecord, depth: int) -> Causes | None:
        keys = key_of(self.layout, before), key_of(self.layout, now)
        if keys[0] is None or keys[1] is None:
            return None
        found = explanation.differences(keys[0], keys[1])
        names = [each.name for each in found if each.kind == "input"]
        inputs = [change for name in names for change in self._input(name, now, before, depth)]
        return Causes(now, before, found, tuple(inputs))

    def _input(self, name: str, now: ExecutionRecord, before: ExecutionRecord, depth: int) -> Iterator[InputChange]:
        for then, today in zip_longest(before.inputs.get(name, ()), now.inputs.get(name, ())):
            if then is None or today is None or then.digest != today.digest:
                yield self._change(name, then, today, depth)

    def _change(self, name: str, before: ArtifactRecord | None, now: ArtifactRecord | None, depth: int) -> InputChange:
        if before is None or now is None:
            return InputChange(name, before, now)
        if EXTERNAL_FILES in (before.type, now.type):
            return InputChange(name, before, now, files=_file_changes(before, now))
        makers = self.store.execution(before.execution), self.store.execution(now.execution)
        if makers[0] is None or makers[1] is None or depth >= DEEPEST:
            return InputChange(name, before, now)
        if makers[0].step != makers[1].step:
            return InputChange(name, before, now, note=f"it came from {makers[0].step}")
        causes = self.compare(makers[1], makers[0], depth + 1)
        if causes is None:
            return InputChange(name, before, now, note="the key of what made it is gone")
        same = f"{now.step} made something else of the same ingredients: it isn't deterministic"
        return InputChange(name, before, now, causes=causes, note="" if causes.differences else same)


def _file_changes(before: ArtifactRecord, now: ArtifactRecord) -> tuple[FileChange, ...]:
    then, today = _hashes(before), _hashes(now)
    return tuple(
        FileChange(name, then.get(name, ""), today.get(name, ""))
        for name in sorted({*then, *today})
        if then.get(name) != today.get(name)
    )


def _hashes(files: ArtifactRecord) -> dict[str, str]:
    listed: list[dict[str, Any]] = files.properties.get("files") or []
    return {str(file.get("name")): str(file.get("sha256")) for file in listed}

"""Whether an earlier result may stand for a step: the run's and the step's policy, then the result itself."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from penstock.data import files
from penstock.metadata.artifact_types import Artifact
from penstock.metadata.records import ArtifactRecord, ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.pipeline.annotations import load_symbol
from penstock.pipeline.plan import StepPlan
from penstock.pipeline.runner import RunRequest
from penstock.runners import explanation
from penstock.runners.cache_key import CacheKey
from penstock.runners.layout import Layout


@dataclass(frozen=True)
class Cache:
    """Looks for results that a run may reuse."""

    pipeline: str
    request: RunRequest
    store: MetadataStore
    layout: Layout

    def find(self, step: StepPlan, key: CacheKey) -> tuple[ExecutionRecord | None, str]:
        """Return the execution whose outputs stand for a step, and the reason in one line.

        Returns:
            None and why the step has to run, when there is no such execution.
        """
        if self.request.resume:
            finished = self._finished(key)
            if finished and not self.damage(finished) and not self._effect_gone(step, finished):
                return finished, f"finished in run {self.request.resume}, which is resumed"
        off = self.switched_off(step)
        if off:
            return None, off
        found = self.store.find_cached(key.digest)
        if found is None:
            return None, self._why_not(step.id, key)
        problem = _too_old(step, found) or self.damage(found) or self._effect_gone(step, found)
        return (None, problem) if problem else (found, f"unchanged since run {found.run}")

    def _finished(self, key: CacheKey) -> ExecutionRecord | None:
        """Return what the resumed run finished with this key, whatever the cache's policy says."""
        for step in self.store.executions(self.request.resume):
            if step.cache_key == key.digest and step.state in ("COMPLETE", "CACHED"):
                return self.store.execution(step.cached_from) if step.cached_from else step
        return None

    def _why_not(self, step: str, key: CacheKey) -> str:
        if not os.path.isdir(os.path.dirname(self.layout.execution(self.pipeline, step, "-"))):
            return "no earlier result"
        return explanation.reason(self.layout, self.pipeline, step, key.ingredients)

    def switched_off(self, step: StepPlan) -> str:
        """Return why a step runs whatever there is, "" when it need not."""
        if not self.request.cache:
            return "the cache is off for this run"
        if step.id in self.request.refresh:
            return f"asked for with --refresh {step.id}"
        return "" if step.cache else "the cache is off for this step"

    def damage(self, execution: ExecutionRecord) -> str:
        """Say what is wrong with an execution's files, "" when they are there and as recorded."""
        folder = self.layout.execution(execution.pipeline, execution.step, execution.ulid)
        for name, records in execution.outputs.items():
            for record in records:
                path = self.layout.absolute(record.uri)
                if not os.path.exists(path):
                    return f"the files of its output {name} are gone"
                if not path.startswith(os.path.join(folder, "")):
                    continue  # an importer's artifact lies elsewhere and was hashed just now
                problems = differences(path, record, deep=self.request.verify)
                if problems:
                    return f"its output {name} is damaged: {problems[0]}"
        return ""

    def _effect_gone(self, step: StepPlan, execution: ExecutionRecord) -> str:
        reference = step.effect.still_true if step.effect else ""
        return effect_gone(reference, execution, self.layout) if reference else ""


def _too_old(step: StepPlan, execution: ExecutionRecord) -> str:
    age = time.time() - execution.ended
    if step.cache_seconds is None or age <= step.cache_seconds:
        return ""
    return f"its result of run {execution.run} is older than the step's cache allows ({step.cache_seconds:,.0f} s)"


def differences(path: str, record: ArtifactRecord, *, deep: bool) -> list[str]:
    """Compare an artifact's files with what is recorded of them.

    Args:
        path: Where they lie; something does.
        record: The artifact.
        deep: Read every file, instead of comparing names and sizes only. A single file is always read.

    Returns:
        One sentence for each difference.
    """
    if not os.path.isdir(path):
        return [] if files.sha256_of(path) == record.bytes_digest else ["The file has another content."]
    problems = files.check_manifest(path, deep=deep)
    if not deep or problems:
        return problems
    recorded = hashlib.sha256(Path(path, files.MANIFEST).read_bytes()).hexdigest() == record.bytes_digest
    return [] if recorded else ["The manifest is another than the recorded one."]


def effect_gone(reference: str, execution: ExecutionRecord, layout: Layout) -> str:
    """Say why the effect of an execution can't be relied on, "" when it still holds.

    Args:
        reference: "module:function" of the component's `still_true`.
        execution: What had the effect.
        layout: Where its outputs lie.
    """
    outputs = {name: artifact_of(records[0], layout) for name, records in execution.outputs.items() if records}
    try:
        return "" if load_symbol(reference)(outputs) else "its effect doesn't hold any more"
    except Exception as error:  # the component's own code
        return f"its effect can't be checked: {type(error).__name__}: {error}"


def artifact_of(record: ArtifactRecord, layout: Layout) -> Artifact:
    """Return a recorded artifact as a component's function would see it."""
    path = layout.absolute(record.uri)
    return Artifact(
        path, path, dict(record.properties), id=record.id, digest=record.digest, bytes_digest=record.bytes_digest
    )

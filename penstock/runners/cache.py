"""What a step's result depends on, as named ingredients, and whether an earlier result may stand for the step."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from penstock.metadata.artifact_types import STANDARD_TYPES, Artifact
from penstock.metadata.records import ArtifactRecord, ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.pipeline.definition import load_symbol
from penstock.pipeline.plan import Json, StepPlan
from penstock.pipeline.runner import RunRequest
from penstock.runners.layout import KEY, Layout
from penstock.runners.seal import differences
from penstock.runners.step_names import covers

KEY_VERSION = 1


@dataclass(frozen=True)
class CacheKey:
    """Ingredients by name, such as "code:features:preprocessing_fn", "parameter:epochs", "input:examples".

    Attributes:
        ingredients: JSON values by name.
        sources: Normalised source by code digest, of the user's own symbols.
    """

    ingredients: Mapping[str, Json]
    sources: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The key itself, as it is indexed in the metadata store."""
        text = json.dumps([KEY_VERSION, self.ingredients], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    @property
    def seed(self) -> int:
        """The seed of a step with these ingredients: the same for the same work."""
        return int(self.digest[:8], 16) & 0x7FFFFFFF

    def write(self, folder: str) -> None:
        """Write `_key.json` into an execution's folder."""
        text = {"key": self.digest, "ingredients": self.ingredients, "sources": self.sources}
        with open(os.path.join(folder, KEY), "wb") as file:
            file.write(msgspec.json.encode(text, order="sorted"))


def key_of(
    step: StepPlan,
    parameters: Mapping[str, Json],
    inputs: Mapping[str, list[str]],
    sources: Mapping[str, str],
) -> CacheKey:
    """Collect the ingredients of a step.

    Args:
        step: The step's plan.
        parameters: Its parameters, tokens replaced.
        inputs: Digests of the input artifacts and source files, by input name, in order.
        sources: The plan's normalised sources.
    """
    ingredients: dict[str, Json] = {"component": step.component or step.name}
    ingredients |= {f"code:{symbol}": digest for symbol, digest in step.code.items()}
    ingredients |= {f"parameter:{name}": value for name, value in parameters.items()}
    ingredients |= {f"input:{name}": digests for name, digests in inputs.items()}
    ingredients |= {f"version:{name}": version(name) for name in step.versions}
    ingredients |= {f"output:{name}": [output.type, output.digest] for name, output in step.outputs.items()}
    ingredients |= {f"env:{name}": value for name, value in step.env.items()}
    if step.salt:
        ingredients["salt"] = step.salt
    used = {digest: sources[digest] for digest in step.code.values() if digest in sources}
    return CacheKey(dict(sorted(ingredients.items())), used)


def read_key(path: str) -> CacheKey | None:
    """Read a `_key.json`; None when it is missing or damaged."""
    try:
        with open(path, "rb") as file:
            kept = msgspec.json.decode(file.read(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return CacheKey(kept.ingredients, kept.sources)


class _Kept(msgspec.Struct):
    ingredients: dict[str, Json]
    sources: dict[str, str]


@lru_cache(maxsize=256)
def version(distribution: str) -> str:
    """Return the installed version of a distribution, "" when it isn't installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


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
            None and why the step has to run, which is "" when no result has this key.
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
            return None, ""
        problem = _too_old(step, found) or self.damage(found) or self._effect_gone(step, found)
        return (None, problem) if problem else (found, f"unchanged since run {found.run}")

    def _finished(self, key: CacheKey) -> ExecutionRecord | None:
        """Return what the resumed run finished with this key, whatever the cache's policy says."""
        for step in self.store.executions(self.request.resume):
            if step.cache_key == key.digest and step.state in ("COMPLETE", "CACHED"):
                return self.store.execution(step.cached_from) if step.cached_from else step
        return None

    def switched_off(self, step: StepPlan) -> str:
        """Return why a step runs whatever there is, "" when it need not."""
        if not self.request.cache:
            return "the cache is off for this run"
        for name in self.request.refresh:
            if covers(name, step.id):
                return f"asked for with --refresh {name}"
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
                problems = differences(path, record.bytes_digest, deep=self.request.verify)
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
    """Return a recorded artifact as a component's function would see it; of a user's own type as a plain one."""
    path = layout.absolute(record.uri)
    kind = next((each for each in STANDARD_TYPES if record.type == each.TYPE_NAME), Artifact)
    return kind(
        path, path, dict(record.properties), id=record.id, digest=record.digest, bytes_digest=record.bytes_digest
    )

"""Which artifacts of earlier runs a resolver stands for.

What is chosen depends on what other runs have left and on what this pipeline makes today before the resolver's
followers, never on what happens to be finished: so an unchanged pipeline that runs again resolves to the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from penstock.metadata.artifact_types import ModelBlessing
from penstock.metadata.records import ArtifactRecord, ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.pipeline.errors import DataError, listing
from penstock.pipeline.iterations import unnumbered
from penstock.pipeline.plan import Json, ResolverPlan
from penstock.runners.driver import Driver

Found = list[ArtifactRecord]


@dataclass(frozen=True)
class Candidate:
    """An artifact, and the execution of the latest earlier run that made it or took it from the cache."""

    artifact: ArtifactRecord
    by: ExecutionRecord


@dataclass(frozen=True)
class Search:
    """What one output of a resolver is looked for.

    Attributes:
        type: The artifact type.
        own: What this pipeline makes of the type today, before the resolver's followers.
        followers: Steps that wait for the resolver.
        runs: This run and those that it goes on with.
    """

    driver: Driver
    type: str
    arguments: Mapping[str, Json]
    own: Found
    followers: frozenset[str]
    runs: frozenset[str]

    @property
    def store(self) -> MetadataStore:
        """Where earlier runs are recorded."""
        return self.driver.store

    @property
    def pipeline(self) -> str:
        """The pipeline whose artifacts are searched."""
        return str(self.arguments.get("pipeline", self.driver.plan.name))

    def recorded(self, type: str = "", step: str | None = None) -> Iterator[Candidate]:
        """Yield the artifacts of a type that earlier runs made or reused, of the latest run first, that are there.

        Within a run they come newest first, so that it makes no difference whether the run made or reused them.
        """
        artifacts = {each.id: each for each in self.store.artifacts(type or self.type)}
        found: list[Candidate] = []
        for id, executions in self.store.producers(artifacts).items():
            fitting = [each for each in executions if self._is_earlier_step(each, step)]
            if fitting:
                found.append(Candidate(artifacts[id], max(fitting, key=lambda each: each.run)))
        found.sort(key=lambda each: (each.by.run, each.artifact.id), reverse=True)
        return (each for each in found if self.is_there(each.artifact))

    def _is_earlier_step(self, execution: ExecutionRecord, step: str | None) -> bool:
        named = step in (None, execution.step, unnumbered(execution.step))
        return named and execution.pipeline == self.pipeline and execution.run not in self.runs

    def is_there(self, artifact: ArtifactRecord) -> bool:
        """Say whether an artifact's files are where they were recorded."""
        return artifact.state == "LIVE" and os.path.exists(self.driver.layout.absolute(artifact.uri))

    def is_another(self, artifact: ArtifactRecord) -> bool:
        """Say whether an artifact is another than what this pipeline makes today."""
        return artifact.digest not in {own.digest for own in self.own}


def resolve(node: ResolverPlan, driver: Driver) -> dict[str, Found]:
    """Return the artifacts that a resolver stands for, by output name.

    Raises:
        DataError: One that a step can't do without isn't there, or what the strategy asks for can't be had.
    """
    arguments = driver.operand(node.arguments)
    found: dict[str, Found] = {}
    for name, output in node.outputs.items():
        own = [record for binding in node.own.get(name, ()) for record in driver.made_of_any(binding)]
        search = Search(driver, output.type, arguments, own, frozenset(node.followers), _runs(driver))
        found[name] = STRATEGIES[node.strategy](search)
        if not found[name] and name in node.required:
            raise DataError(
                f"'{node.id}.{name}' found no {output.type}, and a step can't do without: {node.strategy}"
                f"{_told(arguments)} of pipeline {search.pipeline!r}. Make one first, or take it as an optional input: "
                f"Input[{output.type}] | None = None."
            )
    return found


def _latest(search: Search) -> Found:
    found: dict[str, ArtifactRecord] = {}
    for each in search.recorded(step=search.arguments.get("step")):
        if search.is_another(each.artifact):
            found.setdefault(each.artifact.digest, each.artifact)
            if len(found) == search.arguments["n"]:
                break
    return [*found.values()][::-1]


def _latest_blessed(search: Search) -> Found:
    for blessing in search.recorded(ModelBlessing.TYPE_NAME, search.arguments.get("step")):
        judged = search.store.execution(blessing.by.ulid) if blessing.artifact.properties.get("blessed") == 1 else None
        candidate = _candidate(judged, search.type) if judged else None
        if candidate is not None and search.is_there(candidate) and search.is_another(candidate):
            return [candidate]
    return []


def _candidate(judged: ExecutionRecord, type: str) -> ArtifactRecord | None:
    """Return what an execution has blessed: its input `model`, or the only one of the type."""
    inputs = {name: found for name, found in judged.inputs.items() if any(each.type == type for each in found)}
    chosen = inputs.get("model") or (next(iter(inputs.values())) if len(inputs) == 1 else [])
    return chosen[0] if len(chosen) == 1 else None


def _spans(search: Search) -> Found:
    best: dict[int, ArtifactRecord] = {}
    recorded = search.recorded(step=search.arguments.get("step"))
    earlier = (each.artifact for each in recorded if unnumbered(each.by.step) not in search.followers)
    for each in [*search.own, *earlier]:
        span = each.properties.get("span")
        if span is not None and (span not in best or _version(each) > _version(best[span])):
            best[span] = each
    if "last_spans" in search.arguments:
        return [best[span] for span in sorted(best)[-search.arguments["last_spans"] :]]
    first, last = search.arguments["span_range"]
    missing = [span for span in range(first, last + 1) if span not in best]
    if missing:
        raise DataError(
            f"spans(span_range=({first}, {last})): pipeline {search.pipeline!r} has no {search.type} of span "
            f"{listing(map(str, missing))}. It has: {listing(map(str, sorted(best)))}."
        )
    return [best[span] for span in range(first, last + 1)]


def _version(artifact: ArtifactRecord) -> int:
    return int(artifact.properties.get("version") or 0)


def _of_run(search: Search) -> Found:
    run = search.store.run(str(search.arguments["run"]))
    if run is None:
        raise DataError(f"of_run({search.arguments['run']!r}): there is no such run here. List them: penstock runs.")
    step = search.arguments.get("step")
    made = [
        (execution.step, record)
        for execution in search.store.executions(run.id)
        if step in (None, execution.step)
        for records in execution.outputs.values()
        for record in records
        if record.type == search.type and search.is_there(record)
    ]
    steps = list(dict.fromkeys(name for name, _ in made))
    if len(steps) > 1:
        raise DataError(
            f"of_run({run.id!r}): several steps made {search.type} there: {listing(steps)}. Name one: "
            f"of_run(..., step={steps[0]!r})."
        )
    if not made:
        by = f" by step {step!r}" if step else ""
        raise DataError(
            f"of_run({run.id!r}): that run of {run.pipeline!r} has no {search.type}{by} that is still there."
        )
    return [made[-1][1]]


STRATEGIES: Mapping[str, Callable[[Search], Found]] = {
    "latest": _latest,
    "latest_blessed": _latest_blessed,
    "spans": _spans,
    "of_run": _of_run,
}


def _runs(driver: Driver) -> frozenset[str]:
    """Return this run and those that it goes on with: what they have made isn't of an earlier run."""
    found, run = {driver.run}, driver.request.resume
    while run and run not in found:
        found.add(run)
        record = driver.store.run(run)
        run = str(record.facts.get("resumed", "")) if record else ""
    return frozenset(found)


def _told(arguments: Mapping[str, Json]) -> str:
    return "(" + ", ".join(f"{name}={value!r}" for name, value in arguments.items() if name != "pipeline") + ")"

"""Node -> Task or reuse: resolves inputs and parameters, computes the cache key, looks for an earlier result."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec

from penstock.data import files
from penstock.metadata.artifact_types import Boolean
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, NewArtifact, NewExecution
from penstock.metadata.store import MetadataStore
from penstock.pipeline import parameters
from penstock.pipeline.errors import DataError, Unsupported, listing, nearest
from penstock.pipeline.importer import IMPORTER
from penstock.pipeline.plan import AnyNode, Binding, ImporterPlan, Json, Plan, StepPlan, value_bindings
from penstock.pipeline.runner import RunRequest
from penstock.pipeline.task import Task, TaskArtifact, TaskBeam, TaskFiles, TaskOutput
from penstock.runners import explanation, sources
from penstock.runners.cache import Cache, CacheKey, key_of
from penstock.runners.layout import Layout, new_id
from penstock.runners.step_names import with_bodies

EXTERNAL_FILES = "ExternalFiles"
BEAM_PROFILES = {"direct": "FnApiRunner"}


@dataclass(frozen=True)
class Drive:
    """What the driver decided for a node.

    Attributes:
        task: To be executed, or None when `source` is reused.
        execution: What begins in the store.
        key: The cache key.
        source: The earlier execution whose outputs are reused.
        reason: Why, in one line.
    """

    execution: NewExecution
    key: CacheKey
    reason: str
    task: Task | None = None
    source: ExecutionRecord | None = None


@dataclass(frozen=True)
class _Arguments:
    """What a step is given: parameters with tokens replaced, input artifacts, source files."""

    values: dict[str, Json]
    inputs: dict[str, list[ArtifactRecord]]
    files: dict[str, TaskFiles]


@dataclass
class Driver:
    """Drives the nodes of one run; remembers what each has made, for those that come after."""

    run: str
    plan: Plan
    request: RunRequest
    store: MetadataStore
    layout: Layout
    hashes: str
    made: dict[str, dict[str, list[ArtifactRecord]]] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    numbered: dict[str, list[str]] = field(default_factory=dict)
    """By a node of an expanded loop's body, what came of it for each item."""

    def __post_init__(self) -> None:
        if self.request.refresh:
            self.request = replace(self.request, refresh=with_bodies(self.request.refresh, self.plan))
        self.cache = Cache(self.plan.name, self.request, self.store, self.layout)

    @cached_property
    def memo(self) -> sources.HashMemo:
        """Known hashes of source files, opened when the first is asked for."""
        return sources.HashMemo(self.hashes)

    def close(self) -> None:
        """Close what was opened."""
        if "memo" in self.__dict__:
            self.memo.close()

    def drive(self, node: AnyNode) -> Drive:
        """Make a node concrete.

        Raises:
            PenstockError: An input can't be resolved.
        """
        if isinstance(node, StepPlan):
            return self._step(node)
        assert isinstance(node, ImporterPlan), "conditions, joins, loops and resolvers are settled, not driven"
        return self._importer(node)

    def left_out(self, node_id: str) -> str:
        """Return why a node is left out of this run, "" when it isn't."""
        return ""

    def operand(self, value: Json) -> Json:
        """Return what an operand of a condition stands for.

        Raises:
            DataError: An artifact hasn't the property.
        """
        if not isinstance(value, Mapping) or "$property" not in value:
            return self._substitute(value)
        asked = value["$property"]
        found = self._artifact(Binding(node=asked["node"], output=asked["output"])).properties
        if asked["name"] not in found:
            raise DataError(
                f"'{asked['node']}.{asked['output']}' has no property {asked['name']!r}."
                f"{nearest(asked['name'], found)} It has: {listing(found)}."
            )
        return found[asked["name"]]

    def known(self, step: StepPlan, open_nodes: Collection[str]) -> tuple[CacheKey, set[str]]:
        """Return the key of a step as far as it is known while some nodes have made nothing yet.

        Returns:
            The known ingredients, and the names of those that aren't.
        """
        waiting = {name for name, value in step.parameters.items() if _waits(value, open_nodes)}
        waiting_inputs = {
            name for name, bound in step.inputs.items() if any(binding.node in open_nodes for binding in bound)
        } | {name for name, value in step.files.items() if _waits(value, open_nodes)}
        settled = msgspec.structs.replace(
            step,
            parameters={name: value for name, value in step.parameters.items() if name not in waiting},
            paths=tuple(name for name in step.paths if name not in waiting),
            inputs={name: bound for name, bound in step.inputs.items() if name not in waiting_inputs},
            files={name: value for name, value in step.files.items() if name not in waiting_inputs},
        )
        unknown = {f"parameter:{name}" for name in waiting} | {f"input:{name}" for name in waiting_inputs}
        return self._key(settled, self._arguments(settled)), unknown

    def _step(self, step: StepPlan) -> Drive:
        found = self._arguments(step)
        key = self._key(step, found)
        task = self._task(step, key, found.values, found.inputs, found.files)
        recorded: dict[str, list[int | NewArtifact]] = {
            name: [record.id for record in records] for name, records in found.inputs.items()
        }
        recorded |= {name: [external_files(files)] for name, files in found.files.items()}
        return self._decide(step, task, key, recorded)

    def _arguments(self, step: StepPlan) -> _Arguments:
        values = {name: self._substitute(value) for name, value in step.parameters.items()}
        inputs = {name: [one for each in bound for one in self.made_of(each)] for name, bound in step.inputs.items()}
        inputs = {name: found for name, found in inputs.items() if found or name in step.many}
        given = {name: value for name, value in step.files.items() if value is not None}
        return _Arguments(
            values, inputs, {name: self._files(step, name, value, values) for name, value in given.items()}
        )

    def _key(self, step: StepPlan, found: _Arguments) -> CacheKey:
        digests = {name: [record.digest for record in records] for name, records in found.inputs.items()}
        digests |= {name: [_digest(files)] for name, files in found.files.items()}
        return key_of(step, self._placed(step, found.values), digests, self.plan.sources)

    def _placed(self, step: StepPlan, values: Mapping[str, Json]) -> dict[str, Json]:
        """Return parameters for the cache key: an effect elsewhere is another effect, so its paths count whole."""
        paths = step.paths if step.effect else ()
        return {**values, **{name: parameters.absolute(values[name], self.request.code_root) for name in paths}}

    def _importer(self, node: ImporterPlan) -> Drive:
        value = self._substitute(node.uri)
        label = f"Importer(id={node.id!r}, source_uri=...)"
        if not isinstance(value, str) or "://" in value:
            raise Unsupported(f"{label} takes a local path, got {value!r:.80}.")
        path = parameters.absolute(value, self.request.code_root)
        if not os.path.exists(path):
            raise DataError(f"{label}: there is nothing at {path}. Pass the path of an existing file or folder.")
        found = sources.resolve(label, path, self.request.code_root, self.memo)
        step = StepPlan(id=node.id, component="", name="Importer", outputs={"result": node.output})
        key = key_of(step, {"uri": path} | node.properties, {"uri": [_digest(found)]}, {})
        task = self._task(step, key, node.properties, {}, {})
        output = TaskOutput(path=path, uri=path, type=node.output.type, digest=node.output.digest)
        return self._decide(step, msgspec.structs.replace(task, outputs={"result": output}), key, {})

    def _decide(
        self, step: StepPlan, task: Task, key: CacheKey, inputs: Mapping[str, list[int | NewArtifact]]
    ) -> Drive:
        source, reason = self.cache.find(step, key)
        reason = reason or self._why_not(step.id, key)
        execution = NewExecution(
            ulid=task.execution,
            component=step.component or IMPORTER,
            pipeline=self.plan.name,
            run=self.run,
            step=step.id,
            attempt=task.attempt,
            started=time.time(),
            inputs=inputs,
            cache_key=key.digest,
            reason=reason,
            facts={
                "seed": task.seed,
                "log": self.layout.relative(task.log),
                "parameters": task.parameters,
                "gate": step.gates,
                "effect": step.effect is not None,
                "still_true": step.effect.still_true if step.effect else "",
            },
        )
        return Drive(execution, key, reason, task=None if source else task, source=source)

    def _why_not(self, step: str, key: CacheKey) -> str:
        if not os.path.isdir(os.path.dirname(self.layout.execution(self.plan.name, step, "-"))):
            return "no earlier result"
        return explanation.reason(self.layout, self.plan.name, step, key.ingredients)

    def _task(
        self,
        step: StepPlan,
        key: CacheKey,
        values: Mapping[str, Json],
        inputs: Mapping[str, list[ArtifactRecord]],
        resolved: Mapping[str, TaskFiles],
    ) -> Task:
        execution, attempt = new_id(), self.attempts.get(step.id, 1)
        staging = self.layout.attempt(self.run, execution, attempt)
        final = self.layout.execution(self.plan.name, step.id, execution)
        return Task(
            run=self.run,
            pipeline=self.plan.name,
            step=step.id,
            execution=execution,
            attempt=attempt,
            component=step.component,
            staging=staging,
            code_root=self.request.code_root,
            log=self.layout.log(self.run, step.id),
            seed=key.seed,
            inputs={name: tuple(self._input(record) for record in records) for name, records in inputs.items()},
            many=step.many,
            parameters=dict(values),
            paths=step.paths,
            files=dict(resolved),
            modules=step.modules,
            outputs={
                name: TaskOutput(
                    path=os.path.join(staging, name),
                    uri=os.path.join(final, name),
                    type=output.type,
                    digest=output.digest,
                )
                for name, output in step.outputs.items()
            },
            values=step.values,
            timeout=step.timeout,
            memory=step.resources.memory or 0,
            precondition=step.precondition,
            env=step.env,
            beam=self._beam(step),
        )

    def _beam(self, step: StepPlan) -> TaskBeam | None:
        if step.beam is None:
            return None
        return TaskBeam(
            parameter=step.beam.parameter,
            profile=self.request.beam,
            runner=BEAM_PROFILES[self.request.beam],
            workers=self.request.beam_workers or int(step.resources.cpus or 0),
            options=step.beam.options,
        )

    def _input(self, record: ArtifactRecord) -> TaskArtifact:
        path = self.layout.absolute(record.uri)
        return TaskArtifact(
            type=record.type,
            path=path,
            uri=path,
            id=record.id,
            digest=record.digest,
            bytes_digest=record.bytes_digest,
            properties=record.properties,
        )

    def _files(self, step: StepPlan, name: str, value: Json, choice: Mapping[str, Json]) -> TaskFiles:
        label = f"{step.id}({name}=...)"
        return sources.resolve(label, self._substitute(value), self.request.code_root, self.memo, choice)

    def made_of_any(self, binding: Binding) -> list[ArtifactRecord]:
        """Return the artifacts of an output, none where it wasn't made."""
        return self.made_of(msgspec.structs.replace(binding, many=True))

    def _substitute(self, value: Json) -> Json:
        return parameters.substitute(value, self.request.parameters, self._value)

    def _value(self, binding: Binding) -> Json:
        return [*map(value_of, self.made_of(binding))] if binding.many else value_of(self._artifact(binding))

    def _artifact(self, binding: Binding) -> ArtifactRecord:
        found = self.made[binding.node][binding.output]
        if not found:
            raise DataError(f"'{binding.node}.{binding.output}' found no artifact, and its content is asked for.")
        return found[0]

    def made_of(self, binding: Binding) -> list[ArtifactRecord]:
        """Return the artifacts of an output; of one in a loop, what it made for each item, without what it left out."""
        if not binding.many:
            return self.made[binding.node][binding.output]
        if binding.node in self.numbered:
            items = (Binding(node=each, output=binding.output, many=True) for each in self.numbered[binding.node])
            return [record for item in items for record in self.made_of(item)]
        return self.made.get(binding.node, {}).get(binding.output, [])


def _waits(value: Json, open_nodes: Collection[str]) -> bool:
    return any(binding.node in open_nodes for binding in value_bindings(value))


def component_of(node: AnyNode) -> str:
    """Return what is recorded as a node's component; nodes that the driver resolves itself go by their kind."""
    if isinstance(node, StepPlan):
        return node.component
    return IMPORTER if isinstance(node, ImporterPlan) else type(node).__name__.removesuffix("Plan")


def external_files(found: TaskFiles) -> NewArtifact:
    """Describe source files as an artifact from outside."""
    uri = os.path.join(found.base, found.files[0].name) if len(found.files) == 1 else found.base
    listed = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in found.files]
    return NewArtifact(type=EXTERNAL_FILES, uri=uri, digest=_digest(found), properties={"files": listed})


def _digest(found: TaskFiles) -> str:
    return files.digest_entries([files.FileHash(file.name, file.size, file.sha256) for file in found.files])


def value_of(record: ArtifactRecord) -> Json:
    """Return the value that an artifact carries; the store keeps a bool as 0 or 1."""
    value = record.properties["value"]
    return bool(value) if record.type == Boolean.TYPE_NAME else value

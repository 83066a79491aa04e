"""Records to ML Metadata's protos and back; the only file that knows where in a proto what is kept.

Executions and runs keep what is looked up by other tools as custom properties of their own, the rest as one JSON text,
``details``, since every property costs a row and ML Metadata rounds floats.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from penstock.metadata.artifact_types import STANDARD_TYPES, Artifact
from penstock.metadata.client import Client
from penstock.metadata.properties import KINDS, RESERVED, read_properties, write_properties
from penstock.metadata.records import (
    ArtifactRecord,
    ExecutionRecord,
    ExecutionState,
    NewArtifact,
    NewExecution,
    RunRecord,
    RunState,
)

INPUT, OUTPUT = pb.Event.INPUT, pb.Event.OUTPUT
INPUT_TYPES = frozenset([pb.Event.INPUT, pb.Event.DECLARED_INPUT])
OUTPUT_TYPES = frozenset([pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT])
_DETAILS = "details"
_ORIGIN = ("pipeline", "run", "step", "output", "execution")
_DIGESTS = ("digest", "bytes_digest")
_EXECUTION_TEXTS = ("pipeline", "run", "step", "cache_key")
_EXECUTION_DETAILS = ("cached_from", "reason", "error", "attempt", "started", "ended", "facts")


def new_artifact(artifact: NewArtifact, type_: StoredType, origin: Mapping[str, str]) -> pb.Artifact:
    """Make the proto of a new, LIVE artifact; ``origin`` has the keys of ``_ORIGIN``, or none for what is external."""
    proto = pb.Artifact(type_id=type_.id, type=artifact.type, uri=artifact.uri, state=pb.Artifact.LIVE)
    if artifact.name:
        proto.name = artifact.name
    write_properties(proto, artifact.properties, type_.kinds)
    for key, text in [*origin.items(), ("digest", artifact.digest), ("bytes_digest", artifact.bytes_digest)]:
        if text:
            proto.custom_properties[RESERVED + key].string_value = text
    return proto


def external_name(artifact: NewArtifact) -> str:
    """Give the name under which an artifact from outside is found again: by its URI and digest."""
    content = json.dumps([artifact.uri, artifact.digest]).encode()
    return "external-" + hashlib.sha256(content).hexdigest()[:32]


def artifact_record(proto: pb.Artifact) -> ArtifactRecord:
    """Read an artifact."""
    own = {key: proto.custom_properties[RESERVED + key].string_value for key in _own_keys(proto)}
    deleted = proto.state in (pb.Artifact.DELETED, pb.Artifact.MARKED_FOR_DELETION)
    return ArtifactRecord(
        id=proto.id,
        type=proto.type,
        uri=proto.uri,
        name=proto.name,
        properties=read_properties(proto),
        state="DELETED" if deleted else "LIVE",
        created=proto.create_time_since_epoch / 1000,
        **own,
    )


def _own_keys(proto: pb.Artifact) -> list[str]:
    return [key for key in _ORIGIN + _DIGESTS if RESERVED + key in proto.custom_properties]


def new_execution(
    execution: NewExecution, type_id: int, state: ExecutionState, *, ended: float = 0.0, cached_from: str = ""
) -> pb.Execution:
    """Make the proto of an execution; its ULID is both the name and the external id, by which any type is found."""
    proto = pb.Execution(type_id=type_id, name=execution.ulid, external_id=execution.ulid)
    proto.properties[COMPONENT_PROPERTY].string_value = execution.component
    for key in _EXECUTION_TEXTS:
        proto.custom_properties[key].string_value = getattr(execution, key)
    details = {
        "attempt": execution.attempt,
        "started": execution.started,
        "reason": execution.reason,
        "facts": dict(execution.facts),
    }
    if cached_from:
        details["cached_from"] = cached_from
    if ended:
        details["ended"] = ended
    _set_state(proto, state)
    _set_details(proto, details)
    return proto


def changed_execution(proto: pb.Execution, state: ExecutionState, **details: Any) -> pb.Execution:
    """Make a full copy of an execution's proto in a new state; ``facts`` are merged, empty details change nothing."""
    changed = pb.Execution()
    changed.CopyFrom(proto)
    merged = _details(proto)
    facts = {**merged.get("facts", {}), **(details.pop("facts", None) or {})}
    merged.update({key: value for key, value in details.items() if value}, facts=facts)
    _set_state(changed, state)
    _set_details(changed, merged)
    return changed


def execution_state(proto: pb.Execution) -> ExecutionState:
    """Read an execution's state; ML Metadata has no SKIPPED, so it stands in a property."""
    if "state" in proto.custom_properties:
        return cast(ExecutionState, proto.custom_properties["state"].string_value)
    return cast(ExecutionState, pb.Execution.State.Name(proto.last_known_state))


def execution_record(
    proto: pb.Execution,
    inputs: dict[str, list[ArtifactRecord]] | None = None,
    outputs: dict[str, list[ArtifactRecord]] | None = None,
) -> ExecutionRecord:
    """Read an execution."""
    texts = {
        key: proto.custom_properties[key].string_value for key in _EXECUTION_TEXTS if key in proto.custom_properties
    }
    details = {key: value for key, value in _details(proto).items() if key in _EXECUTION_DETAILS}
    return ExecutionRecord(
        id=proto.id,
        ulid=proto.name,
        component=proto.properties[COMPONENT_PROPERTY].string_value
        if COMPONENT_PROPERTY in proto.properties
        else proto.type,
        state=execution_state(proto),
        pipeline=texts.pop("pipeline", ""),
        run=texts.pop("run", ""),
        step=texts.pop("step", ""),
        inputs=inputs or {},
        outputs=outputs or {},
        **texts,
        **details,
    )


def run_context(run: RunRecord, type_id: int) -> pb.Context:
    """Make the proto of a run's context."""
    proto = pb.Context(type_id=type_id, name=run.id)
    proto.custom_properties["pipeline"].string_value = run.pipeline
    proto.custom_properties["state"].string_value = run.state
    details = {"started": run.started, "ended": run.ended, "hidden": run.hidden, "facts": run.facts}
    _set_details(proto, details)
    return proto


def run_record(proto: pb.Context) -> RunRecord:
    """Read a run."""
    details = _details(proto)
    return RunRecord(
        id=proto.name,
        pipeline=proto.custom_properties["pipeline"].string_value,
        state=cast(RunState, proto.custom_properties["state"].string_value),
        started=details["started"],
        ended=details["ended"],
        facts=details["facts"],
        hidden=details["hidden"],
    )


def events(kind: int, ids_by_name: Mapping[str, Sequence[int | NewArtifact]]) -> list[pb.Event]:
    """Make the events of the recorded artifacts (the ids) at an execution, one an artifact.

    The path is TFX's: the input's or output's name, then the place in its list. ML Metadata keeps one event of a kind
    between an artifact and an execution, so an artifact that stands at several places has their pairs in a row.
    """
    made: dict[int, pb.Event] = {}
    for name, ids in ids_by_name.items():
        for index, id in enumerate(ids):
            if isinstance(id, int):
                _add_place(made.setdefault(id, pb.Event(type=kind, artifact_id=id)), name, index)
    return list(made.values())


def output_event(name: str, index: int) -> pb.Event:
    """Make the event of an artifact that is recorded with it."""
    proto = pb.Event(type=OUTPUT)
    _add_place(proto, name, index)
    return proto


def event_places(proto: pb.Event) -> list[tuple[str, int]]:
    """Read an event's path: the pairs of name and index."""
    places: list[tuple[str, int]] = []
    for step in proto.path.steps:
        if step.HasField("key"):
            places.append((step.key, 0))
        elif places:
            places[-1] = (places[-1][0], step.index)
    return places or [("", 0)]


def _add_place(proto: pb.Event, name: str, index: int) -> None:
    proto.path.steps.add(key=name)
    proto.path.steps.add(index=index)


def by_place(at: Sequence[pb.Event], artifacts: Mapping[int, ArtifactRecord]) -> dict[str, list[ArtifactRecord]]:
    """Sort the artifacts of one execution's inputs (or outputs) into lists by name, in the order of their index."""
    placed: dict[str, list[ArtifactRecord]] = {}
    for (name, _), artifact_id in sorted((place, each.artifact_id) for each in at for place in event_places(each)):
        if artifact_id in artifacts:
            placed.setdefault(name, []).append(artifacts[artifact_id])
    return placed


def _set_state(proto: pb.Execution, state: ExecutionState) -> None:
    if state == "SKIPPED":
        proto.last_known_state = pb.Execution.CANCELED
        proto.custom_properties["state"].string_value = state
    else:
        proto.last_known_state = pb.Execution.State.Value(state)


def _set_details(proto: Any, details: Mapping[str, Any]) -> None:
    proto.custom_properties[_DETAILS].string_value = json.dumps(details, separators=(",", ":"))


def _details(proto: Any) -> dict[str, Any]:
    if _DETAILS not in proto.custom_properties:
        return {}
    return cast("dict[str, Any]", json.loads(proto.custom_properties[_DETAILS].string_value))


PIPELINE = "pipeline"
RUN = "pipeline_run"
NODE = "node"
CACHE_KEY = "penstock_cache_key"
CONTEXT_TYPES = (PIPELINE, RUN, NODE, CACHE_KEY)
COMPONENT_PROPERTY = "component"


@dataclass(frozen=True)
class StoredType:
    """A type's id in the store and the kinds of its declared properties."""

    id: int
    kinds: Mapping[str, int] = field(default_factory=dict)


class TypeTable:
    """Types by name, memoised; what is missing is registered when it is asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._artifacts: dict[str, StoredType] = {}
        self._executions: dict[str, int] = {}
        self._contexts: dict[str, int] = {}
        self._read()
        self.register(STANDARD_TYPES)

    def artifact(self, name: str) -> StoredType:
        """Give an artifact type; an unknown one is registered, without declared properties."""
        if name not in self._artifacts:
            self._put({name: {}}, [], [])
        return self._artifacts[name]

    def execution(self, component: str) -> int:
        """Give the id of a component's execution type, named as the component is (``"module:Name"`` -> ``Name``)."""
        name = component.rpartition(":")[2]
        if name not in self._executions:
            self._put({}, [name], [])
        return self._executions[name]

    def context(self, name: str) -> int:
        """Give the id of one of ``CONTEXT_TYPES``."""
        return self._contexts[name]

    def register(self, types: Iterable[type[Artifact]]) -> None:
        """Declare artifact types with their properties, and whatever else a store must have, in one call."""
        missing = {
            each.TYPE_NAME: {name: KINDS[kind] for name, kind in each.PROPERTIES.items()}
            for each in types
            if not self._has(each)
        }
        contexts = [name for name in CONTEXT_TYPES if name not in self._contexts]
        if missing or contexts:
            self._put(missing, [], contexts)

    def _has(self, declared: type[Artifact]) -> bool:
        stored = self._artifacts.get(declared.TYPE_NAME)
        return stored is not None and declared.PROPERTIES.keys() <= stored.kinds.keys()

    def _read(self) -> None:
        call = self._client.call
        for each in call("GetArtifactTypes", service.GetArtifactTypesRequest()).artifact_types:
            self._artifacts[each.name] = StoredType(each.id, dict(each.properties))
        for each in call("GetExecutionTypes", service.GetExecutionTypesRequest()).execution_types:
            self._executions[each.name] = each.id
        for each in call("GetContextTypes", service.GetContextTypesRequest()).context_types:
            self._contexts[each.name] = each.id

    def _put(self, artifacts: Mapping[str, Mapping[str, int]], executions: list[str], contexts: list[str]) -> None:
        request = service.PutTypesRequest(can_add_fields=True, can_omit_fields=True)
        for name, kinds in artifacts.items():
            request.artifact_types.add(name=name, properties=kinds)
        for name in executions:
            request.execution_types.add(name=name, properties={COMPONENT_PROPERTY: KINDS[str]})
        for name in contexts:
            request.context_types.add(name=name)
        self._client.call("PutTypes", request)
        self._read()

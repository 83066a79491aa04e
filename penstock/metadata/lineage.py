"""The walk along events: what an artifact was made from, and what was made from it, a few calls a level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from penstock.metadata import protos
from penstock.metadata.client import Client
from penstock.metadata.records import LineageEdge, LineageGraph

Direction = Literal["up", "down"]
_BATCH = 1000


def lineage(client: Client, artifact_ids: Sequence[int], direction: Direction, depth: int | None) -> LineageGraph:
    """Walk from artifacts to all that they come from ("up") or that came from them ("down").

    Up goes by the executions that made an artifact; CACHED ones made nothing and are left out. Down goes by every use,
    cached ones too, so that what a cached step stands for is found from today's inputs.

    Args:
        client: The connection.
        artifact_ids: Where to start.
        direction: "up" or "down".
        depth: How many executions to cross at most; None goes to the end.
    """
    up = direction == "up"
    near, far = (protos.OUTPUT_TYPES, protos.INPUT_TYPES) if up else (protos.INPUT_TYPES, protos.OUTPUT_TYPES)
    executions: dict[int, pb.Execution] = {}
    edges: dict[tuple[int, int, int], pb.Event] = {}
    seen = set(artifact_ids)
    level = list(seen)
    while level and (depth is None or depth > 0):
        depth = None if depth is None else depth - 1
        touching = [each for each in events_of_artifacts(client, level) if each.type in near]
        new_ids = {each.execution_id for each in touching} - executions.keys()
        found = executions_by_id(client, new_ids)
        executions.update({each.id: each for each in found if not (up and protos.execution_state(each) == "CACHED")})
        beyond = events_of_executions(client, new_ids & executions.keys())
        reached = [each for each in beyond if each.type in far]
        edges.update({_key(each): each for each in [*touching, *reached] if each.execution_id in executions})
        level = sorted({each.artifact_id for each in reached} - seen)
        seen.update(level)
    return _graph(client, seen, executions, edges.values())


def events_of_artifacts(client: Client, ids: Iterable[int]) -> list[pb.Event]:
    """Read the events at artifacts."""
    found: list[pb.Event] = []
    for batch in _batches(ids):
        request = service.GetEventsByArtifactIDsRequest(artifact_ids=batch)
        found.extend(client.call("GetEventsByArtifactIDs", request).events)
    return found


def events_of_executions(client: Client, ids: Iterable[int]) -> list[pb.Event]:
    """Read the events at executions."""
    found: list[pb.Event] = []
    for batch in _batches(ids):
        request = service.GetEventsByExecutionIDsRequest(execution_ids=batch)
        found.extend(client.call("GetEventsByExecutionIDs", request).events)
    return found


def executions_by_id(client: Client, ids: Iterable[int]) -> list[pb.Execution]:
    """Read executions; unknown ids are left out."""
    found: list[pb.Execution] = []
    for batch in _batches(ids):
        request = service.GetExecutionsByIDRequest(execution_ids=batch)
        found.extend(client.call("GetExecutionsByID", request).executions)
    return found


def artifacts_by_id(client: Client, ids: Iterable[int]) -> list[pb.Artifact]:
    """Read artifacts; unknown ids are left out."""
    found: list[pb.Artifact] = []
    for batch in _batches(ids):
        request = service.GetArtifactsByIDRequest(artifact_ids=batch)
        found.extend(client.call("GetArtifactsByID", request).artifacts)
    return found


def _batches(ids: Iterable[int]) -> list[list[int]]:
    ordered = sorted(set(ids))
    return [ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]


def _key(event: pb.Event) -> tuple[int, int, int]:
    return event.artifact_id, event.execution_id, event.type


def _graph(
    client: Client, artifact_ids: Iterable[int], executions: dict[int, pb.Execution], events: Iterable[pb.Event]
) -> LineageGraph:
    artifacts = {each.id: protos.artifact_record(each) for each in artifacts_by_id(client, artifact_ids)}
    edges = [
        LineageEdge(
            artifact=each.artifact_id,
            execution=executions[each.execution_id].name,
            kind="input" if each.type in protos.INPUT_TYPES else "output",
            name=name,
            index=index,
        )
        for each in events
        if each.artifact_id in artifacts
        for name, index in protos.event_places(each)
    ]
    return LineageGraph(
        artifacts=artifacts,
        executions={each.name: protos.execution_record(each) for each in executions.values()},
        edges=tuple(sorted(edges, key=lambda edge: (edge.execution, edge.kind, edge.name, edge.index, edge.artifact))),
    )

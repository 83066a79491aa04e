"""What the ML Metadata store answers: the reading half of ``MlmdStore``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal

from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from penstock.metadata import protos
from penstock.metadata.client import NOT_FOUND, Client, StatusError
from penstock.metadata.errors import StoreError
from penstock.metadata.records import (
    ArtifactRecord,
    ArtifactState,
    ExecutionRecord,
    LineageEdge,
    LineageGraph,
    NewArtifact,
    RunRecord,
)

_PAGE = 100
_BY_ID = pb.ListOperationOptions.OrderByField.Field.ID


class StoreReader:
    """The verbs that change nothing; ``MetadataStore`` documents them."""

    def __init__(self, client: Client, types: protos.TypeTable) -> None:
        self._client = client
        self._types = types

    def find_cached(self, key: str) -> ExecutionRecord | None:
        """See ``MetadataStore.find_cached``."""
        context = self._context(protos.CACHE_KEY, key)
        if context is None:
            return None
        request = service.GetExecutionsByContextRequest(context_id=context.id)
        found = self._client.call("GetExecutionsByContext", request).executions
        complete = [each for each in found if protos.execution_state(each) == "COMPLETE"]
        for proto in sorted(complete, key=lambda each: each.id, reverse=True):
            (record,) = self._execution_records([proto])
            if all(artifact.state == "LIVE" for each in record.outputs.values() for artifact in each):
                return record
        return None

    def artifact(self, id: int) -> ArtifactRecord | None:
        """See ``MetadataStore.artifact``."""
        return next(iter(self._artifact_records([id]).values()), None)

    def artifacts(
        self,
        type: str | None = None,
        *,
        run: str | None = None,
        pipeline: str | None = None,
        step: str | None = None,
        state: ArtifactState | None = "LIVE",
        limit: int | None = None,
    ) -> list[ArtifactRecord]:
        """See ``MetadataStore.artifacts``."""
        wanted = {"type": type, "run": run, "pipeline": pipeline, "step": step, "state": state}
        given = {name: value for name, value in wanted.items() if value is not None}
        records = map(protos.artifact_record, self._artifact_protos(type, run, pipeline, step))
        matching = (each for each in records if all(getattr(each, name) == value for name, value in given.items()))
        return list(islice(matching, limit))

    def find_artifact_by_uri(self, uri: str) -> ArtifactRecord | None:
        """See ``MetadataStore.find_artifact_by_uri``."""
        found = self._client.call("GetArtifactsByURI", service.GetArtifactsByURIRequest(uris=[uri])).artifacts
        records = [protos.artifact_record(each) for each in found]
        return max(records, key=lambda each: (each.state == "LIVE", each.id), default=None)

    def find_external(self, artifact: NewArtifact) -> ArtifactRecord | None:
        """See ``MetadataStore.find_external``."""
        request = service.GetArtifactByTypeAndNameRequest(
            type_name=artifact.type, artifact_name=protos.external_name(artifact)
        )
        response = self._client.call("GetArtifactByTypeAndName", request)
        return protos.artifact_record(response.artifact) if response.HasField("artifact") else None

    def run(self, id: str) -> RunRecord | None:
        """See ``MetadataStore.run``."""
        context = self._context(protos.RUN, id)
        if context is not None:
            return protos.run_record(context)
        part = id.upper()
        matching = [each for each in self.runs(hidden=True) if each.id.startswith(part) or each.id.endswith(part)]
        if not part or len(matching) <= 1:
            return matching[0] if part and matching else None
        named = ", ".join(each.id for each in matching[:5])
        raise StoreError(f"{id!r} stands for {len(matching)} runs: {named}. Give more of the id, from its end.")

    def runs(self, pipeline: str | None = None, limit: int | None = None, *, hidden: bool = False) -> list[RunRecord]:
        """See ``MetadataStore.runs``."""
        request = service.GetContextsByTypeRequest(type_name=protos.RUN)
        records = map(protos.run_record, self._pages("GetContextsByType", "contexts", request))
        matching = (each for each in records if pipeline in (None, each.pipeline) and (hidden or not each.hidden))
        return list(islice(matching, limit))

    def execution(self, ulid: str) -> ExecutionRecord | None:
        """See ``MetadataStore.execution``."""
        proto = self._execution_proto(ulid)
        return None if proto is None else self._execution_records([proto])[0]

    def executions(self, run: str) -> list[ExecutionRecord]:
        """See ``MetadataStore.executions``."""
        return self._execution_records(sorted(self._execution_protos(run), key=lambda each: each.id))

    def history(self, pipeline: str, step: str, limit: int | None = None) -> list[ExecutionRecord]:
        """See ``MetadataStore.history``."""
        context = self._context(protos.NODE, f"{pipeline}.{step}")
        if context is None:
            return []
        request = service.GetExecutionsByContextRequest(context_id=context.id)
        found = self._pages("GetExecutionsByContext", "executions", request)
        return self._execution_records(list(islice(found, limit)))

    def running(self, run: str | None = None) -> list[ExecutionRecord]:
        """See ``MetadataStore.running``."""
        runs = [run] if run else [each.id for each in self.runs(hidden=True) if each.state == "RUNNING"]
        found = [each for id in runs for each in self._execution_protos(id)]
        return self._execution_records([each for each in found if each.last_known_state == pb.Execution.RUNNING])

    def lineage(
        self, artifact_ids: Sequence[int], direction: Direction = "up", depth: int | None = None
    ) -> LineageGraph:
        """See ``MetadataStore.lineage``."""
        return walk_lineage(self._client, artifact_ids, direction, depth)

    def producers(self, artifact_ids: Iterable[int]) -> dict[int, list[ExecutionRecord]]:
        """See ``MetadataStore.producers``."""
        made = [each for each in events_of_artifacts(self._client, artifact_ids) if each.type in protos.OUTPUT_TYPES]
        found_protos = executions_by_id(self._client, (each.execution_id for each in made))
        executions = {each.id: protos.execution_record(each) for each in found_protos}
        found: dict[int, list[ExecutionRecord]] = {}
        for event in sorted(made, key=lambda each: each.execution_id, reverse=True):
            found.setdefault(event.artifact_id, []).append(executions[event.execution_id])
        return found

    def _context(self, type_name: str, name: str) -> pb.Context | None:
        request = service.GetContextByTypeAndNameRequest(type_name=type_name, context_name=name)
        response = self._client.call("GetContextByTypeAndName", request)
        return response.context if response.HasField("context") else None

    def _execution_proto(self, ulid: str) -> pb.Execution | None:
        request = service.GetExecutionsByExternalIdsRequest(external_ids=[ulid])
        try:
            return next(iter(self._client.call("GetExecutionsByExternalIds", request).executions), None)
        except StatusError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    def _execution_protos(self, run: str) -> list[pb.Execution]:
        context = self._context(protos.RUN, run)
        if context is None:
            return []
        request = service.GetExecutionsByContextRequest(context_id=context.id)
        return list(self._client.call("GetExecutionsByContext", request).executions)

    def _execution_records(self, found: Sequence[pb.Execution]) -> list[ExecutionRecord]:
        events = events_of_executions(self._client, [each.id for each in found])
        artifacts = self._artifact_records(each.artifact_id for each in events)
        inputs: dict[int, list[pb.Event]] = {}
        outputs: dict[int, list[pb.Event]] = {}
        for each in events:
            side = inputs if each.type in protos.INPUT_TYPES else outputs
            side.setdefault(each.execution_id, []).append(each)
        return [
            protos.execution_record(
                each,
                protos.by_place(inputs.get(each.id, ()), artifacts),
                protos.by_place(outputs.get(each.id, ()), artifacts),
            )
            for each in found
        ]

    def _artifact_records(self, ids: Iterable[int]) -> dict[int, ArtifactRecord]:
        return {each.id: protos.artifact_record(each) for each in artifacts_by_id(self._client, ids)}

    def _artifact_protos(
        self, type: str | None, run: str | None, pipeline: str | None, step: str | None
    ) -> Iterator[pb.Artifact]:
        """Artifacts by the narrowest index there is for these conditions, newest first."""
        if run is not None or pipeline is not None:
            kind, name = (protos.RUN, run) if run is not None else (protos.PIPELINE, pipeline)
            if run is None and step is not None:
                kind, name = protos.NODE, f"{pipeline}.{step}"
            context = self._context(kind, name or "")
            if context is None:
                return iter(())
            request: Any = service.GetArtifactsByContextRequest(context_id=context.id)
            return self._pages("GetArtifactsByContext", "artifacts", request)
        if type is not None:
            request = service.GetArtifactsByTypeRequest(type_name=type)
            return self._pages("GetArtifactsByType", "artifacts", request)
        return self._pages("GetArtifacts", "artifacts", service.GetArtifactsRequest())

    def _pages(self, method: str, field: str, request: Any) -> Iterator[Any]:
        """Go through a list newest first, a page at a time."""
        request.options.max_result_size = _PAGE
        request.options.order_by_field.field = _BY_ID
        request.options.order_by_field.is_asc = False
        while True:
            response = self._client.call(method, request)
            yield from getattr(response, field)
            if not response.next_page_token:
                return
            request.options.next_page_token = response.next_page_token


Direction = Literal["up", "down"]
_BATCH = 1000


def walk_lineage(client: Client, artifact_ids: Sequence[int], direction: Direction, depth: int | None) -> LineageGraph:
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
    return list(_in_batches(client, "GetEventsByArtifactIDs", "artifact_ids", ids, "events"))


def events_of_executions(client: Client, ids: Iterable[int]) -> list[pb.Event]:
    """Read the events at executions."""
    return list(_in_batches(client, "GetEventsByExecutionIDs", "execution_ids", ids, "events"))


def executions_by_id(client: Client, ids: Iterable[int]) -> list[pb.Execution]:
    """Read executions; unknown ids are left out."""
    return list(_in_batches(client, "GetExecutionsByID", "execution_ids", ids, "executions"))


def artifacts_by_id(client: Client, ids: Iterable[int]) -> list[pb.Artifact]:
    """Read artifacts; unknown ids are left out."""
    return list(_in_batches(client, "GetArtifactsByID", "artifact_ids", ids, "artifacts"))


def _in_batches(client: Client, method: str, asked: str, ids: Iterable[int], answered: str) -> Iterator[Any]:
    """Call a method with so many ids at a time, in order, each once; yield what the field `answered` holds."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _BATCH):
        request = getattr(service, f"{method}Request")(**{asked: ordered[start : start + _BATCH]})
        yield from getattr(client.call(method, request), answered)


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

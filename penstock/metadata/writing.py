"""What is written into the ML Metadata store: the changing half of ``MlmdStore``.

An artifact that is in the store enters an execution as an event only: passed as a proto, ML Metadata would rewrite it.
Contexts are passed by name, to be made or found. Each verb is one transaction unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from penstock.metadata import protos
from penstock.metadata.artifact_types import Artifact
from penstock.metadata.client import ALREADY_EXISTS, Client, StatusError
from penstock.metadata.errors import StoreError
from penstock.metadata.reading import StoreReader
from penstock.metadata.records import (
    ArtifactRecord,
    CachedExecution,
    ExecutionRecord,
    ExecutionState,
    FinalState,
    NewArtifact,
    NewExecution,
    RunRecord,
    RunState,
)


class StoreWriter(StoreReader):
    """The verbs that change the store; ``MetadataStore`` documents them."""

    def __init__(self, client: Client, types: protos.TypeTable) -> None:
        super().__init__(client, types)
        self._begun: dict[str, pb.Execution] = {}
        self._known_runs: set[str] = set()
        self._nodes: dict[str, int] = {}

    def register_types(self, *types: type[Artifact]) -> None:
        """See ``MetadataStore.register_types``."""
        self._types.register(types)

    def begin_run(self, run: RunRecord) -> None:
        """See ``MetadataStore.begin_run``."""
        known = self._context(protos.RUN, run.id)
        if known is not None:
            run = replace(run, started=protos.run_record(known).started)
        self._put_run(run, 0 if known is None else known.id)
        self._known_runs.add(run.id)

    def end_run(self, run: str, state: RunState, ended: float, facts: Mapping[str, Any] | None = None) -> RunRecord:
        """See ``MetadataStore.end_run``."""
        id, known = self._existing_run(run)
        record = replace(known, state=state, ended=ended, facts={**known.facts, **(facts or {})})
        self._put_run(record, id)
        return record

    def hide_run(self, run: str) -> None:
        """See ``MetadataStore.hide_run``."""
        id, known = self._existing_run(run)
        self._put_run(replace(known, hidden=True), id)

    def begin(self, execution: NewExecution) -> ExecutionRecord:
        """See ``MetadataStore.begin``."""
        self._check_run(execution.run)
        inputs = self._inputs([execution])[0]
        proto = protos.new_execution(execution, self._types.execution(execution.component), "RUNNING")
        request = service.PutExecutionRequest(execution=proto, contexts=self._contexts(execution))
        request.options.reuse_context_if_already_exist = True
        for event in protos.events(protos.INPUT, _ids(inputs)):
            request.artifact_event_pairs.add(event=event)
        proto.id = self._client.call("PutExecution", request).execution_id
        self._begun[execution.ulid] = proto
        return protos.execution_record(proto, inputs)

    def publish(
        self,
        ulid: str,
        state: FinalState,
        outputs: Mapping[str, Sequence[int | NewArtifact]] | None = None,
        *,
        ended: float,
        facts: Mapping[str, Any] | None = None,
        error: str = "",
        reason: str = "",
    ) -> dict[str, list[ArtifactRecord]]:
        """See ``MetadataStore.publish``."""
        proto = self._running_proto(ulid)
        changed = protos.changed_execution(proto, state, ended=ended, facts=facts, error=error, reason=reason)
        record = protos.execution_record(changed)
        outputs = {name: list(made) for name, made in (outputs or {}).items()}
        self._existing(each for made in outputs.values() for each in made if isinstance(each, int))
        request = service.PutExecutionRequest(execution=changed, contexts=self._contexts(record))
        request.options.reuse_context_if_already_exist = True
        if state == "COMPLETE" and record.cache_key:
            request.contexts.append(self._named(protos.CACHE_KEY, record.cache_key))
        self._add_new_outputs(request, record, outputs)
        for event in protos.events(protos.OUTPUT, outputs):
            request.artifact_event_pairs.add(event=event)
        new_ids = iter(self._client.call("PutExecution", request).artifact_ids)
        self._begun.pop(ulid, None)
        ids = {
            name: [each if isinstance(each, int) else next(new_ids) for each in made] for name, made in outputs.items()
        }
        artifacts = self._existing(id for made in ids.values() for id in made)
        return {name: [artifacts[id] for id in made] for name, made in ids.items()}

    def record_cached(self, executions: Sequence[CachedExecution]) -> list[ExecutionRecord]:
        """See ``MetadataStore.record_cached``."""
        return self._record_finished(
            "CACHED", [each.execution for each in executions], [each.source for each in executions]
        )

    def record_skipped(self, executions: Sequence[NewExecution]) -> list[ExecutionRecord]:
        """See ``MetadataStore.record_skipped``."""
        return self._record_finished("SKIPPED", executions, [None] * len(executions))

    def put_external(self, artifact: NewArtifact) -> ArtifactRecord:
        """See ``MetadataStore.put_external``."""
        known = self.find_external(artifact)
        while known is None:
            request = service.PutArtifactsRequest(artifacts=[self._external(artifact)])
            try:
                (id,) = self._client.call("PutArtifacts", request).artifact_ids
                return self._existing([id])[id]
            except StatusError as error:
                if error.code != ALREADY_EXISTS:
                    raise
            known = self.find_external(artifact)
        return known

    def mark_deleted(self, artifact_ids: Iterable[int]) -> None:
        """See ``MetadataStore.mark_deleted``."""
        ids = sorted(self._existing(artifact_ids))
        if not ids:
            return
        request = service.PutArtifactsRequest(artifacts=[pb.Artifact(id=id, state=pb.Artifact.DELETED) for id in ids])
        request.update_mask.paths.append("state")
        self._client.call("PutArtifacts", request)

    def abandon(self, run: str, ended: float) -> list[ExecutionRecord]:
        """See ``MetadataStore.abandon``."""
        id, known = self._existing_run(run)
        stuck = [each for each in self._execution_protos(run) if each.last_known_state == pb.Execution.RUNNING]
        canceled = [
            protos.changed_execution(each, "CANCELED", ended=ended, error="The process of the run ended.")
            for each in stuck
        ]
        if canceled:
            self._client.call("PutExecutions", service.PutExecutionsRequest(executions=canceled))
        for each in canceled:
            self._begun.pop(each.name, None)
        if known.state == "RUNNING":
            self._put_run(replace(known, state="FAILED", ended=ended), id)
        return self._execution_records(canceled)

    def _put_run(self, run: RunRecord, id: int) -> None:
        proto = protos.run_context(run, self._types.context(protos.RUN))
        if id:
            proto.id = id
        self._client.call("PutContexts", service.PutContextsRequest(contexts=[proto]))

    def _existing_run(self, run: str) -> tuple[int, RunRecord]:
        context = self._context(protos.RUN, run)
        if context is None:
            raise StoreError(f"No run {run!r} in {self._client.where}. Begin it first.")
        return context.id, protos.run_record(context)

    def _check_run(self, run: str) -> None:
        if run not in self._known_runs:
            self._existing_run(run)
            self._known_runs.add(run)

    def _running_proto(self, ulid: str) -> pb.Execution:
        proto = self._begun.get(ulid) or self._execution_proto(ulid)
        if proto is None:
            raise StoreError(f"No execution {ulid!r} in {self._client.where}. Begin it first.")
        state = protos.execution_state(proto)
        if state != "RUNNING":
            raise StoreError(f"Execution {ulid} is {state} already; only a RUNNING one is published.")
        return proto

    def _existing(self, ids: Iterable[int]) -> dict[int, ArtifactRecord]:
        wanted = set(ids)
        found = self._artifact_records(wanted)
        missing = sorted(wanted - found.keys())
        if missing:
            raise StoreError(f"No artifacts with id {', '.join(map(str, missing[:5]))} in {self._client.where}.")
        return found

    def _named(self, type_name: str, name: str) -> pb.Context:
        return pb.Context(type_id=self._types.context(type_name), name=name)

    def _contexts(self, execution: NewExecution | ExecutionRecord) -> list[pb.Context]:
        return [
            self._named(protos.PIPELINE, execution.pipeline),
            self._named(protos.RUN, execution.run),
            self._named(protos.NODE, f"{execution.pipeline}.{execution.step}"),
        ]

    def _inputs(self, executions: Sequence[NewExecution]) -> list[dict[str, list[ArtifactRecord]]]:
        """The input artifacts of each execution; what is external is found again or recorded first, on its own."""
        ids = [
            {name: [self._input_id(each) for each in given] for name, given in execution.inputs.items()}
            for execution in executions
        ]
        known = self._existing(id for by_name in ids for given in by_name.values() for id in given)
        return [{name: [known[id] for id in given] for name, given in by_name.items()} for by_name in ids]

    def _input_id(self, given: int | NewArtifact) -> int:
        return self.put_external(given).id if isinstance(given, NewArtifact) else given

    def _external(self, artifact: NewArtifact) -> pb.Artifact:
        named = replace(artifact, name=protos.external_name(artifact))
        return protos.new_artifact(named, self._types.artifact(artifact.type), {})

    def _add_new_outputs(
        self, request: Any, execution: ExecutionRecord, outputs: Mapping[str, Sequence[int | NewArtifact]]
    ) -> None:
        origin = {key: getattr(execution, key) for key in ("pipeline", "run", "step")}
        for name, made in outputs.items():
            for index, each in enumerate(made):
                if isinstance(each, NewArtifact):
                    made_here = {**origin, "output": name, "execution": execution.ulid}
                    proto = protos.new_artifact(each, self._types.artifact(each.type), made_here)
                    request.artifact_event_pairs.add(artifact=proto, event=protos.output_event(name, index))

    def _record_finished(
        self,
        state: ExecutionState,
        executions: Sequence[NewExecution],
        sources: Sequence[ExecutionRecord | None],
    ) -> list[ExecutionRecord]:
        """Record executions that never ran, all of one run."""
        if not executions:
            return []
        self._check_run(_only_run(executions))
        inputs = self._inputs(executions)
        outputs = [{} if source is None else source.outputs for source in sources]
        made = [
            protos.new_execution(
                each,
                self._types.execution(each.component),
                state,
                ended=each.started,
                cached_from="" if source is None else source.ulid,
            )
            for each, source in zip(executions, sources, strict=True)
        ]
        request = service.PutLineageSubgraphRequest(executions=made, contexts=self._contexts(executions[0])[:2])
        request.options.reuse_context_if_already_exist = True
        for place, (taken, given) in enumerate(zip(inputs, outputs, strict=True)):
            for event in [*protos.events(protos.INPUT, _ids(taken)), *protos.events(protos.OUTPUT, _ids(given))]:
                request.event_edges.add(execution_index=place, event=event)
        ids = self._client.call("PutLineageSubgraph", request).execution_ids
        self._associate_nodes(executions, ids)
        for proto, id in zip(made, ids, strict=True):
            proto.id = id
        return [protos.execution_record(*each) for each in zip(made, inputs, outputs, strict=True)]

    def _associate_nodes(self, executions: Sequence[NewExecution], ids: Sequence[int]) -> None:
        """Add executions to their nodes' contexts: PutLineageSubgraph would give every node to every execution."""
        request = service.PutAttributionsAndAssociationsRequest()
        for execution, id in zip(executions, ids, strict=True):
            request.associations.add(context_id=self._node(execution), execution_id=id)
        self._client.call("PutAttributionsAndAssociations", request)

    def _node(self, execution: NewExecution) -> int:
        name = f"{execution.pipeline}.{execution.step}"
        while name not in self._nodes:
            known = self._context(protos.NODE, name)
            if known is not None:
                self._nodes[name] = known.id
                break
            request = service.PutContextsRequest(contexts=[self._named(protos.NODE, name)])
            try:
                (self._nodes[name],) = self._client.call("PutContexts", request).context_ids
            except StatusError as error:
                if error.code != ALREADY_EXISTS:
                    raise
        return self._nodes[name]


def _ids(artifacts: Mapping[str, Sequence[ArtifactRecord]]) -> dict[str, list[int]]:
    return {name: [each.id for each in given] for name, given in artifacts.items()}


def _only_run(executions: Sequence[NewExecution]) -> str:
    runs = sorted({each.run for each in executions})
    if len(runs) > 1:
        raise StoreError(f"Executions of one run are recorded at once, got those of {', '.join(runs)}.")
    return runs[0]

"""Lineage of random histories equals the naive closure, and reads well where it matters."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.metadata.records import CachedExecution, ExecutionRecord, LineageGraph, NewArtifact
from penstock.metadata.store import MetadataStore, MlmdStore

from .conftest import a_run, an_execution, complete


@dataclass(frozen=True)
class Step:
    """One step of a random history: which artifacts go in (modulo how many there are), how many come out."""

    inputs: list[int]
    outputs: int
    cached: bool


steps = st.lists(
    st.builds(Step, st.lists(st.integers(0, 30), max_size=3), st.integers(0, 3), st.booleans()), max_size=10
)


def record(store: MetadataStore, history: list[Step]) -> list[ExecutionRecord]:
    """Play a history into the store; a cached step reuses the outputs of some earlier one."""
    run = a_run(store)
    ids = [store.put_external(NewArtifact("ExternalFiles", "/data", digest="d")).id]
    records: list[ExecutionRecord] = []
    for number, step in enumerate(history):
        inputs = {"in": [ids[each % len(ids)] for each in step.inputs]}
        complete_ones = [each for each in records if each.state == "COMPLETE"]
        if step.cached and complete_ones:
            hit = CachedExecution(an_execution(run, inputs=inputs), complete_ones[number % len(complete_ones)])
            records.extend(store.record_cached([hit]))
        else:
            outputs = {"out": [NewArtifact("Model", f"a/{number}/{each}") for each in range(step.outputs)]}
            records.append(complete(store, run, inputs=inputs, outputs=outputs))
            ids.extend(each.id for each in records[-1].outputs.get("out", []))
    return records


def naive(records: list[ExecutionRecord], start: int, direction: str) -> tuple[set[int], set[str]]:
    """The closure by going over all executions until nothing is added."""
    artifacts, executions = {start}, set[str]()
    grown = True
    while grown:
        grown = False
        for each in records:
            inputs = {artifact.id for group in each.inputs.values() for artifact in group}
            outputs = {artifact.id for group in each.outputs.values() for artifact in group}
            near, far = (outputs, inputs) if direction == "up" else (inputs, outputs)
            counts = direction == "down" or each.state != "CACHED"
            if counts and near & artifacts and each.ulid not in executions:
                executions.add(each.ulid)
                artifacts |= far
                grown = True
    return artifacts, executions


def edges(records: list[ExecutionRecord], graph: LineageGraph) -> set[tuple[int, str, str, str, int]]:
    """All edges of the history between nodes of the graph."""
    return {
        (artifact.id, each.ulid, kind, name, index)
        for each in records
        if each.ulid in graph.executions
        for kind, side in (("input", each.inputs), ("output", each.outputs))
        for name, group in side.items()
        for index, artifact in enumerate(group)
        if artifact.id in graph.artifacts
    }


@settings(max_examples=60, deadline=None)
@given(history=steps, start=st.integers(0, 30))
def test_lineage_is_the_naive_closure(history: list[Step], start: int) -> None:
    with MlmdStore.in_memory() as store:
        records = record(store, history)
        ids = sorted(each.id for each in store.artifacts(state=None))
        first = ids[start % len(ids)] if ids else 1

        for direction in ("up", "down"):
            graph = store.lineage([first], direction)

            artifacts, executions = naive(records, first, direction)
            assert set(graph.executions) == executions
            assert set(graph.artifacts) == artifacts & set(ids)
            found = {(each.artifact, each.execution, each.kind, each.name, each.index) for each in graph.edges}
            assert found <= edges(records, graph)
            assert len(found) == len(graph.edges)
            kind = "input" if direction == "up" else "output"
            assert {each for each in edges(records, graph) if each[2] == kind} <= found


def test_depth_counts_executions(store: MetadataStore) -> None:
    run = a_run(store)
    first = complete(store, run)
    second = complete(store, run, "B", inputs={"x": [first.outputs["examples"][0].id]})
    third = complete(store, run, "C", inputs={"x": [second.outputs["examples"][0].id]})
    last = third.outputs["examples"][0]

    assert set(store.lineage([last.id], "up", depth=1).executions) == {third.ulid}
    assert set(store.lineage([last.id], "up", depth=2).executions) == {third.ulid, second.ulid}
    assert store.lineage([last.id], "up", depth=0).artifacts == {last.id: last}


def test_pushed_model_leads_back_to_the_files(store: MetadataStore) -> None:
    run = a_run(store)
    csv = NewArtifact("ExternalFiles", "/data/penguins.csv", digest="tree-1:aa")
    examples = complete(store, run, "CsvExampleGen", inputs={"input_base": [csv]})
    model = complete(
        store,
        run,
        "Trainer",
        inputs={"examples": [examples.outputs["examples"][0].id]},
        outputs={"model": [NewArtifact("Model", "m")]},
    )
    (trained,) = model.outputs["model"]

    graph = store.lineage([trained.id])

    (source,) = (each for each in graph.artifacts.values() if each.type == "ExternalFiles")
    assert source.digest == "tree-1:aa"
    assert [each.step for each in graph.producers(trained.id)] == ["Trainer"]
    assert graph.inputs_of(model.ulid) == examples.outputs["examples"]
    assert graph.outputs_of(examples.ulid) == examples.outputs["examples"]
    assert [each.step for each in graph.consumers(source.id)] == ["CsvExampleGen"]


def test_uses_by_cached_steps_are_found_from_todays_inputs(store: MetadataStore) -> None:
    yesterday, today = a_run(store), a_run(store)
    old = complete(store, yesterday).outputs["examples"][0]
    source = complete(store, yesterday, "Trainer", inputs={"examples": [old.id]})
    new = complete(store, today).outputs["examples"][0]
    hit = an_execution(today, "Trainer", inputs={"examples": [new.id]})
    store.record_cached([CachedExecution(hit, source)])
    (model,) = source.outputs["examples"]

    down, up = store.lineage([new.id], "down"), store.lineage([model.id], "up")

    assert set(down.executions) == {hit.ulid}
    assert model.id in down.artifacts
    assert hit.ulid not in up.executions
    assert new.id not in up.artifacts


def test_unknown_artifact_has_an_empty_lineage(store: MetadataStore) -> None:
    graph = store.lineage([987654])

    assert (graph.artifacts, graph.executions, graph.edges) == ({}, {}, ())


def test_wide_histories_are_walked_in_a_few_calls() -> None:
    with MlmdStore.in_memory() as store:
        run = a_run(store)
        many = [NewArtifact("Examples", f"a/{number}") for number in range(2500)]
        source = complete(store, run, outputs={"shards": many})
        merged = complete(store, run, "Merge", inputs={"shards": [each.id for each in source.outputs["shards"]]})

        graph = store.lineage([merged.outputs["examples"][0].id])

        assert len(graph.artifacts) == 2501
        assert len(graph.inputs_of(merged.ulid)) == 2500


def test_producers_are_who_made_an_artifact_and_who_took_it_from_the_cache_newest_first(store: MetadataStore) -> None:
    run, other = a_run(store), a_run(store, "other")
    made = complete(store, run, outputs={"out": [NewArtifact("Model", "a/1")]})
    (model,) = made.outputs["out"]
    (cached,) = store.record_cached([CachedExecution(an_execution(other, "Reuse"), made)])
    complete(store, run, inputs={"model": [model.id]})
    external = store.put_external(NewArtifact("ExternalFiles", "/data", digest="d"))

    found = store.producers([model.id, external.id, 999])

    assert {id: [each.ulid for each in executions] for id, executions in found.items()} == {
        model.id: [cached.ulid, made.ulid]
    }
    assert [each.pipeline for each in found[model.id]] == ["other", "penguins"]

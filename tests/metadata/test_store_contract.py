"""What every MetadataStore does: in memory, in a file, in a file opened again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.metadata.artifact_types import Artifact, Examples
from penstock.metadata.errors import StoreError
from penstock.metadata.records import CachedExecution, NewArtifact, RunRecord
from penstock.metadata.store import MetadataStore, MlmdStore

from .conftest import a_run, an_execution, complete, ulid


def test_run_is_given_as_it_was_begun(store: MetadataStore) -> None:
    run = a_run(store, facts={"commit": "3f2a", "dirty": False, "parameters": {"épochs": 0.1 + 0.2}})

    assert store.run(run.id) == run


def test_ended_run_keeps_its_facts_and_gains_more(store: MetadataStore) -> None:
    run = a_run(store, facts={"commit": "3f2a"})

    store.end_run(run.id, "COMPLETE", 1009.0, {"pushed": 1})

    expected = replace(run, state="COMPLETE", ended=1009.0, facts={"commit": "3f2a", "pushed": 1})
    assert store.run(run.id) == expected


def test_executions_leave_the_facts_of_their_run_alone(store: MetadataStore) -> None:
    run = a_run(store, facts={"commit": "3f2a"})

    source = complete(store, run)
    store.record_cached([CachedExecution(an_execution(run), source)])

    assert store.run(run.id) == run


def test_resumed_run_keeps_its_start(store: MetadataStore) -> None:
    run = a_run(store, started=1.0)
    store.end_run(run.id, "FAILED", 2.0)

    store.begin_run(replace(run, started=50.0))

    resumed = store.run(run.id)
    assert resumed is not None
    assert (resumed.state, resumed.started) == ("RUNNING", 1.0)


def test_runs_are_listed_newest_first_and_by_pipeline(store: MetadataStore) -> None:
    first, taxi, last = a_run(store), a_run(store, "taxi"), a_run(store)

    assert [each.id for each in store.runs("penguins")] == [last.id, first.id]
    assert [each.id for each in store.runs(limit=2)] == [last.id, taxi.id]


def test_more_runs_than_a_page_are_listed(store: MetadataStore) -> None:
    runs = [a_run(store, "many") for _ in range(130)]

    assert [each.id for each in store.runs("many")] == [each.id for each in reversed(runs)]


def test_run_is_found_by_either_end_of_its_id(store: MetadataStore) -> None:
    store.begin_run(RunRecord("01ABC00000000000000000XYZ9", "penguins"))
    store.begin_run(RunRecord("01ABD00000000000000000XYW8", "penguins"))

    by_end, by_beginning = store.run("xyz9"), store.run("01abd")

    assert by_end is not None
    assert by_beginning is not None
    assert (by_end.id[-1], by_beginning.id[-1]) == ("9", "8")


def test_ambiguous_run_names_the_runs(store: MetadataStore) -> None:
    store.begin_run(RunRecord("01ABC00000000000000000XYZ9", "penguins"))
    store.begin_run(RunRecord("01ABD00000000000000000XYW8", "penguins"))

    with pytest.raises(StoreError, match=r"'01AB' stands for 2 runs: 01ABD.*, 01ABC.*from its end"):
        store.run("01AB")


@pytest.mark.parametrize("id", ["nope", ""])
def test_unknown_run_is_none(store: MetadataStore, id: str) -> None:
    assert store.run(id) is None


def test_hidden_run_is_not_listed_but_found(store: MetadataStore) -> None:
    run = a_run(store, "hiding")

    store.hide_run(run.id)

    assert store.runs("hiding") == []
    assert store.run(run.id) == replace(run, hidden=True)
    assert len(store.runs("hiding", hidden=True)) == 1


def test_begun_execution_is_running_with_its_inputs(store: MetadataStore) -> None:
    run = a_run(store)
    source = complete(store, run).outputs["examples"][0]
    new = an_execution(run, "Trainer", inputs={"examples": [source.id]}, attempt=2, reason="first run", cache_key="k")

    begun = store.begin(new)

    assert (begun.state, begun.step, begun.attempt, begun.reason) == ("RUNNING", "Trainer", 2, "first run")
    assert begun.inputs == {"examples": [source]}
    assert store.execution(new.ulid) == begun
    assert begun in store.running(run.id)
    assert begun in store.running()


def test_published_execution_is_complete_with_its_outputs(store: MetadataStore) -> None:
    run = a_run(store)
    new = an_execution(run, facts={"seed": 7}, reason="first run")
    store.begin(new)

    made = store.publish(
        new.ulid,
        "COMPLETE",
        {"examples": [NewArtifact("Examples", "artifacts/x", digest="rows-1:9f", bytes_digest="ab")]},
        ended=1002.0,
        facts={"cpu_s": 0.1234567890123},
    )

    record = store.execution(new.ulid)
    assert record is not None
    assert record.outputs == made
    assert (record.state, record.started, record.ended) == ("COMPLETE", 1001.25, 1002.0)
    assert (record.facts, record.reason) == ({"seed": 7, "cpu_s": 0.1234567890123}, "first run")
    (artifact,) = made["examples"]
    assert (artifact.digest, artifact.bytes_digest, artifact.state) == ("rows-1:9f", "ab", "LIVE")
    assert (artifact.run, artifact.step, artifact.output) == (run.id, "Gen", "examples")
    assert (artifact.pipeline, artifact.execution) == ("penguins", new.ulid)
    assert store.running(run.id) == []


def test_list_outputs_and_inputs_keep_their_order(store: MetadataStore) -> None:
    run = a_run(store)
    uris = [f"artifacts/{number}" for number in range(12)]
    many = complete(store, run, outputs={"shards": [NewArtifact("Examples", uri) for uri in uris]})
    backwards = [each.id for each in reversed(many.outputs["shards"])]

    taken = store.begin(an_execution(run, "Merge", inputs={"shards": backwards}))

    assert [each.uri for each in many.outputs["shards"]] == uris
    assert [each.id for each in taken.inputs["shards"]] == backwards
    again = store.execution(taken.ulid)
    assert again is not None
    assert [each.id for each in again.inputs["shards"]] == backwards


def test_one_artifact_may_enter_twice(store: MetadataStore) -> None:
    run = a_run(store)
    id = complete(store, run).outputs["examples"][0].id

    begun = store.begin(an_execution(run, "Diff", inputs={"left": [id], "right": [id, id]}))

    record = store.execution(begun.ulid)
    assert record is not None
    assert {name: [each.id for each in given] for name, given in record.inputs.items()} == {
        "left": [id],
        "right": [id, id],
    }


def test_failed_execution_keeps_error_and_outputs(store: MetadataStore) -> None:
    run = a_run(store)
    new = an_execution(run, cache_key="gate")
    store.begin(new)

    store.publish(new.ulid, "FAILED", {"anomalies": [NewArtifact("ExampleAnomalies", "a/1")]}, ended=2.0, error="Ünfit")

    record = store.execution(new.ulid)
    assert record is not None
    assert (record.state, record.error, len(record.outputs["anomalies"])) == ("FAILED", "Ünfit", 1)
    assert store.find_cached("gate") is None


def test_execution_of_a_dead_process_can_be_published(tmp_path: Any) -> None:
    with MlmdStore.open(tmp_path / "metadata.db") as before:
        run = a_run(before)
        new = an_execution(run, facts={"seed": 3}, cache_key="k")
        before.begin(new)

    with MlmdStore.open(tmp_path / "metadata.db") as after:
        after.publish(new.ulid, "COMPLETE", {"examples": [NewArtifact("Examples", "a/1")]}, ended=2.0)

        found = after.find_cached("k")
        assert found is not None
        assert (found.ulid, found.facts) == (new.ulid, {"seed": 3})


def test_published_execution_is_not_published_again(store: MetadataStore) -> None:
    done = complete(store, a_run(store))

    with pytest.raises(StoreError, match=f"Execution {done.ulid} is COMPLETE already"):
        store.publish(done.ulid, "FAILED", ended=3.0)

    assert store.execution(done.ulid) == done


def test_unknown_execution_is_not_published(store: MetadataStore) -> None:
    with pytest.raises(StoreError, match=r"No execution 'nope'.*Begin it first"):
        store.publish("nope", "COMPLETE", ended=1.0)


def test_begin_needs_a_begun_run(store: MetadataStore) -> None:
    with pytest.raises(StoreError, match=r"No run 'nowhere'.*Begin it first"):
        store.begin(an_execution(RunRecord("nowhere", "penguins")))


def test_begin_refuses_unknown_artifacts(store: MetadataStore) -> None:
    run = a_run(store)

    with pytest.raises(StoreError, match="No artifacts with id 987654"):
        store.begin(an_execution(run, inputs={"examples": [987654]}))

    assert store.executions(run.id) == []


def test_refused_publish_changes_nothing(store: MetadataStore) -> None:
    run = a_run(store)
    begun = store.begin(an_execution(run, cache_key="atomic"))
    good = NewArtifact("Model", "artifacts/model")
    taken = NewArtifact("Schema", "artifacts/schema", name="mine")
    complete(store, run, "Other", outputs={"schema": [taken]})

    with pytest.raises(StoreError, match="already exists"):
        store.publish(begun.ulid, "COMPLETE", {"model": [good], "schema": [taken]}, ended=2.0)

    assert store.execution(begun.ulid) == begun
    assert store.find_artifact_by_uri("artifacts/model") is None
    assert store.find_cached("atomic") is None
    store.publish(begun.ulid, "COMPLETE", {"model": [good]}, ended=3.0)
    assert store.find_cached("atomic") is not None


def test_cached_execution_has_todays_inputs_and_the_old_outputs(store: MetadataStore) -> None:
    yesterday, today = a_run(store), a_run(store)
    old_input = complete(store, yesterday).outputs["examples"][0]
    source = complete(store, yesterday, "Stats", inputs={"examples": [old_input.id]}, key="key-1")
    new_input = complete(store, today).outputs["examples"][0]
    hit = an_execution(today, "Stats", inputs={"examples": [new_input.id]}, cache_key="key-1", reason="same key")

    (recorded,) = store.record_cached([CachedExecution(hit, source)])

    assert (recorded.state, recorded.cached_from, recorded.reason) == ("CACHED", source.ulid, "same key")
    assert recorded.inputs == {"examples": [new_input]}
    assert recorded.outputs == source.outputs
    assert store.execution(hit.ulid) == recorded
    assert store.executions(today.id)[-1] == recorded
    assert [each.ulid for each in store.history("penguins", "Stats")] == [hit.ulid, source.ulid]


def test_many_cached_executions_are_recorded_at_once(store: MetadataStore) -> None:
    first, second = a_run(store), a_run(store)
    sources = [complete(store, first, f"S{number}", key=f"k{number}") for number in range(5)]
    outside = NewArtifact("ExternalFiles", "/data/a.csv", digest="d")
    hits = [an_execution(second, each.step, inputs={"files": [outside]}) for each in sources]

    records = store.record_cached([CachedExecution(*pair) for pair in zip(hits, sources, strict=True)])

    assert store.executions(second.id) == records
    assert len({each.inputs["files"][0].id for each in records}) == 1


def test_cache_hit_is_no_source_of_cache_hits(store: MetadataStore) -> None:
    first, second = a_run(store), a_run(store)
    source = complete(store, first, key="k")

    store.record_cached([CachedExecution(an_execution(second, cache_key="k"), source)])

    found = store.find_cached("k")
    assert found == source


def test_cached_executions_of_two_runs_are_refused(store: MetadataStore) -> None:
    first, second = a_run(store), a_run(store)
    source = complete(store, first)

    with pytest.raises(StoreError, match="one run"):
        store.record_cached([CachedExecution(an_execution(each), source) for each in (first, second)])


def test_skipped_execution_says_why(store: MetadataStore) -> None:
    run = a_run(store)
    skipped = an_execution(run, "Pusher", reason="Evaluator did not bless")

    (recorded,) = store.record_skipped([skipped])

    assert (recorded.state, recorded.reason) == ("SKIPPED", "Evaluator did not bless")
    assert store.execution(skipped.ulid) == recorded
    assert store.record_skipped([]) == []


def test_newest_complete_execution_answers_a_key(store: MetadataStore) -> None:
    run = a_run(store)
    complete(store, run, key="k")
    newer = complete(store, run, key="k")

    assert store.find_cached("k") == newer
    assert store.find_cached("another") is None


def test_execution_with_deleted_outputs_is_no_cache_hit(store: MetadataStore) -> None:
    run = a_run(store)
    older, newer = complete(store, run, key="k"), complete(store, run, key="k")

    store.mark_deleted([newer.outputs["examples"][0].id])

    found = store.find_cached("k")
    assert found is not None
    assert found.ulid == older.ulid


def test_external_artifact_is_found_again(store: MetadataStore) -> None:
    run = a_run(store)
    csv = NewArtifact("ExternalFiles", "/data/é.csv", digest="tree-1:aa", properties={"files": [1]})

    first = store.begin(an_execution(run, inputs={"files": [csv]})).inputs["files"][0]
    second = store.begin(an_execution(run, inputs={"files": [csv]})).inputs["files"][0]
    changed = store.begin(an_execution(run, inputs={"files": [replace(csv, digest="tree-1:bb")]})).inputs["files"][0]

    assert first == second == store.find_external(csv) == store.put_external(csv)
    assert changed.id != first.id
    assert (first.uri, first.run, first.execution) == ("/data/é.csv", "", "")


def test_unknown_external_artifact_is_none(store: MetadataStore) -> None:
    assert store.find_external(NewArtifact("ExternalFiles", "/data/b.csv", digest="x")) is None
    assert store.find_external(NewArtifact("NobodysType", "/data/b.csv", digest="x")) is None


def test_recorded_artifact_can_be_put_out_again(store: MetadataStore) -> None:
    run = a_run(store)
    imported = store.put_external(NewArtifact("Schema", "/schemas/1", digest="s"))

    record = complete(store, run, "Importer", outputs={"result": [imported.id]})

    assert record.outputs == {"result": [imported]}


def test_new_and_recorded_outputs_keep_their_order(store: MetadataStore) -> None:
    run = a_run(store)
    imported = store.put_external(NewArtifact("Model", "/models/1", digest="s"))
    mixed = [NewArtifact("Model", "m/0"), imported.id, NewArtifact("Model", "m/2")]

    record = complete(store, run, "Importer", outputs={"models": mixed, "best": [imported.id]})

    assert [each.uri for each in record.outputs["models"]] == ["m/0", "/models/1", "m/2"]
    assert record.outputs["best"] == [imported]


def test_later_events_leave_an_artifact_alone(store: MetadataStore) -> None:
    run, later = a_run(store), a_run(store)
    made = NewArtifact("Examples", "artifacts/x", digest="d", properties={"span": 3, "rows": {"train": 2}, "mine": "ä"})
    source = complete(store, run, outputs={"examples": [made]}, key="k")
    before = source.outputs["examples"][0]

    complete(store, run, "Stats", inputs={"examples": [before.id]})
    store.record_cached([CachedExecution(an_execution(later, inputs={"again": [before.id]}), source)])
    store.abandon(later.id, 5.0)
    store.mark_deleted([before.id])

    assert store.artifact(before.id) == replace(before, state="DELETED")


def test_marking_unknown_artifacts_deleted_changes_nothing(store: MetadataStore) -> None:
    artifact = complete(store, a_run(store)).outputs["examples"][0]

    with pytest.raises(StoreError, match="No artifacts with id 987654"):
        store.mark_deleted([artifact.id, 987654])

    assert store.artifact(artifact.id) == artifact


def test_artifacts_are_listed_by_every_condition(store: MetadataStore) -> None:
    run, other = a_run(store, "listing"), a_run(store, "elsewhere")
    examples = complete(store, run).outputs["examples"][0]
    model = complete(store, run, "Train", inputs={"x": [examples.id]}, outputs={"m": [NewArtifact("Model", "m")]})
    complete(store, other, inputs={"x": [examples.id]})
    (trained,) = model.outputs["m"]

    assert store.artifacts(run=run.id) == [trained, examples]
    assert store.artifacts(pipeline="listing") == [trained, examples]
    assert store.artifacts(pipeline="listing", step="Train") == [trained]
    assert store.artifacts("Examples", run=run.id) == [examples]
    assert store.artifacts("Model", limit=1) == [trained]
    assert trained in store.artifacts()
    assert store.artifacts(run="nope") == store.artifacts("NoSuchType") == []
    assert [each.id for each in store.artifacts(limit=2)] == sorted(
        (each.id for each in store.artifacts()), reverse=True
    )[:2]


def test_deleted_artifacts_are_listed_on_request(store: MetadataStore) -> None:
    run = a_run(store)
    artifact = complete(store, run).outputs["examples"][0]

    store.mark_deleted([artifact.id])

    assert store.artifacts(run=run.id) == []
    assert [each.id for each in store.artifacts(run=run.id, state=None)] == [artifact.id]


def test_live_artifact_is_preferred_at_a_uri(store: MetadataStore) -> None:
    run = a_run(store)
    first = complete(store, run, outputs={"m": [NewArtifact("Model", "serving/7")]}).outputs["m"][0]
    second = complete(store, run, outputs={"m": [NewArtifact("Model", "serving/7")]}).outputs["m"][0]

    store.mark_deleted([second.id])

    assert store.find_artifact_by_uri("serving/7") == first
    assert store.find_artifact_by_uri("serving/8") is None


def test_misses_are_none_or_empty(store: MetadataStore) -> None:
    assert store.artifact(987654) is None
    assert store.execution("nope") is None
    assert store.executions("nope") == []
    assert store.history("nope", "nope") == []
    assert store.running("nope") == []


def test_abandoned_run_leaves_nothing_running(store: MetadataStore) -> None:
    run = a_run(store)
    done = complete(store, run)
    stuck = store.begin(an_execution(run, "Trainer", facts={"seed": 1}))

    (canceled,) = store.abandon(run.id, 2000.0)

    assert store.abandon(run.id, 3000.0) == []
    assert (canceled.ulid, canceled.state, canceled.ended, canceled.facts) == (
        stuck.ulid,
        "CANCELED",
        2000.0,
        {"seed": 1},
    )
    assert store.execution(done.ulid) == done
    ended = store.run(run.id)
    assert ended is not None
    assert (ended.state, ended.ended) == ("FAILED", 2000.0)
    assert store.running(run.id) == []


def test_wrongly_typed_property_is_named(store: MetadataStore) -> None:
    run = a_run(store)
    begun = store.begin(an_execution(run))
    bad = NewArtifact("Examples", "x", properties={"span": "three"})

    with pytest.raises(StoreError, match="Property 'span' of Examples is declared as INT, got str 'three'"):
        store.publish(begun.ulid, "COMPLETE", {"examples": [bad]}, ended=1.0)


@pytest.mark.parametrize(("name", "value"), [("penstock:run", 1), ("set", {1, 2})])
def test_unrecordable_property_is_named(store: MetadataStore, name: str, value: Any) -> None:
    begun = store.begin(an_execution(a_run(store)))

    with pytest.raises(StoreError, match=f"Property '{name}' of Report"):
        store.publish(begun.ulid, "COMPLETE", {"r": [NewArtifact("Report", "x", properties={name: value})]}, ended=1.0)


def test_types_of_users_are_registered_when_met(store: MetadataStore) -> None:
    run = a_run(store)

    artifact = complete(store, run, outputs={"r": [NewArtifact("MyReport", "r", properties={"rows": 3})]})

    assert artifact.outputs["r"][0].properties == {"rows": 3}
    assert len(store.artifacts("MyReport")) == 1


def test_declared_types_may_gain_properties(store: MetadataStore) -> None:
    class Report(Artifact):
        PROPERTIES: ClassVar[Mapping[str, type]] = {"rows": int}

    class WiderReport(Report):
        TYPE_NAME = "Report"
        PROPERTIES: ClassVar[Mapping[str, type]] = {"share": float, "slices": list}

    run = a_run(store)
    store.register_types(Report)
    store.register_types(WiderReport, Examples)
    properties = {"rows": 3, "share": 1, "slices": ["a"]}

    record = complete(store, run, outputs={"r": [NewArtifact("Report", "r", properties=properties)]})

    assert record.outputs["r"][0].properties == properties


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    properties=st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), json_values, max_size=5),
    span=st.none() | st.integers(),
    value=st.floats(allow_nan=False) | st.integers(),
)
def test_properties_come_back_as_they_were(properties: dict[str, Any], span: int | None, value: float) -> None:
    store = _shared_store()
    examples = NewArtifact("Examples", "x", properties={**properties, "span": span, "split_names": ["train", "ä"]})
    number = NewArtifact("Float", "y", properties={"value": value})

    record = complete(store, a_run(store), outputs={"examples": [examples], "number": [number]})

    assert record.outputs["examples"][0].properties == dict(examples.properties)
    assert record.outputs["number"][0].properties == {"value": value}


def _shared_store(made: list[MlmdStore] = []) -> MlmdStore:  # noqa: B006  # made once for all examples
    if not made:
        made.append(MlmdStore.in_memory())
    return made[0]


def test_not_a_number_comes_back(store: MetadataStore) -> None:
    number = NewArtifact("Float", "y", properties={"value": math.nan, "bound": -math.inf})

    record = complete(store, a_run(store), outputs={"number": [number]})

    properties = record.outputs["number"][0].properties
    assert math.isnan(properties["value"])
    assert properties["bound"] == -math.inf


def test_big_properties_come_back(store: MetadataStore) -> None:
    big = {"text": "z" * 3_000_000, "columns": {f"column {number}": "int64" for number in range(20_000)}}

    record = complete(store, a_run(store), outputs={"e": [NewArtifact("Examples", "x", properties=big)]})

    assert record.outputs["e"][0].properties == big


def test_unicode_and_quotes_are_kept_everywhere(store: MetadataStore) -> None:
    odd = "ünï 🐧 'q\" ; -- \\ %s"
    run = a_run(store, odd)

    record = complete(store, run, odd, outputs={odd: [NewArtifact("Model", odd, digest=odd)]}, key=odd)

    assert store.find_cached(odd) == record
    assert record.outputs[odd][0].uri == odd
    assert store.history(odd, odd) == [record]
    assert store.find_artifact_by_uri(odd) == record.outputs[odd][0]


def test_closed_store_says_so() -> None:
    store = MlmdStore.in_memory()

    store.close()

    with pytest.raises(StoreError, match="is closed"):
        store.runs()


def test_ulid_taken_twice_is_refused(store: MetadataStore) -> None:
    run = a_run(store)
    new = replace(an_execution(run), ulid=ulid())
    store.begin(new)

    with pytest.raises(StoreError, match="already exists"):
        store.begin(new)

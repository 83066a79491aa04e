"""Resolvers in whole runs: what is found, what is recorded, and that an unchanged pipeline stays cached."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any

import pytest

from penstock.pipeline.parameters import RunParameters
from penstock.pipeline.runner import RunRequest, RunResult, Selection
from penstock.runners.forecast import forecast
from tests.runners.conftest import Project

STEPS = """
from penstock.artifacts import Examples, ModelBlessing, PushedModel
from penstock.pipeline import Resolver, collect, for_each, latest, latest_blessed, of_run, spans


class Rows(Artifact):
    PROPERTIES = {"span": int, "version": int}


@component
def train(model: Output[Note], *, rate: float = 1.0, base: Input[Note] | None = None) -> None:
    put(model, f"m{rate}" + (f"<{get(base)}>" if base else ""))


@component
def judge(
    model: Input[Note],
    verdict: Output[Note],
    blessing: Output[ModelBlessing],
    *,
    baseline: Input[Note] | None = None,
    least: float = 0.0,
) -> None:
    put(verdict, f"{get(model)} against {get(baseline) if baseline else 'nothing'}")
    put(blessing, "blessing")
    blessing.properties["blessed"] = int(float(get(model)[1:]) >= least)


@component(effects=True)
def push(model: Input[Note], blessing: Input[ModelBlessing], pushed: Output[PushedModel], *, log: str) -> None:
    with open(log, "a") as file:
        file.write(get(model) + "\\n")
    put(pushed)


@component
def ingest(rows: Output[Rows], *, span: int, version: int = 0) -> None:
    put(rows, f"s{span}v{version}")
    rows.properties.update(span=span, version=version)


@component
def join(parts: Input[list[Rows]], joined: Output[Rows]) -> None:
    put(joined, "+".join(get(part) for part in parts))


"""
BASELINE = (
    STEPS
    + """
@pipeline
def wired(log: str, rate: float = 1.0, least: float = 0.0):
    trained = train(rate=rate)
    baseline = Resolver(strategy=latest_blessed(), model=Note)
    verdict = judge(model=trained.model, baseline=baseline.model, least=least)
    push(model=trained.model, blessing=verdict.blessing, log=log)
"""
)


def verdict(project: Project, result: RunResult) -> str:
    return project.text(result, "judge", "verdict")


def states_but_resolver(project: Project, result: RunResult) -> set[str]:
    return {state for name, state in project.states(result).items() if name != "Resolver"}


def test_unchanged_pipeline_is_cached_though_a_blessed_model_exists_now(project: Project) -> None:
    project.write(BASELINE)
    log = project.folder / "pushed"

    first, *others = [project.run(log=str(log)) for _ in range(3)]

    assert verdict(project, first) == "m1.0 against nothing"
    assert [states_but_resolver(project, result) for result in others] == [{"CACHED"}, {"CACHED"}]
    assert log.read_text() == "m1.0\n"


def test_changed_pipeline_is_judged_against_the_blessed_model_and_is_cached_then(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    project.run(log=log)

    changed, *others = [project.run(log=log, rate=2.0) for _ in range(3)]

    assert verdict(project, changed) == "m2.0 against m1.0"
    assert [states_but_resolver(project, result) for result in others] == [{"CACHED"}, {"CACHED"}]


def test_model_that_was_not_blessed_is_no_baseline(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    project.run(log=log, rate=1.0)
    project.run(log=log, rate=2.0, least=5.0)

    result = project.run(log=log, rate=3.0)

    assert verdict(project, result) == "m3.0 against m1.0"


def test_going_back_to_an_older_model_settles_too(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    for rate in (1.0, 2.0, 1.0):
        result = project.run(log=log, rate=rate)

    again = project.run(log=log, rate=1.0)

    assert verdict(project, result) == "m1.0 against m2.0"
    assert states_but_resolver(project, again) == {"CACHED"}


def test_what_was_resolved_is_recorded_as_an_input_and_told(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    first = project.run(log=log)

    second = project.run(log=log, rate=2.0)

    records = project.executions(second.id)
    (found,) = records["Resolver"].inputs["model"]
    (baseline,) = records["judge"].inputs["baseline"]
    assert found.id == baseline.id == first["train"].model.id
    assert second["Resolver"].reason == f"model: train of run {first.id}"
    assert first["Resolver"].reason == "model: nothing earlier"
    project.assert_clean()


def test_latest_is_of_earlier_runs_the_newest_last(project: Project) -> None:
    project.write(
        STEPS
        + """
@component
def compare(now: Input[Note], before: Input[list[Note]], told: Output[Artifact]) -> None:
    put(told, f"{get(now)} {[get(each) for each in before]}")


@pipeline
def wired(rate: float):
    before = Resolver(strategy=latest(2), note=Note)
    compare(now=train(rate=rate).model, before=before.note)
"""
    )

    results = [project.run(rate=rate) for rate in (1.0, 2.0, 3.0, 4.0, 4.0)]

    texts = [project.text(result, "compare", "told") for result in results]
    assert texts == ["m1.0 []", "m2.0 ['m1.0']", "m3.0 ['m1.0', 'm2.0']", "m4.0 ['m2.0', 'm3.0']", texts[-1]]
    assert results[-1]["compare"].state == "CACHED"


REUSED = (
    BASELINE
    + """
@component
def compare(now: Input[Note], told: Output[Artifact], *, before: Input[Note] | None = None) -> None:
    put(told, f"{get(now)} after {get(before) if before else 'nothing'}")


def compared(rate):
    trained = train(rate=rate)
    compare(now=trained.model, before=Resolver(strategy=latest(step="train"), note=Note).note)


@pipeline
def compares(rate: float):
    compared(rate)


@pipeline
def renamed(rate: float):
    compared(rate)


@pipeline
def renamed_gate(log: str, rate: float = 1.0):
    trained = train(rate=rate)
    baseline = Resolver(strategy=latest_blessed(), model=Note)
    verdict = judge(model=trained.model, baseline=baseline.model)
    push(model=trained.model, blessing=verdict.blessing, log=log)


@pipeline
def days(span: int):
    ingest(span=span)


@pipeline
def window(span: int):
    ingest(span=span)
    join(parts=Resolver(strategy=spans(last_spans=2), rows=Rows).rows)
"""
)


def test_latest_is_what_the_last_run_reused_as_well_as_what_it_made(project: Project) -> None:
    project.write(REUSED)

    results = [project.run("compares", rate=rate) for rate in (1.0, 2.0, 1.0, 3.0, 3.0)]

    texts = [project.text(result, "compare", "told") for result in results]
    assert texts[:4] == ["m1.0 after nothing", "m2.0 after m1.0", "m1.0 after m2.0", "m3.0 after m1.0"]
    assert states_but_resolver(project, results[2]) == {"CACHED", "COMPLETE"}
    assert states_but_resolver(project, results[4]) == {"CACHED"}


def test_what_was_reused_from_another_pipeline_is_found_by_the_one_that_reused_it(project: Project) -> None:
    project.write(REUSED)
    project.run("compares", rate=1.0)

    reused, changed, again = (project.run("renamed", rate=rate) for rate in (1.0, 2.0, 2.0))

    assert states_but_resolver(project, reused) == {"CACHED"}
    assert project.text(changed, "compare", "told") == "m2.0 after m1.0"
    assert states_but_resolver(project, again) == {"CACHED"}


def test_blessed_model_is_found_though_its_blessing_was_reused_from_another_pipeline(project: Project) -> None:
    project.write(REUSED)
    log = str(project.folder / "pushed")
    project.run("wired", log=log)

    reused, changed, again = (project.run("renamed_gate", log=log, rate=rate) for rate in (1.0, 2.0, 2.0))

    assert states_but_resolver(project, reused) == {"CACHED"}
    assert verdict(project, changed) == "m2.0 against m1.0"
    assert states_but_resolver(project, again) == {"CACHED"}


def test_span_that_was_reused_from_another_pipeline_is_in_the_window(project: Project) -> None:
    project.write(REUSED)
    project.run("days", span=1)

    results = [project.run("window", span=span) for span in (1, 2, 2)]

    assert [project.text(result, "join", "joined") for result in results] == ["s1v0", "s1v0+s2v0", "s1v0+s2v0"]
    assert states_but_resolver(project, results[2]) == {"CACHED"}


def test_warm_start_goes_on_from_the_last_model(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    train(base=Resolver(strategy=latest(), model=Note).model)
"""
    )

    results = [project.run() for _ in range(3)]

    assert [project.text(result, "train", "model") for result in results] == ["m1.0", "m1.0<m1.0>", "m1.0<m1.0<m1.0>>"]


def test_resumed_run_does_not_start_from_what_it_made_itself(project: Project) -> None:
    project.write(
        STEPS
        + """
@component
def fail(model: Input[Note], *, go_on: bool = False) -> None:
    assert os.path.exists("/dev/null") and go_on


@pipeline
def wired(go_on: bool = False):
    fail(model=train(base=Resolver(strategy=latest(), model=Note).model).model, go_on=go_on)
"""
    )
    failed = project.run()

    result = project.run(go_on=True, resume=failed.id)

    assert result["train"].state == "CACHED"


ROLLING = (
    STEPS
    + """
@pipeline
def wired(span: int, version: int = 0):
    ingest(span=span, version=version)
    window = Resolver(strategy=spans(last_spans=2), rows=Rows)
    join(parts=window.rows)


@pipeline
def looped(span: int):
    ingest(span=span)
    with for_each(Resolver(strategy=spans(last_spans=3), rows=Rows).rows) as rows:
        joined = join(parts=[rows])
    join(id="all", parts=collect(joined.joined))


@pipeline(name="wired")
def between(first: int, last: int):
    window = Resolver(strategy=spans(span_range=(1, 3), step="ingest"), rows=Rows)
    join(parts=window.rows)
"""
)


def test_rolling_window_holds_the_last_spans_and_todays_in_their_latest_version(project: Project) -> None:
    project.write(ROLLING)

    results = [project.run(span=span, version=version) for span, version in [(1, 0), (2, 0), (3, 0), (2, 1), (2, 1)]]

    texts = [project.text(result, "join", "joined") for result in results]
    assert texts == ["s1v0", "s1v0+s2v0", "s2v0+s3v0", "s2v1+s3v0", "s2v1+s3v0"]
    assert results[-1]["join"].state == "CACHED"


def test_loop_runs_over_the_spans_that_were_found(project: Project) -> None:
    project.write(ROLLING)
    project.run("looped", span=1)

    result = project.run("looped", span=2)

    assert (result["join[0]"].state, result["join[1]"].state) == ("CACHED", "COMPLETE")
    assert project.text(result, "all", "joined") == "s1v0+s2v0"


def test_missing_span_of_a_range_fails_the_resolver_and_names_it(project: Project) -> None:
    project.write(ROLLING)
    for span in (1, 2):
        project.run(span=span)

    result = project.run("between", first=1, last=3)

    assert result["Resolver"].reason == (
        "spans(span_range=(1, 3)): pipeline 'wired' has no Rows of span 3. It has: 1, 2."
    )
    assert result["join"].reason == "Resolver failed"


def test_input_that_can_not_be_left_out_fails_the_resolver_when_nothing_is_there(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    follow(note=Resolver(strategy=latest(step="train"), note=Note).note)
"""
    )

    result = project.run()

    assert result["Resolver"].reason == (
        "'Resolver.note' found no Note, and a step can't do without: latest(n=1, step='train') of pipeline 'wired'. "
        "Make one first, or take it as an optional input: Input[Note] | None = None."
    )


RUNS = (
    STEPS
    + """
@pipeline
def wired(rate: float = 1.0):
    train(rate=rate)
    train(rate=rate, id="other", salt="x")


@pipeline
def reader(run: str):
    follow(note=Resolver(strategy=of_run(run, step="train"), note=Note).note)


@pipeline
def vague(run: str):
    follow(note=Resolver(strategy=of_run(run), note=Note).note)


@pipeline
def foreign():
    follow(note=Resolver(strategy=latest(pipeline="wired", step="train"), note=Note).note)
"""
)


def test_artifact_of_a_named_run_is_taken_cached_or_not(project: Project) -> None:
    project.write(RUNS)
    project.run(rate=2.0)
    cached = project.run(rate=2.0)
    project.run(rate=3.0)

    result = project.run("reader", run=cached.id[-8:])

    assert project.text(result, "follow", "more") == "m2.0."


def test_run_with_several_artifacts_of_the_type_asks_for_the_step(project: Project) -> None:
    project.write(RUNS)
    run = project.run().id

    result = project.run("vague", run=run)

    assert result["Resolver"].reason == (
        f"of_run({run!r}): several steps made Note there: train, other. Name one: of_run(..., step='train')."
    )


def test_unknown_run_is_told(project: Project) -> None:
    project.write(RUNS)

    result = project.run("reader", run="01ABSENT")

    assert result["Resolver"].reason == "of_run('01ABSENT'): there is no such run here. List them: penstock runs."


def test_artifact_of_another_pipeline_is_found(project: Project) -> None:
    project.write(RUNS)
    project.run(rate=2.0)

    result = project.run("foreign")

    assert project.text(result, "follow", "more") == "m2.0."


def test_plan_foresees_what_is_resolved(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    project.run(log=log)

    same, changed = (_foreseen(project, log=log, rate=rate) for rate in (1.0, 2.0))

    assert same == {"train": "reuse", "Resolver": "settled", "judge": "reuse", "push": "reuse"}
    assert changed == {"train": "run", "Resolver": "unknown", "judge": "unknown", "push": "unknown"}


def test_resolver_is_resolved_in_partial_runs_too(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    for rate in (1.0, 2.0):
        project.run(log=log, rate=rate)

    result = project.run(log=log, rate=2.0, selection=Selection(only=("judge",)), cache=False)

    assert verdict(project, result) == "m2.0 against m1.0"
    assert (result["train"].state, result["push"].state) == ("CACHED", "SKIPPED")


def _foreseen(project: Project, **parameters: Any) -> dict[str, str]:
    plan = project.load().wired.compile()
    values = RunParameters(plan.name, plan.parameters).resolve(parameters, str(project.folder))
    request = RunRequest(parameters=values, root=str(project.root), code_root=str(project.folder))
    told = forecast(plan, dataclasses.replace(request, workers=2))
    return {step.id: step.action for step in told.steps}


@pytest.mark.parametrize("failing", [True, False])
def test_resolver_goes_on_whatever_came_of_the_pipelines_own(project: Project, failing: bool) -> None:
    project.write(
        STEPS
        + """
@component
def broken(note: Output[Note], *, failing: bool) -> None:
    assert not failing
    put(note, "fine")


@pipeline
def wired(failing: bool):
    broken(failing=failing)
    follow(note=make().note, id="other")
    train(base=Resolver(strategy=latest(), note=Note).note)
"""
    )

    result = project.run(failing=failing)

    assert result["Resolver"].state == "COMPLETE"
    assert project.text(result, "train", "model") == "m1.0"


def test_artifact_whose_files_are_gone_is_not_resolved(project: Project) -> None:
    project.write(BASELINE)
    log = str(project.folder / "pushed")
    first, second = project.run(log=log, rate=1.0), project.run(log=log, rate=2.0)
    shutil.rmtree(second["train"].model.path)

    result = project.run(log=log, rate=3.0)

    assert verdict(project, result) == "m3.0 against m1.0"
    assert first.state == "COMPLETE"


def test_exit_handler_that_makes_the_type_is_not_waited_for(project: Project) -> None:
    project.write(
        STEPS
        + """
from penstock.pipeline import on_exit


@pipeline
def wired():
    on_exit(make())
    train(base=Resolver(strategy=latest(step="train"), note=Note).note)
    follow(note=train(id="other", base=Resolver(strategy=latest(), note=Note, id="any").note).model)
"""
    )

    result = project.run()

    assert result.state == "COMPLETE"

"""What every runner and every run's events must satisfy; a new runner joins by a line in `RUNNERS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.pipeline import Plan, Unsupported, runner
from penstock.pipeline.plan import dependencies
from penstock.pipeline.runner import Runner, RunRequest, RunResult
from penstock.runners import InProcessRunner, LocalRunner
from tests.runners.conftest import Project, Recorder

RUNNERS: dict[str, Callable[[], Runner]] = {"local": LocalRunner, "in_process": InProcessRunner}
MIXED = """
@component(effects=True)
def push(note: Input[Note], pushed: Output[Note], *, blessed: bool = False) -> None:
    raise Skip("not blessed")


@component(gates="note")
def refuse(note: Input[Note], report: Output[Note]) -> None:
    put(report)
    raise GateFailed("2 anomalies")


@component
def fails(*, rows: int = 2) -> None:
    step.progress(1, rows, loss=0.5)
    step.progress(2, rows)
    raise ValueError("no such column")


@pipeline
def wired(text: str = "text"):
    made = make(text=text)
    refuse(note=made.note)
    follow(note=made.note, id="gated")
    free = follow(note=made.note, id="free", gate=False)
    pushed = push(note=free.more, id="push")
    follow(note=pushed.pushed, id="after")
    bad = fails()
    make(id="behind", after=[bad])


@pipeline
def fine(text: str = "text"):
    follow(note=make(text=text).note)
"""
BRANCHES = """
from penstock.pipeline import Retry, one_of, otherwise, when

@component
def measure(*, rows: int) -> int:
    return rows


@component
def shaky(note: Input[Note], out: Output[Note], *, sign: str, fails: int) -> None:
    with open(sign, "a") as file:
        file.write("x")
    if os.path.getsize(sign) <= fails:
        raise OSError("not yet")
    put(out, get(note))


@component
def spoils(note: Input[Note], out: Output[Note]) -> None:
    put(out)
    put(note, "other")


@pipeline
def branches(rows: int = 1):
    measured = measure(rows=rows)
    with when(measured.value.value > 10):
        many = make(id="many", text="many")
    with otherwise():
        few = make(id="few", text="few")
    follow(note=one_of(many.note, few.note))


@pipeline
def retried(sign: str, fails: int = 2):
    shaky(note=make().note, sign=sign, fails=fails, retries=Retry(2, delay=0.01))


@pipeline
def spoiled():
    spoils(note=make().note)
"""


@pytest.fixture(params=RUNNERS)
def subject(request: pytest.FixtureRequest) -> Runner:
    return RUNNERS[request.param]()


@pytest.fixture
def mixed(project: Project) -> Project:
    project.write(MIXED)
    return project


def request_for(project: Project, **changes: Any) -> RunRequest:
    parameters = changes.pop("parameters", {"text": "text"})
    return RunRequest(
        parameters=parameters, root=str(project.root), code_root=str(project.folder), workers=2, **changes
    )


def plan_of(project: Project, name: str) -> Plan:
    plan: Plan = getattr(project.load(), name).compile()
    return plan


@pytest.mark.parametrize("name", RUNNERS)
def test_runner_is_found_by_its_name(name: str) -> None:
    assert type(runner.runner(name)) is RUNNERS[name]


def test_unknown_runner_names_the_nearest() -> None:
    with pytest.raises(Unsupported, match=r"There is no runner 'lokal'\. Did you mean 'local'\? Installed: "):
        runner.runner("lokal")


def test_every_node_of_the_plan_has_a_result(subject: Runner, mixed: Project) -> None:
    plan = plan_of(mixed, "wired")

    result = subject.run(plan, request_for(mixed))

    assert result.steps.keys() == {node.id for node in plan.nodes}
    assert all(name == step.id for name, step in result.steps.items())
    assert (result.pipeline, result.root) == ("wired", str(mixed.root))
    assert len(result.id) == 26
    assert result.seconds > 0


def test_results_say_what_came_of_each_step(subject: Runner, mixed: Project) -> None:
    result = subject.run(plan_of(mixed, "wired"), request_for(mixed))

    said = {name: (step.state, step.reason) for name, step in result.steps.items()}
    assert said == {
        "make": ("COMPLETE", "no earlier result"),
        "free": ("COMPLETE", "no earlier result"),
        "refuse": ("FAILED", "2 anomalies"),
        "gated": ("SKIPPED", "gate refuse refused what it uses"),
        "push": ("SKIPPED", "not blessed"),
        "after": ("SKIPPED", "push was skipped"),
        "fails": ("FAILED", "ValueError: no such column"),
        "behind": ("SKIPPED", "fails failed"),
    }
    assert {name for name, step in result.steps.items() if step.withheld} == {"push"}
    assert {name for name, step in result.steps.items() if step.gate} == {"refuse"}
    assert {name for name, step in result.steps.items() if step.failure} == {"refuse", "fails"}
    assert result.state == "FAILED"


def test_failing_step_raises_nothing(subject: Runner, mixed: Project) -> None:
    assert subject.run(plan_of(mixed, "wired"), request_for(mixed)).state == "FAILED"


def test_outputs_are_absolute_paths_that_exist(subject: Runner, mixed: Project) -> None:
    result = subject.run(plan_of(mixed, "fine"), request_for(mixed))

    paths = [made.path for step in result.steps.values() for found in step.outputs.values() for made in found]
    assert len(paths) == 2
    assert all(Path(path).is_absolute() and Path(path).exists() for path in paths)


def test_plan_that_went_through_json_runs_the_same(subject: Runner, mixed: Project) -> None:
    plan = plan_of(mixed, "fine")

    first = subject.run(plan, request_for(mixed))
    again = subject.run(Plan.from_json(plan.to_json()), request_for(mixed))

    assert {step.state for step in first.steps.values()} == {"COMPLETE"}
    assert {step.state for step in again.steps.values()} == {"CACHED"}


def test_run_without_cache_runs_every_step(subject: Runner, mixed: Project) -> None:
    subject.run(plan_of(mixed, "fine"), request_for(mixed))

    again = subject.run(plan_of(mixed, "fine"), request_for(mixed, cache=False))

    assert {step.state for step in again.steps.values()} == {"COMPLETE"}


def test_number_of_workers_changes_no_result(subject: Runner, mixed: Project) -> None:
    first = subject.run(plan_of(mixed, "fine"), request_for(mixed))

    again = subject.run(plan_of(mixed, "fine"), replace(request_for(mixed), workers=1))

    assert {step.state for step in again.steps.values()} == {"CACHED"}
    assert again["follow"].more.path == first["follow"].more.path


@pytest.fixture
def told(mixed: Project, subject: Runner) -> tuple[Recorder, RunResult]:
    recorder = Recorder()
    result = subject.run(plan_of(mixed, "wired"), request_for(mixed, observers=(recorder,)))
    return recorder, result


EVENT_FIELDS = {
    "run_started": {"pipeline", "root", "code_root", "steps"},
    "step_started": {"step", "attempt", "reason"},
    "step_progress": {"step", "done", "total", "metrics"},
    "step_finished": {"step", "state", "reason", "seconds", "log", "failure", "withheld", "gate"},
    "run_finished": {"state", "seconds"},
}


def test_events_have_the_fields_of_their_kind(told: tuple[Recorder, RunResult]) -> None:
    recorder, result = told

    assert {each["event"] for each in recorder.events} == EVENT_FIELDS.keys()
    for event in recorder.events:
        assert event.keys() >= {"event", "at", "run"} | EVENT_FIELDS[event["event"]], event
        assert event["run"] == result.id
        assert json.loads(json.dumps(event)) == event


def test_observer_that_fails_ends_neither_the_run_nor_the_telling_of_others(
    subject: Runner, mixed: Project, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        def event(self, event: Mapping[str, Any]) -> None:
            raise RuntimeError("no connection")

    recorder = Recorder()

    result = subject.run(plan_of(mixed, "fine"), request_for(mixed, observers=(Failing(), recorder)))

    assert result.state == "COMPLETE"
    assert recorder.events[-1]["event"] == "run_finished"
    assert caplog.text.count(f"An observer of run {result.id} failed; it is told no more.") == 1


def test_run_begins_and_ends_once(told: tuple[Recorder, RunResult]) -> None:
    recorder, result = told

    assert [recorder.events[0]["event"], recorder.events[-1]["event"]] == ["run_started", "run_finished"]
    assert len(recorder.of("run_started")) == len(recorder.of("run_finished")) == 1
    assert recorder.events[-1]["state"] == result.state
    assert [each["at"] for each in recorder.events] == sorted(each["at"] for each in recorder.events)


def test_run_started_lists_the_steps_with_what_they_need(told: tuple[Recorder, RunResult], mixed: Project) -> None:
    recorder, _ = told

    (started,) = recorder.of("run_started")
    assert started["steps"] == [
        {"id": node.id, "name": getattr(node, "name", ""), "needs": sorted(dependencies(node))}
        for node in plan_of(mixed, "wired").nodes
    ]


def test_every_step_finishes_once_after_it_started_and_after_what_it_needs(told: tuple[Recorder, RunResult]) -> None:
    recorder, result = told
    needs: Mapping[str, list[str]] = {step["id"]: step["needs"] for step in recorder.of("run_started")[0]["steps"]}

    finished = [each["step"] for each in recorder.of("step_finished")]

    assert sorted(finished) == sorted(result.steps)
    order = [(each["event"], each.get("step")) for each in recorder.events]
    for name, step in result.steps.items():
        assert recorder.of("step_finished", name)[0]["state"] == step.state
        ran = step.state != "SKIPPED" or step.reason == "not blessed"
        assert len(recorder.of("step_started", name)) == ran
        if ran:
            assert order.index(("step_started", name)) < order.index(("step_finished", name))
            assert all(
                order.index(("step_finished", need)) < order.index(("step_started", name)) for need in needs[name]
            )


def test_progress_comes_between_start_and_end(told: tuple[Recorder, RunResult]) -> None:
    recorder, _ = told

    mine = [each for each in recorder.events if each.get("step") == "fails"]

    assert [each["event"] for each in mine] == ["step_started", "step_progress", "step_progress", "step_finished"]
    assert [(each["done"], each["total"], each["metrics"]) for each in mine[1:3]] == [(1, 2, {"loss": 0.5}), (2, 2, {})]


def test_failure_is_told_whole(told: tuple[Recorder, RunResult]) -> None:
    recorder, result = told

    (event,) = recorder.of("step_finished", "fails")

    failure = result["fails"].failure
    assert failure is not None
    assert event["failure"]["traceback"] == failure.traceback
    assert (event["failure"]["fault"], event["failure"]["where"]) == ("user code", failure.where)
    assert event["log"] == result["fails"].log


def test_reason_of_a_step_that_starts_says_why_it_is_not_reused(subject: Runner, mixed: Project) -> None:
    recorder = Recorder()
    subject.run(plan_of(mixed, "fine"), request_for(mixed, observers=(recorder,)))
    subject.run(plan_of(mixed, "fine"), request_for(mixed, parameters={"text": "x"}, observers=(recorder,)))

    reasons = [each["reason"] for each in recorder.of("step_started", "make")]

    assert reasons == ["no earlier result", 'parameter text changed from "text" to "x"']


def test_events_are_kept_as_lines_of_json(told: tuple[Recorder, RunResult], mixed: Project) -> None:
    recorder, result = told

    lines = (mixed.root / "runs" / result.id / "events.jsonl").read_text().splitlines()

    assert [json.loads(line) for line in lines] == recorder.events


@pytest.mark.parametrize(("rows", "taken", "left"), [(11, "many", "few"), (10, "few", "many")])
def test_branch_that_is_not_taken_is_skipped(
    rows: int, taken: str, left: str, subject: Runner, project: Project
) -> None:
    project.write(BRANCHES)

    result = subject.run(plan_of(project, "branches"), request_for(project, parameters={"rows": rows}))

    assert result.state == "COMPLETE"
    assert (result[taken].state, result[left].state) == ("COMPLETE", "SKIPPED")
    assert Path(result["follow"].more.path, "note.txt").read_text() == f"{taken}."


@pytest.mark.parametrize(("fails", "state", "attempts"), [(2, "COMPLETE", 3), (5, "FAILED", 3)])
def test_failing_step_is_tried_again_as_often_as_it_allows(
    fails: int, state: str, attempts: int, subject: Runner, project: Project, tmp_path: Path
) -> None:
    project.write(BRANCHES)
    sign = tmp_path / "sign"
    recorder = Recorder()
    given = {"sign": str(sign), "fails": fails}

    result = subject.run(plan_of(project, "retried"), request_for(project, parameters=given, observers=(recorder,)))

    assert result["shaky"].state == state
    assert sign.stat().st_size == attempts
    assert [each["attempt"] for each in recorder.of("step_retried", "shaky")] == [1, 2]


def test_step_that_alters_its_input_is_named(subject: Runner, project: Project) -> None:
    project.write(BRANCHES)

    result = subject.run(plan_of(project, "spoiled"), request_for(project, parameters={}))

    assert result["spoils"].reason.startswith("UserCodeError: spoils altered its input 'note': note.txt was changed.")
    again = subject.run(plan_of(project, "spoiled"), request_for(project, parameters={}))
    assert again["make"].state == "COMPLETE"
    assert again["make"].reason == "its output note is damaged: note.txt has 5 bytes, the manifest says 4."

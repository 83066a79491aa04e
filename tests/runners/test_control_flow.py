"""Branches, joins and exit handlers in whole runs: what runs, what is skipped and why, and what is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline import WiringError
from penstock.pipeline.plan import ConditionPlan, ExitHandlerPlan, JoinPlan
from tests.runners.conftest import Project

STEPS = """
from typing import NamedTuple

from penstock.pipeline import on_exit, one_of, otherwise, run_status, when


@component
def judge(report: Output[Note], *, score: float) -> float:
    put(report, str(score))
    report.properties["words"] = 1
    return score


@component
def tell(*, place: str, state: str, failed: list[str]) -> None:
    with open(place, "a") as file:
        file.write(f"{state} {failed}\\n")


@component
def fail(out: Output[Note]) -> None:
    raise ValueError("no")


"""
BRANCHES = (
    STEPS
    + """
@pipeline
def wired(score: float = 0.95, strict: bool = False):
    verdict = judge(score=score)
    with when((verdict.value.value > 0.9) & ~(strict.value == True)):
        good = make(id="good", text="good")
        follow(note=good.note, id="after_good")
    with otherwise():
        bad = make(id="bad", text="bad")
    chosen = one_of(good.note, bad.note)
    follow(note=chosen, id="use")
"""
)


def test_only_the_branch_whose_condition_holds_runs(project: Project) -> None:
    project.write(BRANCHES)

    result = project.run()

    assert project.states(result) == {
        "judge": "COMPLETE", "when-1": "COMPLETE", "good": "COMPLETE", "after_good": "COMPLETE", "bad": "SKIPPED",
        "one_of-1": "COMPLETE", "use": "COMPLETE",
    }  # fmt: skip
    assert result.state == "COMPLETE"
    assert result["bad"].reason == "judge.value > 0.9 and (not (strict == True)) holds"
    assert project.text(result, "use", "more") == "good."
    project.assert_clean()


def test_other_branch_runs_otherwise_and_the_skipped_steps_are_recorded_with_the_reason(project: Project) -> None:
    project.write(BRANCHES)

    result = project.run(score=0.5)

    assert project.text(result, "use", "more") == "bad."
    records = project.executions(result.id)
    assert {name: record.state for name, record in records.items() if record.state == "SKIPPED"} == {
        "good": "SKIPPED",
        "after_good": "SKIPPED",
    }
    assert records["good"].reason == "judge.value > 0.9 and (not (strict == True)) does not hold"
    assert records["when-1"].reason == records["good"].reason == records["after_good"].reason
    (joined,) = records["use"].inputs["note"]
    assert joined.step == "bad"


def test_condition_sees_cached_values_and_properties(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    verdict = judge(score=0.7)
    with when(verdict.report.properties["words"] == 1, id="one_word"):
        make()
"""
    )
    project.run()

    result = project.run()

    assert project.states(result) == {"judge": "CACHED", "one_word": "COMPLETE", "make": "CACHED"}


def test_join_has_what_was_made_as_its_result(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with when(judge(score=0.7).value.value > 0.9):
        good = make(id="good")
    with otherwise():
        bad = make(id="bad", text="bad")
    follow(note=one_of(good.note, bad.note), id="use")
"""
    )

    result = project.run()

    assert result["one_of-1"].result.path == result["bad"].note.path


def test_join_of_branches_that_all_failed_or_were_skipped_is_skipped(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    verdict = judge(score=0.7)
    with when(verdict.value.value > 0.9):
        good = make(id="good")
    with otherwise():
        bad = fail()
    follow(note=one_of(good.note, bad.out), id="use")
"""
    )

    result = project.run()

    assert result.state == "FAILED"
    assert result["one_of-1"].state == "SKIPPED"
    assert result["one_of-1"].reason == "good was skipped; fail failed"
    assert result["use"].state == "SKIPPED"


@pytest.mark.parametrize(("body", "told"), [("make()", "COMPLETE []\n"), ("fail()", "FAILED ['fail']\n")])
def test_exit_handler_runs_last_whatever_came_of_the_others(project: Project, body: str, told: str) -> None:
    project.write(
        STEPS
        + f"""
@pipeline
def wired(place: str):
    on_exit(tell(place=place, state=run_status.state, failed=run_status.failed))
    {body}
"""
    )
    place = project.folder / "told"

    for _ in range(2):
        result = project.run(place=str(place))

    assert result["tell"].state == "COMPLETE"
    assert place.read_text() == told * 2
    assert list(result.steps)[-1] == "tell"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("with when(judge(score=0.5).report.value > 1): make()", "is an artifact of Note, which has no value."),
        ('with when(make().note.properties["word"] > 1): make(id="b")', "no property 'word'. Did you mean 'words'?"),
        ("with otherwise(): make()", "otherwise() stands directly after the block of a when(...)"),
        ("with when(True): make()", "when() takes a condition, got True."),
        ("with when(not judge(score=0.5).value.value): make()", "Compare it: `with when(x.value == True):`"),
        ("if judge(score=0.5).value.value > 1: make()", "Write `with when(...):`"),
        ("one_of(make().note, judge(score=0.5).value)", "takes channels of one artifact type, got Note, Float."),
        ("on_exit(follow(note=make().note))", "is an exit handler, and takes an output of another step"),
        ("make(text=run_status.state)", "takes run_status, which is known to exit handlers alone"),
    ],
)  # fmt: skip
def test_wrong_control_flow_is_refused(project: Project, body: str, told: str) -> None:
    project.write(STEPS + f"\n@pipeline\ndef wired():\n    {body}\n")

    with pytest.raises(WiringError) as raised:
        project.load().wired.compile()

    assert told in str(raised.value)


def test_conditions_stand_in_the_plan_as_data(project: Project) -> None:
    project.write(BRANCHES)

    plan = project.load().wired.compile()

    condition, join = plan.node("when-1"), plan.node("one_of-1")
    assert isinstance(condition, ConditionPlan)
    assert condition.predicate["of"][0] == {
        "op": ">", "left": {"$value": {"node": "judge", "output": "value"}}, "right": 0.9,
    }  # fmt: skip
    assert isinstance(join, JoinPlan)
    assert [choice.node for choice in join.choices] == ["good", "bad"]
    assert plan.node("bad").branch is not None
    assert not any(isinstance(node, ExitHandlerPlan) for node in plan.nodes)


def test_missing_property_fails_the_condition_and_says_what_there_is(project: Project, tmp_path: Path) -> None:
    project.write(
        STEPS
        + """
@component
def follow_up(note: Input[Note], out: Output[Artifact]) -> None:
    put(out, "x")


@pipeline
def wired():
    made = follow_up(note=make().note)
    with when(made.out.properties["size"] > 1):
        make(id="more")
"""
    )

    result = project.run()

    assert result["when-1"].reason == "'follow_up.out' has no property 'size'. It has: nothing."
    assert result["more"].reason == "when-1 failed"
    with MlmdStore.open(project.layout.database, create=False) as store:
        assert {each.state for each in store.executions(result.id)} == {"COMPLETE", "FAILED", "SKIPPED"}


def test_pipeline_inside_a_pipeline_runs_and_hands_back_what_it_returns(project: Project) -> None:
    project.write(
        """
        @pipeline
        def inner(text: str = "inner"):
            made = make(text=text)
            return follow(note=made.note).more


        @pipeline
        def wired(text: str = "outer"):
            follow(note=inner(text=text), mark="!")
            follow(note=inner(id="again"), id="other")
        """
    )

    result = project.run()

    assert sorted(result.steps) == ["again.follow", "again.make", "follow", "inner.follow", "inner.make", "other"]
    assert project.text(result, "follow", "more") == "outer.!"
    assert project.text(result, "other", "more") == "inner.."
    project.assert_clean()

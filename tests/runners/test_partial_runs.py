"""Partial runs: what runs, what is taken from earlier runs, what is left out; and runs that are resumed."""

from __future__ import annotations

import pytest

from penstock.pipeline import ParameterError
from penstock.pipeline.runner import Selection
from tests.runners.conftest import Project

DIAMOND = """
@pipeline
def wired(text: str = "a", mark: str = "."):
    top = make(id="top", text=text)
    left = follow(id="left", note=top.note, mark=mark)
    right = follow(id="right", note=top.note, mark="r")
    follow(id="end", note=left.more, after=[right])
    make(id="alone", text="alone")
"""
NO_EARLIER = "pipeline 'wired' has no earlier result of step"


def test_from_a_step_runs_it_and_what_follows(project: Project) -> None:
    project.write(DIAMOND)
    first = project.run()

    result = project.run(selection=Selection(first=("left",)), cache=False)

    assert project.states(result) == {
        "top": "CACHED",
        "left": "COMPLETE",
        "right": "CACHED",
        "end": "COMPLETE",
        "alone": "SKIPPED",
    }
    assert result["top"].reason == f"outside --from left, taken from run {first.id}"
    assert result["alone"].reason == "left out by --from left"
    assert result.state == "COMPLETE"
    project.assert_clean()


def test_what_is_outside_is_taken_though_its_parameters_changed(project: Project) -> None:
    project.write(DIAMOND)
    project.run(text="old")

    result = project.run(text="new", selection=Selection(only=("left",)))

    assert project.states(result)["top"] == "CACHED"
    assert project.text(result, "left", "more") == "old."
    records = project.executions(result.id)
    assert records["left"].inputs["note"] == records["top"].outputs["note"]


def test_what_is_outside_comes_from_the_cache_where_it_fits(project: Project) -> None:
    project.write(DIAMOND)
    wanted = project.run(text="one")
    project.run(text="two")

    result = project.run(text="one", selection=Selection(only=("left",)), refresh=("left",))

    assert result["top"].reason == f"outside --only left, unchanged since run {wanted.id}"
    assert project.text(result, "left", "more") == "one."


def test_up_to_a_step_runs_it_and_what_it_needs(project: Project) -> None:
    project.write(DIAMOND)

    result = project.run(selection=Selection(last=("left",)))

    assert project.states(result) == {
        "top": "COMPLETE",
        "left": "COMPLETE",
        "right": "SKIPPED",
        "end": "SKIPPED",
        "alone": "SKIPPED",
    }
    assert result["right"].reason == "left out by --to left"


def test_skipped_step_that_others_need_is_taken(project: Project) -> None:
    project.write(DIAMOND)
    project.run(mark=".")

    result = project.run(mark="!", selection=Selection(skip=("left", "alone")))

    assert project.states(result)["left"] == "CACHED"
    assert project.states(result)["alone"] == "SKIPPED"
    assert project.text(result, "end", "more") == "a.."
    assert result["alone"].reason == "left out by --skip alone"


def test_from_and_to_meet(project: Project) -> None:
    project.write(DIAMOND)
    project.run()

    result = project.run(selection=Selection(first=("top",), last=("left",)), cache=False)

    ran = [name for name, state in project.states(result).items() if state == "COMPLETE"]
    assert ran == ["top", "left"]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(first=("lft",)), r"--from lft: .* Did you mean 'left'\?"),
        (Selection(last=("lft",)), r"--to lft: .* Did you mean 'left'\?"),
        (Selection(only=("nothing",)), "--only nothing: pipeline 'wired' has no step 'nothing'"),
        (Selection(skip=("ende",)), r"--skip ende: .* Did you mean 'end'\?"),
        (Selection(only=("left",), skip=("left",)), "--only left --skip left leaves no step"),
        (Selection(only=("left",)), f"--only left: {NO_EARLIER} top here"),
        (Selection(first=("end",)), f"--from end: {NO_EARLIER}s top, left, right here"),
    ],
)
def test_impossible_selection_is_refused_before_anything_runs(
    selection: Selection, message: str, project: Project
) -> None:
    project.write(DIAMOND)

    with pytest.raises(ParameterError, match=message):
        project.run(selection=selection)

    assert not (project.root / "runs").exists()


def test_failed_execution_is_no_earlier_result(project: Project) -> None:
    project.write(
        """
        @component
        def fail(note: Output[Note]) -> None:
            raise ValueError("always")

        @pipeline
        def wired():
            follow(note=fail().note)
        """
    )
    project.run()

    with pytest.raises(ParameterError, match="no earlier result of step fail"):
        project.run(selection=Selection(only=("follow",)))


def test_resumed_run_reuses_what_finished_though_the_cache_is_off(project: Project) -> None:
    body = """
        @component
        def flaky(note: Input[Note], more: Output[Note]) -> None:
            {body}

        @pipeline
        def wired():
            flaky(note=make(cache=False).note)
        """
    project.write(body.format(body='raise ValueError("once")'))
    first = project.run()
    project.write(body.format(body="put(more)"))

    result = project.run(resume=first.id)

    assert project.states(result) == {"make": "CACHED", "flaky": "COMPLETE"}
    assert result["make"].reason == f"finished in run {first.id}, which is resumed"


def test_resumed_run_runs_what_has_changed_since(project: Project) -> None:
    project.write(DIAMOND)
    first = project.run()
    project.write(DIAMOND.replace('mark="r"', 'mark="R"'))

    result = project.run(resume=first.id)

    assert [name for name, state in project.states(result).items() if state == "COMPLETE"] == ["right"]

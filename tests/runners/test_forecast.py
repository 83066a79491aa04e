"""What a run would do: the same decisions as the run's, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline import ParameterError
from penstock.pipeline.parameters import RunParameters
from penstock.pipeline.runner import RunRequest, Selection
from penstock.runners.forecast import Forecast, forecast
from tests.runners.conftest import Project

PIPELINE = """
@component(gates="note")
def inspect(note: Input[Note], report: Output[Note], *, limit: int = 3) -> None:
    put(report)


@pipeline
def wired(text: str = "a", mark: str = ".", limit: int = 3):
    made = make(text=text)
    inspect(note=made.note, limit=limit)
    more = follow(note=made.note, mark=mark)
    follow(id="last", note=more.more)
"""


def foreseen(project: Project, *, request: dict[str, Any] | None = None, **parameters: Any) -> Forecast:
    plan = project.load().wired.compile()
    values = RunParameters(plan.name, plan.parameters).resolve(parameters, str(project.folder))
    asked = RunRequest(parameters=values, root=str(project.root), code_root=str(project.folder), **(request or {}))
    return forecast(plan, asked)


def actions(told: Forecast) -> dict[str, str]:
    return {step.id: step.action for step in told.steps}


def reasons(told: Forecast) -> dict[str, str]:
    return {step.id: step.reason for step in told.steps}


def files(root: Path) -> set[str]:
    ours = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    return {path for path in ours if not path.endswith(("-wal", "-shm"))}


def test_without_a_root_everything_would_run_and_none_is_made(project: Project) -> None:
    project.write(PIPELINE)

    told = foreseen(project)

    assert set(actions(told).values()) == {"run"}
    assert set(reasons(told).values()) == {"no earlier result"}
    assert told.pending
    assert not project.root.exists()


def test_after_a_run_everything_is_reused_and_nothing_is_written(project: Project) -> None:
    project.write(PIPELINE)
    first = project.run()
    before = files(project.root)

    told = foreseen(project)

    assert set(actions(told).values()) == {"reuse"}
    assert reasons(told)["make"] == f"unchanged since run {first.id}"
    assert not told.pending
    assert files(project.root) == before
    with MlmdStore.open(project.layout.database, create=False) as store:
        assert len(store.runs()) == 1
        assert len(store.history("wired", "make")) == 1


def test_what_follows_a_step_that_would_run_is_unknown_until_then(project: Project) -> None:
    project.write(PIPELINE)
    project.run()

    told = foreseen(project, text="b")

    assert actions(told) == {"make": "run", "inspect": "unknown", "follow": "unknown", "last": "unknown"}
    assert reasons(told)["make"] == 'parameter text changed from "a" to "b"'
    assert reasons(told)["follow"] == "depends on what make makes"
    assert told.steps[2].waits_for == ("make",)


def test_what_would_run_whatever_upstream_makes_is_known_to_run(project: Project) -> None:
    project.write(PIPELINE)
    project.run()

    told = foreseen(project, text="b", mark="!")

    assert actions(told)["follow"] == "run"
    assert reasons(told)["follow"] == 'parameter mark changed from "." to "!"'
    assert actions(told)["last"] == "unknown"


def test_what_only_comes_after_a_gate_is_reused_once_it_passed(project: Project) -> None:
    project.write(PIPELINE)
    first = project.run()

    told = foreseen(project, limit=4)

    assert actions(told) == {"make": "reuse", "inspect": "run", "follow": "reuse", "last": "reuse"}
    assert reasons(told)["follow"] == f"unchanged since run {first.id}, once inspect succeeded"


def test_forecast_holds(project: Project) -> None:
    project.write(PIPELINE)
    project.run()
    project.write(PIPELINE.replace("put(report)", 'put(report, "new")'))

    told = foreseen(project, mark="!")
    result = project.run(mark="!")

    word = {"COMPLETE": "run", "CACHED": "reuse"}
    happened = {name: word[state] for name, state in project.states(result).items()}
    assert {**actions(told), "last": "run"} == happened
    ran = project.executions(result.id)
    assert reasons(told)["inspect"] == ran["inspect"].reason == "code steps:inspect changed"


def test_estimate_comes_from_history(project: Project) -> None:
    project.write(PIPELINE.replace("    made = make(text=text)", "    made = make(text=text, rate=1.0)"))
    project.run()

    told = foreseen(project, text="b")

    assert all(step.seconds is not None and step.seconds > 0 for step in told.steps)
    assert 0 < told.seconds("run") < told.seconds("run", "unknown")


def test_missing_source_is_foreseen_and_what_needs_it_skipped(project: Project) -> None:
    project.write(
        """
        @component
        def read(note: Output[Note], *, source: Files) -> None:
            put(note)

        @pipeline
        def wired():
            follow(note=read(source="absent.csv").note)
        """
    )

    told = foreseen(project)

    assert actions(told) == {"read": "fail", "follow": "skip"}
    assert "there is no file at" in reasons(told)["read"]


def test_selection_is_foreseen(project: Project) -> None:
    project.write(PIPELINE)
    project.run()

    told = foreseen(project, text="b", request={"selection": Selection(only=("follow",)), "refresh": ("follow",)})

    assert actions(told) == {"make": "reuse", "inspect": "reuse", "follow": "run", "last": "skip"}
    assert reasons(told)["follow"] == "asked for with --refresh follow"


def test_selection_without_earlier_results_is_refused(project: Project) -> None:
    project.write(PIPELINE)

    with pytest.raises(ParameterError, match="no earlier result of step"):
        foreseen(project, request={"selection": Selection(only=("last",))})


BRANCHES = """
from penstock.pipeline import one_of, otherwise, when


@component
def measure(note: Input[Note]) -> int:
    return len(get(note))


@pipeline
def wired(text: str = "long"):
    length = measure(note=make(text=text).note)
    with when(length.value.value >= 3):
        big = make(id="big", text="big")
    with otherwise():
        small = make(id="small", text="small")
    follow(note=one_of(big.note, small.note))
"""


def test_conditions_are_answered_where_their_values_are_known(project: Project) -> None:
    project.write(BRANCHES)
    project.run()

    told = {step.id: step for step in foreseen(project).steps}
    project.write(BRANCHES.replace(">= 3", ">= 9"))
    other = {step.id: step for step in foreseen(project).steps}

    assert (told["big"].action, told["small"].action, told["follow"].action) == ("reuse", "skip", "reuse")
    assert "holds" in told["small"].reason
    assert (other["big"].action, other["small"].action, other["follow"].action) == ("skip", "run", "unknown")


def test_branches_are_unknown_until_their_condition_is_answered(project: Project) -> None:
    project.write(BRANCHES)
    project.run()

    told = actions(foreseen(project, text="other"))

    assert (told["make"], told["big"], told["small"], told["follow"]) == ("run", "unknown", "unknown", "unknown")


SWEEP = """
from penstock.pipeline import collect, for_each, when


@component
def rates_of(note: Input[Note]) -> list[float]:
    return [float(text) for text in get(note).split()]


@component
def train(model: Output[Note], *, rate: float) -> None:
    put(model, str(rate))


@component
def pick(models: Input[list[Note]], best: Output[Note]) -> None:
    put(best, "".join(map(get, models)))


@pipeline
def wired(text: str = "0.1 0.2"):
    rates = rates_of(note=make(text=text).note)
    with for_each(rates.value) as rate:
        model = train(rate=rate).model
        with when(rate.value > 0.1):
            follow(note=model)
    pick(models=collect(model))


@pipeline
def literal(rates: list[float] = [1.0, 2.0]):
    with for_each(rates) as rate:
        model = train(rate=rate).model
    pick(models=collect(model))
"""


def test_items_of_a_loop_are_foreseen_where_they_are_known(project: Project) -> None:
    project.write(SWEEP)
    unknown = foreseen(project)
    project.run()

    known = foreseen(project)

    assert actions(unknown)["train"] == "unknown"
    assert reasons(unknown)["train"] == "once per item of for_each-1, which depends on what rates_of makes"
    assert actions(known) == {
        "make": "reuse", "rates_of": "reuse", "for_each-1": "settled", "train[0]": "reuse", "when-1[0]": "settled",
        "follow[0]": "skip", "train[1]": "reuse", "when-1[1]": "settled", "follow[1]": "reuse", "pick": "reuse",
    }  # fmt: skip
    assert not known.pending


def test_items_of_a_list_are_foreseen_before_anything_has_run(project: Project) -> None:
    project.write(SWEEP)

    told = forecast_of(project, "literal")

    assert actions(told) == {"for_each-1": "settled", "train[0]": "run", "train[1]": "run", "pick": "run"}


def test_an_item_that_is_new_is_foreseen_to_run_alone_with_the_estimate_of_the_others(project: Project) -> None:
    project.write(SWEEP)
    project.run("literal")

    told = forecast_of(project, "literal", rates=[1.0, 2.0, 3.0])

    assert actions(told) == {
        "for_each-1": "settled", "train[0]": "reuse", "train[1]": "reuse", "train[2]": "run", "pick": "unknown",
    }  # fmt: skip
    assert reasons(told)["pick"] == "depends on what train[2] makes"
    assert told.steps[3].seconds is not None


def forecast_of(project: Project, pipeline: str, **parameters: Any) -> Forecast:
    plan = getattr(project.load(), pipeline).compile()
    values = RunParameters(plan.name, plan.parameters).resolve(parameters, str(project.folder))
    return forecast(plan, RunRequest(parameters=values, root=str(project.root), code_root=str(project.folder)))

"""Items of a step in a loop as one row where there are many, and the picture of a run with loops."""

from __future__ import annotations

from penstock.pipeline.folding import Fold, fold
from penstock.pipeline.runner import RunResult, StepResult
from penstock.runners.forecast import Forecast, StepForecast
from penstock.ui.forecast_view import rows
from penstock.ui.run_state import RunState
from tests.ui.test_run_progress import drawn, event, finished, started


def expanded(loop: str, step: str, count: int, at: float = 101.0) -> dict[str, object]:
    steps = [{"id": f"{step}[{number}]", "name": step, "needs": [], "item": number} for number in range(count)]
    return event("loop_expanded", loop, at, items=[str(number) for number in range(count)], steps=steps)


def test_few_items_are_rows_of_their_own() -> None:
    rows = [("gen", "COMPLETE"), ("train[0]", "COMPLETE"), ("train[1]", "CACHED")]

    assert fold(rows, lambda row: row) == rows


def test_many_items_are_one_row_but_for_those_to_be_looked_at() -> None:
    rows = [("gen", "COMPLETE"), *((f"train[{n}]", "FAILED" if n == 3 else "COMPLETE") for n in range(8))]

    _, items, failed = fold(rows, lambda row: row)

    assert isinstance(items, Fold)
    assert items.name == "train[7 of 8 items]"
    assert failed == ("train[3]", "FAILED")


def test_rows_of_a_loop_appear_behind_it_when_its_items_are_known() -> None:
    state = RunState()
    state.apply(started("gen", "for_each-1", "pick"))
    state.apply(expanded("for_each-1", "train", 2))
    state.apply(finished("train[1]", "COMPLETE"))

    assert list(state.rows) == ["gen", "for_each-1", "train[0]", "train[1]", "pick"]
    assert state.finished() == 1


def test_picture_sums_many_items_up() -> None:
    state = RunState()
    state.apply(started("for_each-1", "pick"))
    state.apply(expanded("for_each-1", "train", 40))
    for number in range(10):
        state.apply(finished(f"train[{number}]", "CACHED" if number < 4 else "COMPLETE"))
    state.apply(event("step_started", "train[10]", 105.0, attempt=1, reason="no earlier result"))

    picture = drawn(state, now=107.0)

    assert "train[39 of 40 items]" in picture
    assert "29 waiting, 6 ran, 4 cached" in picture
    assert "▶  train[10]" in picture
    assert len(picture.splitlines()) == 5


def test_table_of_a_notebook_sums_many_items_up() -> None:
    steps = {f"train[{number}]": StepResult(f"train[{number}]", "COMPLETE", seconds=1.0) for number in range(9)}

    table = RunResult("01RUN", "toy", "COMPLETE", "/root", 3.0, steps)._repr_html_()

    assert "<td>train[9 items]</td><td>COMPLETE</td><td>9.00 s</td><td>9 COMPLETE</td>" in table


def test_plan_names_few_items_and_sums_many_up_that_fare_alike() -> None:
    few = Forecast("toy", "/root", tuple(StepForecast(f"train[{n}]", "run", "no earlier result") for n in range(12)))
    many = Forecast(
        "toy",
        "/root",
        tuple(
            StepForecast(f"train[{n}]", "run" if n > 20 else "reuse", "the reason", 2.0 if n > 20 else None)
            for n in range(30)
        ),
    )

    assert rows(few) == [*few.steps]
    assert [(row.id, row.action, row.reason, row.seconds) for row in rows(many)] == [
        ("train[21 of 30 items]", "reuse", "the reason", None),
        ("train[9 of 30 items]", "run", "the reason", 18.0),
    ]

"""A run on the screen, from its events."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from penstock.ui.run_progress import PlainProgress, picture, plain_line, visible
from penstock.ui.run_state import RunState, StepRow

RUN = "01M7X74G8VMA1DY92002RRP230"


def started(*steps: str) -> dict[str, Any]:
    listed = [{"id": step, "name": step, "needs": []} for step in steps]
    return {"event": "run_started", "at": 100.0, "run": RUN, "pipeline": "toy", "root": "/root", "steps": listed}


def event(kind: str, step: str, at: float, **details: Any) -> dict[str, Any]:
    return {"event": kind, "at": at, "run": RUN, "step": step, **details}


def finished(step: str, state: str, **details: Any) -> dict[str, Any]:
    return event("step_finished", step, 110.0, **{"state": state, "reason": "", "seconds": 2.5, **details})


def drawn(state: RunState, now: float, height: int = 50) -> str:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as captured:
        console.print(picture(state, now, height))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def test_a_running_step_shows_its_age_and_its_rows():
    state = RunState()
    state.apply(started("gen", "train"))
    state.apply(finished("gen", "CACHED", reason=f"unchanged since run {RUN}"))
    state.apply(event("step_started", "train", 103.0, attempt=1, reason="no earlier result"))
    state.apply(event("step_progress", "train", 104.0, done=1200, total=15002, metrics={"unit": "rows", "loss": 0.25}))

    picture = drawn(state, now=107.0)

    assert picture.splitlines()[0] == "Run 02RRP230 of toy  1/2  7.0 s"
    assert "=  gen      2.5 s" in picture
    assert "unchanged since run 02RRP230" in picture
    assert "▶  train    4.0 s  1,200 / 15,002 rows  loss 0.25  no earlier result" in picture


def test_a_canceled_step_keeps_the_time_it_had():
    state = RunState()
    state.apply(started("train"))
    state.apply(event("step_started", "train", 103.0, attempt=1, reason=""))

    state.apply(finished("train", "CANCELED", seconds=0.0))

    assert state.rows["train"].seconds == 7.0


def test_a_retried_step_counts_its_rows_anew():
    state = RunState()
    state.apply(started("train"))
    state.apply(event("step_progress", "train", 101.0, done=5, total=None, metrics={}))

    state.apply(event("step_started", "train", 102.0, attempt=2, reason="again"))

    assert state.rows["train"].progress() == ""


@pytest.mark.parametrize("height", [2, 3, 8])
def test_a_long_run_fits_the_screen_with_what_matters(height: int):
    rows = [StepRow(f"s{place}", "COMPLETE") for place in range(50)]
    rows[10].state, rows[40].state = "RUNNING", "FAILED"

    shown = visible(rows, height)

    assert len(shown) == height
    assert rows[10] in shown
    assert rows[40] in shown
    assert shown == sorted(shown, key=rows.index)


def test_rows_left_out_are_counted():
    state = RunState()
    state.apply(started(*(f"s{place}" for place in range(20))))
    for place in range(15):
        state.apply(finished(f"s{place}", "COMPLETE"))

    picture = drawn(state, now=120.0, height=6)

    assert picture.splitlines()[-1] == "  … 14 ran"
    assert len(picture.splitlines()) == 8


def test_a_plain_line_has_state_time_and_reason():
    state = RunState()
    state.apply(started("gen", "trainer"))

    row = state.apply(finished("gen", "FAILED", reason="ValueError: bad\nluck"))

    assert row is not None
    assert plain_line(state, row) == "[1/2] gen      FAILED       2.5 s  ValueError: bad luck"


def test_retries_are_told_as_they_come():
    screen, state = io.StringIO(), RunState()
    why = {"attempt": 1, "reason": "attempt 1 of 4 failed: ConnectionError: gone", "delay": 0.61}
    progress = PlainProgress(screen)

    for each in (
        started("flaky"),
        event("step_started", "flaky", 101.0, attempt=1, reason="no earlier result"),
        event("step_retried", "flaky", 104.5, **why),
    ):
        progress.event(each)
        state.apply(each)

    said = "again in 610 ms: attempt 1 of 4 failed: ConnectionError: gone"
    assert screen.getvalue().splitlines()[1:] == [f"[0/1] flaky  RETRY        3.5 s  {said}"]
    assert f"·  flaky             {said}" in drawn(state, 105.0)


def test_plain_progress_goes_on_when_the_reader_leaves():
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    progress = PlainProgress(Closed())

    progress.event(started("gen"))
    progress.event(finished("gen", "COMPLETE"))

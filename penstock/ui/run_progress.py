"""A run as it happens: a live table on a terminal, one plain line a finished step anywhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.pipeline.folding import Fold, fold, state_of
from penstock.ui import formats, states
from penstock.ui.run_state import FINISHED, RunState, StepRow

REFRESHES_A_SECOND = 8
LINES_KEPT_FREE = 6
REASON_LENGTH = 100


class LiveProgress:
    """A table that stays in place and grows old with the run; a RunObserver, open within a `with` block."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = RunState()
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=REFRESHES_A_SECOND, transient=False
        )

    def __enter__(self) -> LiveProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture on the screen."""
        if self._live.is_started:
            self._live.stop()
            self._console.print()

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event; the picture follows at its own pace."""
        self._state.apply(event)
        if event["event"] == "run_started":
            self._live.start()

    def _render(self) -> RenderableType:
        if not self._state.rows:
            return Text("")
        return picture(self._state, time.time(), self._console.height - LINES_KEPT_FREE)


class PlainProgress:
    """Lines without colour or carriage returns, for CI, pipes and files; a RunObserver."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._unread = False
        self._state = RunState()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do: each line is flushed as it is written."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Write a line when a run starts, when a step is over and when it is to be tried again."""
        finished = self._state.apply(event)
        if event["event"] == "run_started":
            run, steps = formats.short_id(self._state.run), formats.counted(len(self._state.rows), "step")
            self._write(f"Run {run} of {self._state.pipeline}: {steps}, root {formats.place(self._state.root)}")
        elif event["event"] == "step_retried":
            self._write(plain_line(self._state, replace(self._state.rows[event["step"]], state="RETRY")))
        elif finished is not None:
            self._write(plain_line(self._state, finished))

    def _write(self, line: str) -> None:
        if self._unread:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except BrokenPipeError:  # a reader that leaves, such as `head`, doesn't end the run
            self._unread = True


def plain_line(state: RunState, row: StepRow) -> str:
    """Return "[3/9] Trainer  COMPLETE  4.2 s  no earlier result"."""
    total = len(state.rows)
    place = f"[{state.finished():>{len(str(total))}}/{total}]"
    width = max(len(name) for name in state.rows)
    spent = "" if row.state == "SKIPPED" else formats.duration(row.seconds)
    facts = "  ".join(part for part in (row.progress(), _reason(row)) if part)
    return f"{place} {row.id:<{width}}  {row.state:<8}  {spent:>8}  {facts}".rstrip()


def picture(state: RunState, now: float, height: int) -> RenderableType:
    """Draw a run: a row a step, and a line that counts what doesn't fit into `height` rows."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=1)
    table.add_column(no_wrap=True, min_width=min(40, max(map(len, state.rows))))
    table.add_column(justify="right", no_wrap=True, min_width=7)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    shown = visible(folded(state), height)
    for row in shown:
        table.add_row(*_cells(row, now))
    shown_ids = {row.id for row in shown}
    rest = [row.state for row in folded(state) if row.id not in shown_ids]
    head = Text.assemble(
        ("Run ", ""),
        (formats.short_id(state.run), "bold"),
        (f" of {state.pipeline}  ", ""),
        (_clock(state, now), "dim"),
    )
    return Group(head, table, *([Text(f"  … {states.counts(rest)}", "dim")] if rest else []))


def folded(state: RunState) -> list[StepRow]:
    """Return the rows, the finished and waiting items of a step in a loop as one where there are many."""
    rows = fold(state.rows.values(), lambda row: (row.id, row.state))
    return [_summed(row) if isinstance(row, Fold) else row for row in rows]


def _summed(items: Fold[StepRow]) -> StepRow:
    states_of = [row.state for row in items.items]
    state = state_of(Counter(states_of))
    return StepRow(items.name, state, seconds=sum(row.seconds for row in items.items), reason=states.counts(states_of))


def visible(rows: list[StepRow], height: int) -> list[StepRow]:
    """Choose rows for a small screen, in the plan's order: running, failed, then waiting, then the latest finished."""
    if len(rows) <= max(height, 1):
        return rows
    rank = {"RUNNING": 0, "FAILED": 0, "CANCELED": 1, "PENDING": 1}
    order = sorted(range(len(rows)), key=lambda place: (rank.get(rows[place].state, 2), _age(rows, place)))
    return [rows[place] for place in sorted(order[: max(height, 1)])]


def _age(rows: list[StepRow], place: int) -> int:
    return -place if rows[place].state in FINISHED else place


def _cells(row: StepRow, now: float) -> list[RenderableType]:
    timed = row.state not in ("PENDING", "SKIPPED")
    name = Text(row.id, "dim" if row.state == "PENDING" else "")
    spent = formats.duration(row.elapsed(now)) if timed else ""
    return [states.symbol(row.state), name, Text(spent, "dim"), Text(row.progress()), Text(_reason(row), "dim")]


def _reason(row: StepRow) -> str:
    return formats.shortened(formats.short_ids(row.reason), REASON_LENGTH)


def _clock(state: RunState, now: float) -> str:
    done = f"{state.finished()}/{len(state.rows)}"
    return f"{done}  {formats.duration(max(0.0, now - state.started))}"

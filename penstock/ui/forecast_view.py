"""What a run would do, for the terminal and as Markdown for a review."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.pipeline.iterations import unnumbered
from penstock.runners.forecast import Forecast, StepForecast
from penstock.ui import formats, tables

WORDS = {"run": "run", "reuse": "reuse", "settled": "settled", "skip": "skip", "unknown": "unknown", "fail": "fail"}
STYLES = {
    "run": "bold blue",
    "reuse": "cyan",
    "settled": "cyan",
    "skip": "yellow",
    "unknown": "magenta",
    "fail": "bold red",
}
COUNTED = {
    "run": "would run",
    "reuse": "reused",
    "settled": "settled",
    "skip": "skipped",
    "unknown": "unknown until then",
    "fail": "would fail",
}
REASON_LENGTH = 100
ITEMS_SHOWN = 12
"""Up to so many items of a step in a loop have a row each."""


def forecast_view(told: Forecast) -> RenderableType:
    """Return a forecast as a table and a line that sums it up."""
    table: Table = tables.listing("step", "would", "took", "reason", right=("took",))
    for step in rows(told):
        reason = formats.shortened(formats.short_ids(step.reason), REASON_LENGTH)
        table.add_row(step.id, Text(WORDS[step.action], STYLES[step.action]), _seconds(step), reason)
    return Group(table, Text(), Text(summary(told)))


def rows(told: Forecast) -> list[StepForecast]:
    """Return the steps; of a step in a loop with many items one row for all items that fare alike."""
    found: dict[str, list[StepForecast]] = {}
    for step in told.steps:
        found.setdefault(unnumbered(step.id), []).append(step)
    return [
        row for name, items in found.items() for row in (_alike(name, items) if len(items) > ITEMS_SHOWN else items)
    ]


def _alike(name: str, items: list[StepForecast]) -> list[StepForecast]:
    by_action: dict[str, list[StepForecast]] = {}
    for step in items:
        by_action.setdefault(step.action, []).append(step)
    return [_summed(name, alike, len(items)) for alike in by_action.values()]


def _summed(name: str, alike: list[StepForecast], count: int) -> StepForecast:
    if len(alike) == 1:
        return alike[0]
    reasons = list(dict.fromkeys(step.reason for step in alike))
    more = f" and {len(reasons) - 1} other reasons" if len(reasons) > 1 else ""
    known = [step.seconds for step in alike if step.seconds is not None]
    of = f"{len(alike)} of {count}" if len(alike) < count else f"{count}"
    return StepForecast(f"{name}[{of} items]", alike[0].action, reasons[0] + more, sum(known) if known else None)


def forecast_markdown(told: Forecast) -> str:
    """Return a forecast as a Markdown table, for a comment on a change."""
    lines = [f"**{told.pipeline}**: {summary(told)}", "", "| step | would | took | reason |", "|---|---|---:|---|"]
    for step in rows(told):
        reason = " ".join(formats.short_ids(step.reason).split()).replace("|", "\\|")
        lines.append(f"| {step.id} | {WORDS[step.action]} | {_seconds(step)} | {reason} |")
    return "\n".join(lines) + "\n"


def summary(told: Forecast) -> str:
    """Return "2 would run, 7 reused; about 12 s of work, at most 40 s"."""
    actions = [step.action for step in told.steps]
    counts = ", ".join(f"{actions.count(action)} {word}" for action, word in COUNTED.items() if action in actions)
    if not told.pending:
        return f"{counts}; nothing is to be done"
    sure, most = told.seconds("run"), told.seconds("run", "unknown")
    unmeasured = sum(step.seconds is None for step in told.steps if step.action in ("run", "unknown"))
    parts = [f"about {formats.duration(sure)} of work"] if sure else []
    parts += [f"{'at most' if sure else 'up to'} {formats.duration(most)}"] if most > sure else []
    parts += [f"{formats.counted(unmeasured, 'step')} never measured"] if unmeasured else []
    return "; ".join([counts, *([", ".join(parts)] if parts else [])])


def _seconds(step: StepForecast) -> str:
    return formats.duration(step.seconds) if step.seconds is not None and step.action in ("run", "unknown") else ""

"""What a run looks like now, folded from its events; no terminal here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.pipeline.iterations import unnumbered
from penstock.ui import formats

METRICS_SHOWN = 3
FINISHED = frozenset({"COMPLETE", "CACHED", "FAILED", "SKIPPED", "CANCELED"})


@dataclass
class StepRow:
    """One step on the screen.

    Attributes:
        started: Seconds since 1970; 0.0 before it starts.
        seconds: How long it took, once it is over.
        done: Units of work reported so far, None without a report; `total` None when unknown.
    """

    id: str
    state: str = "PENDING"
    started: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    done: float | None = None
    total: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def progress(self) -> str:
        """Return "12,000 / 15,002 rows  loss 0.31", or "" when nothing was reported.

        A metric `unit` names what is counted.
        """
        if self.done is None:
            return ""
        of = f" / {formats.number(self.total)}" if self.total is not None and self.done < self.total else ""
        unit = f" {self.metrics['unit']}" if "unit" in self.metrics else ""
        shown = [f"{name} {_measure(value)}" for name, value in self.metrics.items() if name != "unit"]
        return "  ".join([f"{formats.number(self.done)}{of}{unit}", *shown[:METRICS_SHOWN]])

    def elapsed(self, now: float) -> float:
        """Return the seconds it took, or has taken so far."""
        return max(0.0, now - self.started) if self.state == "RUNNING" else self.seconds


@dataclass
class RunState:
    """One run on the screen: its rows in the plan's order."""

    run: str = ""
    pipeline: str = ""
    root: str = ""
    started: float = 0.0
    rows: dict[str, StepRow] = field(default_factory=dict)

    def apply(self, event: Mapping[str, Any]) -> StepRow | None:
        """Take one event in; unknown kinds are passed over.

        Returns:
            The row of the step that the event finished, if it did.
        """
        kind = event["event"]
        if kind == "run_started":
            self.run, self.pipeline = event["run"], event["pipeline"]
            self.root, self.started = event.get("root", ""), event["at"]
            self.rows = {step["id"]: StepRow(step["id"]) for step in event["steps"]}
        if kind == "loop_expanded":
            self._expand(event["step"], [step["id"] for step in event["steps"]])
        if "step" not in event:
            return None
        row = self.rows.setdefault(event["step"], StepRow(event["step"]))
        if kind == "step_started":
            row.state, row.started, row.reason = "RUNNING", event["at"], event.get("reason", "")
            row.done = row.total = None
        elif kind == "step_progress":
            row.done, row.total, row.metrics = event["done"], event.get("total"), event.get("metrics") or {}
        elif kind == "step_retried":
            row.state, row.seconds = "PENDING", row.elapsed(event["at"])
            row.reason = f"again in {formats.duration(event['delay'])}: {event['reason']}"
        elif kind == "step_finished":
            row.seconds = event["seconds"] or row.elapsed(event["at"])
            row.state = event["state"]
            row.reason = event.get("reason") or ("" if row.state == "FAILED" else row.reason)
            return row
        return None

    def _expand(self, loop: str, steps: list[str]) -> None:
        """Put a loop's steps behind it, each with its items in order."""
        order = list(dict.fromkeys(map(unnumbered, steps)))
        new = {name: StepRow(name) for name in sorted(steps, key=lambda name: order.index(unnumbered(name)))}
        rows: dict[str, StepRow] = {}
        for name, row in self.rows.items():
            rows[name] = row
            rows |= new if name == loop else {}
        self.rows = rows

    def finished(self) -> int:
        """Return how many steps are over."""
        return sum(row.state in FINISHED for row in self.rows.values())


def _measure(value: Any) -> str:
    return formats.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

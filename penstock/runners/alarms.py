"""What a run has to do at a later time: begin another attempt, end one that takes too long."""

from __future__ import annotations

import heapq

from penstock.pipeline.task import Failure, Task

LOOK_AROUND = 1.0
"""Seconds that a run waits for news at most, whatever is due later: silent workers are looked at in between."""


class Alarms:
    """Names with the time at which something is due for them, in seconds since the epoch."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, str, str]] = []

    def set(self, at: float, kind: str, name: str) -> None:
        """Have `due` return (kind, name) from that time on."""
        heapq.heappush(self.waiting, (at, kind, name))

    def patience(self, now: float) -> float:
        """Return the seconds until something is due."""
        return min(max(self.waiting[0][0] - now, 0.0), LOOK_AROUND)

    def due(self, now: float) -> list[tuple[str, str]]:
        """Take out and return what is due."""
        found = []
        while self.waiting and self.waiting[0][0] <= now:
            _, kind, name = heapq.heappop(self.waiting)
            found.append((kind, name))
        return found


def timed_out(task: Task) -> Failure:
    """Say that a task took too long."""
    limit = task.timeout or 0.0
    message = f"timed out after {_span(limit)}; the step allows no more (timeout={limit:g}s)"
    return Failure(type="TimeoutError", message=message, fault="user code", kinds=("TimeoutError", "OSError"))


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"

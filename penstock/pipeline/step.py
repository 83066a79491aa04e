"""What a running step can say and ask: progress, and which execution it is."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Report = Callable[[dict[str, Any]], None]


LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""How what is logged stands in a step's log, whichever of its processes says it."""


@dataclass(frozen=True)
class StepContext:
    """The running step.

    Attributes:
        execution: The ULID of its execution.
        run: The ULID of its run.
        step: Its id.
        report: Where its progress goes.
        parts: CPU seconds of its named parts.
        helped: Peak bytes of the processes that have helped it, each time together.
    """

    execution: str
    run: str
    step: str
    report: Report
    parts: dict[str, float] = field(default_factory=dict)
    helped: list[int] = field(default_factory=list)


# One step at a time runs in a worker; a plain global is seen by the threads that Beam and Keras start.
_current: StepContext | None = None


def enter(context: StepContext | None) -> None:
    """Make `context` the running step; None ends it."""
    global _current  # noqa: PLW0603 - see above
    _current = context


def execution() -> str:
    """Return the ULID of the running execution, or "" outside a step."""
    return _current.execution if _current else ""


def run() -> str:
    """Return the ULID of the run, or "" outside a step."""
    return _current.run if _current else ""


def progress(done: float, total: float | None = None, **metrics: Any) -> None:
    """Report how far the step is.

    Args:
        done: Units of work finished, such as rows or training steps.
        total: Units in all, where known.
        **metrics: Any JSON values worth showing beside, such as `loss=0.3`.
    """
    if _current:
        _current.report({"done": done, "total": total, **({"metrics": metrics} if metrics else {})})


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Record the CPU seconds of a block as a part of the step's cost; parts of one name add up."""
    since = cpu_seconds()
    try:
        yield
    finally:
        if _current:
            _current.parts[part] = _current.parts.get(part, 0.0) + cpu_seconds() - since


def was_helped(peak_bytes: int) -> None:
    """Record that other processes have helped the step, and the peak memory of all of them together."""
    if _current:
        _current.helped.append(peak_bytes)


def peak_memory(process: int | str = "self") -> int:
    """Return the peak resident memory of a process in bytes, since it was last reset; 0 where that isn't told."""
    try:
        with open(f"/proc/{process}/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):  # not Linux, or a sandbox that doesn't say
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if process == "self" else 0


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of the children that it has waited for, such as data workers."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)

"""What a finished run says for itself: what failed and why, what was pushed, where to look further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.metadata.records import ArtifactRecord
from penstock.pipeline import errors
from penstock.pipeline.errors import MAX_FAILURES
from penstock.pipeline.runner import RunResult, StepResult
from penstock.pipeline.task import Failure
from penstock.ui import formats, states
from penstock.ui.user_traceback import user_traceback

FAULTS = {
    "user code": "your code",
    "pipeline author": "the pipeline's wiring",
    "data": "the data",
    "platform": "the platform",
}
INDENT = 2


@dataclass(frozen=True)
class Place:
    """One artifact as a report names it."""

    name: str
    path: str


@dataclass(frozen=True)
class RunReport:
    """A finished run with what the report adds to it.

    Attributes:
        inputs: What went into each failed step.
        pushed: Destinations of pushed models by step.
        again: The command that resumes it.
        more: The command that shows more of it.
    """

    result: RunResult
    inputs: Mapping[str, Sequence[Place]] = field(default_factory=dict)
    pushed: Mapping[str, str] = field(default_factory=dict)
    again: str = ""
    more: str = ""


def report(told: RunReport) -> RenderableType:
    """Return the closing words: failures first, then one summary."""
    return Group(*_failures(told), *_summary(told))


def pushed_to(artifact: ArtifactRecord) -> str:
    """Return where a PushedModel stands, "" when nothing was pushed."""
    return str(artifact.properties.get("pushed_destination", "")) if artifact.type == "PushedModel" else ""


def whose(failure: Failure) -> str:
    """Return " in model.py:41 (your code)", as far as it is known."""
    place = f" in {failure.where}" if failure.where else ""
    return f"{place} ({FAULTS.get(failure.fault, failure.fault)})"


def _failures(told: RunReport) -> Iterator[RenderableType]:
    failed = [step for step in told.result.steps.values() if step.state == "FAILED"]
    for step in failed[:MAX_FAILURES]:
        yield Group(*_failure(told, step), Text())
    if len(failed) > MAX_FAILURES:
        yield Text(f"{len(failed) - MAX_FAILURES} more steps failed.")
    for problem in told.result.problems:
        yield Group(Text(problem, "bold red"), Text())
    if failed or told.result.problems:
        yield Text(f"Fix it and go on where it stopped, finished steps are reused: {told.again}")


def _failure(told: RunReport, step: StepResult) -> Iterator[RenderableType]:
    failure, run = step.failure, formats.short_id(told.result.id)
    if failure is None:
        yield Text(f"Step {step.id!r} failed in run {run}: {step.reason}", "bold")
    else:
        if failure.traceback and failure.fault in ("user code", "platform") and not _is_told(failure):
            shown = user_traceback(failure.traceback)
            yield from (Text(shown, no_wrap=True, overflow="ignore"), Text()) if shown else ()
        verb = "refused the data" if failure.gate else "failed"
        tries = f" after {step.attempts} attempts" if step.attempts > 1 else ""
        cause = "" if failure.gate else _cause(failure)
        yield Text.assemble((f"Step {step.id!r} {verb}", "bold red"), f" in run {run}{tries}{cause}: {failure.message}")
    yield from _around(told, step)


def _cause(failure: Failure) -> str:
    """Return ": ValueError in model.py:41 (your code)"; the class is left out where it is ours and says no more."""
    if not hasattr(errors, failure.type):
        return f": {failure.type}{whose(failure)}"
    return f",{whose(failure)}" if failure.where else whose(failure)


def _is_told(failure: Failure) -> bool:
    """Say whether the message is the whole story: an error that Penstock raised itself, about the platform."""
    return failure.type == "PlatformError" and failure.fault == "platform"


def _around(told: RunReport, step: StepResult) -> Iterator[RenderableType]:
    for given in told.inputs.get(step.id, ()):
        yield _line("input", f"{given.name}  {given.path}")
    if step.log:
        yield _line("log", formats.place(step.log))


def _summary(told: RunReport) -> Iterator[RenderableType]:
    result = told.result
    counted = states.counts([step.state for step in result.steps.values()])
    head = f"Run {formats.short_id(result.id)} of {result.pipeline}: "
    yield Text.assemble(head, states.word(result.state), f" in {formats.duration(result.seconds)}, {counted}")
    for step, destination in told.pushed.items():
        yield _line("pushed", f"{formats.place(destination)}  ({_when(result.steps[step])})")
    for withheld in (step for step in result.steps.values() if step.withheld):
        yield _line("not pushed", f"{withheld.id}: {withheld.reason}")
    yield _line("more", told.more)


def _when(step: StepResult) -> str:
    return "as before, it is still there" if step.state == "CACHED" else f"by {step.id}"


def _line(label: str, value: str) -> Text:
    return Text.assemble(" " * INDENT, (f"{label:<11}", "dim"), value)

"""What a runner is: a Plan and a request go in, a result comes out; found by name through entry points."""

from __future__ import annotations

import html
import importlib.metadata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.errors import Unsupported, listing, nearest
from penstock.pipeline.folding import Fold, fold, state_of
from penstock.pipeline.plan import Json, Plan
from penstock.pipeline.task import Failure

ENTRY_POINTS = "penstock.runners"


class RunObserver(Protocol):
    """Watches a run: one method, called in the scheduler with each event as a dict of JSON values.

    Every event has `event`, `at` (seconds since the epoch) and `run`. The kinds, with what they add:

    - run_started: pipeline, root, code_root, steps (a list of {id, name, needs}).
    - loop_expanded: step (the loop), items (each in a few words), steps (as above, with `item`, its number).
    - step_started: step, attempt, reason (why it runs and is not reused).
    - step_progress: step, done, total (or null), metrics.
    - step_retried: step, attempt (the one that failed), reason, delay (seconds until the next one).
    - step_finished: step, state, reason, seconds, log (a path, "" without a worker), failure (null, or type, message,
      fault, where, traceback), withheld, gate.
    - run_finished: state, seconds, problems (artifacts that were altered while the run lasted, a text each).
    """

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event; it has at least `event` and `at` (seconds since the epoch)."""


@dataclass(frozen=True)
class Selection:
    """Which steps of a plan are to run; what is outside comes from earlier runs. An empty one selects everything.

    Attributes:
        first: Run from these steps on.
        last: Run up to these steps.
        only: Run these steps alone.
        skip: Don't run these steps.
    """

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def options(self) -> dict[str, tuple[str, ...]]:
        """Return the names by the options of `penstock run` that stand for them."""
        return {"--from": self.first, "--to": self.last, "--only": self.only, "--skip": self.skip}

    def __bool__(self) -> bool:
        return any(self.options().values())

    def __str__(self) -> str:
        """Write it as options."""
        return " ".join(f"{option} {name}" for option, names in self.options().items() for name in names)


@dataclass(frozen=True)
class RunRequest:
    """One wish to run a plan.

    Attributes:
        parameters: A value for every run parameter.
        root: Absolute folder of artifacts and metadata.
        code_root: Absolute folder that the user's modules are imported from.
        workers: Steps that run at once; None means one a core.
        beam: The Beam profile's name.
        beam_workers: Workers of the direct Beam profile; 0 means one a core, 4 at most.
        cache: False runs every step.
        refresh: Steps that run even though an earlier result could be reused.
        selection: The steps to run; all by default.
        resume: A run of the same pipeline whose finished steps are reused, "" for none.
        verify: A result is reused only after its files' sha256 were checked.
        command: What was typed, for the record.
        observers: Are told of every event.
    """

    parameters: Mapping[str, Json]
    root: str
    code_root: str
    workers: int | None = None
    beam: str = "direct"
    beam_workers: int = 0
    cache: bool = True
    refresh: tuple[str, ...] = ()
    verify: bool = False
    selection: Selection = Selection()
    resume: str = ""
    command: str = ""
    observers: tuple[RunObserver, ...] = ()


@dataclass(frozen=True)
class StepResult:
    """What came of one step; its outputs are attributes too: `run["Trainer"].model.path`.

    Attributes:
        state: COMPLETE, CACHED, FAILED, SKIPPED or CANCELED.
        reason: Why it is in that state, in one line.
        outputs: The artifacts by output name, as recorded.
        values: Value outputs by name.
        withheld: True when the step was to have an effect and had none.
        gate: True when the step is a gate that refused.
        failure: What went wrong, when the state is FAILED.
        log: The step's log file, "" when no worker ran it.
        attempts: How often it was tried, failed attempts included.
    """

    id: str
    state: str
    reason: str = ""
    seconds: float = 0.0
    outputs: Mapping[str, list[Artifact]] = field(default_factory=dict)
    values: Mapping[str, Json] = field(default_factory=dict)
    withheld: bool = False
    gate: bool = False
    failure: Failure | None = None
    log: str = ""
    attempts: int = 1

    def __getattr__(self, name: str) -> Artifact:
        """Return the only artifact of an output."""
        outputs: Mapping[str, list[Artifact]] = self.__dict__.get("outputs", {})
        if name.startswith("__") or name not in outputs:
            raise AttributeError(
                f"Step {self.__dict__.get('id')!r} ({self.__dict__.get('state')}) has no output {name!r}."
                f"{nearest(name, outputs)} It has: {listing(outputs)}."
            )
        (artifact,) = outputs[name]
        return artifact


@dataclass(frozen=True)
class RunResult:
    """What came of a run; `state` is COMPLETE, FAILED or CANCELED, or RUNNING for one that hasn't ended.

    `problems` tells of artifacts that were altered by something else than the step that made them while it lasted.

    A notebook shows it as a table.
    """

    id: str
    pipeline: str
    state: str
    root: str
    seconds: float
    steps: Mapping[str, StepResult]
    problems: tuple[str, ...] = ()

    def __getitem__(self, step: str) -> StepResult:
        """Return one step's result.

        Raises:
            KeyError: The run has no such step.
        """
        if step not in self.steps:
            raise KeyError(
                f"Run {self.id} has no step {step!r}.{nearest(step, self.steps)} It has: {listing(self.steps)}."
            )
        return self.steps[step]

    def __iter__(self) -> Iterator[StepResult]:
        """Yield the results of the steps, in the order in which they ended."""
        return iter(self.steps.values())

    def __repr__(self) -> str:
        """Return one line: the steps are to be asked for."""
        return f"<run {self.id} of {self.pipeline!r}: {self.state}, {len(self.steps)} steps in {self.seconds:.2f} s>"

    def _repr_html_(self) -> str:
        """Return the table of steps."""
        rows = "".join(map(_html_row, fold(self.steps.values(), lambda step: (step.id, step.state))))
        head = "<tr><th>step</th><th>state</th><th>time</th><th>reason</th></tr>"
        title = f"{html.escape(self.pipeline)}: {self.state} in {self.seconds:.2f} s <small>run {self.id}</small>"
        return f"<table><caption>{title}</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"


class Runner(Protocol):
    """Something that runs a Plan; an attribute `root` is the folder of runs that name none."""

    def run(self, plan: Plan, request: RunRequest) -> RunResult:
        """Run a plan and wait for it.

        Raises:
            PenstockError: Nothing could be run at all. A failing step is no exception.
        """
        ...


def runner(name: str) -> Runner:
    """Return the runner registered under `name` in the entry-point group `penstock.runners`.

    Raises:
        Unsupported: There is none of that name.
    """
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise Unsupported(f"There is no runner {name!r}.{nearest(name, found)} Installed: {listing(found)}.")
    made: Runner = found[name].load()()
    return made


def _html_row(row: StepResult | Fold[StepResult]) -> str:
    if isinstance(row, Fold):
        counts = Counter(step.state for step in row.items)
        told = ", ".join(f"{count} {state}" for state, count in counts.items())
        name, state, seconds = row.name, state_of(counts), sum(step.seconds for step in row.items)
    else:
        name, state, seconds, told = row.id, row.state, row.seconds, row.reason
    return f"<tr><td>{html.escape(name)}</td><td>{state}</td><td>{seconds:.2f} s</td><td>{html.escape(told)}</td></tr>"

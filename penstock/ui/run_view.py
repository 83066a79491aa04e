"""Runs for the terminal: the list of them, and one with its steps and artifacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.metadata.records import ArtifactRecord, ExecutionRecord, RunRecord
from penstock.pipeline.folding import Fold, fold, state_of
from penstock.ui import formats, states, tables

REASON_LENGTH = 100


def run_list(
    runs: Sequence[RunRecord], steps: Mapping[str, Sequence[ExecutionRecord]], dead: Collection[str] = ()
) -> Table:
    """Return a table of runs.

    Args:
        runs: In the order of the rows.
        steps: The executions of each run.
        dead: Runs whose process is gone without having said how they ended.
    """
    table = tables.listing("run", "pipeline", "state", "started", "took", "steps", right=("took",))
    for run in runs:
        table.add_row(
            formats.short_id(run.id),
            run.pipeline,
            Text("DIED", "bold red") if run.id in dead else states.word(run.state),
            formats.local_time(run.started),
            took(run.started, run.ended),
            states.counts([*{step.step: step.state for step in steps.get(run.id, ())}.values()]),  # the last attempt's
        )
    return table


def run_detail(run: RunRecord, steps: Sequence[ExecutionRecord]) -> RenderableType:
    """Return one run: its facts, its steps, what they put out."""
    facts = tables.facts()
    facts.add_row("run", run.id)
    facts.add_row("pipeline", run.pipeline)
    facts.add_row("state", states.word(run.state))
    facts.add_row("started", f"{formats.local_time(run.started)}  ({formats.iso_time(run.started)})")
    facts.add_row("took", took(run.started, run.ended))
    for name, value in run.facts.items():
        if value not in (None, "", {}, [], False):
            facts.add_row(name.replace("_", " "), fact(value))
    parts: list[RenderableType] = [facts, Text(), step_list(steps)]
    if any(step.outputs for step in steps):
        parts += [Text(), output_list(steps)]
    return Group(*parts)


def step_list(steps: Sequence[ExecutionRecord]) -> Table:
    """Return a table of a run's steps."""
    table = tables.listing("", "step", "state", "took", "reason", right=("took",), folds=("reason",))
    for step in fold(steps, lambda step: (step.step, step.state)):
        if isinstance(step, Fold):
            table.add_row(*_items(step))
            continue
        table.add_row(
            states.symbol(step.state),
            step.step,
            states.word(step.state),
            took(step.started, step.ended),
            formats.shortened(formats.short_ids(step.reason), REASON_LENGTH),
        )
    return table


def _items(step: Fold[ExecutionRecord]) -> tuple[RenderableType, ...]:
    found: list[str] = [each.state for each in step.items]
    state = state_of(Counter(found))
    spent = sum(max(each.ended - each.started, 0.0) for each in step.items if each.started and each.ended)
    return states.symbol(state), step.name, states.word(state), formats.duration(spent), states.counts(found)


def output_list(steps: Sequence[ExecutionRecord]) -> Table:
    """Return a table of what a run's steps put out, reused artifacts among them."""
    table = tables.listing("artifact", "type", "step", "output", "digest", right=("artifact",))
    for step in steps:
        for name, made in step.outputs.items():
            for artifact in made:
                table.add_row(str(artifact.id), artifact.type, step.step, name, formats.short_digest(artifact.digest))
    return table


def artifact_list(artifacts: Sequence[ArtifactRecord]) -> Table:
    """Return a table of artifacts."""
    table = tables.listing("artifact", "type", "made by", "run", "digest", "uri", right=("artifact",))
    for artifact in artifacts:
        table.add_row(
            str(artifact.id),
            artifact.type,
            f"{artifact.step}.{artifact.output}" if artifact.step else "outside",
            formats.short_id(artifact.run),
            formats.short_digest(artifact.digest),
            artifact.uri,
        )
    return table


def took(started: float, ended: float) -> str:
    """Return how long something took, "" while it isn't over."""
    return formats.duration(ended - started) if started and ended else ""


def fact(value: object) -> str:
    """Return a recorded fact on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={fact(item)}" for name, item in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(fact, value)) if isinstance(value, list | tuple) else str(value)

"""Earlier runs of a root, as the objects that `Pipeline.run` returns."""

from __future__ import annotations

import os

from penstock.metadata.records import ExecutionRecord, RunRecord
from penstock.metadata.store import MlmdStore
from penstock.pipeline.project import default_root
from penstock.pipeline.runner import RunResult, StepResult
from penstock.runners.cache import artifact_of
from penstock.runners.layout import Layout


def runs(
    pipeline: str | None = None, *, root: str | os.PathLike[str] | None = None, limit: int | None = None
) -> list[RunResult]:
    """Return the recorded runs, newest first.

    Args:
        pipeline: Only those of this pipeline.
        root: The folder of artifacts and metadata; the one that holds in the working directory by default.
        limit: At most so many.

    Raises:
        StoreError: Nothing has run in that root, or its metadata store can't be used.
    """
    layout = Layout(os.path.abspath(root) if root else default_root())
    with MlmdStore.open(layout.database, create=False) as store:
        return [_result(run, store.executions(run.id), layout) for run in store.runs(pipeline, limit)]


def _result(run: RunRecord, executions: list[ExecutionRecord], layout: Layout) -> RunResult:
    steps = {execution.step: _step(execution, layout) for execution in executions}
    problems = tuple(run.facts.get("problems", ()))
    return RunResult(run.id, run.pipeline, run.state, layout.root, max(run.ended - run.started, 0.0), steps, problems)


def _step(execution: ExecutionRecord, layout: Layout) -> StepResult:
    made = {name: [artifact_of(record, layout) for record in found] for name, found in execution.outputs.items()}
    log = execution.facts.get("log", "")
    return StepResult(
        execution.step,
        execution.state,
        reason=execution.reason,
        seconds=max(execution.ended - execution.started, 0.0),
        outputs=made,
        values={name: found[0].properties["value"] for name, found in made.items() if "value" in found[0].properties},
        withheld=execution.state == "SKIPPED" and bool(execution.facts.get("effect")),
        log=layout.absolute(log) if log else "",
    )

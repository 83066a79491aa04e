"""What a finished run means: its exit code, its JSON, and the report with what the store adds to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from penstock.cli.exit_codes import ExitCode
from penstock.cli.root import open_root
from penstock.metadata.records import ExecutionRecord
from penstock.pipeline.runner import RunResult, StepResult
from penstock.runners.layout import Layout
from penstock.ui import formats
from penstock.ui.run_report import Place, RunReport, pushed_to


def exit_code(result: RunResult) -> ExitCode:
    """Return what a run's result means to the program that started it."""
    failed = [step for step in result.steps.values() if step.state == "FAILED"]
    if result.problems or any(not step.gate for step in failed):
        return ExitCode.STEP_FAILED
    if failed:
        return ExitCode.GATE_REFUSED
    if result.state == "CANCELED":
        return ExitCode.INTERRUPTED
    return ExitCode.NOT_PUSHED if any(step.withheld for step in result.steps.values()) else ExitCode.DONE


def report_on(result: RunResult, again: str) -> RunReport:
    """Add to a result what the store knows of it: inputs of failed steps, destinations of pushed models.

    Args:
        result: What the runner returned.
        again: The command that resumes it.
    """
    with open_root(result.root) as root:
        steps = root.store.executions(result.id)
        more = f"penstock show {formats.short_id(result.id)}{root.option}"
        return RunReport(result, _inputs(steps, root.layout), _pushed(steps), again, more)


def result_document(told: RunReport) -> dict[str, Any]:
    """Return a run's result as JSON."""
    result = told.result
    return {
        "id": result.id,
        "pipeline": result.pipeline,
        "state": result.state,
        "exit_code": int(exit_code(result)),
        "root": result.root,
        "seconds": result.seconds,
        "problems": list(result.problems),
        "pushed": dict(told.pushed),
        "steps": [_step_document(step) for step in result.steps.values()],
    }


def _step_document(step: StepResult) -> dict[str, Any]:
    paths = {name: [artifact.path for artifact in made] for name, made in step.outputs.items()}
    document: dict[str, Any] = msgspec.to_builtins(replace(step, outputs={}))
    return document | {"outputs": paths}


def _inputs(steps: list[ExecutionRecord], layout: Layout) -> dict[str, list[Place]]:
    return {
        step.step: [
            Place(name, formats.place(layout.absolute(artifact.uri)))
            for name, artifacts in step.inputs.items()
            for artifact in artifacts
        ]
        for step in steps
        if step.state == "FAILED"
    }


def _pushed(steps: list[ExecutionRecord]) -> dict[str, str]:
    found = {
        step.step: pushed_to(artifact)
        for step in steps
        if step.state in ("COMPLETE", "CACHED")
        for artifacts in step.outputs.values()
        for artifact in artifacts
    }
    return {step: destination for step, destination in found.items() if destination}

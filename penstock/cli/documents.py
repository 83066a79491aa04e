"""Records as the JSON that `--json` prints; its fields are an interface and only ever grow."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.metadata.records import ArtifactRecord, ExecutionRecord, LineageGraph, RunRecord
from penstock.runners.causes import Causes, InputChange, Why
from penstock.runners.forecast import Forecast
from penstock.runners.integrity import Finding
from penstock.runners.layout import Layout
from penstock.runners.retention import Collection
from penstock.ui.formats import iso_time


def write(document: Any) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def run_document(run: RunRecord, steps: Sequence[ExecutionRecord]) -> dict[str, Any]:
    """Return a run with its steps in short."""
    return {
        "id": run.id,
        "pipeline": run.pipeline,
        "state": run.state,
        "started": iso_time(run.started),
        "seconds": _seconds(run.started, run.ended),
        "steps": [
            {"id": step.step, "state": step.state, "seconds": step_seconds(step), "reason": step.reason}
            for step in steps
        ],
    }


def run_detail_document(run: RunRecord, steps: Sequence[ExecutionRecord], layout: Layout) -> dict[str, Any]:
    """Return a run with its facts, its steps in full, and the artifacts that they put out."""
    made = {each.id: each for step in steps for ports in step.outputs.values() for each in ports}
    return {
        **run_document(run, ()),
        "facts": run.facts,
        "steps": [step_document(step, layout) for step in steps],
        "artifacts": [artifact_document(each, layout) for each in made.values()],
    }


def step_document(step: ExecutionRecord, layout: Layout) -> dict[str, Any]:
    """Return one execution of a step."""
    facts = dict(step.facts)
    log = facts.pop("log", "")
    return {
        "id": step.step,
        "execution": step.ulid,
        "run": step.run,
        "pipeline": step.pipeline,
        "component": step.component,
        "state": step.state,
        "reason": step.reason,
        "seconds": step_seconds(step),
        "started": iso_time(step.started),
        "cached_from": step.cached_from,
        "cache_key": step.cache_key,
        "attempt": step.attempt,
        "parameters": facts.pop("parameters", {}),
        "inputs": _ports(step.inputs, layout),
        "outputs": _ports(step.outputs, layout),
        "log": layout.absolute(log) if log else "",
        "error": step.error,
        "facts": facts,
    }


def artifact_document(artifact: ArtifactRecord, layout: Layout) -> dict[str, Any]:
    """Return an artifact; `uri` is an absolute path, or a URL for what lies elsewhere."""
    return {
        "id": artifact.id,
        "type": artifact.type,
        "uri": layout.absolute(artifact.uri),
        "digest": artifact.digest,
        "run": artifact.run,
        "step": artifact.step,
        "output": artifact.output,
        "properties": artifact.properties,
        "bytes_digest": artifact.bytes_digest,
        "pipeline": artifact.pipeline,
        "execution": artifact.execution,
        "state": artifact.state,
        "created": iso_time(artifact.created),
    }


def lineage_document(graph: LineageGraph, start: int, layout: Layout) -> dict[str, Any]:
    """Return a lineage as a graph: artifacts, executions, and the edges between them."""
    return {
        "artifact": start,
        "artifacts": [artifact_document(each, layout) for each in graph.artifacts.values()],
        "executions": [
            {"id": each.ulid, "step": each.step, "run": each.run, "pipeline": each.pipeline, "state": each.state}
            for each in graph.executions.values()
        ],
        "edges": [
            {"artifact": edge.artifact, "execution": edge.execution, "kind": edge.kind, "name": edge.name}
            for edge in graph.edges
        ],
    }


def forecast_document(told: Forecast) -> dict[str, Any]:
    """Return what a run would do; `seconds` is null for a step that never ran."""
    return {
        "pipeline": told.pipeline,
        "root": told.root,
        "pending": told.pending,
        "seconds": round(told.seconds("run"), 3),
        "seconds_at_most": round(told.seconds("run", "unknown"), 3),
        "steps": [
            {
                "id": step.id,
                "action": step.action,
                "reason": step.reason,
                "seconds": step.seconds,
                "waits_for": list(step.waits_for),
            }
            for step in told.steps
        ],
    }


def collection_document(found: Collection, layout: Layout, *, done: bool) -> dict[str, Any]:
    """Return what `gc` deleted, or would delete."""
    return {
        "deleted": done,
        "bytes": found.size,
        "artifacts": [artifact_document(each, layout) for each in found.artifacts],
        "leftovers": list(found.leftovers),
        "logs": list(found.logs),
        "kept_runs": found.kept_runs,
        "kept_pushed": [each.id for each in found.pushed],
    }


def finding_document(found: Finding, *, repaired: bool) -> dict[str, Any]:
    """Return one thing that `fsck` found."""
    return {
        "kind": found.kind,
        "where": found.where,
        "what": found.what,
        "repair": found.repair,
        "repaired": repaired,
        "artifact": found.artifact or None,
    }


def why_document(why: Why) -> dict[str, Any]:
    """Return why an execution ran; `nearest` is null for one that was reused, and without an earlier one."""
    step = why.execution
    return {
        "step": step.step,
        "run": step.run,
        "pipeline": step.pipeline,
        "execution": step.ulid,
        "state": step.state,
        "reason": why.reason,
        "nearest": _causes(why.causes) if why.causes else None,
    }


def _causes(causes: Causes) -> dict[str, Any]:
    return {
        "step": causes.before.step,
        "run": causes.before.run,
        "execution": causes.before.ulid,
        "state": causes.before.state,
        "differences": [
            {
                "ingredient": each.ingredient,
                "kind": each.kind,
                "name": each.name,
                "before": each.before,
                "now": each.now,
                "diff": each.diff,
                "inputs": [
                    _input_change(change)
                    for change in causes.inputs
                    if each.kind == "input" and change.input == each.name
                ],
            }
            for each in causes.differences
        ],
    }


def _input_change(change: InputChange) -> dict[str, Any]:
    then, today = change.before, change.now
    return {
        "before": {"id": then.id, "digest": then.digest, "step": then.step, "run": then.run} if then else None,
        "now": {"id": today.id, "digest": today.digest, "step": today.step, "run": today.run} if today else None,
        "files": [{"name": file.name, "before": file.before, "now": file.now} for file in change.files],
        "note": change.note,
        "made_by": _causes(change.causes) if change.causes else None,
    }


def step_seconds(step: ExecutionRecord) -> float:
    """Return how long a step took in its worker; for one that no worker ran, from start to end."""
    measured = step.facts.get("wall_s")
    return float(measured) if measured else _seconds(step.started, step.ended)


def _seconds(started: float, ended: float) -> float:
    return round(ended - started, 3) if started and ended else 0.0


def _ports(ports: Mapping[str, Sequence[ArtifactRecord]], layout: Layout) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {"id": each.id, "type": each.type, "uri": layout.absolute(each.uri), "digest": each.digest}
            for each in artifacts
        ]
        for name, artifacts in ports.items()
    }

"""Records as text: reports, trees and tables."""

from __future__ import annotations

import doctest
import io
import json
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from tensorflow_metadata.proto.v0 import anomalies_pb2

from penstock.data import protos
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, LineageEdge, LineageGraph, RunRecord
from penstock.pipeline.runner import RunResult, StepResult
from penstock.pipeline.task import Failure
from penstock.ui import formats, states
from penstock.ui.artifact_view import artifact_detail, content_of
from penstock.ui.lineage_tree import lineage_tree
from penstock.ui.run_report import RunReport, report
from penstock.ui.run_view import run_list
from penstock.ui.shown import Shown


def text(renderable: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as captured:
        console.print(renderable, soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


@pytest.mark.parametrize("module", [formats, states])
def test_examples_in_docstrings_hold(module: object):
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def result(*steps: StepResult, state: str = "FAILED") -> RunResult:
    return RunResult("01M7X74G8VMA1DY92002RRP230", "toy", state, "/root", 1.5, {step.id: step for step in steps})


def test_at_most_ten_failures_are_told():
    failure = Failure(type="DataError", message="no rows", fault="data")
    steps = [StepResult(f"s{place}", "FAILED", failure=failure) for place in range(13)]

    told = text(report(RunReport(result(*steps), again="penstock run x.py")))

    assert told.count(" (the data): no rows") == 10
    assert "3 more steps failed." in told
    assert told.count("Fix it and go on where it stopped") == 1


def test_a_failure_after_retries_says_how_many():
    failure = Failure(type="ConnectionError", message="gone", fault="user code", where="steps.py:7")

    said = text(report(RunReport(result(StepResult("flaky", "FAILED", failure=failure, attempts=3)))))

    assert "after 3 attempts: ConnectionError in steps.py:7 (your code): gone" in said


def test_steps_are_counted_once_however_often_they_were_tried():
    run = RunRecord("R" * 26, "toy", started=1.0)
    ends = ("FAILED", "COMPLETE")
    tries = [ExecutionRecord(n, f"e{n}", "m:f", end, "toy", run.id, "flaky") for n, end in enumerate(ends)]

    said = text(run_list([run], {run.id: tries}))

    assert "1 ran" in said
    assert "failed" not in said


def test_a_failure_of_the_platform_needs_no_traceback():
    failure = Failure(
        type="PlatformError", message="the disk is full", fault="platform", traceback="Traceback ...\nPlatformError: x"
    )

    told = text(report(RunReport(result(StepResult("push", "FAILED", failure=failure)))))

    assert "Traceback" not in told
    assert "(the platform): the disk is full" in told


def graph() -> LineageGraph:
    artifacts = {
        1: ArtifactRecord(
            1, "ExternalFiles", "/data", properties={"files": [{"name": "a.csv", "size": 5, "sha256": "ab"}]}
        ),
        2: ArtifactRecord(2, "Examples", "artifacts/x", digest="rows-1:0123", step="gen", run="R" * 26),
        3: ArtifactRecord(3, "Schema", "artifacts/y", step="schema", run="R" * 26),
        4: ArtifactRecord(4, "Model", "artifacts/z", step="train", run="R" * 26, state="DELETED"),
    }
    executions = {
        name: ExecutionRecord(place, name, "m:f", "COMPLETE", "toy", "R" * 26, name)
        for place, name in enumerate(["gen", "schema", "train"])
    }
    wires = [(1, "gen", "input"), (2, "gen", "output"), (2, "schema", "input"), (3, "schema", "output")]
    wires += [(2, "train", "input"), (3, "train", "input"), (4, "train", "output")]
    edges = tuple(LineageEdge(artifact, execution, kind, str(artifact), 0) for artifact, execution, kind in wires)  # type: ignore[arg-type]
    return LineageGraph(artifacts, executions, edges)


def test_an_artifact_used_twice_is_expanded_once():
    lines = text(lineage_tree(graph(), 4)).splitlines()

    assert lines[0] == "Model 4  deleted"
    assert sum("made by gen" in line for line in lines) == 1
    assert sum("Examples 2  rows-1:0123  (above)" in line for line in lines) == 1
    assert sum("a.csv  5 B  sha256:ab" in line for line in lines) == 1


def test_lineage_down_ends_at_what_came_of_it():
    told = text(lineage_tree(graph(), 1, down=True))

    assert told.index("ExternalFiles 1") < told.index("used by gen") < told.index("used by train")


def test_a_repeated_use_from_the_cache_is_counted_not_shown():
    once = graph()
    again = ExecutionRecord(9, "again", "m:f", "CACHED", "toy", "S" * 26, "gen", cached_from="gen")
    edges = (*once.edges, LineageEdge(1, "again", "input", "1", 0), LineageEdge(2, "again", "output", "2", 0))

    told = text(lineage_tree(LineageGraph(once.artifacts, once.executions | {"again": again}, edges), 1, down=True))

    assert told.count("used by gen") == 1
    assert "reused by 1 later run" in told


def test_an_evaluation_shows_metrics_by_slice_and_bounds(tmp_path: Path):
    metrics = {
        "rows": 130,
        "overall": {"accuracy": 0.9765, "auc": None},
        "slices": [{"slice": {"island": None}, "metrics": {"accuracy": 1.0, "auc": 0.5}}],
        "bounds": [{"holds": False, "reason": "accuracy is 0.9765 overall; at least 0.99 was asked"}],
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))

    damaged = Shown("ModelEvaluation", str(tmp_path))
    told = text(artifact_detail(ArtifactRecord(1, "ModelEvaluation", str(tmp_path)), damaged))

    assert "all 130 rows" in told
    assert "0.9765" in told
    assert "island = (missing)" in told
    assert "✗ accuracy is 0.9765 overall; at least 0.99 was asked" in told


def test_anomalies_are_listed_with_severity(tmp_path: Path):
    found = anomalies_pb2.Anomalies()
    info = found.anomaly_info["species"]
    info.severity, info.short_description, info.description = 2, "Column dropped", "It is absent from all rows."
    protos.write_anomalies(str(tmp_path), "eval", found)
    artifact = ArtifactRecord(1, "ExampleAnomalies", str(tmp_path))

    shown = Shown("ExampleAnomalies", str(tmp_path))

    told = text(artifact_detail(artifact, shown))

    assert "✗ ERROR  species  eval\n  Column dropped: It is absent from all rows." in told
    assert content_of(shown)["eval"][0]["feature"] == "species"


def test_an_artifact_whose_files_are_gone_says_so(tmp_path: Path):
    path = str(tmp_path / "gone")

    told = text(artifact_detail(ArtifactRecord(1, "Schema", path, state="DELETED"), Shown("Schema", path)))

    assert "(gone)" in told
    assert content_of(Shown("Schema", path)) is None


def test_damaged_content_is_said_not_raised(tmp_path: Path):
    (tmp_path / "metrics.json").write_text("{")

    damaged = Shown("ModelEvaluation", str(tmp_path))
    told = text(artifact_detail(ArtifactRecord(1, "ModelEvaluation", str(tmp_path)), damaged))

    assert "Its content can't be read" in told

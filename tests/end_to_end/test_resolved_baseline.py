"""Spans held against the one before: a resolver's baseline with the real components, run again and again."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.conftest import PROJECTS
from tests.end_to_end.project import Project

VALIDATED = ("CsvExampleGen", "StatisticsGen", "DistributionValidator")


def test_span_is_held_against_the_one_before_and_is_cached_when_nothing_changed(tmp_path: Path) -> None:
    project = Project(PROJECTS / "drift").copy(tmp_path / "drift")

    first = project.run()
    second, again = project.run("-p", "span=2"), project.run("-p", "span=2")

    assert (first.code, second.code, again.code) == (0, 0, 0), first.out + second.out + again.out
    assert "statistics: nothing earlier" in first.out
    assert "statistics: StatisticsGen of run" in second.out
    assert {project.states()[step] for step in VALIDATED} == {"CACHED"}
    newest, oldest = project.ask("artifacts", "--type", "ExampleAnomalies")
    assert (newest["properties"]["blessed"], oldest["properties"]["blessed"]) == (
        {"train_train": 0, "eval_eval": 0}, {"train": 2, "eval": 2},
    )  # fmt: skip

"""Data artifacts of the taxi trips are the same however many workers make them, and no trip is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import CHECKOUT, PROJECTS
from tests.end_to_end.project import Project

pytestmark = pytest.mark.pipeline

DATA = Path(os.environ.get("PENSTOCK_DATA", CHECKOUT.parent / "shared" / "data"))
TRIPS = 15_002
FILES = 4


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trips in four files: a file is a range at least."""
    source = DATA / "chicago_taxi.csv"
    if not source.exists():
        pytest.skip(f"the taxi trips are not at {source}; name their folder by $PENSTOCK_DATA")
    project = Project(PROJECTS / "trips").copy(tmp_path_factory.mktemp("end_to_end") / "trips")
    shutil.copy(CHECKOUT / "examples" / "taxi" / "features.py", project.folder)
    (project.folder / "data").mkdir()
    header, *rows = source.read_bytes().splitlines(keepends=True)
    for part in range(FILES):
        share = rows[part * len(rows) // FILES : (part + 1) * len(rows) // FILES]
        (project.folder / "data" / f"trips-{part}.csv").write_bytes(b"".join([header, *share]))
    return project


@pytest.fixture(scope="module")
def made(trips: Project) -> list[dict[str, dict[str, Any]]]:
    """The artifacts by type and step, made by one worker and by two."""
    return [artifacts_of(trips, workers) for workers in ("1", "2")]


def artifacts_of(project: Project, workers: str) -> dict[str, dict[str, Any]]:
    root = f"root-{workers}"
    said = project.run("--root", root, "--workers", workers, "--beam-workers", workers)
    assert said.code == 0, said.out + said.err
    return {f"{each['type']} of {each['step']}": each for each in project.ask("artifacts", "--root", root)}


def test_digests_are_equal_for_1_and_2_workers(made: list[dict[str, dict[str, Any]]]) -> None:
    one, two = [{name: each["digest"] for name, each in artifacts.items()} for artifacts in made]

    assert one == two
    assert set(one) == {
        "ExternalFiles of ",
        "Examples of CsvExampleGen",
        "ExampleStatistics of StatisticsGen",
        "Schema of SchemaGen",
        "ExampleAnomalies of ExampleValidator",
        "Examples of Transform",
        "QuarantinedRows of CsvExampleGen",
        "TransformGraph of Transform",
    }


def test_no_trip_is_lost(made: list[dict[str, dict[str, Any]]]) -> None:
    for artifacts in made:
        for step in ("CsvExampleGen", "Transform"):
            assert sum(artifacts[f"Examples of {step}"]["properties"]["rows"].values()) == TRIPS


def test_every_range_is_a_shard(made: list[dict[str, dict[str, Any]]]) -> None:
    examples = Path(made[0]["Examples of CsvExampleGen"]["uri"])

    assert len(list(examples.glob("Split-train/*.parquet"))) == FILES

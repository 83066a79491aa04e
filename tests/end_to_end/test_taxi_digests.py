"""Data artifacts of the taxi trips are the same whoever makes them and however many work, and no trip is lost."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from penstock.artifacts import ExampleAnomalies, Examples, ExampleStatistics, QuarantinedRows, Schema
from penstock.components import CsvExampleGen, ExampleValidator, SchemaGen, StatisticsGen
from penstock.data import examples, protos
from penstock.pipeline import Beam, FileEntry, Files, GateFailed, range_pool
from tests.end_to_end.conftest import CHECKOUT, PROJECTS
from tests.end_to_end.project import Project

pytestmark = pytest.mark.pipeline

DATA = Path(os.environ.get("PENSTOCK_DATA", CHECKOUT.parent / "shared" / "data"))
TRIPS = 15_002
FILES = 4
MANY_FILES = 40
RUNNERS = {
    "one worker": Beam(workers=1),
    "two workers": Beam(workers=2),
    "four workers": Beam(workers=4),
    "Beam": Beam(profile="portable", runner="FnApiRunner"),
}


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trips in four files: a file is a range at least."""
    source = DATA / "chicago_taxi.csv"
    if not source.exists():
        pytest.skip(f"the taxi trips are not at {source}; name their folder by $PENSTOCK_DATA")
    project = Project(PROJECTS / "trips").copy(tmp_path_factory.mktemp("end_to_end") / "trips")
    shutil.copy(CHECKOUT / "examples" / "taxi" / "features.py", project.folder)
    (project.folder / "data").mkdir()
    write_parts(source, project.folder / "data", FILES)
    return project


def write_parts(source: Path, folder: Path, parts: int) -> None:
    header, *rows = source.read_bytes().splitlines(keepends=True)
    for part in range(parts):
        share = rows[part * len(rows) // parts : (part + 1) * len(rows) // parts]
        (folder / f"trips-{part:02}.csv").write_bytes(b"".join([header, *share]))


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


def test_digests_are_equal_for_1_2_and_4_workers_and_on_beam(
    trips: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_pool, "PATIENCE_S", 0.0)
    (tmp_path / "data").mkdir()
    write_parts(DATA / "chicago_taxi.csv", tmp_path / "data", MANY_FILES)

    digests = {name: digests_of(beam, tmp_path / "data", tmp_path / name) for name, beam in RUNNERS.items()}

    assert digests == dict.fromkeys(RUNNERS, digests["one worker"])
    assert len(set(digests["one worker"])) == 4


def digests_of(beam: Beam, data: Path, out: Path) -> tuple[str, ...]:
    """Return the digests of examples, statistics, schema and anomalies, which are those of a schema of one split."""
    files = [FileEntry(str(file), file.name, file.stat().st_size, "") for file in sorted(data.iterdir())]
    gen, bad, stats, schema, anomalies = (str(out / name) for name in ("gen", "bad", "stats", "schema", "anomalies"))
    for folder in (gen, bad, stats, schema, anomalies):
        os.makedirs(folder)
    CsvExampleGen(Examples(gen), QuarantinedRows(bad), input_base=Files(str(data), tuple(files)), beam=beam)
    StatisticsGen(Examples(gen), ExampleStatistics(stats), beam=beam)
    described = ExampleStatistics(stats, properties={"split_names": ["train", "eval"]})
    SchemaGen(described, Schema(schema), exclude_splits=["train"])
    with suppress(GateFailed):
        ExampleValidator(described, Schema(schema), ExampleAnomalies(anomalies))
    assert protos.read_anomalies(anomalies, "train").anomaly_info
    return (
        examples.digest(gen),
        protos.digest_statistics(stats),
        protos.digest_schema(schema),
        protos.digest_anomalies(anomalies),
    )

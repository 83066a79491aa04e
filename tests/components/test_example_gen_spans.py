"""Spans through whole runs: the driver finds them, the examples carry them, a new one is new data."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.components.ingestion.csv_example_gen import CsvExampleGen, check_parameters
from penstock.metadata.store import MlmdStore
from penstock.pipeline import ParameterError

PENSTOCK = Path(sys.executable).with_name("penstock")
PIPELINE = """
from penstock.components import CsvExampleGen
from penstock.pipeline import pipeline

@pipeline
def spans(last: int = 1):
    CsvExampleGen(input_base="data/span-{SPAN}/v{VERSION}/*.csv", last_spans=last, splits={"all": 1})
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    for span, version, rows in ((1, 1, 10), (2, 1, 20), (2, 2, 30)):
        add_span(tmp_path, span, version, rows)
    return tmp_path


def add_span(folder, span, version, rows):
    place = folder / f"data/span-{span}/v{version}"
    place.mkdir(parents=True)
    (place / "rows.csv").write_text("n\n" + "".join(f"{row}\n" for row in range(rows)))


def run(folder, *options):
    """Returns the state of the newest execution, its error output, and what its examples say."""
    command = [PENSTOCK, "run", folder, "--root", folder / "root", *options]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    with MlmdStore.open(str(folder / "root/metadata.db")) as store:
        newest = max(store.runs(), key=lambda each: each.id)
        (execution,) = store.executions(newest.id)
    made = execution.outputs.get("examples")
    facts = {name: made[0].properties[name] for name in ("span", "version", "rows")} if made else {}
    return execution.state, process.stdout + process.stderr, facts


@pytest.mark.pipeline
def test_latest_span_in_its_latest_version_is_read_and_a_new_one_is_new_data(project):
    assert run(project)[::2] == ("COMPLETE", {"span": 2, "version": 2, "rows": {"all": 30}})
    assert run(project)[::2] == ("CACHED", {"span": 2, "version": 2, "rows": {"all": 30}})

    add_span(project, 3, 1, 30)

    assert run(project)[::2] == ("COMPLETE", {"span": 3, "version": 1, "rows": {"all": 30}})


@pytest.mark.pipeline
def test_a_span_missing_in_a_range_fails_the_step_and_is_named(project):
    assert run(project, "-p", "last=2")[2]["rows"] == {"all": 40}

    add_span(project, 5, 1, 5)
    _, output, _ = run(project, "-p", "last=3")

    assert "span 3, 4 is missing (2 of 3). There are 1, 2, 5." in " ".join(output.split())


def test_spans_of_a_path_without_them_are_refused(made, tmp_path):
    (tmp_path / "a.csv").write_text("n\n1\n")

    with pytest.raises(ParameterError, match="choose among the spans of input_base=, and it has none"):
        made(CsvExampleGen, tmp_path / "a.csv", span=3)


def test_contradicting_spans_are_refused_beforehand():
    with pytest.raises(ParameterError, match="CsvExampleGen: span= and last_spans= contradict each other"):
        check_parameters(span=1, last_spans=2)

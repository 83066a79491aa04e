"""`penstock schema`: from statistics to a curated file, over real folders."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from penstock.components.validation.dataset_statistics import describe_table
from penstock.data import protos
from tests.cli.conftest import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a folder with statistics of two spans and a curated schema of the first."""
    for span, payments in (("one", ["Cash", "Card"]), ("two", ["Cash", "Voucher"])):
        statistics = describe_table(pa.table({"payment": payments, "zone": [1, 2]}))
        protos.write_statistics(str(tmp_path / span), "train", statistics)
    shell = Shell(tmp_path)
    assert shell("schema", "infer", "one", "-o", "schema.pbtxt").code == 0
    (tmp_path / "schema.pbtxt").write_text("# Curated.\n" + (tmp_path / "schema.pbtxt").read_text())
    return shell


def test_inferred_schema_fits_all_statistics(shell: Shell):
    said = shell("schema", "infer", "one", "two")

    assert said.code == 0
    assert 'value: "Voucher"' in said.out


def test_a_reviewed_proposal_is_accepted_and_the_file_keeps_its_comments(shell: Shell):
    proposed = shell("schema", "propose", "schema.pbtxt", "two", "-o", "patch.pbtxt")
    accepted = shell("schema", "accept", "patch.pbtxt", "schema.pbtxt")

    assert (proposed.code, accepted.code) == (0, 0)
    assert accepted.out.splitlines() == [
        "schema.pbtxt: 1 entry changed.",
        "string_domain 'payment': add to value: value: \"Voucher\" [needs retraining]",
    ]
    assert (shell.folder / "schema.pbtxt").read_text().startswith("# Curated.\n")
    assert shell("schema", "propose", "schema.pbtxt", "two").out.startswith("The data fit the schema")


def test_a_dry_run_changes_nothing(shell: Shell):
    shell("schema", "propose", "schema.pbtxt", "two", "-o", "patch.pbtxt")
    before = (shell.folder / "schema.pbtxt").read_text()

    said = shell("schema", "accept", "patch.pbtxt", "schema.pbtxt", "--dry-run")

    assert "1 entry would change." in said.out
    assert (shell.folder / "schema.pbtxt").read_text() == before


def test_a_proposal_for_a_schema_that_has_changed_is_refused(shell: Shell):
    shell("schema", "propose", "schema.pbtxt", "two", "-o", "patch.pbtxt")
    (shell.folder / "schema.pbtxt").write_text("feature { name: 'zone' type: INT }")

    said = shell("schema", "accept", "patch.pbtxt", "schema.pbtxt")

    assert said.code == 1
    assert "it has changed since. Propose again" in said.err


def test_diff_says_what_differs(shell: Shell):
    shell("schema", "infer", "two", "-o", "other.pbtxt")

    found = shell("schema", "diff", "schema.pbtxt", "other.pbtxt", "--json").json()

    assert [(each["kind"], each["name"], each["compatibility"]) for each in found] == [
        ("string_domain", "payment", "needs retraining")
    ]
    assert shell("schema", "diff", "schema.pbtxt", "schema.pbtxt").out == "The schemas say the same.\n"


def test_a_folder_without_statistics_is_refused(shell: Shell):
    (shell.folder / "empty").mkdir()

    said = shell("schema", "infer", "empty")

    assert (said.code, said.err.splitlines()[0][:39]) == (1, "Error: empty holds no statistics: it ha")


def test_a_name_that_stands_for_nothing_is_not_found(shell: Shell):
    said = shell("schema", "infer", "nowhere")

    assert said.code == 6
    assert "There is no file or folder nowhere" in said.err


def test_an_environment_that_the_schema_does_not_name_is_refused(shell: Shell):
    said = shell("schema", "propose", "schema.pbtxt", "two", "--environment", "SERVING")

    assert said.code == 64
    assert "--environment is 'SERVING': the schema names no such environment." in said.err


def test_a_proposal_names_where_each_finding_is_from(shell: Shell):
    said = shell("schema", "propose", "schema.pbtxt", "one", "two")

    assert "#   in two, train:" in said.out
    assert "#   in one, train:" not in said.out
    assert "'Voucher' 1 times" in said.out


SPANS = """
from penstock.components import CsvExampleGen, ExampleValidator, ImportSchemaGen, StatisticsGen
from penstock.pipeline import pipeline


@pipeline
def spans(span: int = 1, environment: str = "TRAINING"):
    gen = CsvExampleGen(input_base="data/span-{SPAN}/*.csv", span=span, splits={"train": 1})
    statistics = StatisticsGen(examples=gen.examples)
    schema = ImportSchemaGen(schema_file="curated.pbtxt")
    ExampleValidator(statistics=statistics.statistics, schema=schema.schema, environment=environment)
"""
CURATED = """
feature { name: "payment" type: BYTES presence { min_count: 1 } string_domain { value: ["Cash", "Card"] } }
feature { name: "tip" type: FLOAT presence { min_count: 1 } not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""


@pytest.fixture
def spans(tmp_path: Path) -> Shell:
    """A shell in a folder with a pipeline, three spans of data, the last without its label, and a curated schema."""
    rows = {
        1: "payment,tip\nCash,1.5\nVoucher,0.5\n",
        2: "payment,tip\nVoucher,1.5\nCard,0.5\n",
        3: "payment\nCash\nCard\n",
    }
    for span, text in rows.items():
        (tmp_path / f"data/span-{span}").mkdir(parents=True)
        (tmp_path / f"data/span-{span}/rows.csv").write_text(text)
    (tmp_path / "pipeline.py").write_text(SPANS)
    (tmp_path / "curated.pbtxt").write_text(CURATED)
    return Shell(tmp_path)


@pytest.mark.pipeline
def test_evidence_names_the_spans_it_is_from(spans: Shell):
    made = []
    for span in ("1", "2"):
        assert spans("run", "pipeline.py", "-p", f"span={span}").code == 4
        (statistics,) = [
            each
            for each in spans("artifacts", "--json").json()
            if each["properties"].get("span") == int(span) and each["type"] == "ExampleStatistics"
        ]
        made.append(str(statistics["id"]))

    said = spans("schema", "propose", "curated.pbtxt", *made)

    assert "#   in span 1, train:" in said.out
    assert "#   in span 2, train:" in said.out
    assert said.out.count("'Voucher'") == 4


@pytest.mark.pipeline
def test_a_label_may_be_missing_in_serving_and_nowhere_else(spans: Shell):
    serving = spans("run", "pipeline.py", "-p", "span=3", "-p", "environment=SERVING")
    training = spans("run", "pipeline.py", "-p", "span=3")

    assert (serving.code, training.code) == (0, 4)
    assert "column 'tip': Column dropped: Column is completely missing" in training.out + training.err

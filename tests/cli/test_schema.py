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

"""Bad rows: the first one fails the step, or all are set aside with file, line, reason and text."""

import gzip
import json

import pytest

from penstock.components.ingestion.csv_example_gen import CsvExampleGen
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.jsonl_example_gen import JsonlExampleGen
from penstock.data import csv_rows
from penstock.data.csv_source import plan_ranges
from penstock.pipeline import Beam, DataError, ParameterError
from tests.components.conftest import quarantine, rows_of
from tests.components.test_example_gen_formats import example, write_records

CSV = b'n,s\n1,a\n2\n3,"b\nc"\n\n4,d,e\nx,f\n5,caf\xe9\n6,"multi\nline",7\n8,g\n'
BAD = [
    (3, "cells", "expected 2 cells, found 1.", "2"),
    (7, "cells", "expected 2 cells, found 3.", "4,d,e"),
    (8, "type", "column 'n' was declared int64 and holds 'x'.", "x,f"),
    (9, "encoding", "byte 0xe9 is no utf-8 text.", "5,caf\\xe9"),
    (10, "cells", "expected 2 cells, found 3.", None),
]


@pytest.fixture
def quarantined(made, tmp_path):
    """Ingests a file and returns the rows kept, those set aside, and the properties of the latter."""

    def run(component, name, content, **parameters):
        (tmp_path / name).write_bytes(content)
        bad = quarantine(tmp_path / "bad")
        result = made(component, tmp_path / name, splits={"a": 1}, quarantined=bad, **parameters)
        rows = [json.loads(line) for line in (tmp_path / "bad/rows.jsonl").read_text().splitlines()]
        return rows_of(result)["a"], rows, bad.properties

    return run


@pytest.mark.parametrize("packed", [False, True])
def test_bad_rows_of_csv_are_set_aside_with_reasons(quarantined, tmp_path, packed):
    kept, bad, properties = quarantined(
        CsvExampleGen,
        "t.csv",
        gzip.compress(CSV) if packed else CSV,
        column_types={"n": "int64"},
        on_bad_rows="quarantine",
    )

    assert kept == [{"n": 1, "s": "a"}, {"n": 3, "s": "b\nc"}, {"n": 8, "s": "g"}]
    assert [(row["line"], row["rule"], row["reason"]) for row in bad] == [row[:3] for row in BAD]
    assert [row["raw"] for row in bad][:4] == [row[3] for row in BAD][:4]
    assert {row["file"] for row in bad} == {str(tmp_path / "t.csv")}
    assert properties == {"rows": 5, "reasons": {"cells": 3, "encoding": 1, "type": 1}}


def test_bad_rows_do_not_depend_on_ranges(quarantined, monkeypatch):
    text = "n,s\n" + "".join("x,1\n" if i % 7 == 0 else f"{i},1,1\n" if i % 11 == 0 else f"{i},1\n" for i in range(500))
    choice = {"column_types": {"n": "int64"}, "on_bad_rows": "quarantine"}
    whole = quarantined(CsvExampleGen, "t.csv", text.encode(), **choice, output="1")
    monkeypatch.setattr(csv_rows, "plan_ranges", lambda paths, format_: plan_ranges(paths, format_, 300))

    parts = quarantined(CsvExampleGen, "t.csv", text.encode(), **choice, output="2", beam=Beam(workers=2))

    assert parts == whole
    assert len(whole[1]) == 72 + 39


def test_bad_bytes_of_a_single_byte_encoding_are_set_aside(quarantined):
    content = b"s\ncaf\xe9\nb\x81d\nok\n"

    kept, bad, _ = quarantined(CsvExampleGen, "t.csv", content, encoding="cp1252", on_bad_rows="quarantine")

    assert kept == [{"s": "café"}, {"s": "ok"}]
    assert [(row["line"], row["raw"]) for row in bad] == [(3, "b\\x81d")]


def test_types_are_those_of_the_rows_that_are_kept(quarantined):
    kept, _, _ = quarantined(CsvExampleGen, "t.csv", b"n,s\n1,a\ntext\n2,b\n", on_bad_rows="quarantine")

    assert [row["n"] for row in kept] == [1, 2]


def test_bad_lines_of_json_are_set_aside_with_reasons(quarantined):
    content = b'{"n": 1}\n{"m": 18446744073709551616}\n[1]\n{"n": "x"}\n{"n": "\xe9"}\n\n{"n": 2}\n'

    kept, bad, properties = quarantined(
        JsonlExampleGen, "t.jsonl", content, column_types={"n": "int64"}, on_bad_rows="quarantine"
    )

    assert kept == [{"n": 1}, {"n": 2}]
    assert [(row["line"], row["rule"]) for row in bad] == [(2, "type"), (3, "syntax"), (4, "type"), (5, "encoding")]
    assert properties == {"rows": 4, "reasons": {"encoding": 1, "syntax": 1, "type": 2}}


def test_bad_records_are_set_aside_with_reasons(quarantined, tmp_path):
    write_records(tmp_path / "whole", [example(n=[1]), example(n=[2]), b"\xff\xff", example(n=[1.5]), example(n=[5])])
    content = bytearray((tmp_path / "whole").read_bytes())
    content[2 * len(content) // 5 - 8] ^= 1  # within the second record

    kept, bad, properties = quarantined(ImportExampleGen, "t.tfrecord", bytes(content), on_bad_rows="quarantine")

    assert kept == [{"n": 1}, {"n": 5}]
    assert [(row["line"], row["rule"]) for row in bad] == [(2, "checksum"), (3, "syntax"), (4, "syntax")]
    assert bad[0]["reason"] == "its checksum doesn't hold."
    assert bad[1]["reason"] == "is no tf.Example. Is the file a TFRecord of something else?"
    assert bad[2]["reason"].startswith("disagrees with the records before it: ")
    assert bad[1]["raw"] == "ffff"
    assert properties == {"rows": 3, "reasons": {"checksum": 1, "syntax": 2}}


def test_without_bad_rows_the_quarantine_is_empty(quarantined):
    _, bad, properties = quarantined(CsvExampleGen, "t.csv", b"n\n1\n")

    assert bad == []
    assert properties == {"rows": 0, "reasons": {}}


def test_nothing_but_bad_rows_is_an_error_that_shows_one(quarantined):
    with pytest.raises(DataError, match=r"All 2 rows of .* are bad, the first: expected 2 cells, found 1"):
        quarantined(CsvExampleGen, "t.csv", b"a,b\n1\n2\n", on_bad_rows="quarantine")


def test_a_quote_that_is_never_closed_is_no_bad_row(quarantined):
    with pytest.raises(DataError, match="line 2: a quote opens here and is never closed"):
        quarantined(CsvExampleGen, "t.csv", b'a,b\n"1,2\n3,4\n', on_bad_rows="quarantine")


def test_another_choice_is_refused(quarantined):
    with pytest.raises(ParameterError, match='on_bad_rows must be "fail" or "quarantine", got \'skip\''):
        quarantined(CsvExampleGen, "t.csv", b"a\n1\n", on_bad_rows="skip")

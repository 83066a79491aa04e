"""The list of bad inputs, format by format: what is said of each, with file, row or column, and the repair.

What only a server shows (wrong credentials, a result that breaks off) stands in `test_example_gen_sql.py`, missing
spans in whole runs in `test_example_gen_spans.py`, what is set aside in `test_example_gen_bad_rows.py`.
"""

import json

import numpy as np
import pytest

from penstock.artifacts import Examples
from penstock.components.ingestion.avro_example_gen import AvroExampleGen
from penstock.components.ingestion.csv_example_gen import CsvExampleGen
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.jsonl_example_gen import JsonlExampleGen
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.components.ingestion.sql_example_gen import SqlExampleGen
from penstock.data.spans import SpanChoice, resolve
from penstock.pipeline import DataError
from tests.components.bad_sources import (
    BIG,
    LATE,
    NO_UTF8,
    avro,
    avro_decimal,
    cut_off,
    database,
    flipped,
    json_lines,
    late,
    parquet,
    raw,
    records,
    text,
)
from tests.components.conftest import rows_of

CASES = {
    # ragged rows
    "csv: a row too short": (
        CsvExampleGen,
        {"a.csv": text("a,b\n1,2\n3\n")},
        {},
        "{folder}/a.csv, line 3: expected 2 cells, found 1: '3'. Quote cells that hold the delimiter ',' or a newline, "
        "fill up short rows, or check delimiter= and quote=.",
    ),
    "jsonl: a line cut short": (
        JsonlExampleGen,
        {"a.jsonl": text('{"a": 1}\n{"a": \n')},
        {},
        "{folder}/a.jsonl, line 2: this is no JSON: Expecting value at character 1: '{\"a\":'. Correct the line, or "
        'set such rows aside with on_bad_rows="quarantine".',
    ),
    # wrong encodings
    "csv: Latin-1": (
        CsvExampleGen,
        {"a.csv": raw(b"a\nok\ncaf\xe9\n")},
        {},
        "{folder}/a.csv is not utf-8 text: byte 0xe9 in line 3, character 4. Give the file's encoding with encoding=, "
        "for example encoding='latin-1' or 'cp1252'.",
    ),
    "csv: UTF-16 without its mark": (
        CsvExampleGen,
        {"a.csv": raw("a,b\n1,2\n".encode("utf-16-le"))},
        {},
        "{folder}/a.csv has zero bytes in its header line: it is UTF-16 without a byte order mark, or no text. Give "
        "encoding='utf-16-le' or 'utf-16-be', or write it anew as UTF-8.",
    ),
    "jsonl: Latin-1": (
        JsonlExampleGen,
        {"a.jsonl": raw(b'{"a": "ok"}\n{"a": "caf\xe9"}\n')},
        {},
        "{folder}/a.jsonl, line 2: byte 0xe9 at position 11 is no UTF-8. Correct the line, or set such rows aside with "
        'on_bad_rows="quarantine".',
    ),
    "jsonl: half of a surrogate pair": (
        JsonlExampleGen,
        {"a.jsonl": text('{"a": "ok"}\n{"a": "\\ud83d"}\n')},
        {},
        "{folder}/a.jsonl, line 2: '\\ud83d' is half of a surrogate pair, and no character without the other. "
        'Correct the line, or set such rows aside with on_bad_rows="quarantine".',
    ),
    "parquet: strings that are none": (
        ParquetExampleGen,
        {"a.parquet": parquet({"s": NO_UTF8})},
        {},
        "{folder}/a.parquet: Column 's' holds bytes that are no UTF-8 text: 'Invalid UTF8 sequence at string index 1'. "
        "Write it as text or as binary at the source, or leave it out with columns=.",
    ),
    "avro: strings that are none": (
        AvroExampleGen,
        {"a.avro": avro([{"name": "s", "type": "string"}], [{"s": "QQQQ"}], (b"QQQQ", b"QQ\xff\xfe"))},
        {},
        "{folder}/a.avro can't be read as Avro: from record 1 on: 'utf-8' codec can't decode byte 0xff in position 2: "
        "invalid start byte. Fetch or write it anew.",
    ),
    # a type that changes in row 900,000
    "csv: a declared type broken late": (
        CsvExampleGen,
        {"a.csv": late("n\n", "1\n", "x\n")},
        {"column_types": {"n": "int64"}},
        f"{{folder}}/a.csv, line {LATE + 1}: column 'n' was declared int64 and holds 'x'. Correct the cell, add 'x' to "
        "null_values, or declare the column 'string'.",
    ),
    "jsonl: another type late": (
        JsonlExampleGen,
        {"a.jsonl": late("", '{"n": 1}\n', '{"n": "x"}\n')},
        {},
        f"{{folder}}/a.jsonl, line {LATE}: column 'n' holds text ('x'), and an integer ('1') before. The values of a "
        "column must be of one type. Correct the line, or declare column_types={'n': 'string'}.",
    ),
    "jsonl: another type where rows are set aside": (
        JsonlExampleGen,
        {"a.jsonl": json_lines({"n": 1.5}, {"n": "x"})},
        {"on_bad_rows": "quarantine"},
        "{folder}/a.jsonl, line 2: column 'n' holds text ('x'), and a number ('1.5') before. The values of a column "
        "must be of one type. Correct the line, or declare the column, as column_types={'n': 'float64'} to have such "
        "rows set aside.",
    ),
    "jsonl: lists of other types": (
        JsonlExampleGen,
        {"a.jsonl": json_lines({"n": [1, 2]}, {"n": ["x"]})},
        {},
        "{folder}/a.jsonl, line 2: column 'n' holds a list of text (\"['x']\"), and a list of integers ('[1, 2]') "
        "before. The values of a column must be of one type. Correct the line, or declare "
        "column_types={'n': 'string'}.",
    ),
    "sql: another type late": (
        SqlExampleGen,
        {"a.db": database("INSERT INTO t VALUES (?, 0)", [(1,)] * (LATE - 1) + [("x",)])},
        {},
        f"Row {LATE} of the query: column 'a' holds text ('x'), and an integer ('1') before. Cast the column in the "
        "query.",
    ),
    "tfrecord: another type late": (
        ImportExampleGen,
        {"1.tfrecord": records({"n": [1]}), "2.tfrecord": records({"m": [1]}, {"n": [b"x"]})},
        {},
        "{folder}/2.tfrecord, record 2: column 'n' holds string, and int64 at {folder}/1.tfrecord, record 1. The "
        "values of a column must be of one type. Correct them at the source, or leave the column out with columns=.",
    ),
    # truncated and damaged files
    "csv: gzip cut off": (
        CsvExampleGen,
        {"a.csv.gz": cut_off(b"a\n" + b"1\n" * 1000)},
        {},
        "{folder}/a.csv.gz is a damaged gzip file: Compressed file ended before the end-of-stream marker was reached. "
        "Fetch or write it anew.",
    ),
    "jsonl: gzip cut off": (
        JsonlExampleGen,
        {"a.jsonl.gz": cut_off(b'{"a": 1}\n' * 1000)},
        {},
        "{folder}/a.jsonl.gz is a damaged gzip file: Compressed file ended before the end-of-stream marker was "
        "reached, after line *",
    ),
    "tfrecord: gzip cut off": (
        ImportExampleGen,
        {"a.tfrecord.gz": records({"n": [1]}, {"n": [2]}, compression="GZIP", damage=lambda data: data[:-12])},
        {},
        "{folder}/a.tfrecord.gz, record 1: the gzip file is damaged or cut off here: Compressed file ended before the "
        "end-of-stream marker was reached. Fetch or write it anew.",
    ),
    "tfrecord: a payload's checksum": (
        ImportExampleGen,
        {"a.tfrecord": records({"n": [1]}, {"n": [2]}, damage=flipped(6))},
        {},
        "{folder}/a.tfrecord, record 2 is damaged: its checksum doesn't hold. Fetch or write the file anew.",
    ),
    "tfrecord: a length's checksum": (
        ImportExampleGen,
        {"a.tfrecord": records({"n": [1]}, damage=lambda data: bytes([data[0] ^ 1]) + data[1:])},
        {},
        "{folder}/a.tfrecord, record 1 is damaged: this is no TFRecord file, or the checksum of its length doesn't "
        "hold. Fetch or write the file anew.",
    ),
    # another schema in one file
    "parquet: another type in one file": (
        ParquetExampleGen,
        {"1.parquet": parquet({"a": [1]}), "2.parquet": parquet({"a": ["x"]})},
        {},
        "All files must have one schema; they differ in column 'a': {folder}/2.parquet has string and "
        "{folder}/1.parquet has int64. Write the file anew with the same types, ingest it apart, or choose columns= "
        "without it.",
    ),
    "avro: another type in one file": (
        AvroExampleGen,
        {
            "1.avro": avro([{"name": "a", "type": "long"}], [{"a": 1}]),
            "2.avro": avro([{"name": "a", "type": "string"}], [{"a": "x"}]),
        },
        {},
        "All files must have one schema; they differ in column 'a': {folder}/2.avro has string, {folder}/1.avro has "
        "int64. Write the file anew with the same types, or ingest it apart.",
    ),
    "csv: other columns in one file": (
        CsvExampleGen,
        {"1.csv": text("a\n1\n"), "2.csv": text("b\n1\n")},
        {},
        "All files must have the same columns. Compared with {folder}/1.csv, {folder}/2.csv lacks 'a' and has 'b' "
        "besides. Rename the columns, or ingest the files apart.",
    ),
    "jsonl: another type in one file": (
        JsonlExampleGen,
        {"1.jsonl": json_lines({"a": 1}), "2.jsonl": json_lines({"a": "x"})},
        {},
        "{folder}/2.jsonl, line 1: column 'a' holds string, and int64 at {folder}/1.jsonl, line 1. The values of a "
        "column must be of one type. Correct them at the source, or leave the column out with columns=.",
    ),
    # duplicate and empty names
    "csv: a name twice": (
        CsvExampleGen,
        {"a.csv": text("a,a\n1,2\n")},
        {},
        "Column names must be unique; {folder}/a.csv has 'a' as columns 1 and 2. Rename one of them.",
    ),
    "csv: no name": (
        CsvExampleGen,
        {"a.csv": text("a,,c\n1,2,3\n")},
        {},
        "Column 2 of 3 in {folder}/a.csv has no name. Name it in the header line, or give all names with column_names= "
        "if the file has no header.",
    ),
    "jsonl: a name twice": (
        JsonlExampleGen,
        {"a.jsonl": text('{"a": 1, "a": 2}\n')},
        {},
        "{folder}/a.jsonl, line 1: the key 'a' stands twice in one object. Rename one of them.",
    ),
    "jsonl: no name": (
        JsonlExampleGen,
        {"a.jsonl": json_lines({"": 1})},
        {},
        "{folder}/a.jsonl: Column 1 has no name. Name it at the source.",
    ),
    "parquet: a name twice": (
        ParquetExampleGen,
        {"a.parquet": parquet([[1], [2]], ["a", "a"])},
        {},
        "{folder}/a.parquet has two columns 'a'. Rename one of them.",
    ),
    "parquet: no name": (
        ParquetExampleGen,
        {"a.parquet": parquet([[1], [2]], ["a", ""])},
        {},
        "{folder}/a.parquet: Column 2 has no name. Name it at the source.",
    ),
    "tfrecord: no name": (
        ImportExampleGen,
        {"a.tfrecord": records({"": [1]})},
        {},
        "{folder}/a.tfrecord: Column 1 has no name. Name it at the source.",
    ),
    "sql: a name twice": (
        SqlExampleGen,
        {"a.db": database("INSERT INTO t VALUES (?, ?)", [(1, 2)])},
        {"query": "SELECT a, b AS a FROM t"},
        "The columns of a query must have names of their own; 'a' is there 2 times. Name them in the query with AS.",
    ),
    # databases
    "sql: nothing there": (
        SqlExampleGen,
        {"a.db": database("INSERT INTO t VALUES (?, ?)", [])},
        {},
        "There are no data rows: the source is empty. Check what it is asked for.",
    ),
    "sql: out of reach": (
        SqlExampleGen,
        {},
        {"connection": "sqlite:///{folder}/none/a.db"},
        "sqlite:///{folder}/none/a.db can't be reached or refuses the credentials: 'there is no file "
        "{folder}/none/a.db'. Check host, database, user and the password's secret.",
    ),
    # integers of more than 64 bits
    "csv: a declared integer too big": (
        CsvExampleGen,
        {"a.csv": text(f"n\n1\n{BIG}\n")},
        {"column_types": {"n": "int64"}},
        f"{{folder}}/a.csv, line 3: column 'n' was declared int64 and holds '{BIG}'. Correct the cell, add '{BIG}' to "
        "null_values, or declare the column 'string'.",
    ),
    "csv: a declared float too big": (
        CsvExampleGen,
        {"a.csv": text("n\n1\n1e400\n")},
        {"column_types": {"n": "float64"}},
        "{folder}/a.csv, line 3: column 'n' was declared float64 and holds '1e400'. Correct the cell, add '1e400' to "
        "null_values, or declare the column 'string'.",
    ),
    "jsonl: an integer too big": (
        JsonlExampleGen,
        {"a.jsonl": json_lines({"n": 1}, {"n": BIG})},
        {},
        f"{{folder}}/a.jsonl, line 2: column 'n' holds '{BIG}', an integer of more than 64 bits. The values of a "
        "column must be of one type. Correct the line, or declare column_types={'n': 'string'}.",
    ),
    "jsonl: a number too big": (
        JsonlExampleGen,
        {"a.jsonl": text('{"n": 1.5}\n{"n": 1e400}\n')},
        {},
        "{folder}/a.jsonl, line 2: '1e400' is beyond all float64. Correct the line, or set such rows aside with "
        'on_bad_rows="quarantine".',
    ),
    "parquet: an integer too big": (
        ParquetExampleGen,
        {"a.parquet": parquet({"n": np.array([1, 2**64 - 1], np.uint64)})},
        {},
        f"{{folder}}/a.parquet: Column 'n' holds {2**64 - 1}, an integer of more than 64 bits. Store it as a string at "
        "the source, or leave the column out with columns=.",
    ),
    "avro: a decimal too big": (
        AvroExampleGen,
        {"a.avro": avro_decimal(BIG)},
        {},
        f"{{folder}}/a.avro: Column 'n' holds {BIG}, an integer of more than 64 bits. Store it as a string at the "
        "source, or leave the column out with columns=.",
    ),
}


@pytest.fixture
def ingest(made, tmp_path):
    """Runs an ExampleGen on what is to be written below `tmp_path`."""

    def run(component, files, parameters):
        paths = [tmp_path / name for name in files]
        for path, write in zip(paths, files.values(), strict=True):
            write(path)
        if component is not SqlExampleGen:
            return made(component, *paths, **{"splits": {"all": 1}} | parameters)
        wanted = {"connection": f"sqlite:///{tmp_path}/a.db", "query": "SELECT * FROM t", "splits": {"all": 1}}
        wanted |= {name: value.replace("{folder}", str(tmp_path)) for name, value in parameters.items()}
        result = Examples(str(tmp_path / "out"))
        SqlExampleGen(examples=result, **wanted)
        return result

    return run


@pytest.mark.parametrize(("component", "files", "parameters", "message"), CASES.values(), ids=CASES)
def test_bad_input_is_named_with_its_place_and_its_repair(ingest, tmp_path, component, files, parameters, message):
    with pytest.raises(DataError) as caught:
        ingest(component, files, parameters)

    said = str(caught.value).replace(str(tmp_path), "{folder}")
    assert said == message if not message.endswith("*") else said.startswith(message[:-1])
    assert not list(tmp_path.rglob("*.part")), "a shard is half written"


def test_a_span_missing_in_a_range_is_named(tmp_path):
    for span in (1, 2, 4):
        (tmp_path / f"span-{span}").mkdir()

    with pytest.raises(ValueError, match=r"span 3 is missing \(1 of 4\)\. There are 1, 2, 4\."):
        resolve(str(tmp_path / "span-{SPAN}"), SpanChoice.of({"span_range": [1, 4]}))


def test_text_among_undeclared_numbers_late_makes_text_of_all_and_loses_none(ingest):
    result = ingest(CsvExampleGen, {"a.csv": late("n,s\n", "007,a\n", "1.5,b\n")}, {})

    assert result.properties["columns"] == {"n": "string", "s": "string"}
    assert result.properties["rows"] == {"all": LATE + 10}


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["1", str(BIG)], "integers are of more than 64 bits"),
        (
            ["9007199254740993", "1.5"],
            "decimals stand beside integers that a float64 would round, or numbers are beyond all floats",
        ),
    ],
)
def test_an_undeclared_number_too_long_keeps_its_digits_and_is_told(ingest, caplog, cells, why):
    result = ingest(CsvExampleGen, {f"{at}.csv": text(f"n\n{cell}\n") for at, cell in enumerate(cells)}, {})

    assert result.properties["columns"] == {"n": "string"}
    assert sorted(row["n"] for row in rows_of(result)["all"]) == sorted(cells)
    assert [record.getMessage() for record in caplog.records] == [
        f"Column 'n' is stored as text, with all its digits, since {why}. Declare column_types={{'n': 'string'}} if "
        "that is meant, 'float64' to round, or 'int64' to find the cells."
    ]


@pytest.mark.parametrize(
    ("component", "name", "content", "parameters", "rule"),
    [
        (CsvExampleGen, "a.csv", "n,s\n1,a\n2\n3,c\n", {}, "cells"),
        (CsvExampleGen, "a.csv", "n,s\n1,a\nx,b\n3,c\n", {"column_types": {"n": "int64"}}, "type"),
        (JsonlExampleGen, "a.jsonl", '{"n": "a"}\n{"n": "\\udc00"}\n{"n": "b"}\n', {}, "encoding"),
        (JsonlExampleGen, "a.jsonl", '{"n": 1.5}\n{"n": 1e400}\n{"n": 2.5}\n', {}, "type"),
        pytest.param(
            JsonlExampleGen, "a.jsonl", f'{{"n": 1}}\n{{"n": {"9" * 5000}}}\n{{"n": 2}}\n', {}, "type", id="5000 digits"
        ),
        pytest.param(
            JsonlExampleGen,
            "a.jsonl",
            f'{{"n": 1}}\n{{"n": {"9" * 400}}}\n{{"n": 2}}\n',
            {"column_types": {"n": "float64"}},
            "type",
            id="400 digits",
        ),
        (JsonlExampleGen, "a.jsonl", '{"n": 1}\n{"n": \n{"n": 3}\n', {}, "syntax"),
        (JsonlExampleGen, "a.jsonl", '{"n": 1}\n{"n": "x"}\n{"n": 3}\n', {"column_types": {"n": "int64"}}, "type"),
        (JsonlExampleGen, "a.jsonl", f'{{"n": 1}}\n{{"n": {BIG}}}\n{{"n": 3}}\n', {}, "type"),
    ],
)
def test_a_bad_row_is_kept_with_its_reason_where_that_is_chosen(
    ingest, tmp_path, component, name, content, parameters, rule
):
    result = ingest(component, {name: text(content)}, parameters | {"on_bad_rows": "quarantine"})

    (bad,) = [json.loads(line) for line in (tmp_path / "out-bad" / "rows.jsonl").read_text().splitlines()]
    assert result.properties["rows"] == {"all": 2}
    assert (bad["file"], bad["rule"]) == (str(tmp_path / name), rule)
    assert bad["reason"]

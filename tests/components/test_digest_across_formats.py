"""Digests of examples: the same rows have one, whatever format and however many files they come from."""

import csv
import io
import json
import math
import sqlite3
import tempfile
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.artifacts import Examples
from penstock.components.ingestion.avro_example_gen import AvroExampleGen
from penstock.components.ingestion.csv_example_gen import CsvExampleGen
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.jsonl_example_gen import JsonlExampleGen
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.components.ingestion.sql_example_gen import SqlExampleGen
from penstock.data import examples
from tests.components.conftest import files_of, quarantine
from tests.components.test_example_gen_formats import example, write_records

TYPES = {"id": pa.int64(), "n": pa.int64(), "x": pa.float64(), "s": pa.string()}
AVRO_TYPES = {"id": "long", "n": "long", "x": "double", "s": "string"}
FIRST = {"id": 0, "n": 1, "x": 0.5, "s": "text"}
FILES = 7


def write_csv(rows, path):
    text = io.StringIO()
    csv.writer(text).writerow(TYPES)
    for row in rows:
        # Missing is nothing at all, an empty text is in quotes.
        cells = [json.dumps(cell) if cell == "" else "" if cell is None else _quoted(cell) for cell in row.values()]
        text.write(",".join(cells) + "\n")
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _quoted(cell):
    return '"' + cell.replace('"', '""') + '"' if isinstance(cell, str) else repr(cell)


def write_jsonl(rows, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_parquet(rows, path):
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(TYPES)), path)


def write_avro(rows, path):
    fields = [{"name": name, "type": ["null", type_]} for name, type_ in AVRO_TYPES.items()]
    with open(path, "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "row", "fields": fields}, rows)


def write_tfrecord(rows, path):
    encoded = ({k: [v.encode() if isinstance(v, str) else v] for k, v in row.items() if v is not None} for row in rows)
    write_records(path, [example(**row) for row in encoded])


FORMATS = {
    "csv": (CsvExampleGen, write_csv),
    "jsonl": (JsonlExampleGen, write_jsonl),
    "parquet": (ParquetExampleGen, write_parquet),
    "avro": (AvroExampleGen, write_avro),
    "tfrecord": (ImportExampleGen, write_tfrecord),
}
DATABASES = {"sqlite": "sqlite", "adbc": "sqlite+adbc"}


def digest_of(form, rows, files=1):
    """Returns the digest of rows that come from some files of a format, or partitions of a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = Examples(str(folder / "out"))
        if form in DATABASES:
            _from_database(DATABASES[form], made, rows, folder, files)
        else:
            _from_files(form, made, rows, folder, files)
        return examples.digest(made.path)


def _from_files(form, made, rows, folder, files):
    component, write = FORMATS[form]
    paths = [folder / f"{number}.{form}" for number in range(files)]
    for number, path in enumerate(paths):
        write(rows[number::files], path)
    more = {"quarantined": quarantine(folder / "bad")} if form in ("csv", "jsonl", "tfrecord") else {}
    component(examples=made, input_base=files_of(folder, *paths), splits={"all": 1}, **more)


def _from_database(scheme, made, rows, folder, partitions):
    with sqlite3.connect(folder / "t.db") as database:
        database.execute("CREATE TABLE t (id INTEGER, n INTEGER, x REAL, s TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [tuple(row.values()) for row in rows])
    database.close()
    SqlExampleGen(
        examples=made,
        connection=f"{scheme}:///{folder}/t.db",
        query="SELECT * FROM t",
        partition_column="id",
        partitions=partitions,
        splits={"all": 1},
    )


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8).map(
    lambda text: text and f"t{text}"
)
_rows = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "x": st.none() | st.floats(width=32, allow_nan=False),
            "s": st.none() | _texts,
        }
    ),
    min_size=6,
    max_size=20,
).map(
    lambda rows: [FIRST, *({"id": number} | {name: row[name] for name in "nxs"} for number, row in enumerate(rows, 1))]
)
_quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_quick
@given(_rows)
def test_rows_of_agreeing_types_have_one_digest_in_every_format(rows):
    digests = {form: digest_of(form, rows) for form in (*FORMATS, *DATABASES)}

    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("form", [*FORMATS, *DATABASES])
@_quick
@given(_rows)
def test_seven_files_or_partitions_have_the_digest_of_one(form, rows):
    assert digest_of(form, rows, FILES) == digest_of(form, rows)


@pytest.mark.parametrize("form", [*FORMATS, *DATABASES])
@_quick
@given(_rows, st.data())
def test_one_other_cell_makes_another_digest(form, rows, data):
    number = data.draw(st.integers(1, len(rows) - 1))
    column = data.draw(st.sampled_from(["n", "x", "s"]))
    others = {"n": 12, "x": 1.5, "s": "another"}
    cell = None if rows[number][column] == others[column] else others[column]
    changed = [*rows[:number], rows[number] | {column: cell}, *rows[number + 1 :]]

    assert digest_of(form, changed) != digest_of(form, rows)


def test_nan_infinities_and_cells_of_ten_megabytes_are_the_same_in_every_file_format():
    rows = [
        FIRST,
        {"id": 1, "n": None, "x": math.nan, "s": "x" * 10_000_000},
        {"id": 2, "n": 3, "x": math.inf, "s": ""},
        {"id": 3, "n": -1, "x": -math.inf, "s": None},
    ]

    digests = {form: digest_of(form, rows) for form in FORMATS}

    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("form", DATABASES)
def test_infinities_and_cells_of_ten_megabytes_of_a_database_are_those_of_a_file(form):
    rows = [FIRST, {"id": 1, "n": None, "x": math.inf, "s": "x" * 10_000_000}]

    assert digest_of(form, rows) == digest_of("parquet", rows)

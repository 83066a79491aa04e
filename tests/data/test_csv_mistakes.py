"""What is said of files that are no CSV, and of a wrong delimiter."""

import gzip
import sqlite3
import zipfile

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.data.csv_format import CsvFormat
from penstock.data.csv_source import open_csv
from penstock.data.errors import HeaderError, UnsupportedDataError


def write_parquet(path):
    pq.write_table(pa.table({"a": [1]}), path)


def write_empty_parquet(path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)


def write_avro(path):
    with open(path, "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]}, [{"a": 1}])


def write_sqlite(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a)")
    database.close()


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "a\n1\n")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (write_parquet, "it begins with b'PAR1\\x15', so it is Parquet. Read it with ParquetExampleGen."),
        (write_empty_parquet, "it begins with b'PAR1\\x15', so it is Parquet. Read it with ParquetExampleGen."),
        (write_avro, "it begins with b'Obj\\x01', so it is Avro. Read it with AvroExampleGen."),
        (
            write_sqlite,
            "it begins with b'SQLite format 3\\x00', so it is a SQLite database. Read it with SqlExampleGen.",
        ),
        (
            write_zip,
            "it begins with b'PK\\x03\\x04', so it is a zip archive or an Excel workbook. Unpack it, or save the sheet "
            "as CSV.",
        ),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, write, said):
    path = tmp_path / "a.csv"
    write(path)

    with pytest.raises(UnsupportedDataError) as caught:
        open_csv(str(path), CsvFormat())

    assert str(caught.value) == f"{path} is no CSV file: {said}"


def test_a_column_named_as_another_kind_begins_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("PAR1,PAR2\n1,2\n")

    assert open_csv(str(path), CsvFormat()).names == ("PAR1", "PAR2")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_wrong_delimiter_is_named_with_the_right_one(tmp_path, delimiter, pack):
    path = tmp_path / "a.csv"
    path.write_bytes(pack(f'a{delimiter}b\n1{delimiter}"x,y"\n\n2{delimiter}z\n'.encode()))

    with pytest.raises(HeaderError) as caught:
        open_csv(str(path), CsvFormat())

    assert str(caught.value) == (
        f"{path} has one column by delimiter=',', named {f'a{delimiter}b'!r}; by {delimiter!r} its lines have 2 cells "
        f"each. Give delimiter={delimiter!r}, or rename the column if it is one."
    )
    assert open_csv(str(path), CsvFormat(delimiter)).names == ("a", "b")


@pytest.mark.parametrize(
    "text", ["a\n1\n", "note; remark\nfine\nbad; very\n", '"a;b"\n"1;2"\n', "a;b\n", "a;b", 'a;b\n"1;2\n3;4\n']
)
def test_one_column_is_read_where_no_delimiter_makes_more_of_all_lines(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)

    assert len(open_csv(str(path), CsvFormat()).names) == 1


def test_one_name_that_is_given_is_taken(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1;2\n3;4\n")

    assert open_csv(str(path), CsvFormat(column_names=("pair",))).names == ("pair",)

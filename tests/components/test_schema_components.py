"""SchemaGen and ImportSchemaGen: what they write, and what they refuse."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.artifacts import ExampleStatistics, Schema
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.import_schema_gen import ImportSchemaGen
from penstock.components.validation.schema_gen import SchemaGen
from penstock.data import protos
from penstock.pipeline import DataError, FileEntry, Files

CURATED = """# Curated by hand.
feature {
  name: "tips"
  type: FLOAT
  presence { min_fraction: 1.0 }
}
"""


@pytest.fixture
def statistics(tmp_path):
    path = str(tmp_path / "statistics")
    protos.write_statistics(path, "train", describe_table(pa.table({"s": ["a", "b"]})))
    protos.write_statistics(path, "eval", describe_table(pa.table({"s": ["a", "c"]})))
    return ExampleStatistics(path)


def _import(tmp_path, *texts):
    entries = []
    for number, text in enumerate(texts):
        file = tmp_path / f"curated{number}.pbtxt"
        file.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        entries.append(FileEntry(str(file), file.name, len(text), digest))
    schema = Schema(str(tmp_path / "schema"))
    ImportSchemaGen(schema=schema, schema_file=Files(str(tmp_path), tuple(entries)))
    return schema


def test_schema_fits_all_splits_by_default(statistics, tmp_path):
    schema = Schema(str(tmp_path / "schema"))

    SchemaGen(statistics=statistics, schema=schema)

    assert list(protos.read_schema(schema.path).string_domain[0].value) == ["a", "b", "c"]


def test_excluded_split_leaves_no_trace_in_the_schema(statistics, tmp_path):
    schema = Schema(str(tmp_path / "schema"))

    SchemaGen(statistics=statistics, schema=schema, exclude_splits=["eval"])

    assert list(protos.read_schema(schema.path).string_domain[0].value) == ["a", "b"]


def test_curated_schema_is_copied_with_its_comments(tmp_path):
    schema = _import(tmp_path, CURATED)

    assert Path(schema.path, "schema.pbtxt").read_text() == CURATED
    assert protos.digest_schema(schema.path).startswith("schema-1:")


def test_a_file_that_is_no_schema_is_refused_by_line(tmp_path):
    with pytest.raises(DataError, match=r"Schema file curated0.pbtxt: .*line 5") as refused:
        _import(tmp_path, CURATED.replace("presence", "presense"))

    assert "presense" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CURATED + CURATED, "feature 'tips' stands in it 2 times; leave one"),
        ('feature { type: INT name: "" }', "a feature has no name"),
        ('feature { name: "x" }', "feature 'x': unspecified type"),
        ('feature { name: "x" type: BYTES domain: "cities" }', "feature 'x': missing domain: cities"),
        ('feature { name: "x" type: FLOAT int_domain { min: 1 } }', 'The domain "int_domain" does not match the type'),
        ("", "it has no feature at all"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(tmp_path, text, told):
    with pytest.raises(DataError) as refused:
        _import(tmp_path, text)

    assert str(refused.value).startswith("Schema file curated0.pbtxt contradicts itself:")
    assert told in str(refused.value)


def test_several_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"takes one file, got 2: curated0.pbtxt, curated1.pbtxt"):
        _import(tmp_path, CURATED, CURATED)

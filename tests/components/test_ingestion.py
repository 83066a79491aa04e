"""CsvExampleGen on real files, and one range at a time."""

import os
import pathlib
import random

import pyarrow as pa
import pytest

from penstock.artifacts import Examples
from penstock.components.ingestion.csv_example_gen import CsvExampleGen, check_parameters
from penstock.components.ingestion.ingestion import Ingestion, ingest_range, places, settle_types
from penstock.data import csv_rows, csv_source, examples
from penstock.data.csv_cells import Kind
from penstock.data.csv_rows import CsvRows
from penstock.data.csv_source import plan_ranges
from penstock.data.splits import Splits, split_rows
from penstock.pipeline import Beam, DataError, FileEntry, Files, ParameterError
from tests.components.conftest import quarantine

DATA = pathlib.Path(os.environ.get("PENSTOCK_DATA") or pathlib.Path(__file__).parents[3] / "shared" / "data")
TAXI = DATA / "chicago_taxi.csv"
needs_taxi = pytest.mark.skipif(not TAXI.exists(), reason="chicago_taxi.csv is not shipped; set PENSTOCK_DATA")


def files_of(*paths):
    entries = tuple(FileEntry(str(p), os.path.basename(p), os.path.getsize(p), "") for p in paths)
    return Files(os.path.dirname(paths[0]), entries)


@pytest.fixture
def ingest(tmp_path):
    """Runs the component on files with the given contents, by name."""

    def run(contents, *, workers=1, output="out", **parameters):
        paths = []
        for name, content in contents.items():
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(str(path))
        made = Examples(str(tmp_path / output))
        bad = quarantine(tmp_path / f"{output}-bad")
        beam = Beam(workers=workers)
        CsvExampleGen(examples=made, quarantined=bad, input_base=files_of(*paths), beam=beam, **parameters)
        return made

    return run


@pytest.fixture
def small_ranges(monkeypatch):
    """Cuts files into ranges of some hundred bytes."""
    cut = plan_ranges
    monkeypatch.setattr(csv_rows, "plan_ranges", lambda paths, format_: cut(paths, format_, 300))


def rows_of(made):
    return {
        split: [row for batch in examples.record_batches(made.path, split) for row in batch.to_pylist()]
        for split in examples.split_names(made.path)
    }


def table_text(rows=200, seed=3):
    drawn = random.Random(seed)
    lines = [f'{drawn.randint(0, 9)},{drawn.random()},"text ""{i}""\nsecond line"' for i in range(rows)]
    return "n,x,s\n" + "\n".join(lines) + "\n"


@needs_taxi
def test_no_row_of_the_taxi_data_is_lost(tmp_path):
    made = Examples(str(tmp_path / "out"))

    CsvExampleGen(examples=made, quarantined=quarantine(tmp_path / "bad"), input_base=files_of(str(TAXI)))

    rows = made.properties["rows"]
    assert sum(rows.values()) == 15_002
    assert rows == {split: examples.count_rows(made.path, split) for split in ("train", "eval")}
    assert 9_700 < rows["train"] < 10_300
    assert made.properties["columns"]["fare"] == "float64"
    assert made.properties["columns"]["trip_start_hour"] == "int64"
    assert made.properties["columns"]["company"] == "string"
    assert len(made.properties["columns"]) == 18


@needs_taxi
def test_types_of_the_taxi_data_do_not_depend_on_ranges(tmp_path, monkeypatch):
    whole, parts = Examples(str(tmp_path / "1")), Examples(str(tmp_path / "2"))
    CsvExampleGen(examples=whole, quarantined=quarantine(tmp_path / "b1"), input_base=files_of(str(TAXI)))
    cut = plan_ranges
    monkeypatch.setattr(csv_rows, "plan_ranges", lambda paths, format_: cut(paths, format_, 100_000))
    CsvExampleGen(examples=parts, quarantined=quarantine(tmp_path / "b2"), input_base=files_of(str(TAXI)))

    assert len(examples.split_files(parts.path, "train")) == 20
    assert parts.properties == whole.properties
    assert examples.digest(parts.path) == examples.digest(whole.path)


def test_rows_keep_the_order_of_the_source(ingest, small_ranges):
    made = ingest({"rows.csv": "n,s\n" + "".join(f"{i},x\n" for i in range(300))}, splits={"all": 1})

    assert len(examples.split_files(made.path, "all")) > 3
    assert [row["n"] for row in rows_of(made)["all"]] == list(range(300))


def test_workers_change_no_byte(ingest, small_ranges):
    one = ingest({"rows.csv": table_text()}, workers=1, output="one")
    two = ingest({"rows.csv": table_text()}, workers=2, output="two")

    def content(made):
        return {p.relative_to(made.path): p.read_bytes() for p in pathlib.Path(made.path).rglob("*") if p.is_file()}

    assert content(one) == content(two)
    assert len(content(one)) > 10
    assert one.properties == two.properties


def test_types_are_those_of_all_ranges(ingest, small_ranges):
    text = "n,x,s\n" + "1,1,1\n" * 100 + "2,1.5,007\n" + "3,2,\n" * 100

    made = ingest({"rows.csv": text}, splits={"all": 1})

    assert made.properties["columns"] == {"n": "int64", "x": "float64", "s": "string"}
    assert rows_of(made)["all"][0] == {"n": 1, "x": 1.0, "s": "1"}
    assert rows_of(made)["all"][100] == {"n": 2, "x": 1.5, "s": "007"}


def test_gzip_whose_types_widen_late_is_read_again(ingest, monkeypatch):
    import gzip

    monkeypatch.setattr(csv_source, "RANGE_BYTES", 64)
    monkeypatch.setattr(csv_source, "_CHUNK_BYTES", 32)
    text = "n\n" + "1\n" * 100 + "1.5\n"

    made = ingest({"rows.csv.gz": gzip.compress(text.encode())}, splits={"all": 1})

    assert made.properties["columns"] == {"n": "float64"}
    assert [row["n"] for row in rows_of(made)["all"]] == [1.0] * 100 + [1.5]


def test_column_missing_throughout_is_string(ingest):
    made = ingest({"rows.csv": "n,empty\n" + "".join(f"{i},\n" for i in range(9))}, splits={"all": 1})

    assert made.properties["columns"] == {"n": "int64", "empty": "string"}
    assert {row["empty"] for row in rows_of(made)["all"]} == {None}


def test_split_depends_on_the_row_alone(ingest, small_ranges):
    lines = table_text().split("\n", 1)[1].removesuffix("\n").replace("\nsecond line", "").split("\n")
    shuffled = random.Random(1).sample(lines, len(lines))

    first = rows_of(ingest({"a.csv": "n,x,s\n" + "\n".join(lines)}, output="1"))
    second = rows_of(ingest({"b.csv": "n,x,s\n" + "\n".join(shuffled)}, output="2"))

    for split in ("train", "eval"):
        assert sorted(map(str, first[split])) == sorted(map(str, second[split]))
    assert 100 < len(first["train"]) < 165


def test_several_files_are_one_set_of_shards(ingest):
    made = ingest({"1.csv": "a,b\n1,x\n", "2.csv": "b,a\ny,2\n"}, splits={"all": 1})

    assert [os.path.basename(f) for f in examples.split_files(made.path, "all")] == [
        "all-00000-of-00002.parquet",
        "all-00001-of-00002.parquet",
    ]
    assert rows_of(made)["all"] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_only_csv_files_of_a_mixed_folder_are_read(ingest):
    made = ingest({"README.md": "# Read me", "rows.csv": "a\n1\n2\n"}, splits={"all": 1})

    assert made.properties["rows"] == {"all": 2}


def test_nothing_but_shards_is_left_behind(ingest):
    made = ingest({"rows.csv": table_text(30)})

    assert sorted(os.listdir(made.path)) == ["Split-eval", "Split-train"]


@pytest.mark.parametrize(
    ("contents", "parameters", "message"),
    [
        ({"a.csv": ""}, {}, "a.csv is empty. Remove it"),
        ({"a.csv": "a,b\n"}, {}, "There are no data rows in"),
        ({"a.csv": "a,b\n\n\n"}, {}, "There are no data rows in"),
        ({"a.csv": "a,b\n1\n"}, {}, "a.csv, line 2: expected 2 cells, found 1: '1'."),
        (
            {"a.csv": "a\n1\nx\n"},
            {"column_types": {"a": "int64"}},
            "line 3: column 'a' was declared int64 and holds 'x'",
        ),
        ({"a.csv": "a\n1\n", "b.csv": "b\n1\n"}, {}, "b.csv lacks 'a' and has 'b' besides"),
        ({"a.csv": b"a\ncaf\xe9\n"}, {}, "a.csv is not utf-8 text: byte 0xe9 in line 2, character 4."),
        ({"a.csv": "a\n1\n1\n"}, {}, "is empty: rows fall into splits by their hash, and none of the 2 did"),
    ],
)
def test_bad_input_is_an_error_of_the_data(ingest, contents, parameters, message):
    with pytest.raises(DataError) as caught:
        ingest(contents, **parameters)

    assert message in str(caught.value)


def test_first_error_in_the_order_of_the_files_is_told(ingest, small_ranges):
    text = "a,b\n" + "1,2\n" * 200 + "1\n" + "1,2\n" * 200 + "1,2,3\n"

    with pytest.raises(DataError, match="line 202: expected 2 cells, found 1"):
        ingest({"a.csv": text}, workers=2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"splits": {}}, "splits is empty"),
        ({"splits": {"train": 0}}, r"splits\['train'\] must be a whole number of at least 1, got 0"),
        ({"splits": {"a/b": 1}}, "A split's name is of letters"),
        ({"delimiter": "::"}, "delimiter must be one ASCII character"),
        ({"column_types": {"a": "int"}}, "Did you mean 'int64'"),
        ({"encoding": "latin-99"}, "no text encoding 'latin-99'"),
    ],
)
def test_impossible_parameters_are_refused_beforehand(parameters, message):
    with pytest.raises(ParameterError, match=f"CsvExampleGen: .*{message}"):
        check_parameters(**parameters)


def test_range_that_holds_narrower_types_is_named(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    path.write_text("n,s\n" + "1,\n" * 50 + "x,\n" * 50)
    monkeypatch.setattr(csv_rows, "plan_ranges", lambda paths, format_: plan_ranges(paths, format_, 150))
    source, splits = CsvRows((str(path),)), Splits({"all": 1})
    ingestion = Ingestion(str(tmp_path / "out"), source, splits)

    summaries = [ingest_range(place, ingestion) for place in places(source.ranges(), splits, {})]
    settled, again = settle_types(ingestion, summaries)

    assert [summary.learned["kinds"]["n"] for summary in summaries] == [Kind.INT, Kind.TEXT]
    assert settled.types == pa.schema([("n", pa.string()), ("s", pa.string())])
    assert again == [0]


def test_splits_take_buckets_as_their_weights_say():
    batch = pa.RecordBatch.from_pydict({"n": list(range(6))})
    hashes = (pa.array(range(6), pa.uint64()).to_numpy(), pa.array([0, 1, 2, 3, 4, 5], pa.uint64()).to_numpy())

    parts = {name: rows.column(0).to_pylist() for name, rows, _ in split_rows(batch, hashes, {"a": 2, "b": 1})}

    assert parts == {"a": [0, 1, 3, 4], "b": [2, 5]}

"""ExamplesExporter: what TensorFlow reads back is what was there."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from penstock.artifacts import Examples, TFRecords
from penstock.components.ingestion.examples_exporter import ExamplesExporter
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.data import examples, parquet_source
from penstock.pipeline import Beam, DataError
from tests.components.conftest import files_of, quarantine

TABLE = pa.table(
    {
        "fare": pa.array([1.5, None, 3.0, 4.0], pa.float32()),
        "name": ["a", "", None, "é"],
        "tags": [["x"], [], None, ["y", "z"]],
        "picture": [b"\xff", None, b"", b"\x00"],
        "n": [1, 2, 3, 2**62],
    }
)


@pytest.fixture
def ingested(made, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_source.ParquetRows.__init__, "__defaults__", (None, None, 1))
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=2)
    return made(ParquetExampleGen, tmp_path / "t.parquet", splits={"all": 1})


def export(made, folder, **parameters):
    folder.mkdir()
    records = TFRecords(str(folder))
    ExamplesExporter(examples=made, records=records, **parameters)
    return records


def test_tensorflow_reads_what_was_exported(ingested, tmp_path):
    records = export(ingested, tmp_path / "records")

    files = sorted(map(str, (tmp_path / "records").rglob("*.gz")))
    read = [tf.train.Example.FromString(each) for each in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()]
    assert [pathlib.Path(file).name for file in files] == [
        "data_tfrecord-00000-of-00002.gz",
        "data_tfrecord-00001-of-00002.gz",
    ]
    assert [list(each.features.feature["n"].int64_list.value) for each in read] == [[1], [2], [3], [2**62]]
    assert "fare" not in read[1].features.feature
    assert read[3].features.feature["name"].bytes_list.value == ["é".encode()]
    assert records.properties == {"span": 0, "split_names": ["all"], "rows": {"all": 4}}


def test_there_and_back_is_the_same_data(ingested, tmp_path):
    export(ingested, tmp_path / "records", columns=["fare", "name", "tags", "n"])
    back, same = Examples(str(tmp_path / "back")), Examples(str(tmp_path / "same"))
    files = list((tmp_path / "records").rglob("*.gz"))

    source = files_of(tmp_path / "records", *files)
    ImportExampleGen(examples=back, quarantined=quarantine(tmp_path / "bad"), input_base=source, splits={"all": 1})

    pq.write_table(TABLE.drop_columns(["picture"]), tmp_path / "s.parquet")
    ParquetExampleGen(examples=same, input_base=files_of(tmp_path, tmp_path / "s.parquet"), splits={"all": 1})
    assert examples.digest(back.path) == examples.digest(same.path)


def test_workers_change_no_byte(ingested, tmp_path):
    one = export(ingested, tmp_path / "one")
    two = export(ingested, tmp_path / "two", beam=Beam(workers=2))

    def content(artifact):
        return {p.relative_to(artifact.path): p.read_bytes() for p in pathlib.Path(artifact.path).rglob("*.gz")}

    assert content(one) == content(two)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"splits": ["test"]}, "There is no split 'test'"), ({"columns": ["fair"]}, "Did you mean 'fare'?")],
)
def test_what_is_not_there_is_named(ingested, tmp_path, parameters, message):
    with pytest.raises(DataError) as caught:
        export(ingested, tmp_path / "records", **parameters)

    assert message in str(caught.value)

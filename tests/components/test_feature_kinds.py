"""Every kind of feature there and back: source -> examples -> codec -> tf.Example -> examples, and in tensors."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Examples, TFRecords
from penstock.components import row_tensors
from penstock.components.ingestion.examples_exporter import ExamplesExporter
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.data import codec, examples
from penstock.data.raw_feature import raw_features
from tests.components.conftest import files_of, quarantine, rows_of
from tests.components.test_example_gen_formats import write_records

NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)
NOON_US = 1_714_564_800_000_000


def png(shade):
    return tf.io.encode_png(np.full((4, 4, 1), shade, np.uint8)).numpy()


def one(name, type_):
    return f'feature {{ name: "{name}" type: {type_} value_count {{ max: 1 }} }}'


def many(name, type_):
    return f'feature {{ name: "{name}" type: {type_} value_count {{ min: 0 }} }}'


KINDS = {
    "numbers and texts": (
        {"n": [1, None, 2**62], "x": pa.array([0.5, None, -3.0], pa.float32()), "s": ["a", "", None]},
        one("n", "INT") + one("x", "FLOAT") + one("s", "BYTES"),
    ),
    "lists": ({"l": [[1, 2], [], None], "t": [["x"], ["y", "z"], None]}, many("l", "INT") + many("t", "BYTES")),
    "lists of one length": (
        {"v": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2))},
        'feature { name: "v" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 2 } } }',
    ),
    "times": (
        {"at": pa.array([NOON, None], pa.timestamp("ms", "UTC")), "day": pa.array([NOON.date(), None])},
        one("at", "INT") + one("day", "INT"),
    ),
    "images": ({"image": [png(3), png(200)]}, one("image", "BYTES")),
    "records": (
        {"place": [{"lat": 1, "names": ["x", "y"]}, {"lat": 2, "names": ["z"]}]},
        one("place.lat", "INT") + many("place.names", "BYTES"),
    ),
    "sparse": (
        {"at": [[7, 2], [], None], "weight": pa.array([[1.0, 2.0], [], None], pa.list_(pa.float32()))},
        'feature { name: "at" type: INT int_domain { min: 0 max: 9 } } feature { name: "weight" type: FLOAT } '
        'sparse_feature { name: "bag" index_feature { name: "at" } value_feature { name: "weight" } }',
    ),
    "weighted": (
        {"x": pa.array([1.0, 2.0], pa.float32()), "w": pa.array([0.5, 2.0], pa.float32())},
        one("x", "FLOAT")
        + one("w", "FLOAT")
        + 'weighted_feature { name: "xw" feature { step: "x" } weight_feature { step: "w" } }',
    ),
}


@pytest.fixture
def there_and_back(made, tmp_path):
    """Returns the examples of a table, and those of the tf.Examples that they become."""

    def run(table):
        pq.write_table(pa.table(table), tmp_path / "t.parquet")
        ingested = made(ParquetExampleGen, tmp_path / "t.parquet", splits={"all": 1})
        (tmp_path / "records").mkdir()
        ExamplesExporter(examples=ingested, records=TFRecords(str(tmp_path / "records")))
        files = list((tmp_path / "records").rglob("*.gz"))
        back = Examples(str(tmp_path / "back"))
        source = files_of(tmp_path / "records", *files)
        ImportExampleGen(examples=back, quarantined=quarantine(tmp_path / "bad"), input_base=source, splits={"all": 1})
        return ingested, back

    return run


def as_text(tensors):
    return {name: str(tf.sparse.to_dense(t) if isinstance(t, tf.SparseTensor) else t) for name, t in tensors.items()}


@pytest.mark.parametrize(("table", "_schema"), KINDS.values(), ids=KINDS)
def test_a_kind_of_feature_comes_back_from_tf_examples_as_it_was(there_and_back, table, _schema):
    ingested, back = there_and_back(table)

    assert rows_of(back) == {
        split: [dict(sorted(row.items())) for row in rows] for split, rows in rows_of(ingested).items()
    }
    assert examples.digest(back.path) == examples.digest(ingested.path)


@pytest.mark.parametrize(("table", "schema"), KINDS.values(), ids=KINDS)
def test_rows_and_examples_of_a_kind_are_the_same_tensors(there_and_back, table, schema):
    ingested, _ = there_and_back(table)
    features = raw_features(text_format.Parse(schema, schema_pb2.Schema()))
    (batch,) = examples.record_batches(ingested.path, "all")

    from_rows = row_tensors.from_batch(batch, features)
    from_examples = row_tensors.parse_examples(tf.constant(codec.encode_examples(batch, features)), features)

    assert as_text(from_rows) == as_text(from_examples)
    assert from_rows.keys() == {feature.name for feature in features}


def test_times_keep_their_unit_in_the_examples(there_and_back):
    ingested, _ = there_and_back(KINDS["times"][0])

    stored = examples.arrow_schema(ingested.path)
    assert {field.name: field.metadata for field in stored} == {"at": {b"unit": b"us"}, "day": {b"unit": b"us"}}
    assert rows_of(ingested)["all"][0] == {"at": NOON_US, "day": NOON_US - 12 * 3_600_000_000}


def test_images_are_decoded_from_what_is_stored(there_and_back):
    ingested, _ = there_and_back(KINDS["images"][0])

    decoded = [tf.io.decode_png(row["image"]).numpy() for row in rows_of(ingested)["all"]]

    assert ingested.properties["columns"] == {"image": "binary"}
    assert sorted({int(image.max()) for image in decoded}) == [3, 200]
    assert {image.shape for image in decoded} == {(4, 4, 1)}


def test_sequences_are_lists_that_come_back_as_features_of_examples(there_and_back, made, tmp_path):
    record = tf.train.SequenceExample()
    record.context.feature["user"].int64_list.value.append(3)
    for token, score in ((b"a", 0.5), (b"b", 1.5)):
        record.feature_lists.feature_list["words"].feature.add().bytes_list.value.append(token)
        record.feature_lists.feature_list["scores"].feature.add().float_list.value.append(score)
    write_records(tmp_path / "t.tfrecord", [record.SerializeToString()] * 2)
    from_sequences = made(ImportExampleGen, tmp_path / "t.tfrecord", output="sequences", splits={"all": 1})
    (batch,) = examples.record_batches(from_sequences.path, "all")

    parsed = tf.train.Example.FromString(codec.encode_examples(batch)[0])
    ingested, back = there_and_back(pa.Table.from_batches([batch]))

    assert rows_of(from_sequences)["all"][0] == {
        "sequence.scores": [0.5, 1.5],
        "sequence.words": ["a", "b"],
        "user": 3,
    }
    assert list(parsed.features.feature["sequence.words"].bytes_list.value) == [b"a", b"b"]
    assert examples.digest(back.path) == examples.digest(ingested.path) == examples.digest(from_sequences.path)

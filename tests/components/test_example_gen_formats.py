"""TFRecord, Avro and JSON lines: the same rows as from CSV, and what is said of damaged ones."""

import gzip
import json
import struct

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from penstock.components.ingestion.avro_example_gen import AvroExampleGen
from penstock.components.ingestion.csv_example_gen import CsvExampleGen
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.jsonl_example_gen import JsonlExampleGen, check_parameters
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.data import avro_source, examples, jsonl_source, tfrecord_source
from penstock.pipeline import Beam, DataError, ParameterError
from tests.components.conftest import rows_of
from tests.components.test_example_gen_parquet import trips
from tests.components.test_ingestion import DATA

AVRO = {
    "type": "record",
    "name": "trip",
    "fields": [
        {"name": "taxi", "type": "string"},
        {"name": "fare", "type": ["null", "double"]},
        {"name": "miles", "type": "long"},
    ],
}


def example(**features):
    """Returns a serialised tf.Example; None is a feature without a kind, [] one without a value."""
    made = {}
    for name, values in features.items():
        kinds = {int: "int64_list", float: "float_list", bytes: "bytes_list"}
        feature = tf.train.Feature()
        if values is not None:
            kind = kinds[type(values[0])] if values else "int64_list"
            getattr(feature, kind).SetInParent()
            getattr(feature, kind).value.extend(values)
        made[name] = feature
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString(deterministic=True)


def write_records(path, records, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)


def trip_record(row):
    fare = {} if row["fare"] is None else {"fare": [float(row["fare"])]}
    return example(taxi=[row["taxi"].encode()], miles=[row["miles"]], **fare)


def whole_fares(rows=400):
    """Trips whose fares are the same in 32 bits and in 64."""
    return [row | {"fare": row["fare"] and float(int(row["fare"]))} for row in trips(rows).to_pylist()]


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_same_rows_from_tfrecord_and_parquet_have_one_digest(made, tmp_path, compression):
    rows = whole_fares()
    write_records(tmp_path / "t.tfrecord", map(trip_record, rows), compression)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")

    from_records = made(ImportExampleGen, tmp_path / "t.tfrecord", output="1")
    from_parquet = made(ParquetExampleGen, tmp_path / "t.parquet", output="2")

    assert examples.digest(from_records.path) == examples.digest(from_parquet.path)
    assert from_records.properties["columns"] == {"fare": "float32", "miles": "int64", "taxi": "string"}


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_same_rows_from_avro_and_parquet_have_one_digest(made, tmp_path, monkeypatch, codec):
    monkeypatch.setattr(avro_source, "RANGE_BYTES", 2000)
    with open(tmp_path / "t.avro", "wb") as file:
        fastavro.writer(file, AVRO, trips().to_pylist(), codec=codec, sync_interval=500)
    pq.write_table(trips(), tmp_path / "t.parquet")

    from_avro = made(AvroExampleGen, tmp_path / "t.avro", output="1", beam=Beam(workers=2))
    from_parquet = made(ParquetExampleGen, tmp_path / "t.parquet", output="2")

    assert len(examples.split_files(from_avro.path, "train")) > 1
    assert examples.digest(from_avro.path) == examples.digest(from_parquet.path)
    assert from_avro.properties == from_parquet.properties


@pytest.mark.parametrize("packed", [False, True])
def test_same_rows_from_json_lines_and_parquet_have_one_digest(made, tmp_path, monkeypatch, packed):
    monkeypatch.setattr(jsonl_source, "RANGE_BYTES", 5000)
    text = "".join(json.dumps(row) + "\n" for row in trips().to_pylist()).encode()
    (tmp_path / "t.jsonl").write_bytes(gzip.compress(text) if packed else text)
    pq.write_table(trips(), tmp_path / "t.parquet")

    from_lines = made(JsonlExampleGen, tmp_path / "t.jsonl", output="1", beam=Beam(workers=2))
    from_parquet = made(ParquetExampleGen, tmp_path / "t.parquet", output="2")

    assert len(examples.split_files(from_lines.path, "train")) == (1 if packed else 4)
    assert examples.digest(from_lines.path) == examples.digest(from_parquet.path)
    assert from_lines.properties == from_parquet.properties


@pytest.mark.skipif(not DATA.exists(), reason="the data is not shipped; set PENSTOCK_DATA")
@pytest.mark.parametrize(
    ("component", "file", "rows", "column", "type_"),
    [
        (ImportExampleGen, "taxi_tfexample.tfrecord.gz", 9_988, "company", "string"),
        (ImportExampleGen, "mnist.tfrecord", 1_000, "image_floats", "list<float32>"),
        (AvroExampleGen, "taxi.avro", 10_000, "fare", "float32"),
    ],
)
def test_no_row_of_real_data_is_lost(made, tmp_path, component, file, rows, column, type_):
    (tmp_path / file).symlink_to(DATA / file)

    result = made(component, tmp_path / file)

    assert sum(result.properties["rows"].values()) == rows
    assert result.properties["columns"][column] == type_


def test_features_are_what_they_are_in_all_records(made, tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord_source, "RANGE_BYTES", 1)
    records = [
        example(n=[1], picture=[b"a"], tags=[b"x"], unset=None),
        example(n=[2], picture=[b"\xff\xfe"], tags=[b"y", b"z"], late=[1.5]),
        example(n=[]),
    ]
    write_records(tmp_path / "t.tfrecord", records)

    result = made(ImportExampleGen, tmp_path / "t.tfrecord", splits={"all": 1}, row_filter="n is not null or n is null")

    assert result.properties["columns"] == {
        "late": "float32",
        "n": "list<int64>",
        "picture": "binary",
        "tags": "list<string>",
        "unset": "string",
    }
    rows = rows_of(result)["all"]
    assert [row["n"] for row in rows] == [[1], [2], []]
    assert [row["picture"] for row in rows] == [b"a", b"\xff\xfe", None]
    assert [row["late"] for row in rows] == [None, 1.5, None]
    assert rows[0]["tags"] == ["x"]


def test_sequences_become_lists(made, tmp_path):
    record = tf.train.SequenceExample()
    record.context.feature["user"].int64_list.value.append(3)
    for token in (b"a", b"b"):
        record.feature_lists.feature_list["words"].feature.add().bytes_list.value.append(token)
    write_records(tmp_path / "t.tfrecord", [record.SerializeToString()] * 2)

    rows = rows_of(made(ImportExampleGen, tmp_path / "t.tfrecord", splits={"all": 1}))["all"]

    assert rows == [{"sequence.words": ["a", "b"], "user": 3}] * 2


def test_a_record_without_sequences_stands_beside_those_that_have_some(made, tmp_path):
    records = [tf.train.SequenceExample() for _ in range(2)]
    for user, record in enumerate(records):
        record.context.feature["user"].int64_list.value.append(user)
    records[1].feature_lists.feature_list["words"].feature.add().bytes_list.value.append(b"a")
    write_records(tmp_path / "t.tfrecord", [record.SerializeToString() for record in records])

    rows = rows_of(made(ImportExampleGen, tmp_path / "t.tfrecord", splits={"all": 1}))["all"]

    assert rows == [{"sequence.words": None, "user": 0}, {"sequence.words": ["a"], "user": 1}]


def test_sequences_of_several_values_a_step_are_refused(made, tmp_path):
    record = tf.train.SequenceExample()
    record.feature_lists.feature_list["frames"].feature.add().float_list.value.extend([1.0, 2.0])
    write_records(tmp_path / "t.tfrecord", [record.SerializeToString()])

    with pytest.raises(DataError, match=r"the sequence 'sequence\.frames' has steps with no or several values"):
        made(ImportExampleGen, tmp_path / "t.tfrecord")


def damaged(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: damaged(data, len(data) // 2 * 2 - 6), "record 3 is damaged: its checksum doesn't hold"),
        (lambda data: damaged(data, 0), "record 1 is damaged: this is no TFRecord file, or the checksum of its length"),
        (lambda data: data[:-3], "record 3: the file ends within this record"),
        (lambda data: data + b"abc", "record 4: the file ends within this record"),
        (lambda data: gzip.compress(data)[:-20], "the gzip file is damaged or cut off here"),
        (lambda data: b"", "there are no records"),
    ],
)
def test_damaged_record_is_named(made, tmp_path, damage, message):
    write_records(tmp_path / "t.tfrecord", [example(n=[i]) for i in range(3)])
    (tmp_path / "t.tfrecord").write_bytes(damage((tmp_path / "t.tfrecord").read_bytes()))

    with pytest.raises(DataError) as caught:
        made(ImportExampleGen, tmp_path / "t.tfrecord")

    assert message in str(caught.value)
    assert str(tmp_path / "t.tfrecord") in str(caught.value)


def test_length_that_lies_asks_for_no_memory(made, tmp_path):
    (tmp_path / "t.tfrecord").write_bytes(struct.pack("<QI", 2**62, 7) + b"x" * 30)

    with pytest.raises(DataError, match="record 1 is damaged"):
        made(ImportExampleGen, tmp_path / "t.tfrecord")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([example(n=[1]), b"\xff\xff"], "record 2 is no tf.Example"),
        ([example(n=[1]), example(n=[2]), example(n=[1.5])], "record 3 disagrees with the records before it"),
    ],
)
def test_record_that_cannot_be_decoded_is_named(made, tmp_path, records, message):
    write_records(tmp_path / "t.tfrecord", records)

    with pytest.raises(DataError, match=message):
        made(ImportExampleGen, tmp_path / "t.tfrecord")


def test_types_that_differ_between_files_are_named_with_both_places(made, tmp_path):
    write_records(tmp_path / "1.tfrecord", [example(m=[1]), example(n=[1])])
    write_records(tmp_path / "2.tfrecord", [example(n=[b"x"])])

    with pytest.raises(DataError) as caught:
        made(ImportExampleGen, tmp_path / "1.tfrecord", tmp_path / "2.tfrecord")

    assert "2.tfrecord, record 1: column 'n' holds string, and int64 at" in str(caught.value)
    assert "1.tfrecord, record 2." in str(caught.value)


def test_nested_objects_and_late_keys_are_columns(made, tmp_path):
    lines = [{"a": {"b": 1}}, {}, {"a": {"b": 2.5, "c": ["x"]}, "flag": True}, {"flag": 7, "nan": float("nan")}]
    (tmp_path / "t.jsonl").write_text("\ufeff" + "\r\n\n".join(json.dumps(line) for line in lines))

    rows = rows_of(made(JsonlExampleGen, tmp_path / "t.jsonl", splits={"all": 1}))["all"]

    assert [row["a.b"] for row in rows] == [1.0, None, 2.5, None]
    assert [row["flag"] for row in rows] == [None, None, 1, 7]
    assert rows[2]["a.c"] == ["x"]
    assert rows[3]["nan"] != rows[3]["nan"]


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ('{"a": 1}\n{"a": }\n', {}, "line 2: this is no JSON: Expecting value at character 7"),
        ('{"a": 1}\n[1]\n', {}, "line 2: a line must hold a JSON object, this one holds '[1]'"),
        ('{"a": 1}\n\n{"a": "x"}\n', {}, "line 3: column 'a' holds text ('x'), and an integer ('1') before"),
        ('{"a": 36893488147419103232}\n', {}, "an integer of more than 64 bits"),
        ('{"a": 1}\n{"a": "x"}\n', {"column_types": {"a": "int64"}}, "line 2: column 'a' was declared int64"),
        (b'{"a": "\xe9"}\n', {}, "line 1: byte 0xe9 at position 8 is no UTF-8"),
        (b"", {}, "there are no lines"),
        (b"\n\n", {}, "There are no data rows"),
    ],
)
def test_bad_line_is_named(made, tmp_path, text, parameters, message):
    (tmp_path / "t.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(DataError) as caught:
        made(JsonlExampleGen, tmp_path / "t.jsonl", **parameters)

    assert message in str(caught.value)


def test_declared_types_hold_and_texts_keep_their_json(made, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": 1}\n{"a": "x", "b": 2}\n{"a": [1.5], "b": null}\n')

    result = made(JsonlExampleGen, tmp_path / "t.jsonl", splits={"a": 1}, column_types={"a": "string", "b": "float32"})

    assert rows_of(result)["a"] == [{"a": "1", "b": 1.0}, {"a": "x", "b": 2.0}, {"a": "[1.5]", "b": None}]
    assert result.properties["columns"] == {"a": "string", "b": "float32"}


def test_unknown_declared_type_is_refused_beforehand():
    with pytest.raises(ParameterError, match=r"JsonlExampleGen: .*Did you mean 'int64'"):
        check_parameters(column_types={"a": "int"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) - 30], "the block that begins with record"),
        (lambda data: damaged(data, len(data) - 3), "is damaged or cut off"),
        (lambda data: b"PK" + data, "it doesn't begin as an Avro object container file"),
        (lambda data: data[:40], "its header is cut off"),
    ],
)
def test_damaged_avro_file_is_named(made, tmp_path, damage, message):
    with open(tmp_path / "t.avro", "wb") as file:
        fastavro.writer(file, AVRO, trips().to_pylist())
    (tmp_path / "t.avro").write_bytes(damage((tmp_path / "t.avro").read_bytes()))

    with pytest.raises(DataError) as caught:
        made(AvroExampleGen, tmp_path / "t.avro")

    assert message in str(caught.value)


def test_avro_types_become_those_of_examples(made, tmp_path):
    fields = [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "kind", "type": {"type": "enum", "name": "k", "symbols": ["A", "B"]}},
        {"name": "tags", "type": {"type": "array", "items": "int"}},
        {"name": "at_home", "type": ["boolean", "null"]},
        {"name": "place", "type": {"type": "record", "name": "p", "fields": [{"name": "lat", "type": "float"}]}},
    ]
    row = {"at": 5_000, "kind": "B", "tags": [1, 2], "at_home": None, "place": {"lat": 1.5}}
    with open(tmp_path / "t.avro", "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, [row])

    rows = rows_of(made(AvroExampleGen, tmp_path / "t.avro", splits={"all": 1}))["all"]

    assert rows == [{"at": 5_000_000, "kind": "B", "tags": [1, 2], "at_home": None, "place.lat": 1.5}]


def test_avro_map_is_refused_by_name(made, tmp_path):
    fields = [{"name": "m", "type": {"type": "map", "values": "int"}}]
    with open(tmp_path / "t.avro", "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, [{"m": {"a": 1}}])

    with pytest.raises(DataError, match="column 'm' has the Avro type"):
        made(AvroExampleGen, tmp_path / "t.avro")


def test_cells_of_ten_megabytes_and_odd_numbers_are_kept(made, tmp_path):
    big = "x" * 10_000_000
    rows = [{"big": big, "x": float("nan")}, {"big": "y", "x": float("inf")}, {"big": None, "x": float("-inf")}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "t.csv").write_text(f"big,x\n{big},nan\ny,inf\n,-inf\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")

    gens = {"jsonl": JsonlExampleGen, "csv": CsvExampleGen, "parquet": ParquetExampleGen}
    results = [made(gen, tmp_path / f"t.{name}", output=name, splits={"a": 1}) for name, gen in gens.items()]

    assert len({examples.digest(result.path) for result in results}) == 1
    assert len(rows_of(results[0])["a"][0]["big"]) == 10_000_000

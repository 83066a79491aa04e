"""Schema, statistics and anomalies: files in TFX's formats, digests of their meaning."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data import protos
from penstock.data.errors import DataFormatError, NoDataError

SCHEMA = 'feature { name: "a" type: INT } feature { name: "b" type: FLOAT }'


def statistics(*names):
    proto = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = proto.datasets.add(num_examples=3)
    for name in names:
        dataset.features.add().path.step.append(name)
    return proto


def test_schema_is_read_as_written_from_folder_or_file(tmp_path):
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    protos.write_schema(str(tmp_path), schema)

    assert protos.read_schema(str(tmp_path)) == schema
    assert protos.read_schema(str(tmp_path / "schema.pbtxt")) == schema


def test_schema_digest_ignores_order_and_comments(tmp_path):
    one, two, other = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    one.write_text(SCHEMA)
    two.write_text('# mine\nfeature { name: "b" type: FLOAT }\nfeature { type: INT name: "a" }')
    other.write_text(SCHEMA.replace("INT", "BYTES"))

    assert protos.digest_schema(str(one)) == protos.digest_schema(str(two))
    assert protos.digest_schema(str(one)) != protos.digest_schema(str(other))
    assert protos.digest_schema(str(one)) == "schema-1:e9a9a32e252ea66ecd10f663191f064f"


def test_broken_schema_names_file_and_line(tmp_path):
    path = tmp_path / "schema.pbtxt"
    path.write_text('feature { name: "a" }\nfeatur { }\n')

    with pytest.raises(DataFormatError, match=r"schema.pbtxt is not a schema in text format: line 2") as caught:
        protos.read_schema(str(tmp_path))

    assert caught.value.line == 2


def test_absent_schema_is_named(tmp_path):
    with pytest.raises(NoDataError, match="There is no schema at"):
        protos.read_schema(str(tmp_path))


def test_statistics_and_anomalies_are_kept_by_split(tmp_path):
    found = anomalies_pb2.Anomalies()
    found.anomaly_info["a"].description = "odd"
    protos.write_statistics(str(tmp_path), "train", statistics("a"))
    protos.write_statistics(str(tmp_path), "eval", statistics("b"))
    protos.write_anomalies(str(tmp_path), "train", found)

    assert protos.split_names_of(str(tmp_path)) == ["train", "eval"]
    assert protos.read_statistics(str(tmp_path), "eval") == statistics("b")
    assert protos.read_anomalies(str(tmp_path), "train") == found
    with pytest.raises(NoDataError, match=r"no FeatureStats.pb of split 'test' in .* Splits: train, eval"):
        protos.read_statistics(str(tmp_path), "test")


def test_statistics_digest_ignores_the_order_of_features_but_not_the_split(tmp_path):
    for folder, split, names in (("1", "train", "ab"), ("2", "train", "ba"), ("3", "eval", "ab")):
        protos.write_statistics(str(tmp_path / folder), split, statistics(*names))

    first, second, third = (protos.digest_statistics(str(tmp_path / folder)) for folder in "123")

    assert first == second != third


def test_anomalies_digest_is_of_the_anomalies(tmp_path):
    odd = anomalies_pb2.Anomalies()
    odd.anomaly_info["a"].description = "odd"
    protos.write_anomalies(str(tmp_path / "1"), "train", odd)
    protos.write_anomalies(str(tmp_path / "2"), "train", anomalies_pb2.Anomalies())

    digests = {protos.digest_anomalies(str(tmp_path / folder)) for folder in "12"}

    assert len(digests) == 2
    assert all(digest.startswith("anomalies-1:") for digest in digests)


def test_file_of_another_format_is_named(tmp_path):
    protos.write_statistics(str(tmp_path), "train", statistics("a"))
    (tmp_path / "Split-train" / "FeatureStats.pb").write_bytes(b"\xff\xff")

    with pytest.raises(DataFormatError, match=r"FeatureStats.pb is not a tensorflow.metadata"):
        protos.read_statistics(str(tmp_path), "train")

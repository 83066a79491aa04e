"""What is inferred from statistics, feature by feature, and over several splits."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.anomalies import validate
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.feature_inference import Inference
from penstock.components.validation.schema_inference import infer_schema
from penstock.data.raw_feature import raw_features
from penstock.pipeline import DataError

REQUIRED = "presence { min_fraction: 1.0 min_count: 1 } shape { dim { size: 1 } }"
OPTIONAL = "presence { min_count: 1 } value_count { min: 1 max: 1 }"

CASES = {
    "ints": (pa.array([1, 2]), f"type: INT {REQUIRED}"),
    "ints with a missing one": (pa.array([3, None]), f"type: INT {OPTIONAL}"),
    "zeros and ones": (pa.array([0, 1]), f"type: INT {REQUIRED} bool_domain {{}}"),
    "zeros only": (pa.array([0, 0]), f"type: INT {REQUIRED}"),
    "floats": (pa.array([0.5, 1.0]), f"type: FLOAT {REQUIRED}"),
    "strings": (pa.array(["b", "a"]), f"type: BYTES {REQUIRED} domain: 'x'"),
    "truths": (
        pa.array(["true", "false", None]),
        f"type: BYTES {OPTIONAL} bool_domain {{ true_value: 'true' false_value: 'false' }}",
    ),
    "two words for true": (pa.array(["true", "TRUE"]), f"type: BYTES {REQUIRED} domain: 'x'"),
    "digits": (pa.array(["007", "12"]), f"type: BYTES {REQUIRED} int_domain {{}}"),
    "many strings": (pa.array([f"s{i}" for i in range(101)]), f"type: BYTES {REQUIRED}"),
    "bytes that are no text": (pa.array([b"\xff", b"a"]), f"type: BYTES {REQUIRED}"),
    "nothing": (pa.array([None, None], pa.string()), "type: BYTES presence { min_count: 0 }"),
    "pairs": (
        pa.array([[1.0, 2.0], [3.0, 4.0]]),
        "type: FLOAT presence { min_fraction: 1.0 min_count: 1 } shape { dim { size: 2 } }",
    ),
    "lists": (
        pa.array([[1.0], [3.0, 4.0]]),
        "type: FLOAT presence { min_fraction: 1.0 min_count: 1 } value_count { min: 1 }",
    ),
    "lists, one empty": (
        pa.array([[], [3.0, 4.0]]),
        "type: FLOAT presence { min_fraction: 1.0 min_count: 1 }",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_feature_is_inferred_as_tfdv_does(case):
    values, expected = CASES[case]

    schema = infer_schema([describe_table(pa.table({"x": values}))])

    assert schema.feature[0] == text_format.Parse(f"name: 'x' {expected}", schema_pb2.Feature())


def test_domain_holds_the_values_in_order():
    schema = infer_schema([describe_table(pa.table({"x": ["b", "a", "b", "é"]}))])

    assert [(domain.name, list(domain.value)) for domain in schema.string_domain] == [("x", ["a", "b", "é"])]


def test_size_of_domains_can_be_set():
    table = pa.table({"x": ["a", "b", "c"]})

    schema = infer_schema([describe_table(table)], Inference(max_string_domain_size=2))

    assert not schema.string_domain
    assert not schema.feature[0].domain


def test_without_shapes_there_is_a_number_of_values():
    schema = infer_schema([describe_table(pa.table({"x": [1, 2]}))], Inference(shape=False))

    feature = schema.feature[0]
    assert not feature.HasField("shape")
    assert (feature.value_count.min, feature.value_count.max) == (1, 1)


def test_a_further_split_loosens_what_it_does_not_fit():
    train = describe_table(pa.table({"s": ["a", "b"], "n": [1, 2], "flag": [0, 1]}))
    held_out = describe_table(pa.table({"s": ["a", "c"], "n": [1, None], "flag": [0, 7]}))

    schema = infer_schema([train, held_out])

    assert list(schema.string_domain[0].value) == ["a", "b", "c"]
    number, flag = schema.feature[1], schema.feature[2]
    assert number.presence.min_fraction == 0.5
    assert not number.HasField("shape")
    assert (number.value_count.min, number.value_count.max) == (1, 1)
    assert (flag.int_domain.min, flag.int_domain.max) == (0, 7)


@pytest.mark.parametrize(
    "held_out",
    [pa.table({"s": ["a"], "x": pa.array([None], pa.list_(pa.float64()))}), pa.table({"s": ["a"]})],
    ids=["no value", "no such column"],
)
def test_a_feature_that_a_further_split_misses_may_be_missing_and_stays_in_use(held_out):
    train = describe_table(pa.table({"s": ["a", "b"], "x": [[1.0, 2.0], [3.0, 4.0]]}))

    schema = infer_schema([train, describe_table(held_out)])

    expected = "name: 'x' type: FLOAT presence { min_count: 0 } value_count { min: 2 max: 2 }"
    assert schema.feature[1] == text_format.Parse(expected, schema_pb2.Feature())


def test_a_feature_that_a_further_split_misses_is_still_one_of_the_model():
    train = describe_table(pa.table({"s": ["a", "b"], "x": [1.0, 2.0], "l": [[1, 2], [3, 4]]}))
    types = pa.schema({"s": pa.string(), "x": pa.float64(), "l": pa.list_(pa.int64())})
    held_out = describe_table(pa.table({"s": ["a"], "x": [None], "l": [None]}, types))

    features = {each.name: each for each in raw_features(infer_schema([train, held_out]))}

    assert list(features) == types.names
    assert [features["x"].scalar, features["l"].scalar] == [True, False]


def test_a_feature_of_a_further_split_may_be_missing():
    first, second = (describe_table(pa.table(columns)) for columns in ({"s": ["a"]}, {"s": ["a"], "n": [5]}))

    schema = infer_schema([first, second])

    assert schema.feature[1].presence == schema_pb2.FeaturePresence(min_count=0)
    assert [validate(each, schema).features for each in (first, second)] == [(), ()]


def test_a_split_without_rows_changes_nothing():
    rows = pa.table({"s": ["a", "b"]})

    schema = infer_schema([describe_table(rows.slice(0, 0)), describe_table(rows), describe_table(rows.slice(0, 0))])

    assert schema == infer_schema([describe_table(rows)])


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (describe_table(pa.table({"s": pa.array([], pa.string())})), "describe no example, and a schema of nothing"),
        (
            DatasetFeatureStatisticsList(datasets=[DatasetFeatureStatistics(num_examples=3)]),
            "describe no feature, and a schema without any",
        ),
    ],
)
def test_a_schema_of_nothing_is_refused(described, told):
    with pytest.raises(DataError) as refused:
        infer_schema([described])

    assert told in str(refused.value)


cells = st.none() | st.sampled_from(["a", "b", "true", "1", ""])
columns = st.lists(st.tuples(cells, st.none() | st.integers(-2, 2), st.none() | st.floats(-1, 1)), max_size=8)


@settings(max_examples=300)
@given(st.lists(columns.filter(bool), min_size=1, max_size=3))
def test_every_split_fits_the_schema_inferred_from_all(splits):
    schema = pa.schema({"s": pa.string(), "i": pa.int64(), "f": pa.float64()})
    described = []
    for rows in splits:
        arrays = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
        described.append(describe_table(pa.table(arrays, schema=schema)))

    inferred = infer_schema(described)

    assert [validate(each, inferred).features for each in described] == [()] * len(described)

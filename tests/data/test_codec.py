"""Arrow to TensorFlow and back: list columns, dense arrays with sentinels, tf.Examples."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data import codec
from penstock.data.errors import CellError, UnsupportedDataError
from penstock.data.raw_feature import MISSING_INT, RawFeature

BATCH = pa.RecordBatch.from_pydict(
    {
        "n": pa.array([1, None, 3]),
        "x": pa.array([0.5, None, float("nan")]),
        "s": pa.array(["a", None, ""]),
        "l": pa.array([[1, 2], [], None], pa.list_(pa.int64())),
    }
)
FEATURES = codec.features_of(BATCH.schema)
SCALARS = FEATURES[:3]


def schema(text):
    return text_format.Parse(text, schema_pb2.Schema())


def test_stored_columns_are_optional_raw_features():
    assert (
        RawFeature("n", "int64"),
        RawFeature("x", "float32"),
        RawFeature("s", "string"),
        RawFeature("l", "int64", scalar=False),
    ) == FEATURES


def test_schema_makes_dense_features_only_with_shape_and_full_presence():
    features = codec.raw_features(
        schema(
            """
            feature { name: "a" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
            feature { name: "b" type: FLOAT presence { min_count: 1 } shape { dim { size: 1 } } }
            feature { name: "c" type: BYTES presence { min_fraction: 1 } value_count { min: 1 } }
            feature { name: "d" type: FLOAT presence { min_fraction: 1 } shape { } }
            feature { name: "e" type: FLOAT lifecycle_stage: DEPRECATED }
            feature { name: "label" type: INT }
            """
        ),
        exclude=["label"],
    )

    assert features == (
        RawFeature("a", "int64", (1,)),
        RawFeature("b", "float32"),
        RawFeature("c", "string", scalar=False),
        RawFeature("d", "float32", ()),
    )


def test_fields_of_structs_are_features_by_the_names_of_their_columns():
    features = codec.raw_features(
        schema(
            """
            feature { name: "user" type: STRUCT presence { min_fraction: 1 } struct_domain {
                feature { name: "age" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
                feature { name: "home" type: STRUCT struct_domain {
                    feature { name: "city" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } } } } } }
            feature { name: "old" type: STRUCT lifecycle_stage: DEPRECATED struct_domain {
                feature { name: "x" type: INT } } }
            """
        )
    )

    assert features == (RawFeature("user.age", "int64", (1,)), RawFeature("user.home.city", "string"))


def test_a_struct_without_fields_is_refused():
    with pytest.raises(UnsupportedDataError, match="Feature 'a' has the type STRUCT"):
        codec.raw_features(schema('feature { name: "a" type: STRUCT }'))


@given(
    st.builds(
        RawFeature,
        st.text(),
        st.sampled_from(["int64", "float32", "string"]),
        st.none() | st.lists(st.integers(1, 5)).map(tuple),
        st.booleans(),
    )
)
def test_raw_feature_survives_json(feature):
    assert RawFeature.from_json(json.loads(json.dumps(feature.to_json(), allow_nan=False))) == feature


def test_list_columns_keep_missing_apart_from_empty():
    lists = codec.to_list_columns(BATCH, FEATURES)

    assert lists.schema == codec.list_schema(FEATURES)
    assert lists.column(0).to_pylist() == [[1], None, [3]]
    assert lists.column(1).to_pylist()[:2] == [[0.5], None]
    assert lists.column(2).to_pylist() == [[b"a"], None, [b""]]
    assert lists.column(3).to_pylist() == [[1, 2], [], None]


def test_list_columns_of_a_slice():
    lists = codec.to_list_columns(BATCH.slice(1, 2), FEATURES)

    assert lists.column(0).to_pylist() == [None, [3]]
    assert lists.column(3).to_pylist() == [[], None]


def test_dense_arrays_hold_sentinels():
    dense = codec.dense(BATCH, SCALARS)

    assert dense["n"].tolist() == [[1], [MISSING_INT], [3]]
    assert dense["x"].dtype == np.float32
    assert [math.isnan(x) for x in dense["x"][:, 0]] == [False, True, True]
    assert dense["s"].tolist() == [[b"a"], [b""], [b""]]


def test_dense_arrays_return_to_rows_with_nulls():
    rows = codec.from_dense(codec.dense(BATCH, SCALARS), SCALARS).to_pydict()

    assert rows == {"n": [1, None, 3], "x": [0.5, None, None], "s": [b"a", None, None]}


def test_dense_of_a_fixed_shape():
    batch = pa.RecordBatch.from_pydict({"v": pa.array([[1.0, 2.0], [3.0, 4.0]])})

    assert codec.dense(batch, [RawFeature("v", "float32", (2,), scalar=False)])["v"].tolist() == [[1, 2], [3, 4]]


def test_varying_values_have_no_dense_form():
    with pytest.raises(UnsupportedDataError, match="Feature 'l' holds a varying number of values"):
        codec.dense(BATCH, FEATURES)


def test_absent_optional_column_is_missing_and_absent_required_one_an_error():
    assert codec.dense(BATCH, [RawFeature("new", "int64")])["new"].tolist() == [[MISSING_INT]] * 3
    with pytest.raises(CellError, match=r"no column 'new', which the schema requires.*They have: n, x, s, l"):
        codec.to_list_columns(BATCH, [RawFeature("new", "int64", (1,))])


def test_missing_value_of_a_required_feature_is_an_error():
    with pytest.raises(CellError, match="Column 'n' must have a value in every row, 1 of 3 have none"):
        codec.to_list_columns(BATCH, [RawFeature("n", "int64", (1,))])


def test_numbers_widen_but_text_is_no_number():
    assert codec.dense(BATCH, [RawFeature("n", "float32")])["n"].dtype == np.float32
    with pytest.raises(CellError, match="Column 's' holds string, the schema wants float32"):
        codec.dense(BATCH, [RawFeature("s", "float32")])
    with pytest.raises(CellError, match="Column 'x' can't be read as int64"):
        codec.dense(BATCH, [RawFeature("x", "int64")])


def test_examples_are_parsed_back_by_tensorflow():
    import tensorflow as tf

    from penstock.data import tensors

    encoded = codec.encode_examples(BATCH)
    parsed = tf.io.parse_example(encoded, tensors.parsing_spec(SCALARS))
    raw = tensors.to_raw(parsed, SCALARS)

    dense = codec.dense(BATCH, SCALARS)
    assert [len(tf.train.Example.FromString(e).features.feature["l"].int64_list.value) for e in encoded] == [2, 0, 0]
    for name, values in dense.items():
        np.testing.assert_array_equal(raw[name].numpy(), values)


def test_raw_tensors_become_what_parsing_gives():
    import tensorflow as tf

    from penstock.data import tensors

    features = (*SCALARS, RawFeature("k", "int64", (1,)))
    batch = BATCH.append_column("k", pa.array([7, 8, 9]))
    dense = {name: tf.constant(values) for name, values in codec.dense(batch, features).items()}
    parsed = tf.io.parse_example(codec.encode_examples(batch), tensors.parsing_spec(features))

    given_raw = tensors.from_raw(dense, features)

    assert given_raw["k"].numpy().tolist() == parsed["k"].numpy().tolist() == [[7], [8], [9]]
    assert given_raw["n"].indices.numpy().tolist() == parsed["n"].indices.numpy().tolist()
    assert given_raw["n"].values.numpy().tolist() == parsed["n"].values.numpy().tolist()
    assert given_raw["n"].dense_shape.numpy().tolist() == [3, 1]
    assert {name: spec.shape.as_list() for name, spec in tensors.raw_signature(features).items()} == {
        f.name: [None, 1] for f in features
    }


def test_column_that_is_missing_throughout_has_a_raw_tensor():
    import tensorflow as tf

    from penstock.data import tensors

    feature = RawFeature("s", "string")
    parsed = tf.io.parse_example(codec.encode_examples(BATCH.slice(1, 1)), tensors.parsing_spec([feature]))

    assert tensors.to_raw(parsed, [feature])["s"].numpy().tolist() == [[b""]]

"""Sparse and weighted features of the schema: one tensor from several columns, the same wherever it is made."""

from __future__ import annotations

import json
import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public.tfxio import TensorAdapter, TensorAdapterConfig

from penstock.components import row_tensors
from penstock.components.evaluation.predictor import Predictor
from penstock.components.training import TensorFlowDatasetOptions, save_model, train
from penstock.components.training.data_accessor import DataAccessor
from penstock.components.transform import fit, transform_beam
from penstock.data import codec
from penstock.data import examples as rows
from penstock.data.errors import CellError, UnsupportedDataError
from penstock.data.protos import write_schema
from penstock.data.raw_feature import RawFeature, columns_of, raw_features
from penstock.data.shards import ShardWriter, shard_path
from penstock.data.sparse_columns import SparseColumns
from penstock.pipeline import Beam

SCHEMA = """
    feature { name: "at" type: INT int_domain { min: 0 max: 9 } }
    feature { name: "weight" type: FLOAT }
    feature { name: "y" type: INT value_count { min: 1 max: 1 } }
    sparse_feature { name: "bag" index_feature { name: "at" } value_feature { name: "weight" } }
"""


def schema(text=SCHEMA):
    return text_format.Parse(text, schema_pb2.Schema())


def batch_of(cells):
    """Rows from (indices, values) of each; None is a missing feature."""
    return pa.RecordBatch.from_pydict(
        {
            "at": pa.array([None if cell is None else cell[0] for cell in cells], pa.list_(pa.int64())),
            "weight": pa.array([None if cell is None else cell[1] for cell in cells], pa.list_(pa.float64())),
        }
    )


BAG = RawFeature("bag", "float32", scalar=False, sparse=SparseColumns(("at",), "weight", (10,)))


@st.composite
def bags(draw):
    def row():
        places = draw(st.lists(st.integers(0, 9), max_size=4, unique=True))
        return places, draw(st.lists(st.floats(-9, 9, width=32), min_size=len(places), max_size=len(places)))

    return [draw(st.sampled_from([None, row()])) for _ in range(draw(st.integers(1, 6)))]


def as_text(tensor):
    return tensor.indices.numpy().tolist(), tensor.values.numpy().tolist(), tensor.dense_shape.numpy().tolist()


def test_a_sparse_feature_takes_the_place_of_its_columns():
    features = raw_features(schema())

    assert [feature.name for feature in features] == ["y", "bag"]
    assert features[1] == BAG
    assert columns_of(features) == ["y", "at", "weight"]
    assert RawFeature.from_json(json.loads(json.dumps(BAG.to_json()))) == BAG


@settings(deadline=None, max_examples=60)
@given(bags())
def test_stored_rows_and_examples_make_the_tensor_that_tensorflow_parses(cells):
    batch = batch_of(cells)
    encoded = tf.constant(codec.encode_examples(batch))
    expected = tf.io.parse_example(encoded, {"bag": tf.io.SparseFeature("at", "weight", tf.float32, 10)})["bag"]

    stored = row_tensors.from_batch(batch, [BAG])["bag"]
    parsed = row_tensors.parse_examples(encoded, [BAG])["bag"]

    assert as_text(stored) == as_text(parsed) == as_text(expected)


def test_tft_gets_the_same_tensor_through_its_adapter():
    batch = batch_of([([2, 7], [1.0, 2.0]), None, ([0], [3.0])])
    config = TensorAdapterConfig(codec.list_schema([BAG]), codec.tensor_representations([BAG]))

    adapted = TensorAdapter(config).ToBatchTensors(codec.to_list_columns(batch, [BAG]), True)["bag"]

    assert as_text(adapted) == as_text(row_tensors.from_batch(batch, [BAG])["bag"])


def test_two_indices_make_three_dimensions_and_a_size_may_be_that_of_the_batch():
    grid = RawFeature("grid", "string", scalar=False, sparse=SparseColumns(("x", "y"), "v", (4, -1)))
    batch = pa.RecordBatch.from_pydict({"x": [[3, 1], []], "y": [[0, 5], []], "v": [["b", "a"], []]})

    stored = row_tensors.from_batch(batch, [grid])["grid"]
    parsed = row_tensors.parse_examples(tf.constant(codec.encode_examples(batch, [grid])), [grid])["grid"]

    assert as_text(stored) == ([[0, 1, 5], [0, 3, 0]], [b"a", b"b"], [2, 4, 6]) == as_text(parsed)
    assert row_tensors.type_specs([grid])["grid"].shape.as_list() == [None, 4, None]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [([1, 2], [0.5])],
            "Sparse feature 'bag': a row has 2 indices in 'at' for 1 values. Every value needs one index. Correct the "
            "rows at their source.",
        ),
        (
            [([10], [0.5])],
            "Sparse feature 'bag': 'at' holds the index 10. Indices are at least 0 and below 10, by the schema's "
            "int_domain. Correct the rows, or the domain in the schema.",
        ),
        (
            [([-1], [0.5])],
            "Sparse feature 'bag': 'at' holds the index -1. Indices are at least 0 and below 10, by the schema's "
            "int_domain. Correct the rows, or the domain in the schema.",
        ),
    ],
)
def test_indices_that_do_not_fit_are_refused_in_rows_and_in_examples(cells, message):
    batch = batch_of(cells)
    unchecked = tf.constant(codec.encode_examples(batch))

    with pytest.raises(CellError) as caught:
        row_tensors.from_batch(batch, [BAG])
    with pytest.raises(tf.errors.InvalidArgumentError, match="bag: "):
        row_tensors.parse_examples(unchecked, [BAG])

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'feature { name: "v" type: FLOAT } sparse_feature { name: "a" index_feature { name: "i" } '
            'value_feature { name: "v" } }',
            "The sparse feature 'a' of the schema names 'i', which is no feature of the schema. Add or correct it.",
        ),
        (
            'sparse_feature { name: "a" value_feature { name: "v" } }',
            "The sparse feature 'a' of the schema names no index_feature or no value_feature. Name both.",
        ),
        (
            'feature { name: "v" type: FLOAT } feature { name: "i" type: BYTES } sparse_feature { name: "a" '
            'index_feature { name: "i" } value_feature { name: "v" } }',
            "The sparse feature 'a' of the schema has the index 'i' of type BYTES. Indices are INT.",
        ),
        (
            'feature { name: "v" type: FLOAT } feature { name: "i" type: INT int_domain { min: 1 max: 3 } } '
            'sparse_feature { name: "a" index_feature { name: "i" } value_feature { name: "v" } }',
            "The sparse feature 'a' of the schema has the index 'i' with int_domain 'min: 1 max: 3'. Give it min: 0 "
            "and a max.",
        ),
        (
            SCHEMA + 'sparse_feature { name: "b" index_feature { name: "at" } value_feature { name: "y" } }',
            "The sparse feature 'b' of the schema names 'at', which the sparse feature 'bag' has already. Give it its "
            "own.",
        ),
    ],
)
def test_sparse_features_that_cannot_be_are_refused(text, message):
    with pytest.raises(UnsupportedDataError) as caught:
        raw_features(schema(text))

    assert str(caught.value) == message


def test_a_weighted_feature_is_two_features_and_a_retired_sparse_one_gives_its_columns_back():
    text = SCHEMA.replace('name: "bag"', 'name: "bag" lifecycle_stage: DEPRECATED')
    weighted = 'weighted_feature { name: "w" feature { step: "y" } weight_feature { step: "weight" } }'

    assert [feature.name for feature in raw_features(schema(text + weighted))] == ["at", "weight", "y"]


def bagged(count, seed):
    """Rows whose label is 1 where a value stands at an index of at least 5."""
    random = np.random.default_rng(seed)
    cells = []
    for number in range(count):
        places = random.choice(5, 2, replace=False) + 5 * (number % 2)
        cells.append(None if number % 10 == 0 else (places.tolist(), random.uniform(1, 2, 2).tolist()))
    return batch_of(cells).append_column("y", pa.array([number % 2 for number in range(count)]))


def preprocessing_fn(inputs):
    dense = tf.reshape(tf.sparse.to_dense(inputs["bag"]), [-1, 10])
    return {
        "mean": tft.scale_to_z_score(tf.reduce_sum(dense, 1)),
        "spread": dense,
        "y": tf.sparse.to_dense(inputs["y"])[:, 0],
        "other": 1 - tf.sparse.to_dense(inputs["y"])[:, 0],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Raw and transformed examples, the schema and the transform graph."""
    folder = tmp_path_factory.mktemp("sparse")
    for split, seed in (("train", 0), ("eval", 1)):
        batch = bagged(200, seed)
        with ShardWriter(shard_path(str(folder / "raw"), split, 0, 1), batch.schema) as shard:
            shard.write(batch)
    write_schema(str(folder / "schema"), schema())
    files = {split: rows.split_files(str(folder / "raw"), split) for split in ("train", "eval")}
    os.makedirs(folder / "graph")
    fit.fit(preprocessing_fn, schema(), files["train"], str(folder / "graph"), runner=Beam())
    work = transform_beam.ranges(files, str(folder / "transformed"))
    transform_beam.apply_ranges(Beam(), str(folder / "graph"), work)
    return folder


def fn_args(folder, model, *, transform):
    return train.make_fn_args(
        examples=str(folder / ("transformed" if transform else "raw")),
        transform_graph=str(folder / "graph") if transform else None,
        schema=str(folder / "schema"),
        model=str(model),
        model_run=str(model / "run"),
        working_dir=str(model),
        train_splits=["train"],
        eval_splits=["eval"],
        train_steps=10,
        eval_steps=None,
    )


def test_preprocessing_fn_reads_a_sparse_feature_on_both_ways_of_analysis(folder, tmp_path):
    files = rows.split_files(str(folder / "raw"), "train")

    transform_beam.analyze(Beam(), preprocessing_fn, raw_features(schema()), files, str(tmp_path))

    batch = next(iter(rows.read_batches(files)))
    local = transform_beam.Application(str(folder / "graph"))(batch)
    by_beam = transform_beam.Application(str(_with_schema(tmp_path)))(batch)
    dense = np.array(local["spread"].to_pylist())
    assert (dense[1::2, 5:].sum(1) > 0).sum() == 100
    assert dense[1::2, :5].sum() == 0
    np.testing.assert_allclose(local["mean"].to_numpy(), by_beam["mean"].to_numpy(), rtol=1e-5)


def _with_schema(graph):
    write_schema(str(graph / "metadata"), schema())
    return graph


def test_a_model_behind_a_transform_is_served_from_examples_as_it_is_evaluated(folder, tmp_path):
    inputs = {"spread": keras.Input((10,), name="spread"), "mean": keras.Input((1,), name="mean")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="score")(joined))
    save_model(model, fn_args(folder, tmp_path, transform=True), label="y", task="binary")
    batch = bagged(40, 5)

    predicted = Predictor(str(tmp_path)).scores(batch)

    transformed = transform_beam.Application(str(folder / "graph"))(batch)
    given = {name: np.array(transformed[name].to_pylist()).reshape(40, -1) for name in ("spread", "mean")}
    np.testing.assert_allclose(predicted, model.predict(given, verbose=0)[:, 0], rtol=1e-5)


def test_a_label_that_the_transform_makes_is_evaluated_beside_a_sparse_feature(folder, tmp_path):
    inputs = {"spread": keras.Input((10,), name="spread")}
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(inputs["spread"]))
    save_model(model, fn_args(folder, tmp_path, transform=True), label="other", task="binary")
    batch = bagged(40, 5)

    truth = Predictor(str(tmp_path)).transformed(batch, "other")

    assert truth.tolist() == [1 - number % 2 for number in range(40)]


def test_the_feed_of_a_trainer_without_transform_holds_the_sparse_tensor(folder, tmp_path):
    args = fn_args(folder, tmp_path, transform=False)
    options = TensorFlowDatasetOptions(batch_size=50, num_epochs=1, shuffle=False)

    fed = list(args.data_accessor.tf_dataset_factory(args.train_files, options))

    assert isinstance(args.data_accessor, DataAccessor)
    assert {name for batch in fed for name in batch} == {"y", "bag"}
    assert [batch["bag"].shape.as_list() for batch in fed] == [[50, 10]] * 4
    assert tf.sparse.to_dense(fed[0]["bag"]).numpy()[1, 5:].sum() > 0

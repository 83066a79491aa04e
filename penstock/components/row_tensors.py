"""Stored rows and `tf.Example`s as the tensors that `preprocessing_fn`, `run_fn` and serving see.

A required feature is a dense tensor (batch, *shape). Any other is a `tf.SparseTensor`: (batch, 1) when a row
holds at most one value, so that its shape does not depend on which rows happen to have one; (batch, longest
row) when it holds several; (batch, *size) when the schema makes it a sparse feature. All families make their
tensors here, so that training and serving see the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from penstock.data import codec, sparse_tensors
from penstock.data.raw_feature import RawFeature
from penstock.data.tensors import parsing_spec, to_raw

TensorLike = Any  # tf.Tensor | tf.SparseTensor: TensorFlow has no type stubs


def dtype_of(feature: RawFeature) -> tf.DType:
    """Returns the TensorFlow type of a feature."""
    return tf.as_dtype(feature.dtype)


def type_specs(features: Sequence[RawFeature]) -> dict[str, tf.TypeSpec]:
    """Returns the type of each feature's tensor, the batch dimension unknown."""
    return {f.name: _type_spec(f) for f in features}


def _type_spec(feature: RawFeature) -> tf.TypeSpec:
    if feature.sparse is not None:
        return sparse_tensors.spec_of(feature)
    if feature.shape is None:
        return tf.SparseTensorSpec([None, None], dtype_of(feature))
    return tf.TensorSpec([None, *feature.shape], dtype_of(feature), name=feature.name)


def parse_examples(examples: TensorLike, features: Sequence[RawFeature]) -> dict[str, TensorLike]:
    """Returns the tensors of serialized `tf.Example`s, in a graph or eagerly.

    Args:
        examples: String tensor (batch,).
        features: What to parse.
    """
    parsed = tf.io.parse_example(examples, parsing_spec(features))
    rows = tf.shape(examples, out_type=tf.int64)[0]
    return {f.name: _parsed(parsed, f, rows) for f in features}


def _parsed(parsed: Mapping[str, TensorLike], feature: RawFeature, rows: TensorLike) -> TensorLike:
    """Gives a sparse scalar the shape (batch, 1), also where every row lacks a value."""
    if feature.sparse is not None:
        return sparse_tensors.from_parsed(parsed, feature, rows)
    tensor = parsed[feature.name]
    if feature.shape is not None or not feature.scalar:
        return tensor
    return tf.SparseTensor(tensor.indices, tensor.values, tf.stack([rows, tf.constant(1, tf.int64)]))


def from_batch(batch: pa.RecordBatch, features: Sequence[RawFeature]) -> dict[str, TensorLike]:
    """Returns the tensors of stored rows.

    Raises:
        CellError: A required column is absent or has a missing value, a column can't be cast, or the indices and
            values of a sparse feature don't fit together.
    """
    listed = codec.to_list_columns(batch, features)
    return {
        f.name: sparse_tensors.from_lists(listed, f) if f.sparse is not None else _from_lists(listed.column(f.name), f)
        for f in features
    }


def _from_lists(column: pa.LargeListArray, feature: RawFeature) -> TensorLike:
    values = _numpy(column.flatten(), feature)
    if feature.shape is not None:
        return tf.constant(values.reshape(-1, *feature.shape), dtype_of(feature))
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(column), dtype=np.int64), lengths)
    places = np.arange(len(values), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    width = 1 if feature.scalar else int(lengths.max(initial=0))
    return tf.SparseTensor(
        np.stack([rows, places], axis=1), tf.constant(values, dtype_of(feature)), [len(column), width]
    )


def _numpy(values: pa.Array, feature: RawFeature) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = values.to_numpy(zero_copy_only=False)
    return array.astype(feature.numpy_type, copy=False)


def absent(features: Sequence[RawFeature], rows: TensorLike) -> dict[str, TensorLike]:
    """Returns tensors for columns that nothing reads: no values, or zeros where a feature is required.

    Args:
        features: The columns.
        rows: The number of rows, an int64 scalar, in a graph or eagerly.
    """
    return {f.name: _absent(f, tf.cast(rows, tf.int64)) for f in features}


def _absent(feature: RawFeature, rows: TensorLike) -> TensorLike:
    if feature.sparse is not None:
        return sparse_tensors.absent(feature, rows)
    if feature.shape is None:
        shape = tf.stack([rows, tf.constant(1, tf.int64)])
        return tf.SparseTensor(tf.zeros([0, 2], tf.int64), tf.zeros([0], dtype_of(feature)), shape)
    flat = tf.zeros([rows * math.prod(feature.shape)], dtype_of(feature))
    return tf.reshape(flat, [-1, *feature.shape])


def to_model(parsed: Mapping[str, TensorLike], features: Sequence[RawFeature]) -> dict[str, TensorLike]:
    """Returns parsed examples as a model without a transform is trained on: dense, the sentinel where missing."""
    fixed = [f for f in features if f.required or f.scalar]
    return {**parsed, **to_raw(parsed, fixed)}

"""Sparse features as `tf.SparseTensor`s of (batch, *size): from stored lists, and from parsed `tf.Example`s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from penstock.data.raw_feature import RawFeature
from penstock.data.sparse_columns import SparseColumns


def from_lists(listed: pa.RecordBatch, feature: RawFeature) -> tf.SparseTensor:
    """Returns a sparse feature of rows whose columns are lists, checked and sorted by `codec.to_list_columns`."""
    sparse = _sparse(feature)
    values = listed.column(sparse.value)
    lengths = values.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(values), dtype=np.int64), lengths)
    indices = [listed.column(name).flatten().to_numpy(zero_copy_only=False) for name in sparse.index]
    sizes = [
        size if size >= 0 else int(index.max(initial=-1)) + 1 for index, size in zip(indices, sparse.size, strict=True)
    ]
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(feature.numpy_type, copy=False)
    places = np.stack([rows, *indices], axis=1)
    return tf.SparseTensor(places, tf.constant(flat, tf.as_dtype(feature.dtype)), [len(values), *sizes])


def _sparse(feature: RawFeature) -> SparseColumns:
    assert feature.sparse is not None
    return feature.sparse


def from_parsed(parsed: Mapping[str, Any], feature: RawFeature, rows: Any) -> tf.SparseTensor:
    """Returns a sparse feature of parsed examples, in a graph or eagerly; its columns are parsed as VarLenFeatures.

    What the codec refuses in rows fails here when the graph runs, as InvalidArgumentError.
    """
    sparse = _sparse(feature)
    values = parsed[sparse.value]
    columns = [parsed[name] for name in sparse.index]
    checks = [
        tf.debugging.assert_equal(column.indices, values.indices, f"{feature.name}: every value needs one index.")
        for column in columns
    ]
    for column, size in zip(columns, sparse.size, strict=True):
        inside = tf.logical_and(column.values >= 0, True if size < 0 else column.values < size)
        checks.append(tf.debugging.Assert(tf.reduce_all(inside), [f"{feature.name}: an index is out of its domain."]))
    with tf.control_dependencies([check for check in checks if check is not None]):
        places = tf.stack([values.indices[:, 0], *(column.values for column in columns)], axis=1)
    shape = tf.stack([rows, *map(_dimension, columns, sparse.size)])
    tensor = tf.SparseTensor(places, values.values, shape)
    return tensor if sparse.is_sorted else tf.sparse.reorder(tensor)


def _dimension(column: Any, size: int) -> Any:
    """Returns a size that is known, or that of the greatest index."""
    if size >= 0:
        return tf.constant(size, tf.int64)
    return tf.reduce_max(tf.concat([column.values, tf.constant([-1], tf.int64)], 0)) + 1


def spec_of(feature: RawFeature) -> tf.SparseTensorSpec:
    """Returns the type of a sparse feature's tensor; the batch and what the schema doesn't size are unknown."""
    sizes = [None if size < 0 else size for size in _sparse(feature).size]
    return tf.SparseTensorSpec([None, *sizes], tf.as_dtype(feature.dtype))


def absent(feature: RawFeature, rows: Any) -> tf.SparseTensor:
    """Returns a tensor of rows without a value."""
    sizes = [tf.constant(max(size, 1), tf.int64) for size in _sparse(feature).size]
    places = tf.zeros([0, 1 + len(sizes)], tf.int64)
    return tf.SparseTensor(places, tf.zeros([0], tf.as_dtype(feature.dtype)), tf.stack([rows, *sizes]))

"""The TensorFlow half of the codec: parsing specs, signatures, and raw tensors as `preprocessing_fn` wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from penstock.data.raw_feature import MISSING_INT, RawFeature

_TF_TYPES = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}


def parsing_spec(features: Sequence[RawFeature]) -> dict[str, Any]:
    """Returns the spec for `tf.io.parse_example`: FixedLenFeature where required, else VarLenFeature.

    Of a sparse feature the columns are parsed, each by its own name.
    """
    return {
        f.name: (
            tf.io.VarLenFeature(_TF_TYPES[f.dtype])
            if f.shape is None
            else tf.io.FixedLenFeature(f.shape, _TF_TYPES[f.dtype])
        )
        for feature in features
        for f in feature.parts
    }


def raw_signature(features: Sequence[RawFeature]) -> dict[str, tf.TensorSpec]:
    """Returns the inputs of the `raw` signature: dense, (None, 1) or (None, *shape), by feature name."""
    return {f.name: tf.TensorSpec((None, *(f.shape or (1,))), _TF_TYPES[f.dtype], f.name) for f in features}


def is_missing(values: tf.Tensor, feature: RawFeature) -> tf.Tensor:
    """Returns, as booleans of the same shape, where a dense raw tensor holds the sentinel."""
    if feature.dtype == "float32":
        return tf.math.is_nan(values)
    return tf.equal(values, MISSING_INT if feature.dtype == "int64" else "")


def from_raw(tensors: Mapping[str, tf.Tensor], features: Sequence[RawFeature]) -> dict[str, Any]:
    """Returns dense raw tensors as `preprocessing_fn` and parsed tf.Examples have them.

    A required feature stays dense, with its schema's shape; of every other one the values that are not
    missing become a `tf.SparseTensor` of dense shape (rows, 1).
    """
    return {f.name: _from_raw(tensors[f.name], f) for f in features}


def _from_raw(values: tf.Tensor, feature: RawFeature) -> Any:
    if feature.shape is not None:
        return tf.reshape(values, (-1, *feature.shape))
    present = tf.where(tf.logical_not(is_missing(values, feature)))
    return tf.SparseTensor(present, tf.gather_nd(values, present), tf.shape(values, tf.int64))


def to_raw(parsed: Mapping[str, Any], features: Sequence[RawFeature]) -> dict[str, tf.Tensor]:
    """Returns parsed tf.Examples of scalar features as dense raw tensors: the inverse of `from_raw`."""
    return {f.name: _to_raw(parsed[f.name], f) for f in features}


def _to_raw(values: Any, feature: RawFeature) -> tf.Tensor:
    if not isinstance(values, tf.SparseTensor):
        return tf.reshape(values, (-1, *(feature.shape or (1,))))
    rows = values.dense_shape[0]
    one_wide = tf.sparse.reset_shape(values, tf.stack([rows, tf.maximum(values.dense_shape[1], 1)]))
    missing = tf.constant(feature.missing, _TF_TYPES[feature.dtype])
    return tf.sparse.to_dense(one_wide, default_value=missing)[:, :1]

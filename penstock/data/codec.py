"""The one codec between Arrow batches and TensorFlow's side: list columns, dense arrays, tf.Examples.

A *raw feature* is one column as a model sees it before any transform. In the `raw` signature a scalar
feature is a dense array of shape (rows, 1), and a missing value is written as a sentinel: "" for strings,
NaN for floats, -2**63 for integers. So in that signature (and only there) an empty string or a NaN in the
data reads as missing; tf.Examples and list columns keep the difference.

Floats are stored as the source has them (float64 from CSV) and become float32 here, and only here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data.errors import CellError, UnsupportedDataError, shortened
from penstock.data.raw_feature import (
    MISSING_INT,
    RawFeature,
    features_of,
    is_bytes,
    is_list,
    raw_features,
)
from penstock.data.sparse_columns import SparseColumns, aligned

__all__ = [
    "RawFeature",
    "raw_features",
    "features_of",
    "to_list_columns",
    "list_schema",
    "tensor_representations",
    "dense",
    "from_dense",
    "encode_examples",
]

_ARROW_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "float32": pa.float32(),
    "string": pa.large_binary(),
}


def tensor_representations(features: Sequence[RawFeature]) -> dict[str, schema_pb2.TensorRepresentation]:
    """Returns how each list column becomes a tensor, for `tfx_bsl.public.tfxio.TensorAdapterConfig`."""
    representations = {}
    for feature in features:
        representation = schema_pb2.TensorRepresentation()
        if feature.sparse is not None:
            _represent_sparse(representation.sparse_tensor, feature.sparse)
        elif feature.shape is None:
            representation.varlen_sparse_tensor.column_name = feature.name
        else:
            representation.dense_tensor.column_name = feature.name
            representation.dense_tensor.shape.SetInParent()
            for size in feature.shape:
                representation.dense_tensor.shape.dim.add(size=size)
        representations[feature.name] = representation
    return representations


def _represent_sparse(representation: Any, sparse: SparseColumns) -> None:
    representation.index_column_names.extend(sparse.index)
    representation.value_column_name = sparse.value
    for size in sparse.size:
        representation.dense_shape.dim.add(size=size)
    if sparse.is_sorted:
        representation.already_sorted = True


def list_schema(features: Sequence[RawFeature]) -> pa.Schema:
    """Returns the Arrow schema of what `to_list_columns` makes."""
    return pa.schema([pa.field(f.name, pa.large_list(_ARROW_TYPES[f.dtype])) for f in _parts(features)])


def _parts(features: Sequence[RawFeature]) -> list[RawFeature]:
    return [part for feature in features for part in feature.parts]


def to_list_columns(batch: pa.RecordBatch, features: Sequence[RawFeature]) -> pa.RecordBatch:
    """Returns the features as large lists of int64, float32 or large_binary: what tfx_bsl and TFT read.

    A missing value is a null list, `[]` stays an empty list. The columns follow the order of `features`; a sparse
    feature is its index columns and its value column, sorted by index within each row.

    Raises:
        CellError: A column is absent or has a missing value though its feature is required, or can't be cast;
            or the indices and values of a sparse feature don't fit together.
    """
    columns = [column for feature in features for column in _list_columns(batch, feature)]
    return pa.RecordBatch.from_arrays(columns, schema=list_schema(features))


def _list_columns(batch: pa.RecordBatch, feature: RawFeature) -> list[pa.Array]:
    listed = {part.name: _list_column(batch, part) for part in feature.parts}
    return list((listed if feature.sparse is None else aligned(listed, feature.name, feature.sparse)).values())


def _list_column(batch: pa.RecordBatch, feature: RawFeature) -> pa.Array:
    column = _column(batch, feature)
    target = _ARROW_TYPES[feature.dtype]
    if feature.required and column.null_count:
        raise CellError(
            f"Column {feature.name!r} must have a value in every row, "
            f"{column.null_count} of {len(column)} have none. "
            "Fill them in, or drop `shape` and `presence.min_fraction: 1` from the schema.",
            column=feature.name,
        )
    if is_list(column.type):
        return _cast(column, pa.large_list(target), feature.name)
    return _in_lists(_cast(column, target, feature.name))


def _in_lists(values: pa.Array) -> pa.Array:
    """Wraps every value in a list of its own, a null in a null list."""
    if not values.null_count:
        return pa.LargeListArray.from_arrays(np.arange(len(values) + 1, dtype=np.int64), values)
    missing = values.is_null()
    present = ~missing.to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(present, dtype=np.int64)])
    return pa.LargeListArray.from_arrays(offsets, values.drop_null(), mask=missing)


def dense(batch: pa.RecordBatch, features: Sequence[RawFeature]) -> dict[str, np.ndarray[Any, Any]]:
    """Returns the features as dense arrays for the `raw` signature.

    Args:
        batch: Rows; columns that no feature names are ignored.
        features: Scalar features, or required ones of any fixed shape.

    Returns:
        By name, an array of shape (rows, 1), or (rows, *shape) for a required feature with a shape of more
        than one value; int64, float32, or object (bytes). Missing values are the feature's sentinel.

    Raises:
        UnsupportedDataError: A feature holds a varying number of values.
        CellError: A required column is absent, or a column can't be cast.
    """
    return {feature.name: _dense_column(batch, feature) for feature in features}


def _dense_column(batch: pa.RecordBatch, feature: RawFeature) -> np.ndarray[Any, Any]:
    if not feature.scalar and not feature.required:
        raise UnsupportedDataError(
            f"Feature {feature.name!r} holds a varying number of values, the `raw` signature has no place for it. "
            "Use tf.Examples (`serving_default`), or give it a `shape` in the schema.",
            column=feature.name,
        )
    column = _column(batch, feature)
    if is_list(column.type):
        return _dense_list(column, feature)
    values = _cast(column, _ARROW_TYPES[feature.dtype], feature.name)
    return _filled(values, feature).reshape(-1, 1)


def _dense_list(column: pa.Array, feature: RawFeature) -> np.ndarray[Any, Any]:
    size = math.prod(feature.shape or (1,))
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if np.any((lengths != size) & ~((lengths == 0) & (not feature.required))):
        raise CellError(
            f"Column {feature.name!r} must have {size} value(s) in every row, a row has {lengths[lengths != size][0]}.",
            column=feature.name,
        )
    filled = np.full((len(column), size), feature.missing, dtype=feature.numpy_type)
    values = _cast(column.flatten(), _ARROW_TYPES[feature.dtype], feature.name)
    filled[lengths == size] = _filled(values, feature).reshape(-1, size)
    return filled.reshape(len(column), *(feature.shape or (1,)))


def _filled(values: pa.Array, feature: RawFeature) -> np.ndarray[Any, Any]:
    if values.null_count:
        values = values.fill_null(pa.scalar(feature.missing, values.type))
    filled: np.ndarray[Any, Any] = values.to_numpy(zero_copy_only=False)
    return filled


def from_dense(tensors: Mapping[str, np.ndarray[Any, Any]], features: Sequence[RawFeature]) -> pa.RecordBatch:
    """Returns rows from dense arrays of scalar features: the inverse of `dense`, sentinels become nulls.

    Columns are int64, float32 or large_binary.
    """
    columns = [_from_dense(np.asarray(tensors[f.name]).reshape(-1), f) for f in features]
    return pa.RecordBatch.from_arrays(columns, names=[f.name for f in features])


def _from_dense(values: np.ndarray[Any, Any], feature: RawFeature) -> pa.Array:
    if feature.dtype == "float32":
        values = values.astype(np.float32)
        return pa.array(values, mask=np.isnan(values))
    if feature.dtype == "int64":
        return pa.array(values, pa.int64(), mask=values == MISSING_INT)
    cells = [v.encode() if isinstance(v, str) else v for v in values.tolist()]
    return pa.array([v or None for v in cells], pa.large_binary())


def encode_examples(batch: pa.RecordBatch, features: Sequence[RawFeature] | None = None) -> list[bytes]:
    """Returns each row as a serialised `tf.Example`: a missing value is an absent feature.

    Args:
        batch: Rows as stored.
        features: What to encode and as which types; by default every column.
    """
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    chosen = features_of(batch.schema) if features is None else features
    encoded: list[bytes] = RecordBatchToExamplesEncoder().encode(to_list_columns(batch, chosen))
    return encoded


def _column(batch: pa.RecordBatch, feature: RawFeature) -> pa.Array:
    index = batch.schema.get_field_index(feature.name)
    if index >= 0:
        return batch.column(index)
    if feature.required:
        raise CellError(
            f"The rows have no column {feature.name!r}, which the schema requires in every row. "
            f"They have: {', '.join(batch.schema.names)}.",
            column=feature.name,
        )
    return pa.nulls(batch.num_rows, _ARROW_TYPES[feature.dtype])


def _cast(values: pa.Array, target: pa.DataType, name: str) -> pa.Array:
    if values.type == target:
        return values
    wanted = target.value_type if is_list(target) else target
    given = values.type.value_type if is_list(values.type) else values.type
    if is_bytes(given) != is_bytes(wanted) and not pa.types.is_null(given):
        raise CellError(
            f"Column {name!r} holds {given}, the schema wants {_type_name(wanted)}. "
            "Correct the type in the schema, or set it at ingestion (`column_types`).",
            column=name,
        )
    try:
        return pc.cast(values, options=_cast_options(target, given, wanted))
    except pa.ArrowInvalid as error:
        raise CellError(
            f"Column {name!r} can't be read as {_type_name(wanted)}: {shortened(str(error), 120)}.",
            column=name,
        ) from error


def _cast_options(target: pa.DataType, given: pa.DataType, wanted: pa.DataType) -> pc.CastOptions:
    """Floats may be rounded to float32, integers too; everything else must be exact."""
    if pa.types.is_floating(wanted) and not pa.types.is_null(given):
        return pc.CastOptions(target, allow_float_truncate=True, allow_int_overflow=True)
    return pc.CastOptions.safe(target)


def _type_name(type_: pa.DataType) -> str:
    return next((name for name, arrow in _ARROW_TYPES.items() if arrow == type_), str(type_))

"""Applies a transform graph to stored rows, batch by batch."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from penstock.components import row_tensors
from penstock.components.transform_graph import TransformOutput
from penstock.data.raw_feature import columns_of
from penstock.pipeline.errors import UserCodeError

_ARROW_TYPES = {tf.int64: pa.int64(), tf.float32: pa.float32(), tf.string: pa.binary()}


class Application:
    """A transform graph, loaded once and applied to many batches."""

    def __init__(self, graph: str) -> None:
        self._transform = TransformOutput(graph)

    @cached_property
    def _features(self) -> Any:
        return self._transform.reads(self._transform.output_names)

    @property
    def columns(self) -> list[str]:
        """The raw columns that any output is computed from."""
        return columns_of(self._features)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the transformed rows, sorted by name."""
        outputs = self._transform.function.structured_outputs
        return pa.schema([pa.field(name, _arrow_type(outputs[name])) for name in sorted(outputs)])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns the transformed rows, in the same order.

        Args:
            batch: Rows with the columns `columns`; others are ignored.

        Raises:
            UserCodeError: An output doesn't have one value a row.
        """
        tensors = row_tensors.from_batch(batch, self._features)
        results = self._transform.apply(tensors, batch.num_rows)
        columns = [_column(field, results[field.name], batch.num_rows) for field in self.schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _arrow_type(spec: Any) -> pa.DataType:
    value = _ARROW_TYPES[spec.dtype]
    one_a_row = isinstance(spec, tf.TensorSpec) and (spec.shape.rank == 1 or spec.shape[1:].num_elements() == 1)
    return value if one_a_row else pa.list_(value)


def _column(field: pa.Field, tensor: Any, rows: int) -> pa.Array:
    if isinstance(tensor, tf.SparseTensor):
        return _from_sparse(field, tensor, rows)
    if isinstance(tensor, tf.RaggedTensor):
        return _from_ragged(field, tensor, rows)
    values = tensor.numpy()
    _check_rows(field.name, len(values), rows)
    flat = values.reshape(-1)
    if not pa.types.is_list(field.type):
        return pa.array(flat, field.type)
    offsets = np.arange(rows + 1, dtype=np.int32) * (flat.size // max(rows, 1))
    return pa.ListArray.from_arrays(offsets, pa.array(flat, field.type.value_type))


def _from_sparse(field: pa.Field, tensor: tf.SparseTensor, rows: int) -> pa.Array:
    """Stores a sparse output as a list a row, as `tf.io.VarLenFeature` would read it."""
    _check_rows(field.name, int(tensor.dense_shape[0]), rows)
    indices = tensor.indices.numpy()
    lengths = np.bincount(indices[:, 0], minlength=rows)
    places = np.arange(len(indices)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    if indices.shape[1] != 2 or not np.array_equal(indices[:, 1], places):
        raise UserCodeError(
            f"preprocessing_fn returned {field.name!r} as a SparseTensor with gaps or more than two dimensions; "
            "rows are stored as lists, so values must fill each row from the left. Return a dense tensor: "
            "tf.sparse.to_dense."
        )
    return _lists(field, lengths, tensor.values.numpy())


def _from_ragged(field: pa.Field, tensor: tf.RaggedTensor, rows: int) -> pa.Array:
    if tensor.shape.rank != 2:
        raise UserCodeError(
            f"preprocessing_fn returned {field.name!r} as a RaggedTensor of {tensor.shape.rank} dimensions; "
            "one list a row can be stored. Flatten it: tensor.merge_dims(1, -1)."
        )
    _check_rows(field.name, int(tensor.nrows()), rows)
    return _lists(field, tensor.row_lengths().numpy(), tensor.flat_values.numpy())


def _lists(field: pa.Field, lengths: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values, field.type.value_type))


def _check_rows(name: str, received: int, rows: int) -> None:
    if received != rows:
        raise UserCodeError(
            f"preprocessing_fn must return one value a row: {name!r} has {received} for a batch of {rows} rows. "
            "Keep the first dimension of its inputs; to repeat one value: tf.fill(tf.shape(x)[:1], value)."
        )

"""Sparse features of a schema: several stored columns, of indices and of values, that are one tensor to a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data.errors import CellError, UnsupportedDataError, shortened

Int64s = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class SparseColumns:
    """The stored columns of a sparse feature, with the meaning of `tf.io.SparseFeature`.

    Attributes:
        index: Columns of int64 lists: where in each dimension a row's values stand, counted from 0.
        value: The column of the values, as many in each row as there are indices.
        size: The size of each dimension; -1 where the schema doesn't say: then the batch's greatest
            index says it.
        is_sorted: Whether each row's indices are in order already.
    """

    index: tuple[str, ...]
    value: str
    size: tuple[int, ...]
    is_sorted: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them, the values last."""
        return (*self.index, self.value)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SparseColumns:
        """Reads what `dataclasses.asdict` and JSON made of it."""
        return cls(tuple(value["index"]), value["value"], tuple(value["size"]), value["is_sorted"])


def sparse_columns(schema: schema_pb2.Schema, in_use: Iterable[schema_pb2.SparseFeature]) -> dict[str, SparseColumns]:
    """Returns the columns of a schema's sparse features by name; sizes come from the indices' `int_domain`, as in TFX.

    Raises:
        UnsupportedDataError: A column isn't in the schema, belongs to two sparse features or isn't of the type that
            is needed, or the domain of an index doesn't begin with 0.
    """
    described = {feature.name: feature for feature in schema.feature}
    found: dict[str, SparseColumns] = {}
    taken: dict[str, str] = {}
    for sparse in in_use:
        index = tuple(each.name for each in sparse.index_feature)
        if not index or not sparse.value_feature.name:
            raise _refused(sparse.name, "names no index_feature or no value_feature", "Name both")
        if sparse.name in described:
            raise _refused(sparse.name, "has the name of a feature", "Rename it")
        for name in (*index, sparse.value_feature.name):
            if name not in described:
                raise _refused(sparse.name, f"names {name!r}, which is no feature of the schema", "Add or correct it")
            if name in taken:
                raise _refused(sparse.name, f"names {name!r}, which {taken[name]} has already", "Give it its own")
            taken[name] = f"the sparse feature {sparse.name!r}"
        size = tuple(_size(sparse.name, described[name]) for name in index)
        found[sparse.name] = SparseColumns(index, sparse.value_feature.name, size, sparse.is_sorted)
    return found


def aligned(listed: dict[str, pa.Array], feature: str, sparse: SparseColumns) -> dict[str, pa.Array]:
    """Returns the list columns of a sparse feature with each row's values in the order of their indices.

    Raises:
        CellError: A row has more indices than values or the other way, or an index lies outside of its dimension.
    """
    lengths = _lengths(listed[sparse.value])
    for name, size in zip(sparse.index, sparse.size, strict=True):
        _check_lengths(feature, name, _lengths(listed[name]), lengths)
        _check_domain(feature, name, listed[name].flatten().to_numpy(zero_copy_only=False), size)
    if sparse.is_sorted:
        return listed
    flat = {name: listed[name].flatten() for name in sparse.columns}
    indices = [flat[name].to_numpy(zero_copy_only=False) for name in sparse.index]
    order = np.lexsort([*reversed(indices), np.repeat(np.arange(len(lengths)), lengths)])
    return {name: _relisted(listed[name], values.take(pa.array(order))) for name, values in flat.items()}


def _relisted(lists: pa.LargeListArray, values: pa.Array) -> pa.LargeListArray:
    offsets = pc.subtract(lists.offsets, lists.offsets[0])
    return pa.LargeListArray.from_arrays(offsets, values, mask=lists.is_null() if lists.null_count else None)


def _lengths(column: pa.Array) -> Int64s:
    lengths: Int64s = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return lengths


def _check_lengths(feature: str, index: str, found: Int64s, wanted: Int64s) -> None:
    differing = np.flatnonzero(found != wanted)
    if differing.size:
        row = differing[0]
        raise CellError(
            f"Sparse feature {feature!r}: a row has {found[row]} indices in {index!r} for {wanted[row]} values. Every "
            "value needs one index. Correct the rows at their source.",
            column=index,
        )


def _check_domain(feature: str, index: str, found: Int64s, size: int) -> None:
    wrong = found[(found < 0) | (found >= size)] if size >= 0 else found[found < 0]
    if wrong.size:
        bound = f" and below {size}, by the schema's int_domain" if size >= 0 else ""
        raise CellError(
            f"Sparse feature {feature!r}: {index!r} holds the index {wrong[0]}. Indices are at least 0{bound}. Correct "
            "the rows, or the domain in the schema.",
            column=index,
        )


def _size(sparse: str, index: schema_pb2.Feature) -> int:
    if index.type != schema_pb2.INT:
        kind = schema_pb2.FeatureType.Name(index.type)
        raise _refused(sparse, f"has the index {index.name!r} of type {kind}", "Indices are INT")
    if not index.HasField("int_domain"):
        return -1
    domain = index.int_domain
    if not domain.HasField("min") or domain.min != 0 or not domain.HasField("max"):
        said = shortened(" ".join(str(domain).split()))
        raise _refused(sparse, f"has the index {index.name!r} with int_domain {said}", "Give it min: 0 and a max")
    return int(domain.max) + 1


def _refused(sparse: str, problem: str, repair: str) -> UnsupportedDataError:
    return UnsupportedDataError(f"The sparse feature {sparse!r} of the schema {problem}. {repair}.", column=sparse)

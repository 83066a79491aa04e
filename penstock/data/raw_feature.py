"""Raw features: what a column is to a model before any transform, from a schema or from stored columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data.errors import UnsupportedDataError
from penstock.data.sparse_columns import SparseColumns, sparse_columns

RawType = Literal["int64", "float32", "string"]

MISSING_INT = -(2**63)
_MISSING: dict[str, int | float | bytes] = {"int64": MISSING_INT, "float32": math.nan, "string": b""}
_PROTO_TYPES: dict[int, RawType] = {
    schema_pb2.INT: "int64",
    schema_pb2.FLOAT: "float32",
    schema_pb2.BYTES: "string",
}
_NOT_IN_USE = frozenset(
    {
        schema_pb2.DEPRECATED,
        schema_pb2.DISABLED,
        schema_pb2.PLANNED,
        schema_pb2.ALPHA,
        schema_pb2.DEBUG_ONLY,
        schema_pb2.VALIDATION_DERIVED,
    }
)


@dataclass(frozen=True)
class RawFeature:
    """One raw column as models and `preprocessing_fn` see it.

    Attributes:
        name: The column.
        dtype: "int64", "float32" or "string" (bytes).
        shape: The shape of one row's value where every row has one (`tf.io.FixedLenFeature`); None where
            values may be missing or vary in number (`tf.io.VarLenFeature`, a `tf.SparseTensor` in
            `preprocessing_fn`).
        scalar: Whether a row holds at most one value; only such features have a place in the `raw` signature.
        sparse: The columns of a sparse feature, which is none itself; None for any other.
    """

    name: str
    dtype: RawType
    shape: tuple[int, ...] | None = None
    scalar: bool = True
    sparse: SparseColumns | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The stored columns that it is made of."""
        return (self.name,) if self.sparse is None else self.sparse.columns

    @property
    def parts(self) -> tuple[RawFeature, ...]:
        """The feature itself, or the index and value columns of a sparse one as features of their own."""
        if self.sparse is None:
            return (self,)
        indices = (RawFeature(name, "int64", scalar=False) for name in self.sparse.index)
        return (*indices, RawFeature(self.sparse.value, self.dtype, scalar=False))

    @property
    def required(self) -> bool:
        """Whether every row must have a value."""
        return self.shape is not None

    @property
    def missing(self) -> int | float | bytes:
        """The sentinel for a missing value in the `raw` signature."""
        return _MISSING[self.dtype]

    @property
    def numpy_type(self) -> np.dtype[Any]:
        """The type of the feature's dense arrays; strings are objects of `bytes`."""
        return np.dtype(object if self.dtype == "string" else self.dtype)

    def to_json(self) -> dict[str, Any]:
        """Returns the feature as `penstock_model.json` lists it; NaN is written as "NaN"."""
        missing = {"int64": MISSING_INT, "float32": "NaN", "string": ""}[self.dtype]
        own = {**asdict(self), "shape": None if self.shape is None else list(self.shape), "missing": missing}
        return own if self.sparse is not None else {name: each for name, each in own.items() if name != "sparse"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RawFeature:
        """Reads what `to_json` wrote."""
        shape, sparse = value["shape"], value.get("sparse")
        return cls(
            value["name"],
            value["dtype"],
            None if shape is None else tuple(shape),
            value["scalar"],
            None if sparse is None else SparseColumns.from_json(sparse),
        )


def raw_features(schema: schema_pb2.Schema, exclude: Iterable[str] = ()) -> tuple[RawFeature, ...]:
    """Returns the raw features that a schema describes, in its order, sparse ones last.

    A feature is dense when the schema gives it a `shape` and `presence.min_fraction` of 1, as in TFX; every other one
    may be missing. The fields of a feature of structs are features named "struct.field", as their columns are. The
    index and value columns of a sparse feature are no features of their own. A weighted feature adds none: value and
    weight are two features. Features out of use (deprecated, planned, ...) and those in `exclude` are left out.

    Raises:
        UnsupportedDataError: The schema has a feature without a type, or a sparse one that can't be.
    """
    skipped = set(exclude)
    sparse = sparse_columns(schema, (each for each in schema.sparse_feature if _in_use(each, skipped)))
    parts = {name for each in sparse.values() for name in each.columns}
    flat = flat_features(schema)
    plain = [_raw_feature(each) for each in flat if _in_use(each, skipped | parts)]
    types = {each.name: each for each in flat}
    made = [RawFeature(name, _type_of(types[each.value]), None, False, each) for name, each in sparse.items()]
    return (*plain, *made)


def flat_features(schema: schema_pb2.Schema) -> list[schema_pb2.Feature]:
    """Returns the features of a schema by column: those with structs replaced by their fields, "struct.field".

    A field is always present only where its struct is; all fields of a struct that is out of use are.
    """
    return list(_flat(schema.feature, schema_pb2.Feature(presence=schema_pb2.FeaturePresence(min_fraction=1.0))))


def _flat(features: Iterable[schema_pb2.Feature], parent: schema_pb2.Feature) -> Iterator[schema_pb2.Feature]:
    for each in features:
        if parent.name:
            feature = schema_pb2.Feature()
            feature.CopyFrom(each)
            feature.name = f"{parent.name}.{each.name}"
            if parent.presence.min_fraction != 1.0:
                feature.presence.ClearField("min_fraction")
            if parent.lifecycle_stage in _NOT_IN_USE:
                feature.lifecycle_stage = parent.lifecycle_stage
        else:
            feature = each
        if feature.type == schema_pb2.STRUCT and feature.struct_domain.feature:
            yield from _flat(feature.struct_domain.feature, feature)
        else:
            yield feature


def columns_of(features: Iterable[RawFeature]) -> list[str]:
    """Returns the stored columns that features are made of, in their order."""
    return [name for feature in features for name in feature.columns]


def _in_use(feature: schema_pb2.Feature | schema_pb2.SparseFeature, skipped: Collection[str]) -> bool:
    return feature.name not in skipped and feature.lifecycle_stage not in _NOT_IN_USE


def _type_of(feature: schema_pb2.Feature) -> RawType:
    if feature.type not in _PROTO_TYPES:
        kind = schema_pb2.FeatureType.Name(feature.type)
        raise UnsupportedDataError(
            f"Feature {feature.name!r} has the type {kind} in the schema; it must be INT, FLOAT or BYTES.",
            column=feature.name,
        )
    return _PROTO_TYPES[feature.type]


def _raw_feature(feature: schema_pb2.Feature) -> RawFeature:
    type_ = _type_of(feature)
    shape = tuple(dim.size for dim in feature.shape.dim) if feature.HasField("shape") else None
    always = feature.HasField("presence") and feature.presence.min_fraction == 1
    scalar = _is_scalar(feature, shape)
    return RawFeature(feature.name, type_, shape if always else None, scalar)


def _is_scalar(feature: schema_pb2.Feature, shape: tuple[int, ...] | None) -> bool:
    if shape is not None:
        return math.prod(shape) == 1
    if feature.HasField("value_count"):
        return bool(feature.value_count.max == 1)
    return not feature.HasField("value_counts")


def features_of(schema: pa.Schema) -> tuple[RawFeature, ...]:
    """Returns the raw features of stored columns, all of them optional, in the order of the columns.

    Raises:
        UnsupportedDataError: A column is neither a number nor a string nor a list of these.
    """
    return tuple(_feature_of(field) for field in schema)


def _feature_of(field: pa.Field) -> RawFeature:
    listed = is_list(field.type)
    value = field.type.value_type if listed else field.type
    if pa.types.is_integer(value) or pa.types.is_boolean(value):
        dtype: RawType = "int64"
    elif pa.types.is_floating(value):
        dtype = "float32"
    elif is_bytes(value):
        dtype = "string"
    else:
        raise UnsupportedDataError(f"Column {field.name!r} has the type {field.type}.", column=field.name)
    return RawFeature(field.name, dtype, None, scalar=not listed)


def is_list(type_: pa.DataType) -> bool:
    """Whether a type is a list of any physical kind."""
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def in_words(type_: pa.DataType) -> str:
    """Returns a type as users know it: "int64", "float32", "float64", "string", "binary", "list<int64>", ..."""
    if is_list(type_):
        return f"list<{in_words(type_.value_type)}>"
    return {"double": "float64", "float": "float32", "large_string": "string", "large_binary": "binary"}.get(
        str(type_), str(type_)
    )


def is_bytes(type_: pa.DataType) -> bool:
    """Whether a type holds strings or bytes, dictionary-encoded or not."""
    if pa.types.is_dictionary(type_):
        return is_bytes(type_.value_type)
    return any(
        check(type_)
        for check in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )

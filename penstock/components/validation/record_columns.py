"""Records that stand in columns named "record.field": put together to structs, so that they are described as such."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.feature_paths import features_by_path
from penstock.components.validation.stats_options import StatsOptions
from penstock.data.errors import UnsupportedDataError
from penstock.pipeline.errors import listing, nearest


def records_of(columns: Sequence[str], hints: schema_pb2.Schema | None, options: StatsOptions) -> set[str]:
    """Return the records that are described as structs: those the options name, and those the schema says are structs.

    Args:
        columns: The names of the columns that are described.
        hints: A schema, or None.
        options: What is asked for.
    """
    structs = {".".join(path) for path, each in features_by_path(hints).items() if each.type == schema_pb2.STRUCT}
    known = {name for name in structs if _has_columns(name, columns)}
    asked = options.struct_features or ()
    # Of a record that is left out by an allowlist there may be nothing to describe.
    return known.union(asked if options.feature_allowlist is None else (r for r in asked if _has_columns(r, columns)))


def _has_columns(record: str, columns: Iterable[str]) -> bool:
    return any(column.startswith(f"{record}.") for column in columns)


def grouped(columns: pa.Schema, records: Iterable[str]) -> pa.Schema:
    """Return the columns with those of each record as one of structs, in the place of its first.

    Raises:
        UnsupportedDataError: A record has no columns, or there is a column of its name.
    """
    fields = list(columns)
    # Records in records go first: they are a field of the outer one then.
    for record in sorted(records, key=lambda name: (-name.count("."), name)):
        inside = [field for field in fields if field.name.startswith(f"{record}.")]
        if not inside or any(field.name == record for field in fields):
            why = "there is a column of that name too." if inside else _no_record(record, columns)
            raise UnsupportedDataError(f"{record!r} can't be described as a record: {why}", column=record)
        struct = pa.struct([field.with_name(field.name[len(record) + 1 :]) for field in inside])
        at = fields.index(inside[0])
        fields[at : at + 1] = [pa.field(record, struct)]
        fields = [field for field in fields if field not in inside]
    return pa.schema(fields)


def _no_record(name: str, columns: pa.Schema) -> str:
    known = sorted({field.name.rpartition(".")[0] for field in columns if "." in field.name})
    return f"no column's name begins with it and a dot.{nearest(name, known)} Records are: {listing(known)}."


def column_of(batch: pa.RecordBatch, field: pa.Field, record: str = "") -> pa.Array:
    """Return the column of a batch for a field of the grouped columns; of a record, its columns as structs.

    A record is missing where all of its fields are.
    """
    name = f"{record}{field.name}"
    at = batch.schema.get_field_index(name)
    if at >= 0:
        return batch.column(at)
    fields = list(field.type)
    columns = [column_of(batch, each, f"{name}.") for each in fields]
    return pa.StructArray.from_arrays(columns, names=[each.name for each in fields], mask=_all_missing(columns))


def _all_missing(columns: Sequence[pa.Array]) -> pa.Array:
    missing = columns[0].is_null()
    for column in columns[1:]:
        missing = pc.and_(missing, column.is_null())
    return missing

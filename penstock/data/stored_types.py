"""The types that rows are stored in: what a source's Arrow types become, and the type that holds two of them.

Stored are int64, float32, float64, string, binary, and lists of these. Booleans and small integers become int64,
decimals float64 (those without a fraction int64), dates and times int64 microseconds (the field's metadata says so),
nested records one column a field, named "parent.child". What has no such form is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from penstock.data.errors import CellError, UnsupportedDataError, shortened
from penstock.data.raw_feature import in_words, is_list

UNIT = {b"unit": b"us"}
_INT_LIKE = (pa.types.is_integer, pa.types.is_boolean)
_TIME_LIKE = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_time, pa.types.is_duration)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BINARIES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)


def stored_type(type_: pa.DataType, column: str) -> pa.DataType:
    """Returns the type in which a column's values are stored; null for a column that never has a value.

    Raises:
        UnsupportedDataError: There is none.
    """
    if isinstance(type_, pa.BaseExtensionType):
        return stored_type(type_.storage_type, column)
    if pa.types.is_dictionary(type_):
        return stored_type(type_.value_type, column)
    if is_list(type_) and not pa.types.is_nested(type_.value_type):
        return pa.list_(stored_type(type_.value_type, column))
    found = _scalar_type(type_)
    if found is None:
        raise UnsupportedDataError(
            f"Column {column!r} has the type {shortened(str(type_), 80)}. Examples hold integers, floats, strings, "
            "bytes, times, and lists of these (one level); nested records become columns. "
            "Leave the column out with columns=, or flatten it at the source.",
            column=column,
        )
    return found


def _scalar_type(type_: pa.DataType) -> pa.DataType | None:
    if pa.types.is_decimal(type_):
        return pa.int64() if type_.scale <= 0 else pa.float64()
    if pa.types.is_float64(type_):
        return pa.float64()
    if pa.types.is_floating(type_):
        return pa.float32()
    kinds = (
        ((*_INT_LIKE, *_TIME_LIKE), pa.int64()),
        (_TEXTS, pa.string()),
        (_BINARIES, pa.binary()),
        ((pa.types.is_null,), pa.null()),
    )
    return next((stored for checks, stored in kinds if any(check(type_) for check in checks)), None)


def stored_field(field: pa.Field) -> pa.Field:
    """Returns a column as it is stored: times carry their unit as metadata."""
    value = field.type.value_type if is_list(field.type) else field.type
    timed = any(check(value) for check in _TIME_LIKE) or (field.metadata or {}).get(b"unit") == b"us"
    return pa.field(field.name, stored_type(field.type, field.name), metadata=UNIT if timed else None)


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """Returns the stored columns of a source's schema, nested records flattened.

    Raises:
        UnsupportedDataError: A column can't be stored, or two get one name.
    """
    fields = [stored_field(field) for field in _flat_fields(schema)]
    names = [field.name for field in fields]
    if "" in names:
        raise UnsupportedDataError(f"Column {names.index('') + 1} has no name. Name it at the source.")
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise UnsupportedDataError(f"Two columns are named {twice!r}. Rename one at the source.", column=twice)
    return pa.schema(fields)


def flat_names(schema: pa.Schema) -> list[str]:
    """Returns the names of a source's columns, nested records flattened."""
    return [field.name for field in _flat_fields(schema)]


def _flat_fields(schema: pa.Schema) -> Iterator[pa.Field]:
    for field in schema:
        if pa.types.is_struct(field.type):
            inner = pa.schema([field.type.field(i) for i in range(field.type.num_fields)])
            for child in _flat_fields(inner):
                yield child.with_name(f"{field.name}.{child.name}")
        else:
            yield field


def stored(batch: pa.RecordBatch, schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Returns rows in stored types, nested records flattened.

    Args:
        batch: Rows as a source has them.
        schema: Their `stored_schema`, where that is known.

    Raises:
        UnsupportedDataError: A column can't be stored.
        CellError: A value is beyond what is stored, as an integer of more than 64 bits.
    """
    schema = stored_schema(batch.schema) if schema is None else schema
    columns = [_stored_column(array, field) for array, field in zip(_flat_columns(batch), schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _flat_columns(batch: pa.RecordBatch) -> Iterator[pa.Array]:
    for column in batch.columns:
        yield from _flat_column(column)


def _flat_column(column: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_struct(column.type):
        for child in column.flatten():
            yield from _flat_column(child)
    else:
        yield column


def _stored_column(values: pa.Array, field: pa.Field) -> pa.Array:
    if _is_text(values.type.value_type if is_list(values.type) else values.type):
        _check_text(values, field.name)
    if values.type == field.type:
        return values
    if isinstance(values, pa.ExtensionArray):
        return _stored_column(values.storage, field)
    if pa.types.is_dictionary(values.type):
        return _stored_column(values.dictionary_decode(), field)
    if is_list(values.type):
        return _stored_list(values, field)
    try:
        return pc.cast(_as_microseconds(values), field.type)
    except pa.ArrowInvalid as error:
        raise CellError(
            f"Column {field.name!r} holds {_problem(values, field, error)}. "
            "Store it as a string at the source, or leave the column out with columns=.",
            column=field.name,
        ) from error


def _problem(values: pa.Array, field: pa.Field, error: Exception) -> str:
    if pa.types.is_integer(values.type) or pa.types.is_decimal(values.type):
        bounds = pc.min_max(values).as_py()
        greatest = max(bounds.values(), key=abs)
        return f"{int(greatest)}, an integer of more than 64 bits"
    return f"a value that {in_words(field.type)} can't: {shortened(str(error), 120)}"


def _is_text(type_: pa.DataType) -> bool:
    return any(check(type_) for check in _TEXTS)


def _check_text(values: pa.Array, column: str) -> None:
    """Checks that strings are UTF-8: neither Parquet nor Arrow's own types see to that."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CellError(
            f"Column {column!r} holds bytes that are no UTF-8 text: {shortened(str(error), 80)}. Write it as text or "
            "as binary at the source, or leave it out with columns=.",
            column=column,
        ) from error


def _stored_list(values: pa.Array, field: pa.Field) -> pa.Array:
    lists = values.cast(pa.list_(values.type.value_type))
    first, last = (lists.offsets[0].as_py(), lists.offsets[len(lists)].as_py()) if len(lists) else (0, 0)
    inner = _stored_column(lists.values.slice(first, last - first), pa.field(field.name, field.type.value_type))
    offsets = pc.subtract(lists.offsets, pa.scalar(first, pa.int32()))
    return pa.ListArray.from_arrays(offsets, inner, mask=lists.is_null() if lists.null_count else None)


def _as_microseconds(values: pa.Array) -> pa.Array:
    type_ = values.type
    if pa.types.is_timestamp(type_):
        return pc.cast(values, pa.timestamp("us", type_.tz), safe=False).cast(pa.int64())
    if pa.types.is_date(type_):
        return pc.cast(values, pa.timestamp("us")).cast(pa.int64())
    if pa.types.is_time(type_):
        return pc.cast(values, pa.time64("us"), safe=False).cast(pa.int64())
    if pa.types.is_duration(type_):
        return pc.cast(values, pa.duration("us"), safe=False).cast(pa.int64())
    return values


def widened(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Returns the narrowest stored type that holds the values of both, or None where none does.

    It depends on the two alone, not on their order: null < all; int64 < float64; float32 < float64; string < binary;
    a value < a list of such values.

    >>> widened(pa.int64(), pa.list_(pa.float32()))
    ListType(list<item: double>)
    """
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    if is_list(first) or is_list(second):
        inner = widened(*(type_.value_type if is_list(type_) else type_ for type_ in (first, second)))
        return None if inner is None else pa.list_(inner)
    both = {first, second}
    if both <= {pa.int64(), pa.float32(), pa.float64()}:
        return pa.float64()
    return pa.binary() if both == {pa.string(), pa.binary()} else None


def finished(schema: pa.Schema) -> pa.Schema:
    """Returns a schema in which columns that never had a value are strings."""
    return pa.schema([field.with_type(_without_null(field.type)) for field in schema])


def _without_null(type_: pa.DataType) -> pa.DataType:
    if is_list(type_):
        return pa.list_(_without_null(type_.value_type))
    return pa.string() if pa.types.is_null(type_) else type_


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Returns stored rows as a schema of wider types has them: absent columns are missing throughout.

    Raises:
        CellError: A value has no place in the wider type, as an integer that a float would round.
    """
    names = set(batch.schema.names)
    columns = [
        _fitted(batch.column(field.name), field) if field.name in names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _fitted(values: pa.Array, field: pa.Field) -> pa.Array:
    if values.type == field.type:
        return values
    if is_list(field.type) and not is_list(values.type):
        return _in_lists(_fitted(values, pa.field(field.name, field.type.value_type)))
    try:
        return values.cast(field.type)
    except pa.ArrowInvalid as error:
        raise CellError(
            f"Column {field.name!r} is stored as {in_words(field.type)} since other rows need it, and holds a value "
            f"that this would change: {shortened(str(error), 120)}. "
            "Make the column's values of one type at the source.",
            column=field.name,
        ) from error


def _in_lists(values: pa.Array) -> pa.Array:
    present = values.is_valid()
    ends = pc.cumulative_sum(present.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(offsets, values.drop_null(), mask=values.is_null() if values.null_count else None)

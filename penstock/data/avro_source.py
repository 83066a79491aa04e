"""Avro object container files as a source: ranges are runs of blocks; types come from the writer's schema."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, ClassVar

import fastavro
import pyarrow as pa

from penstock.data.errors import CellError, DataFormatError, NoDataError, UnsupportedDataError, shortened
from penstock.data.raw_feature import in_words
from penstock.data.row_source import RANGE_BYTES, Placed, SourceRange, TypedSource

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_BATCH_ROWS = 8192
_PRIMITIVES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "fixed": pa.binary(),
    "enum": pa.string(),
}
_LOGICAL = {
    "timestamp-millis": pa.timestamp("us", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("us"),
    "local-timestamp-micros": pa.timestamp("us"),
    "date": pa.date32(),
    "time-millis": pa.time64("us"),
    "time-micros": pa.time64("us"),
    "uuid": pa.string(),
}


@dataclass(frozen=True)
class AvroRows(TypedSource):
    """The rows of Avro files that have the same columns.

    Attributes:
        paths: The files.
        range_bytes: How many bytes of a file are a range.
    """

    paths: tuple[str, ...]
    range_bytes: int = field(default_factory=lambda: RANGE_BYTES)
    unit: ClassVar[str] = "record"

    def ranges(self) -> list[SourceRange]:
        """Returns runs of blocks; all files are checked to have the same columns.

        Raises:
            DataFormatError: A file is no Avro file, is cut off, or has other columns than the first.
        """
        ranges: list[SourceRange] = []
        first: pa.Schema | None = None
        for path in self.paths:
            with open(path, "rb") as file:
                schema, body = _header(file, path)
                first = schema if first is None else _same_columns(first, self.paths[0], schema, path)
                for run in _runs(file, body, path, self.range_bytes):
                    ranges.append(SourceRange(len(ranges), path, (body, *run)))
        if not ranges:
            raise NoDataError(f"There are no rows in {', '.join(self.paths[:3])}.", file=self.paths[0])
        return ranges

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of some blocks."""
        body, start, end, number = range_.part
        path = range_.file
        with open(path, "rb") as file:
            schema, _ = _header(file, path)
            file.seek(0)
            head = file.read(body)
            file.seek(start)
            blocks = io.BytesIO(head + file.read(end - start))
        try:
            records: Iterator[Any] = iter(fastavro.reader(blocks))
            while rows := list(islice(records, _BATCH_ROWS)):
                yield Placed(_batch(rows, schema, path), range(number, number + len(rows)))
                number += len(rows)
        except (EOFError, ValueError, IndexError, OverflowError) as error:
            if isinstance(error, DataFormatError):
                raise
            raise _damaged(path, f"from record {number} on: {error}") from error


def _batch(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, path: str) -> pa.RecordBatch:
    try:
        columns = [pa.array([row[each.name] for row in rows], each.type) for each in schema]
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CellError(f"{path}: a value doesn't fit its column: {shortened(str(error), 120)}.", file=path) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _header(file: BinaryIO, path: str) -> tuple[pa.Schema, int]:
    """Returns the columns, and where the first block begins."""
    if file.read(4) != _MAGIC:
        raise _damaged(path, "it doesn't begin as an Avro object container file")
    file.seek(0)
    try:
        reader = fastavro.reader(file)
        written = reader.writer_schema
    except (EOFError, ValueError, KeyError, IndexError) as error:
        raise _damaged(path, f"its header is cut off: {error}") from error
    if not isinstance(written, dict) or written.get("type") != "record":
        raise UnsupportedDataError(f"{path} holds {shortened(str(written))}; rows are Avro records.", file=path)
    schema = pa.schema([(each["name"], _type_of(each["type"], each["name"], path)) for each in written["fields"]])
    file.seek(len(_MAGIC))
    _skip_map(file)
    return schema, file.tell() + _SYNC_BYTES


def _skip_map(file: BinaryIO) -> None:
    """Moves behind the metadata, a map of bytes."""
    while count := _read_long(file):
        if count < 0:
            file.seek(_read_long(file), os.SEEK_CUR)
            continue
        for _ in range(2 * count):
            file.seek(_read_long(file), os.SEEK_CUR)


def _read_long(file: BinaryIO) -> int:
    value, shift = 0, 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)
    raise EOFError("the file ends within a number")


def _runs(file: BinaryIO, body: int, path: str, range_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Yields where runs of blocks begin and end, and the number of their first record."""
    size = os.path.getsize(path)
    file.seek(body - _SYNC_BYTES)
    sync = file.read(_SYNC_BYTES)
    start, first, number = body, 1, 1
    while file.tell() < size:
        try:
            records, length = _read_long(file), _read_long(file)
        except EOFError as error:
            raise _damaged(path, f"it ends within the block that begins with record {number}") from error
        file.seek(length, os.SEEK_CUR)
        if file.read(_SYNC_BYTES) != sync:
            raise _damaged(path, f"the block that begins with record {number} is damaged or cut off")
        number += records
        if file.tell() - start >= range_bytes or file.tell() == size:
            if number > first:
                yield start, file.tell(), first
            start, first = file.tell(), number


def _type_of(written: Any, name: str, path: str) -> pa.DataType:
    """Returns the Arrow type of an Avro type, a union with null as the type itself."""
    if isinstance(written, list):
        others = [each for each in written if each != "null"]
        if len(others) != 1:
            raise _unsupported(written, name, path)
        return _type_of(others[0], name, path)
    if isinstance(written, str):
        return _primitive(written, written, name, path)
    logical = written.get("logicalType")
    if logical == "decimal":
        return pa.decimal128(written["precision"], written.get("scale", 0))
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    if written["type"] == "array":
        return pa.list_(_type_of(written["items"], name, path))
    if written["type"] == "record":
        return pa.struct([(each["name"], _type_of(each["type"], name, path)) for each in written["fields"]])
    return _primitive(written["type"], written, name, path)


def _primitive(type_: Any, written: Any, name: str, path: str) -> pa.DataType:
    if isinstance(type_, dict | list):
        return _type_of(type_, name, path)
    if type_ not in _PRIMITIVES:
        raise _unsupported(written, name, path)
    return _PRIMITIVES[type_]


def _unsupported(written: Any, name: str, path: str) -> UnsupportedDataError:
    return UnsupportedDataError(
        f"{path}: column {name!r} has the Avro type {shortened(str(written), 80)}. Examples hold integers, floats, "
        "strings, bytes, times, records, and arrays of these; a union is of one type and null.",
        file=path,
        column=name,
    )


def _same_columns(first: pa.Schema, first_path: str, other: pa.Schema, path: str) -> pa.Schema:
    for name in [*first.names, *(name for name in other.names if name not in first.names)]:
        ours, theirs = (schema.field(name).type if name in schema.names else None for schema in (first, other))
        if ours != theirs:
            raise DataFormatError(
                f"All files must have one schema; they differ in column {name!r}: {path} has {_said(theirs)}, "
                f"{first_path} has {_said(ours)}. Write the file anew with the same types, or ingest it apart.",
                file=path,
                column=name,
            )
    return first


def _said(type_: pa.DataType | None) -> str:
    return "none" if type_ is None else in_words(type_)


def _damaged(path: str, problem: str) -> DataFormatError:
    return DataFormatError(f"{path} can't be read as Avro: {problem}. Fetch or write it anew.", file=path)

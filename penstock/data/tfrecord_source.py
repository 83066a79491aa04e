"""TFRecord files of `tf.Example` or `tf.SequenceExample` as a source: features become columns.

A feature that never holds more than one value, and is never present without one, is a column of values, else of lists.
Bytes are strings where all of them are UTF-8. The columns are sorted by name: a `tf.Example` has no order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from penstock.data.bad_rows import BadRow
from penstock.data.errors import CellError, DataFormatError, NoDataError, UnsupportedDataError, shortened
from penstock.data.example_bytes import varint
from penstock.data.raw_feature import is_list
from penstock.data.row_source import RANGE_BYTES, Placed, RangeRows, SourceRange, TypedRows, TypedSource
from penstock.data.tfrecord import DAMAGE, read_records, record_runs

_BATCH_RECORDS = 4096
_BATCH_BYTES = 16 << 20
_CONTEXT_TAG, _LISTS_TAG = 0x0A, 0x12
_SEQUENCE = "sequence"
_RAW_BYTES = 4096
"""How much of a bad record is kept."""


@dataclass(frozen=True)
class TfRecordRows(TypedSource):
    """The rows of TFRecord files.

    Attributes:
        paths: The files.
        quarantine: Whether records that are damaged, or no examples, are set aside; else the first one is an error.
        range_bytes: How many bytes of a plain file are a range; a gzip file is one.
    """

    paths: tuple[str, ...]
    quarantine: bool = False
    range_bytes: int = field(default_factory=lambda: RANGE_BYTES)
    unit: ClassVar[str] = "record"

    def ranges(self) -> list[SourceRange]:
        """Cuts the files on record boundaries.

        Raises:
            DataFormatError: A record is damaged or cut off.
        """
        runs = [(path, run) for path in self.paths for run in record_runs(path, self.range_bytes)]
        if not runs:
            raise NoDataError(f"{', '.join(self.paths[:3])}: there are no records.", file=self.paths[0])
        return [SourceRange(index, path, run) for index, (path, run) in enumerate(runs)]

    def read(self, range_: SourceRange, types: pa.Schema | None) -> RangeRows:
        """Opens a range."""
        bad = _BadRecords(range_.file) if self.quarantine else None
        rows = bad.rows if bad is not None else ()
        return TypedRows(range_.file, self.unit, _placed(range_, bad), types, rows)

    def settle(self, learned: Sequence[dict[str, Any]]) -> pa.Schema:
        """Returns the types of all columns, sorted by name."""
        types = super().settle(learned)
        return pa.schema(sorted(types, key=lambda each: each.name))


class _BadRecords:
    """Collects the records that are set aside."""

    def __init__(self, path: str) -> None:
        self.rows: list[BadRow] = []
        self._path = path

    def add_damaged(self, number: int, payload: bytes) -> None:
        """Adds a record whose checksum doesn't hold."""
        self._add(number, f"{DAMAGE}.", payload, "checksum")

    def add_undecodable(self, error: DataFormatError, payload: bytes) -> None:
        """Adds a record that is no example, or of other types than those before it."""
        reason = str(error).partition(f", record {error.line} ")[2]
        self._add(error.line or 0, reason, payload, "syntax")

    def _add(self, number: int, reason: str, payload: bytes, rule: str) -> None:
        self.rows.append(BadRow(self._path, number, reason, payload[:_RAW_BYTES].hex(), "", rule))


def _placed(range_: SourceRange, bad: _BadRecords | None) -> Iterator[Placed]:
    """Yields the records of a range, decoded."""
    set_aside = None if bad is None else bad.add_damaged
    for numbered in _batches(read_records(range_.file, range_.part, set_aside)):
        while numbered:
            numbers, records = [number for number, _ in numbered], [record for _, record in numbered]
            try:
                yield Placed(_decoded(records, range_.file, numbers), numbers)
                break
            except CellError as error:
                if bad is None or error.line is None:
                    raise
                at = numbers.index(error.line)
                bad.add_undecodable(error, records[at])
                del numbered[at]
    if bad is not None:
        bad.rows.sort(key=lambda row: row.line)


def _batches(records: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    waiting: list[tuple[int, bytes]] = []
    held = 0
    for record in records:
        waiting.append(record)
        held += len(record[1])
        if len(waiting) >= _BATCH_RECORDS or held >= _BATCH_BYTES:
            yield waiting
            waiting, held = [], 0
    if waiting:
        yield waiting


def _decoded(records: list[bytes], path: str, numbers: Sequence[int]) -> pa.RecordBatch:
    # A sequence example without sequences is a tf.Example, byte for byte: they may stand in one file.
    decode = _sequence_decoder() if any(map(_has_sequences, records)) else _example_decoder()
    try:
        batch = decode(records)
    except RuntimeError:
        raise _undecodable(decode, records, path, numbers) from None
    columns = sorted(_columns(batch, path, numbers[0]), key=lambda each: each[0])
    return pa.RecordBatch.from_arrays([array for _, array in columns], names=[name for name, _ in columns])


def _example_decoder() -> Any:
    from tfx_bsl.cc.tfx_bsl_extension.coders import ExamplesToRecordBatchDecoder

    return ExamplesToRecordBatchDecoder(None).DecodeBatch


def _sequence_decoder() -> Any:
    from tfx_bsl.cc.tfx_bsl_extension.coders import SequenceExamplesToRecordBatchDecoder

    return SequenceExamplesToRecordBatchDecoder(_SEQUENCE).DecodeBatch


def _undecodable(decode: Any, records: list[bytes], path: str, numbers: Sequence[int]) -> DataFormatError:
    """Finds the first record that can't be decoded, alone or together with those before it."""
    low, high = 0, len(records)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _fails(decode, records[:middle]) else (middle, high)
    reason = _fails(decode, records[: low + 1])
    alone = "Parse" in reason or "parse" in reason
    fault = (
        "is no tf.Example. Is the file a TFRecord of something else?"
        if alone
        else f"disagrees with the records before it: {shortened(reason, 120)}. Give each feature one type."
    )
    return CellError(f"{path}, record {numbers[low]} {fault}", file=path, line=numbers[low])


def _fails(decode: Any, records: list[bytes]) -> str:
    try:
        decode(records)
    except RuntimeError as error:
        return str(error)
    return ""


def _has_sequences(record: bytes) -> bool:
    """Whether a serialised record has feature lists: the fields before them are the same in both messages."""
    position = 0
    while position < len(record):
        tag = record[position]
        if tag == _LISTS_TAG:
            return True
        if tag != _CONTEXT_TAG:
            return False
        length, position = varint(record, position + 1)
        position += length
    return False


def _columns(batch: pa.RecordBatch, path: str, first: int) -> Iterator[tuple[str, pa.Array]]:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_struct(column.type):
            for child, values in zip(column.type, column.flatten(), strict=True):
                full = f"{name}.{child.name}"
                yield full, _texts(_one_a_step(values, full, path, first))
        else:
            yield name, _texts(_simplest(column))


def _one_a_step(values: pa.Array, name: str, path: str, first: int) -> pa.Array:
    """Returns the sequences of a feature as lists, one value a step."""
    if pa.types.is_null(values.type) or not is_list(values.type.value_type):
        return values
    steps = values.flatten()
    if not pc.all(pc.equal(steps.value_lengths(), 1), min_count=0).as_py() or steps.null_count:
        raise UnsupportedDataError(
            f"{path}, near record {first}: the sequence {name!r} has steps with no or several values. Examples hold "
            "lists of one level: give each step one value, or write the feature as a tf.Example with its shape.",
            file=path,
            column=name,
        )
    offsets = pc.subtract(values.offsets, values.offsets[0])
    mask = values.is_null() if values.null_count else None
    return pa.LargeListArray.from_arrays(offsets, steps.flatten(), mask=mask)


def _simplest(column: pa.Array) -> pa.Array:
    """Returns a column of values where no row holds several, and none is present without one."""
    if not is_list(column.type):
        return column
    lengths = column.value_lengths()
    if pc.all(pc.equal(lengths, 1), min_count=0).as_py():
        values = column.flatten()
        if not column.null_count:
            return values
        present = column.is_valid()
        positions = pc.subtract(pc.cumulative_sum(present.cast(pa.int64())), 1)
        return values.take(pc.if_else(present, positions, pa.scalar(None, pa.int64())))
    return column


def _texts(column: pa.Array) -> pa.Array:
    """Returns bytes as strings where all of them are UTF-8."""
    values = column.type.value_type if is_list(column.type) else column.type
    if not (pa.types.is_binary(values) or pa.types.is_large_binary(values)):
        return column
    try:
        return column.cast(pa.large_list(pa.large_string()) if is_list(column.type) else pa.large_string())
    except pa.ArrowInvalid:
        return column

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

from penstock.data.errors import CellError, DataFormatError, NoDataError, UnsupportedDataError, shortened
from penstock.data.example_bytes import varint
from penstock.data.raw_feature import is_list
from penstock.data.row_source import RANGE_BYTES, Placed, SourceRange, TypedSource
from penstock.data.tfrecord import read_records, record_runs

_BATCH_RECORDS = 4096
_BATCH_BYTES = 16 << 20
_CONTEXT_TAG, _LISTS_TAG = 0x0A, 0x12
_SEQUENCE = "sequence"


@dataclass(frozen=True)
class TfRecordRows(TypedSource):
    """The rows of TFRecord files.

    Attributes:
        paths: The files.
        range_bytes: How many bytes of a plain file are a range; a gzip file is one.
    """

    paths: tuple[str, ...]
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

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the records of a range, decoded."""
        number = range_.part.first
        for records in _batches(read_records(range_.file, range_.part)):
            yield Placed(_decoded(records, range_.file, number), range(number, number + len(records)))
            number += len(records)

    def settle(self, learned: Sequence[dict[str, Any]]) -> pa.Schema:
        """Returns the types of all columns, sorted by name."""
        types = super().settle(learned)
        return pa.schema(sorted(types, key=lambda each: each.name))


def _batches(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    waiting: list[bytes] = []
    held = 0
    for record in records:
        waiting.append(record)
        held += len(record)
        if len(waiting) >= _BATCH_RECORDS or held >= _BATCH_BYTES:
            yield waiting
            waiting, held = [], 0
    if waiting:
        yield waiting


def _decoded(records: list[bytes], path: str, first: int) -> pa.RecordBatch:
    sequences = [_has_sequences(record) for record in records]
    if all(sequences):
        decode = _sequence_decoder()
    elif not any(sequences):
        decode = _example_decoder()
    else:
        number = first + sequences.index(not sequences[0])
        raise UnsupportedDataError(
            f"{path}, record {number}: a file holds tf.Example or tf.SequenceExample, this one both. "
            "Write them to files of their own and ingest them apart.",
            file=path,
            line=number,
        )
    try:
        batch = decode(records)
    except RuntimeError:
        raise _undecodable(decode, records, path, first) from None
    columns = sorted(_columns(batch, path, first), key=lambda each: each[0])
    return pa.RecordBatch.from_arrays([array for _, array in columns], names=[name for name, _ in columns])


def _example_decoder() -> Any:
    from tfx_bsl.cc.tfx_bsl_extension.coders import ExamplesToRecordBatchDecoder

    return ExamplesToRecordBatchDecoder(None).DecodeBatch


def _sequence_decoder() -> Any:
    from tfx_bsl.cc.tfx_bsl_extension.coders import SequenceExamplesToRecordBatchDecoder

    return SequenceExamplesToRecordBatchDecoder(_SEQUENCE).DecodeBatch


def _undecodable(decode: Any, records: list[bytes], path: str, first: int) -> DataFormatError:
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
    return CellError(f"{path}, record {first + low} {fault}", file=path, line=first + low)


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

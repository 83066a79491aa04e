"""Rows that arrive in no order, as from a Beam PTransform: landed on disk, then read back in an order of their own.

A *run* is an Arrow file of at most `RUN_BYTES` in memory, with one batch for each of 256 buckets. Which bucket a row
falls into depends on its values alone, so ranges of buckets are the same however the rows arrived; within a range rows
are sorted by their hash. Neither digests nor the order that a trainer sees depend on workers and bundles then.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from penstock.data.errors import CellError, DataFormatError, NoDataError
from penstock.data.raw_feature import in_words, is_bytes, is_list
from penstock.data.row_hash import Words, hash_rows
from penstock.data.row_source import Placed, SourceRange, TypedSource
from penstock.data.stored_types import finished, fitted, stored, widened
from penstock.data.value_columns import ValueConflict, batch_of, weight_of

RUN_BYTES = 32 << 20
RANGE_CELLS = 1 << 22
"""How many cells are a range: about 32 MiB of numbers."""
_BUCKETS = 256
_GATHERED_ROWS, _GATHERED_BYTES = 8192, 8 << 20
_BATCH_ROWS = 16384


class Run(NamedTuple):
    """A file of landed rows."""

    path: str
    rows: int


class RunWriter:
    """Lands rows in a folder: record batches, tables, or dictionaries.

    Attributes:
        runs: The files written; complete after `close`.
    """

    def __init__(self, folder: str, origin: str) -> None:
        """Prepares; `origin` names who made the rows, for messages."""
        self.runs: list[Run] = []
        self._folder = folder
        self._origin = origin
        self._gathered: list[Mapping[str, Any]] = []
        self._weight = 0
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, element: Any) -> None:
        """Takes one row, or the rows of a batch or table.

        Raises:
            DataFormatError: It is neither, or its values can't be stored.
        """
        if isinstance(element, Mapping):
            self._gathered.append(element)
            self._weight += weight_of(element)
            if len(self._gathered) >= _GATHERED_ROWS or self._weight >= _GATHERED_BYTES:
                self._take_gathered()
        elif isinstance(element, pa.RecordBatch):
            self._take(element)
        elif isinstance(element, pa.Table):
            for batch in element.to_batches(_GATHERED_ROWS):
                self._take(batch)
        else:
            raise DataFormatError(
                f"{self._origin} gives {type(element).__name__}. Its elements are dictionaries, one a row, or pyarrow "
                "record batches or tables. Map them to one of these."
            )

    def close(self) -> None:
        """Writes what waits."""
        self._take_gathered()
        self._flush()

    def _take_gathered(self) -> None:
        rows, self._gathered, self._weight = self._gathered, [], 0
        if not rows:
            return
        try:
            self._take(batch_of(rows))
        except ValueConflict as error:
            raise _mixed(self._origin, error.column, error.problem) from None

    def _take(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self._batches.append(stored(batch))
        self._bytes += self._batches[-1].nbytes
        if self._bytes >= RUN_BYTES:
            self._flush()

    def _flush(self) -> None:
        batches, self._batches, self._bytes = self._batches, [], 0
        if not batches:
            return
        schema = _common([batch.schema for batch in batches], self._origin)
        rows = _joined([fitted(batch, schema) for batch in batches])
        buckets = bucket_of(rows)
        order = np.argsort(buckets, kind="stable")
        ends = np.searchsorted(buckets[order], np.arange(1, _BUCKETS + 1))
        run = Run(os.path.join(self._folder, f"run-{uuid.uuid4().hex}.arrow"), rows.num_rows)
        with pa.OSFile(run.path, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
                writer.write_batch(rows.take(pa.array(order[start:end])))
        self.runs.append(run)


def _mixed(origin: str, column: str, problem: str) -> CellError:
    return CellError(
        f"{origin} gives rows of which column {column!r} {problem}. The values of a column must be of one type. "
        "Correct them where they are made.",
        column=column,
    )


def _common(schemas: Sequence[pa.Schema], origin: str) -> pa.Schema:
    """Returns the narrowest schema that holds rows of all of these, columns by name: rows come in no order.

    Raises:
        CellError: There is none.
    """
    fields: dict[str, pa.Field] = {}
    for field in (field for schema in schemas for field in schema):
        known = fields.setdefault(field.name, field)
        wider = widened(known.type, field.type)
        if wider is None:
            types = " and ".join(sorted((in_words(known.type), in_words(field.type))))
            raise _mixed(origin, field.name, f"holds {types}")
        fields[field.name] = (field if pa.types.is_null(known.type) else known).with_type(wider)
    return pa.schema([fields[name] for name in sorted(fields)])


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def bucket_of(batch: pa.RecordBatch) -> Words:
    """Returns the bucket of each row, by its values alone.

    Whether a column is absent or missing, of integers or of floats, text or bytes doesn't count: that depends on which
    rows happen to be together.
    """
    total = np.zeros(batch.num_rows, np.uint64)
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_null(field.type):
            continue
        plain = column.cast(_plain(field.type), safe=False)
        words, _ = hash_rows(pa.RecordBatch.from_arrays([plain], names=[field.name]))
        words[column.is_null().to_numpy(zero_copy_only=False)] = 0
        total += words
    buckets: Words = total >> np.uint64(65 - _BUCKETS.bit_length())
    return buckets


def _plain(type_: pa.DataType) -> pa.DataType:
    if is_list(type_):
        return pa.large_list(_plain(type_.value_type))
    return pa.large_binary() if is_bytes(type_) or pa.types.is_null(type_) else pa.float64()


@dataclass(frozen=True)
class LandedRows(TypedSource):
    """The rows of some runs.

    Attributes:
        runs: The files.
        schema: The types that hold all rows, columns by name.
    """

    runs: tuple[Run, ...]
    schema: pa.Schema
    unit: ClassVar[str] = "row"

    @classmethod
    def of(cls, runs: Sequence[Run], origin: str) -> LandedRows:
        """Reads the types of runs.

        Raises:
            CellError: No type holds the values of a column.
            NoDataError: There is no row.
        """
        if not runs:
            raise NoDataError(f"{origin} gives no rows. Check what it is asked for.")
        schemas = [_opened(run.path).schema for run in runs]
        return cls(tuple(runs), finished(_common(schemas, origin)))

    def ranges(self) -> list[SourceRange]:
        """Returns ranges of buckets; how many depends on the number of rows and columns."""
        cells = sum(run.rows for run in self.runs) * len(self.schema)
        count = min(max(math.ceil(cells / RANGE_CELLS), 1), _BUCKETS)
        edges = [_BUCKETS * index // count for index in range(count + 1)]
        return [SourceRange(index, "", (edges[index], edges[index + 1])) for index in range(count)]

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of some buckets, sorted by their hash."""
        batches = [
            fitted(file.get_batch(bucket), self.schema)
            for file in (_opened(run.path) for run in self.runs)
            for bucket in range(*range_.part)
        ]
        hashes = [hash_rows(batch) for batch in batches]
        first, second = (np.concatenate(words) for words in zip(*hashes, strict=True))
        order = np.lexsort([second, first])
        rows = pa.Table.from_batches(batches)
        for start in range(0, len(order), _BATCH_ROWS):
            for batch in rows.take(pa.array(order[start : start + _BATCH_ROWS])).to_batches():
                yield Placed(batch, range(start + 1, start + 1 + batch.num_rows))


def _opened(path: str) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(path))

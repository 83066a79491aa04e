"""From ranges of any source to shards of examples: one range at a time, and what is known when all are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from penstock.data.bad_rows import BadRow
from penstock.data.errors import NoDataError
from penstock.data.row_hash import hash_rows
from penstock.data.row_source import RowSource, SourceRange
from penstock.data.selected_rows import SelectedRows, check_columns
from penstock.data.shards import ShardWriter, shard_path
from penstock.data.splits import Splits, split_rows


@dataclass(frozen=True)
class Place:
    """Where the rows of a range go: the number of its shard among all shards, by split."""

    range_: SourceRange
    shards: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Ingestion:
    """What is the same for all ranges.

    Attributes:
        path: The folder of the examples.
        source: Where the rows come from.
        splits: How they are split.
        types: The types of all columns that are read; None while only the ranges can tell.
    """

    path: str
    source: RowSource
    splits: Splits
    types: pa.Schema | None = None

    @property
    def stored_types(self) -> pa.Schema | None:
        """The types of the columns that are kept."""
        return None if self.types is None else _kept(self.source, self.types)


@dataclass(frozen=True)
class RangeSummary:
    """What ingesting a range taught.

    Attributes:
        index: The range's number.
        learned: For the source's `settle`.
        types: Of the shards written; None when the range contradicts itself and has to be read again.
        rows: By split.
        bad: Rows set aside.
        blank: Whether there was no row; then no shard is written yet.
    """

    index: int
    learned: dict[str, Any]
    types: pa.Schema | None
    rows: dict[str, int]
    bad: tuple[BadRow, ...] = ()
    blank: bool = False


def _kept(source: RowSource, types: pa.Schema) -> pa.Schema:
    return source.selected(types) if isinstance(source, SelectedRows) else types


def places(ranges: Sequence[SourceRange], splits: Splits, split_of: Mapping[str, str]) -> list[Place]:
    """Returns where each range's rows go.

    Args:
        ranges: All ranges, in order.
        splits: How rows are split.
        split_of: The split of each file, where files decide.
    """
    if splits.patterns is None:
        return [Place(each, dict.fromkeys(splits.weights, (each.index, len(ranges)))) for each in ranges]
    names = [split_of[each.file] for each in ranges]
    return [
        Place(each, {name: (names[:position].count(name), names.count(name))})
        for position, (each, name) in enumerate(zip(ranges, names, strict=True))
    ]


def ingest_range(place: Place, ingestion: Ingestion) -> RangeSummary:
    """Writes the rows of a range, one shard a split.

    Where the types aren't known yet, they are the range's own; whether they hold for all ranges shows when all
    are done.

    Raises:
        DataFormatError: The data is at fault.
    """
    reader = ingestion.source.read(place.range_, ingestion.types)
    batches = reader.batches()
    batch = next(batches, None)
    schema = ingestion.stored_types or reader.schema
    if schema is None:
        rows = dict.fromkeys(place.shards, 0)
        return RangeSummary(place.range_.index, reader.learned, None, rows, tuple(reader.bad), reader.consistent)
    with ExitStack() as stack:
        shards = {
            split: stack.enter_context(ShardWriter(shard_path(ingestion.path, split, *numbers), schema))
            for split, numbers in place.shards.items()
        }
        while batch is not None:
            for split, rows, hashes in _by_split(batch, ingestion.splits, place):
                shards[split].write(rows, hashes)
            batch = next(batches, None)
    rows_written = {split: shard.digest.rows for split, shard in shards.items()}
    types = schema if reader.consistent else None
    return RangeSummary(place.range_.index, reader.learned, types, rows_written, tuple(reader.bad))


def write_empty(place: Place, ingestion: Ingestion) -> None:
    """Writes the shards of a range that has no row, once the types of the others are known."""
    for split, numbers in place.shards.items():
        with ShardWriter(shard_path(ingestion.path, split, *numbers), ingestion.stored_types):
            pass


def _by_split(batch: pa.RecordBatch, splits: Splits, place: Place) -> Iterator[tuple[str, pa.RecordBatch, Any]]:
    hashes = hash_rows(batch)
    weights = {split: splits.weights[split] for split in place.shards}
    deciding = None
    if splits.partition_feature is not None:
        check_columns([splits.partition_feature], batch.schema.names, "partition_feature=")
        deciding = hash_rows(batch.select([splits.partition_feature]))[1]
    return split_rows(batch, hashes, weights, deciding)


def settle_types(ingestion: Ingestion, summaries: Sequence[RangeSummary]) -> tuple[Ingestion, list[int]]:
    """Returns the ingestion with the types of all ranges, and the numbers of the ranges that had others."""
    types = ingestion.source.settle([summary.learned for summary in summaries])
    settled = replace(ingestion, types=types)
    again = [
        summary.index
        for summary in summaries
        if not summary.blank and (summary.types is None or summary.types != settled.stored_types)
    ]
    return settled, again


def rows_by_split(ingestion: Ingestion, summaries: Sequence[RangeSummary], files: Sequence[str]) -> dict[str, int]:
    """Returns the number of rows of each split.

    Raises:
        NoDataError: A split has none.
    """
    rows = {split: sum(summary.rows.get(split, 0) for summary in summaries) for split in ingestion.splits.weights}
    total = sum(rows.values())
    empty = [split for split, count in rows.items() if not count]
    if total and not empty:
        return rows
    raise _no_rows(ingestion, summaries, files) if not total else _empty_split(empty[0], total, ingestion.splits)


def _no_rows(ingestion: Ingestion, summaries: Sequence[RangeSummary], files: Sequence[str]) -> NoDataError:
    where = ", ".join(files[:3]) or "the source"
    first = files[0] if files else ""
    bad = [row for summary in summaries for row in summary.bad]
    if bad:
        return NoDataError(
            f"All {len(bad)} rows of {where} are bad, the first: {bad[0].reason} Correct them, or the parameters "
            "that say how the files are written.",
            file=first,
        )
    if isinstance(ingestion.source, SelectedRows) or getattr(ingestion.source, "row_filter", None) is not None:
        return NoDataError(f"No row of {where} passes row_filter=. Correct the condition, or drop it.", file=first)
    if not files:
        return NoDataError("There are no data rows: the source is empty. Check what it is asked for.")
    return NoDataError(
        f"There are no data rows in {where}: a header line only. Check that the export was complete.", file=first
    )


def _empty_split(split: str, total: int, splits: Splits) -> NoDataError:
    if splits.patterns is not None:
        return NoDataError(f"Split {split!r} is empty: its files ({splits.patterns[split]}) hold no rows. Fill them.")
    by = f"the hash of {splits.partition_feature!r}" if splits.partition_feature else "their hash"
    return NoDataError(
        f"Split {split!r} is empty: rows fall into splits by {by}, and none of the {total} did with "
        f"splits={dict(splits.weights)}. Bring more distinct rows, give {split!r} a greater weight, or leave "
        f"it out of splits=."
    )

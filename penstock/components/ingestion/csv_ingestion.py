"""From CSV ranges to shards of examples: one range at a time, and what is known when all are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pyarrow as pa

from penstock.data.csv_cells import Kind
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_read import RangeReader, schema_of
from penstock.data.csv_source import CsvRange
from penstock.data.errors import NoDataError
from penstock.data.row_hash import hash_rows
from penstock.data.shards import ShardWriter, shard_path
from penstock.data.splits import split_rows


@dataclass(frozen=True)
class Ingestion:
    """What is the same for all ranges.

    Attributes:
        path: The folder of the examples.
        format: The dialect of the files.
        splits: Weights by name.
        columns: Names in the order of the first file.
        ranges: How many there are, which is the number of shards.
        types: The types of all columns; None while only the ranges can tell.
    """

    path: str
    format: CsvFormat
    splits: Mapping[str, int]
    columns: tuple[str, ...]
    ranges: int
    types: pa.Schema | None = None


@dataclass(frozen=True)
class RangeSummary:
    """What ingesting a range taught.

    Attributes:
        index: The range's number.
        kinds: Of the columns whose type isn't declared.
        types: Of the shards written; None when the range contradicts itself and has to be read again.
        rows: By split.
    """

    index: int
    kinds: dict[str, Kind]
    types: pa.Schema | None
    rows: dict[str, int]


def ingest_range(range_: CsvRange, ingestion: Ingestion) -> RangeSummary:
    """Writes the rows of a range, one shard a split.

    Where the types aren't known yet, they are the range's own; whether they hold for all ranges shows when all
    are done.

    Raises:
        DataFormatError: The data is at fault.
    """
    reader = RangeReader(range_, ingestion.format, ingestion.columns, ingestion.types)
    batches = reader.batches()
    batch = next(batches, None)
    schema = reader.schema or schema_of(
        ingestion.columns, dict.fromkeys(ingestion.columns, Kind.MISSING), ingestion.format
    )
    with ExitStack() as stack:
        shards = {
            split: stack.enter_context(
                ShardWriter(shard_path(ingestion.path, split, range_.index, ingestion.ranges), schema)
            )
            for split in ingestion.splits
        }
        while batch is not None:
            for split, rows, hashes in split_rows(batch, hash_rows(batch), ingestion.splits):
                shards[split].write(rows, hashes)
            batch = next(batches, None)
    rows_written = {split: shard.digest.rows for split, shard in shards.items()}
    kinds = reader.kinds or dict.fromkeys(ingestion.columns, Kind.MISSING)
    return RangeSummary(range_.index, kinds, schema if reader.consistent else None, rows_written)


def settle_types(ingestion: Ingestion, summaries: Sequence[RangeSummary]) -> tuple[Ingestion, list[int]]:
    """Returns the ingestion with the types of all ranges, and the numbers of the ranges that had others."""
    kinds = {
        name: max((summary.kinds.get(name, Kind.MISSING) for summary in summaries), default=Kind.MISSING)
        for name in ingestion.columns
    }
    types = schema_of(ingestion.columns, kinds, ingestion.format)
    again = [summary.index for summary in summaries if summary.types is None or summary.types != types]
    return replace(ingestion, types=types), again


def rows_by_split(ingestion: Ingestion, summaries: Sequence[RangeSummary], files: Sequence[str]) -> dict[str, int]:
    """Returns the number of rows of each split.

    Raises:
        NoDataError: A split has none.
    """
    rows = {split: sum(summary.rows[split] for summary in summaries) for split in ingestion.splits}
    total = sum(rows.values())
    empty = [split for split, count in rows.items() if not count]
    if total and not empty:
        return rows
    if not total:
        raise NoDataError(
            f"There are no data rows in {', '.join(files[:3])}: a header line only. "
            "Check that the export was complete.",
            file=files[0],
        )
    raise NoDataError(
        f"Split {empty[0]!r} is empty: rows fall into splits by their hash, and none of the {total} did with "
        f"splits={dict(ingestion.splits)}. Bring more distinct rows, give {empty[0]!r} a greater weight, or leave "
        f"it out of splits=."
    )

"""The parallel side of all ExampleGens: ranges go out, shards are written where they are read, summaries come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from penstock.components.ingestion.ingestion import (
    Ingestion,
    Place,
    RangeSummary,
    ingest_range,
    places,
    rows_by_split,
    settle_types,
    write_empty,
)
from penstock.data.bad_rows import BadRow
from penstock.data.row_source import RowSource
from penstock.data.splits import Splits
from penstock.pipeline import Beam


@dataclass(frozen=True)
class Ingested:
    """The finished examples: types by column, rows by split, rows set aside."""

    types: pa.Schema
    rows: dict[str, int]
    bad: tuple[BadRow, ...]


@dataclass(frozen=True)
class IngestRange:
    """Ingests one range, wherever it runs."""

    ingestion: Ingestion

    def __call__(self, place: Place) -> tuple[int, RangeSummary]:
        """Reads the range, writes its shards, and returns its rows and what it taught."""
        summary = ingest_range(place, self.ingestion)
        return sum(summary.rows.values()), summary


def ingest(
    runner: Beam,
    source: RowSource,
    splits: Splits,
    destination: str,
    *,
    label: str,
    split_of: Mapping[str, str] | None = None,
) -> Ingested:
    """Turns a source into examples.

    Every range is read once, with the types that it shows; ranges whose types turn out to be narrower than those
    of all ranges together are read again, in a second pass.

    Args:
        runner: Where the work runs.
        source: Where the rows come from.
        splits: How they are split.
        destination: The folder of the examples.
        label: The component, for messages and the names of Beam pipelines.
        split_of: The split of each file, where files decide.

    Raises:
        DataFormatError: The data is at fault; of several errors the first in the order of the files.
    """
    ingestion = Ingestion(destination, source, splits)
    work = places(source.ranges(), splits, split_of or {})
    summaries = _run(runner, f"{label}: read", ingestion, work)
    settled, again = settle_types(ingestion, summaries)
    for summary in summaries:
        if summary.blank:
            write_empty(work[summary.index], settled)
    if again:
        for summary in _run(runner, f"{label}: widen types", settled, [work[index] for index in again]):
            summaries[summary.index] = summary
    files = list(dict.fromkeys(place.range_.file for place in work if place.range_.file))
    assert settled.stored_types is not None
    bad = tuple(row for summary in summaries for row in summary.bad)
    return Ingested(settled.stored_types, rows_by_split(settled, summaries, files), bad)


def _run(runner: Beam, label: str, ingestion: Ingestion, work: Sequence[Place]) -> list[RangeSummary]:
    return list(runner.map_ranges(label, IngestRange(ingestion), work, staging=ingestion.path))

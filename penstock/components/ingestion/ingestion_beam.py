"""The Beam side of all ExampleGens: ranges go in, shards are written where they are read, summaries come back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
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
from penstock.data import errors
from penstock.data.bad_rows import BadRow
from penstock.data.row_source import RowSource
from penstock.data.splits import Splits
from penstock.pipeline.beam import ROWS_COUNTER, Beam

_SUMMARIES = ".ranges"


@dataclass(frozen=True)
class Ingested:
    """The finished examples: types by column, rows by split, rows set aside."""

    types: pa.Schema
    rows: dict[str, int]
    bad: tuple[BadRow, ...]


class IngestRanges(beam.DoFn):  # type: ignore[misc]
    """Ingests ranges.

    A summary is a small file below the examples' folder and no element: nothing crosses a barrier, and an error of
    the data keeps its type, which a Beam runner would flatten to text.
    """

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion
        self._rows = beam.metrics.Metrics.counter(*ROWS_COUNTER)

    def process(self, place: Place) -> None:
        """Reads a range and writes its shards."""
        try:
            summary = ingest_range(place, self._ingestion)
        except errors.DataFormatError as error:
            content = _error_to_json(error)
        else:
            content = _summary_to_json(summary)
            self._rows.inc(sum(summary.rows.values()))
        file = _summary_file(self._ingestion, place.range_.index)
        Path(file).write_text(json.dumps(content), encoding="utf-8")


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
    of all ranges together are read again, in a second pipeline.

    Args:
        runner: Where the work runs.
        source: Where the rows come from.
        splits: How they are split.
        destination: The folder of the examples.
        label: The component, for the names of the Beam pipelines.
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
        _run(runner, f"{label}: widen types", settled, [work[index] for index in again])
        summaries = [_read_summary(settled, index) for index in range(len(work))]
    shutil.rmtree(os.path.join(destination, _SUMMARIES))
    files = list(dict.fromkeys(place.range_.file for place in work if place.range_.file))
    assert settled.stored_types is not None
    bad = tuple(row for summary in summaries for row in summary.bad)
    return Ingested(settled.stored_types, rows_by_split(settled, summaries, files), bad)


def _run(runner: Beam, label: str, ingestion: Ingestion, work: Sequence[Place]) -> list[RangeSummary]:
    os.makedirs(os.path.join(ingestion.path, _SUMMARIES), exist_ok=True)
    with runner.pipeline(label) as pipeline:
        elements = pipeline | "Ranges" >> beam.Create(list(work), reshuffle=len(work) > 1)
        _ = elements | "Ingest" >> beam.ParDo(IngestRanges(ingestion))
    return [_read_summary(ingestion, place.range_.index) for place in work]


def _summary_file(ingestion: Ingestion, index: int) -> str:
    return os.path.join(ingestion.path, _SUMMARIES, f"{index:05d}.json")


def _summary_to_json(summary: RangeSummary) -> dict[str, Any]:
    types = None if summary.types is None else summary.types.serialize().to_pybytes().hex()
    return {**asdict(summary), "types": types}


def _error_to_json(error: errors.DataFormatError) -> dict[str, Any]:
    place = {"file": error.file, "line": error.line, "column": error.column}
    return {"error": type(error).__name__, "message": str(error), "place": place}


def _read_summary(ingestion: Ingestion, index: int) -> RangeSummary:
    content = json.loads(Path(_summary_file(ingestion, index)).read_text(encoding="utf-8"))
    if "error" in content:
        raise getattr(errors, content["error"])(content["message"], **content["place"])
    types = content["types"]
    return RangeSummary(
        index=content["index"],
        learned=content["learned"],
        types=None if types is None else pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(types))),
        rows=content["rows"],
        bad=tuple(BadRow(**row) for row in content["bad"]),
        blank=content["blank"],
    )

"""The Beam side of `CsvExampleGen`: ranges go in, shards are written where they are read, summaries come back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from penstock.components.ingestion.csv_ingestion import (
    Ingestion,
    RangeSummary,
    ingest_range,
    rows_by_split,
    settle_types,
)
from penstock.data import errors
from penstock.data.csv_cells import Kind
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_read import check_column_types
from penstock.data.csv_source import CsvRange, plan_ranges
from penstock.pipeline.beam import ROWS_COUNTER, Beam

_SUMMARIES = ".ranges"


@dataclass(frozen=True)
class Ingested:
    """The finished examples: types by column, rows by split."""

    types: pa.Schema
    rows: dict[str, int]


class IngestRanges(beam.DoFn):  # type: ignore[misc]
    """Ingests ranges.

    A summary is a small file below the examples' folder and no element: nothing crosses a barrier, and an error of
    the data keeps its type, which a Beam runner would flatten to text.
    """

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion
        self._rows = beam.metrics.Metrics.counter(*ROWS_COUNTER)

    def process(self, range_: CsvRange) -> None:
        """Reads a range and writes its shards."""
        try:
            summary = ingest_range(range_, self._ingestion)
        except errors.DataFormatError as error:
            content = _error_to_json(error)
        else:
            content = _summary_to_json(summary)
            self._rows.inc(sum(summary.rows.values()))
        Path(_summary_file(self._ingestion, range_.index)).write_text(json.dumps(content), encoding="utf-8")


def ingest(
    runner: Beam, paths: Sequence[str], format_: CsvFormat, splits: dict[str, int], destination: str
) -> Ingested:
    """Turns CSV files into examples.

    Every range is read once, with the types that it shows; ranges whose types turn out to be narrower than those
    of all ranges together are read again, in a second pipeline.

    Raises:
        DataFormatError: The data is at fault; of several errors the first in the order of the files.
    """
    ranges = plan_ranges(paths, format_)
    check_column_types(format_, ranges[0].file)
    ingestion = Ingestion(destination, format_, splits, ranges[0].file.names, len(ranges))
    summaries = _run(runner, "CsvExampleGen: read", ingestion, ranges)
    settled, again = settle_types(ingestion, summaries)
    if again:
        _run(runner, "CsvExampleGen: widen types", settled, [ranges[index] for index in again])
        summaries = [_read_summary(settled, index) for index in range(len(ranges))]
    shutil.rmtree(os.path.join(destination, _SUMMARIES))
    assert settled.types is not None
    return Ingested(settled.types, rows_by_split(settled, summaries, paths))


def _run(runner: Beam, label: str, ingestion: Ingestion, ranges: Sequence[CsvRange]) -> list[RangeSummary]:
    os.makedirs(os.path.join(ingestion.path, _SUMMARIES), exist_ok=True)
    with runner.pipeline(label) as pipeline:
        elements = pipeline | "Ranges" >> beam.Create(list(ranges), reshuffle=len(ranges) > 1)
        _ = elements | "Ingest" >> beam.ParDo(IngestRanges(ingestion))
    return [_read_summary(ingestion, range_.index) for range_ in ranges]


def _summary_file(ingestion: Ingestion, index: int) -> str:
    return os.path.join(ingestion.path, _SUMMARIES, f"{index:05d}.json")


def _summary_to_json(summary: RangeSummary) -> dict[str, Any]:
    types = None if summary.types is None else summary.types.serialize().to_pybytes().hex()
    return {"index": summary.index, "kinds": summary.kinds, "types": types, "rows": summary.rows}


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
        kinds={name: Kind(kind) for name, kind in content["kinds"].items()},
        types=None if types is None else pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(types))),
        rows=content["rows"],
    )

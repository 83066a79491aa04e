"""Statistics by Beam: ranges of shards are described wherever Beam runs them, and merged in order in one last step."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.dataset_statistics import RangeStatistics, merge_ranges
from penstock.data.examples import arrow_schema, read_batches, split_files
from penstock.data.protos import write_statistics

MAX_RANGES = 64
"""The most ranges a split is cut into, so that what meets in the last step is bounded whatever the number of shards."""

ROWS = beam.metrics.Metrics.counter("penstock", "rows")


@dataclass(frozen=True)
class Range:
    """Consecutive shards of a split; fixed by the data, never by the number of workers."""

    split: str
    number: int
    files: tuple[str, ...]


def plan_ranges(path: str, split: str) -> list[Range]:
    """Cut a split of the examples at `path` into at most `MAX_RANGES` ranges of whole shards."""
    files = split_files(path, split)
    size = -(-len(files) // MAX_RANGES)
    starts = range(0, len(files), size)
    return [Range(split, number, tuple(files[start : start + size])) for number, start in enumerate(starts)]


class DescribeRange(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """From a range to (split, (number, pickled statistics)).

    Args:
        columns: The Arrow schema of the examples.
        hints: A schema that says which integers are categories and which strings are images, or None.
    """

    def __init__(self, columns: pa.Schema, hints: schema_pb2.Schema | None) -> None:
        super().__init__()
        self._columns = columns
        self._hints = hints.SerializeToString() if hints is not None else None

    def process(self, element: Range) -> Iterator[tuple[str, tuple[int, bytes]]]:
        """Read the shards of one range."""
        hints = schema_pb2.Schema.FromString(self._hints) if self._hints is not None else None
        statistics = RangeStatistics(self._columns, element.number, hints)
        for batch in read_batches(element.files, columns=self._columns.names):
            statistics.add(batch)
            ROWS.inc(batch.num_rows)
        yield element.split, (element.number, pickle.dumps(statistics))


class WriteStatistics(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Merge the ranges of one split in their order and write `Split-<name>/FeatureStats.pb`."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def process(self, element: tuple[str, Iterable[tuple[int, bytes]]]) -> None:
        """Write the statistics of one split."""
        split, parts = element
        merged = merge_ranges(pickle.loads(pickled) for _, pickled in sorted(parts))  # noqa: S301 - made above
        write_statistics(self._path, split, merged.proto())


def write_all_statistics(
    pipeline: beam.Pipeline, examples: str, splits: Sequence[str], hints: schema_pb2.Schema | None, out: str
) -> None:
    """Add to `pipeline` what describes `splits` of the examples at `examples` and writes to the folder `out`."""
    ranges = [each for split in splits for each in plan_ranges(examples, split)]
    _ = (
        pipeline
        | "Ranges" >> beam.Create(ranges)
        | "Describe" >> beam.ParDo(DescribeRange(arrow_schema(examples), hints))
        | "By split" >> beam.GroupByKey()
        | "Merge and write" >> beam.ParDo(WriteStatistics(out))
    )

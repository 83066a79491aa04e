"""Statistics by Beam: ranges of shards are described wherever Beam runs them, and merged in order in one last step."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.compound_rules import compounds_of
from penstock.components.validation.compound_statistics import parts_of
from penstock.components.validation.dataset_statistics import RangeStatistics, merge_ranges
from penstock.components.validation.row_selection import check_selection
from penstock.components.validation.stats_options import DEFAULT_OPTIONS, StatsOptions
from penstock.data.errors import UnsupportedDataError
from penstock.data.examples import arrow_schema, read_batches, split_files
from penstock.data.protos import write_statistics
from penstock.pipeline import DataError
from penstock.pipeline.errors import listing, nearest

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
        options: What is asked for.
    """

    def __init__(self, columns: pa.Schema, hints: schema_pb2.Schema | None, options: StatsOptions) -> None:
        super().__init__()
        self._columns = columns
        self._options = options
        self._hints = hints.SerializeToString() if hints is not None else None

    def process(self, element: Range) -> Iterator[tuple[str, tuple[int, bytes]]]:
        """Read the shards of one range."""
        hints = schema_pb2.Schema.FromString(self._hints) if self._hints is not None else None
        statistics = RangeStatistics(self._columns, element.number, hints, self._options)
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


@dataclass(frozen=True)
class Description:
    """What is described, and how.

    Attributes:
        examples: The folder of the examples.
        splits: The splits that are described.
        hints: A schema that says which integers are categories and which strings are images, or None.
        options: What is asked for.
    """

    examples: str
    splits: Sequence[str]
    hints: schema_pb2.Schema | None = None
    options: StatsOptions = DEFAULT_OPTIONS


def write_all_statistics(pipeline: beam.Pipeline, description: Description, out: str) -> None:
    """Add to `pipeline` what describes splits of examples and writes to the folder `out`."""
    ranges = [each for split in description.splits for each in plan_ranges(description.examples, split)]
    columns = read_columns(arrow_schema(description.examples), description.hints, description.options)
    _ = (
        pipeline
        | "Ranges" >> beam.Create(ranges)
        | "Describe" >> beam.ParDo(DescribeRange(columns, description.hints, description.options))
        | "By split" >> beam.GroupByKey()
        | "Merge and write" >> beam.ParDo(WriteStatistics(out))
    )


def read_columns(columns: pa.Schema, hints: schema_pb2.Schema | None, options: StatsOptions) -> pa.Schema:
    """Return the columns that have to be read.

    Raises:
        DataError: The options name a column that there isn't, or one that can't be used so.
    """
    for option, names in options.columns().items():
        for name in names:
            if name not in columns.names:
                raise DataError(
                    f"StatsOptions({option}=...) names {name!r}, which is no column of the examples."
                    f"{nearest(name, columns.names)} They have: {listing(columns.names)}."
                )
    for name in options.columns()["cross_features"]:
        kind = columns.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise DataError(f"StatsOptions(cross_features=...) takes columns of numbers; {name!r} is of type {kind}.")
    try:
        check_selection(columns, options.weight_feature, options.slice_features)
    except UnsupportedDataError as error:
        raise DataError(str(error)) from error
    if options.feature_allowlist is None:
        return columns
    wanted = {name for names in options.columns().values() for name in names}
    for compound in compounds_of(hints).values() if hints is not None else ():
        value, others = parts_of(compound)
        wanted |= {value, *others}
    return pa.schema([field for field in columns if field.name in wanted])

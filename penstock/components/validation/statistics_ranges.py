"""Statistics range by range: shards are described wherever they are read, and merged in order where they meet."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.compound_rules import compounds_of
from penstock.components.validation.compound_statistics import parts_of
from penstock.components.validation.dataset_statistics import NOTHING_MORE, More, RangeStatistics
from penstock.components.validation.leakage import LeakageSearch, RangeLeakage, plan_search
from penstock.components.validation.leakage_config import LeakageChecks
from penstock.components.validation.leakage_report import measure, write_leakage
from penstock.components.validation.record_columns import grouped
from penstock.components.validation.row_selection import check_selection
from penstock.components.validation.stats_options import DEFAULT_OPTIONS, StatsOptions
from penstock.data.errors import UnsupportedDataError
from penstock.data.examples import arrow_schema, count_rows, read_batches, split_files
from penstock.data.protos import write_statistics
from penstock.pipeline import Beam, DataError
from penstock.pipeline.errors import listing, nearest

MAX_RANGES = 64
"""The most ranges a split is cut into, so that what meets in the last step is bounded whatever the number of shards."""


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


@dataclass(frozen=True)
class DescribeRange:
    """Describes one range, wherever it runs.

    Attributes:
        columns: The Arrow schema of what is described.
        hints: A serialised schema that says which integers are categories and which strings are images, or None.
        options: What is asked for.
        leakage: What is looked for besides, if anything.
        more: What is asked for besides.
    """

    columns: pa.Schema
    hints: bytes | None
    options: StatsOptions
    leakage: LeakageSearch | None = None
    more: More = NOTHING_MORE

    def __call__(self, range_: Range) -> tuple[int, bytes]:
        """Read the shards of the range, and return its rows and its pickled statistics.

        They are always pickled, since that seals the sketches: merged in one process or from several, they are the
        same.
        """
        hints = schema_pb2.Schema.FromString(self.hints) if self.hints is not None else None
        statistics = RangeStatistics(self.columns, range_.number, hints, self.options, self.more)
        leakage = RangeLeakage(self.leakage, range_.split, range_.number) if self.leakage is not None else None
        described = self.columns.names
        columns = described if self.leakage is None else self.leakage.columns_beside(described)
        rows = 0
        for batch in read_batches(range_.files, columns=columns):
            # A sample is chosen by the described columns: what leakage needs besides mustn't change it.
            statistics.add(batch if columns == described else batch.select(described))
            if leakage is not None:
                leakage.add(batch)
            rows += batch.num_rows
        if leakage is not None:
            leakage.close()
        return rows, pickle.dumps((statistics, leakage))


@dataclass(frozen=True)
class Description:
    """What is described, and how.

    Attributes:
        examples: The folder of the examples.
        splits: The splits that are described.
        hints: A schema that says which integers are categories and which strings are images, or None.
        options: What is asked for.
        leakage: What must not leak between the splits, if that is looked for in the same pass.
        more: What is asked for besides.
    """

    examples: str
    splits: Sequence[str]
    hints: schema_pb2.Schema | None = None
    options: StatsOptions = DEFAULT_OPTIONS
    leakage: LeakageChecks | None = None
    more: More = NOTHING_MORE


def write_all_statistics(runner: Beam, description: Description, out: str) -> None:
    """Describe splits of examples, and write `Split-<name>/FeatureStats.pb` for each below `out`.

    Ranges are merged in their order as they arrive. What was measured about leakage stands beside, in `Leakage.json`.
    """
    checks, schema = description.leakage, arrow_schema(description.examples)
    if checks is None:
        _describe(runner, description, out, read_columns(schema, description.hints, description.options))
        return
    only = description.options.feature_allowlist
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".leakage-", dir=out) as folder:
        search = plan_search(checks, schema, description.splits, folder, only)
        columns = read_columns(schema, description.hints, description.options)
        gathered = _describe(runner, description, out, columns, search)
        write_leakage(out, measure(gathered, search, description.examples))


def _describe(
    runner: Beam, description: Description, out: str, columns: pa.Schema, search: LeakageSearch | None = None
) -> dict[str, RangeLeakage]:
    ranges = [each for split in description.splits for each in plan_ranges(description.examples, split)]
    hints = description.hints.SerializeToString() if description.hints is not None else None
    described = runner.map_ranges(
        "StatisticsGen",
        DescribeRange(columns, hints, description.options, search, description.more),
        ranges,
        staging=out,
    )
    last = {range_.split: range_.number for range_ in ranges}
    merged: dict[str, RangeStatistics] = {}
    leaks: dict[str, RangeLeakage] = {}
    for range_, pickled in zip(ranges, described, strict=True):
        statistics, leakage = pickle.loads(pickled)  # noqa: S301 - made by DescribeRange
        if range_.split in merged:
            merged[range_.split].merge(statistics)
        else:
            merged[range_.split] = statistics
        if leakage is not None and range_.split in leaks:
            leaks[range_.split].merge(leakage)
        elif leakage is not None:
            leaks[range_.split] = leakage
        if range_.number == last[range_.split]:  # what is written needn't be held while the next split is described
            whole = merged.pop(range_.split)
            _check_sample(description, range_.split, whole)
            write_statistics(out, range_.split, whole.proto())
    return leaks


def _check_sample(description: Description, split: str, statistics: RangeStatistics) -> None:
    rate = description.options.sample_rate
    rows = 0 if rate is None or statistics.rows else count_rows(description.examples, split)
    if rows:
        raise DataError(
            f"StatsOptions(sample_rate={rate:g}) keeps none of the {rows} rows of split {split!r}, so that nothing of "
            f"it would be described. Choose a greater one, or leave the split out: "
            f"StatisticsGen(exclude_splits=[{split!r}])."
        )


def read_columns(columns: pa.Schema, hints: schema_pb2.Schema | None, options: StatsOptions) -> pa.Schema:
    """Return the columns that have to be read: those that are described, and those that options name.

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
        grouped(columns, options.struct_features or ())
        check_selection(columns, options)
    except UnsupportedDataError as error:
        raise DataError(str(error)) from error
    if options.feature_allowlist is None:
        return columns
    wanted = {name for names in options.columns().values() for name in names}
    for compound in compounds_of(hints).values() if hints is not None else ():
        value, parts = parts_of(compound)
        wanted |= {value, *parts}
    return pa.schema([field for field in columns if field.name in wanted])

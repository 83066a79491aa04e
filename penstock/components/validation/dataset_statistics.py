"""Statistics of a set of examples in one pass: gathered by range, merged in the order of the ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.column_statistics import Kind
from penstock.components.validation.compound_statistics import compound_statistics
from penstock.components.validation.cross_statistics import CrossStatistics
from penstock.components.validation.custom_statistics import CustomClasses, CustomStatistics
from penstock.components.validation.feature_paths import features_by_path
from penstock.components.validation.feature_statistics import statistics_of
from penstock.components.validation.language_statistics import Vocabulary
from penstock.components.validation.lift_statistics import LiftStatistics
from penstock.components.validation.quantiles import Floats
from penstock.components.validation.record_columns import column_of, grouped, records_of
from penstock.components.validation.row_selection import (
    MAX_SLICES,
    check_selection,
    sampled,
    slices_of,
    too_many_slices,
    weights_of,
)
from penstock.components.validation.stats_options import DEFAULT_OPTIONS, StatsOptions
from penstock.data.exact_sums import exact_sum, rounded

DATASET_NAME = "All Examples"
"""TFDV's name of the statistics of all rows, as opposed to a slice."""


@dataclass(frozen=True)
class More:
    """What is asked for that isn't in the options, since it comes from files.

    Attributes:
        custom: The user's own statistics.
        vocabularies: The tokens of vocabularies by their name in a schema.
    """

    custom: CustomClasses | None = None
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)


NOTHING_MORE = More()


class DatasetAccumulator:
    """What is gathered of one data set: all examples, or those of a slice.

    Args:
        name: The data set's name.
        columns: The Arrow schema of the examples.
        hints: A schema that says which integers are categories, which strings are images, which columns belong
            together.
        options: What is asked for.
        more: What is asked for besides.

    Raises:
        UnsupportedDataError: A column has a type that can't be described.
    """

    def __init__(
        self, name: str, columns: pa.Schema, hints: schema_pb2.Schema | None, options: StatsOptions, more: More
    ) -> None:
        self.name = name
        self.rows = 0
        self._weight = 0
        known = features_by_path(hints)
        described = [
            each for each in columns if options.feature_allowlist is None or each.name in options.feature_allowlist
        ]
        records = records_of([each.name for each in described], hints, options)
        self._fields = list(grouped(pa.schema(described), records))
        self.columns = [
            statistics_of((each.name,), each.type, known, options, more.vocabularies) for each in self._fields
        ]
        self._custom = CustomStatistics(more.custom) if more.custom is not None else None
        self._compounds = compound_statistics(hints)
        self._lift = None
        if options.label_feature is not None:
            leaves = (leaf for column in self.columns for leaf in column.leaves())
            names = [".".join(leaf.path) for leaf in leaves if leaf.kind in (Kind.STRING, Kind.CATEGORICAL)]
            told = [name for name in names if name in columns.names and name != options.label_feature]
            self._lift = LiftStatistics(options.label_feature, told)
        self._own_weights = options.weights_by_feature
        self._crosses = [CrossStatistics(left, right) for left, right in options.cross_features or ()]

    def add(self, batch: pa.RecordBatch, weights: Floats | None) -> None:
        """Add a batch of rows, and the weights of its rows."""
        self.rows += batch.num_rows
        if weights is not None:
            self._weight += exact_sum(weights)
        own = {name: weights_of(batch, column) for name, column in self._own_weights.items()}
        for each, column in zip(self._fields, self.columns, strict=True):
            column.add(column_of(batch, each), own.get(each.name, weights))
        for compound in self._compounds:
            compound.add(batch)
        for cross in self._crosses:
            cross.add(batch)
        if self._lift is not None:
            self._lift.add(batch)
        if self._custom is not None:
            self._custom.add(batch)

    def merge(self, other: DatasetAccumulator) -> None:
        """Add the rows of `other`, which come after those seen here."""
        self.rows += other.rows
        self._weight += other._weight
        for ours, theirs in zip(self.columns, other.columns, strict=True):
            ours.merge(theirs)  # type: ignore[arg-type]  # both were made for the same type
        for our_compound, their_compound in zip(self._compounds, other._compounds, strict=True):
            our_compound.merge(their_compound)
        for our_cross, their_cross in zip(self._crosses, other._crosses, strict=True):
            our_cross.merge(their_cross)
        if self._lift is not None and other._lift is not None:
            self._lift.merge(other._lift)
        if self._custom is not None and other._custom is not None:
            self._custom.merge(other._custom)

    def proto(self, options: StatsOptions) -> DatasetFeatureStatistics:
        """Return the statistics: columns in their order, then sparse and weighted features."""
        dataset = DatasetFeatureStatistics(name=self.name, num_examples=self.rows)
        if options.weight_feature is not None:
            dataset.weighted_num_examples = rounded(self._weight)
        for column in self.columns:
            dataset.features.extend(column.protos(options))
        dataset.features.extend(compound.proto() for compound in self._compounds)
        dataset.cross_features.extend(cross.proto() for cross in self._crosses)
        if self._lift is not None:
            dataset.cross_features.extend(self._lift.protos())
        if self._custom is not None:
            self._custom.add_to(dataset)
        return dataset


class RangeStatistics:
    """What one range of rows contributes; pickled, it is small and says which range it is.

    Args:
        columns: The Arrow schema of the examples; all ranges have the same.
        number: The range's place among the ranges of its split.
        hints: A schema that says which integers are categories and which strings are images.
        options: What is asked for.
        more: What is asked for besides.

    Raises:
        UnsupportedDataError: A column has a type that can't be described.
    """

    def __init__(
        self,
        columns: pa.Schema,
        number: int = 0,
        hints: schema_pb2.Schema | None = None,
        options: StatsOptions = DEFAULT_OPTIONS,
        more: More = NOTHING_MORE,
    ) -> None:
        check_selection(columns, options)
        self.number = number
        self._columns, self._hints, self._options, self._more = columns, hints, options, more
        self._whole = DatasetAccumulator(DATASET_NAME, columns, hints, options, more)
        self._slices: dict[str, DatasetAccumulator] = {}

    @property
    def rows(self) -> int:
        """How many rows were described."""
        return self._whole.rows

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows whose columns are those of the schema.

        Raises:
            DataFormatError: A row has no weight, or there are too many slices.
        """
        batch = sampled(batch, self._options.sample_rate)
        weights = weights_of(batch, self._options.weight_feature)
        self._whole.add(batch, weights)
        for name, rows in slices_of(batch, self._options.slice_features):
            self._slice(name).add(batch.take(pa.array(rows)), weights[rows] if weights is not None else None)

    def merge(self, other: RangeStatistics) -> None:
        """Add the rows of a range that comes after this one."""
        self._whole.merge(other._whole)
        for name, theirs in other._slices.items():
            self._slice(name).merge(theirs)

    def _slice(self, name: str) -> DatasetAccumulator:
        if name not in self._slices:
            if len(self._slices) == MAX_SLICES:
                raise too_many_slices(MAX_SLICES + 1)
            self._slices[name] = DatasetAccumulator(name, self._columns, self._hints, self._options, self._more)
        return self._slices[name]

    def proto(self) -> DatasetFeatureStatisticsList:
        """Return the statistics in TFDV's format: of all examples, then of slices by name."""
        slices = [self._slices[name].proto(self._options) for name in sorted(self._slices)]
        return DatasetFeatureStatisticsList(datasets=[self._whole.proto(self._options), *slices])


def merge_ranges(ranges: Iterable[RangeStatistics]) -> RangeStatistics:
    """Merge the ranges of one split, whatever order they come in, in the order of their numbers.

    Returns:
        The first range, which has taken in the others.

    Raises:
        ValueError: There are no ranges, or two have the same number.
    """
    ordered = sorted(ranges, key=lambda each: each.number)
    if not ordered or len({each.number for each in ordered}) < len(ordered):
        raise ValueError(f"Ranges to merge need distinct numbers, got {[each.number for each in ordered]}.")
    whole = ordered[0]
    for following in ordered[1:]:
        whole.merge(following)
    return whole


def describe_table(
    table: pa.Table,
    hints: schema_pb2.Schema | None = None,
    options: StatsOptions = DEFAULT_OPTIONS,
    more: More = NOTHING_MORE,
) -> DatasetFeatureStatisticsList:
    """Return the statistics of a table in memory."""
    statistics = RangeStatistics(table.schema, hints=hints, options=options, more=more)
    for batch in table.to_batches(max_chunksize=16384):
        statistics.add(batch)
    return statistics.proto()

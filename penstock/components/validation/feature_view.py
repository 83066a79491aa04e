"""One feature's statistics as schema inference and anomaly rules ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    CommonStatistics,
    CustomStatistic,
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
    Histogram,
    WeightedCommonStatistics,
)

from penstock.components.validation.value_counts import INVALID_UTF8

_FEATURE_TYPES = {
    FeatureNameStatistics.INT: schema_pb2.INT,
    FeatureNameStatistics.FLOAT: schema_pb2.FLOAT,
    FeatureNameStatistics.STRING: schema_pb2.BYTES,
    FeatureNameStatistics.BYTES: schema_pb2.BYTES,
    FeatureNameStatistics.STRUCT: schema_pb2.STRUCT,
}
_PLAIN_STEP = re.compile(r"\([^()]*\)|[^().']+")


@dataclass(frozen=True)
class FeatureView:
    """A read-only view of the statistics of one feature.

    Attributes:
        statistics: Of the feature.
        rows: How many examples there are, of a field of structs how many structs; their weight where `by_weight`.
        by_weight: Whether counts are weights, as TFDV has it where all features have weighted statistics.
    """

    statistics: FeatureNameStatistics
    rows: float
    by_weight: bool = False

    @classmethod
    def of_nothing(cls) -> FeatureView:
        """Return the view of a feature of which nothing is known, for rules that look at the schema alone."""
        return cls(FeatureNameStatistics(), 0)

    @property
    def name(self) -> str:
        """The feature's name."""
        return self.statistics.name or ".".join(self.statistics.path.step)

    @property
    def path(self) -> tuple[str, ...]:
        """The feature's name; of a field of structs, the names that lead to it."""
        return (self.statistics.name,) if self.statistics.name else tuple(self.statistics.path.step)

    @property
    def is_column(self) -> bool:
        """Whether it is described by itself, as opposed to a sparse or weighted feature made of columns."""
        return self.statistics.WhichOneof("stats") is not None

    @property
    def type(self) -> int:
        """The type as a `schema_pb2.FeatureType`: strings and bytes are one."""
        return int(_FEATURE_TYPES[self.statistics.type])

    @property
    def type_name(self) -> str:
        """The type as the statistics call it, such as "STRING"."""
        return str(FeatureNameStatistics.Type.Name(self.statistics.type))

    @property
    def is_text(self) -> bool:
        """Whether the values are strings with a meaning as text."""
        return bool(self.statistics.type == FeatureNameStatistics.STRING)

    @cached_property
    def common(self) -> CommonStatistics:
        """The part of the statistics that all types have."""
        kind = self.statistics.WhichOneof("stats")
        return getattr(self.statistics, kind).common_stats if kind else CommonStatistics()

    @property
    def present(self) -> float:
        """In how many examples the feature is present, or their weight."""
        return float(self._counted.num_non_missing)

    @property
    def missing(self) -> float:
        """In how many examples it is missing, or their weight."""
        return float(self._counted.num_missing)

    @property
    def _counted(self) -> CommonStatistics | WeightedCommonStatistics:
        return self.common.weighted_common_stats if self.by_weight else self.common

    @property
    def fraction_present(self) -> float:
        """In which fraction of the examples it is present."""
        return self.present / self.rows if self.missing and self.rows else 1.0

    @property
    def values(self) -> float:
        """How many values there are in all, or their weight."""
        return float(self._counted.tot_num_values or self.present * self._counted.avg_num_values)

    @cached_property
    def value_counts(self) -> list[tuple[int, int]]:
        """Least and greatest number of values, by level of nesting, the outermost first."""
        nested = self.common.presence_and_valency_stats
        levels = nested if len(nested) > 1 else [self.common]
        return [(int(level.min_num_values), int(level.max_num_values)) for level in levels]

    @property
    def ever_missing(self) -> bool:
        """Whether it is missing anywhere, at any level of nesting."""
        return bool(self.missing or any(level.num_missing for level in self.common.presence_and_valency_stats))

    @cached_property
    def strings(self) -> dict[str, float]:
        """The frequent values with their counts, sorted by value; empty for features that aren't categorical."""
        strings = self.statistics.string_stats
        buckets = (strings.weighted_string_stats if self.by_weight else strings).rank_histogram.buckets
        return dict(sorted((bucket.label, bucket.sample_count) for bucket in buckets))

    @property
    def has_invalid_utf8(self) -> bool:
        """Whether there are strings that aren't UTF-8."""
        return bool(self.statistics.string_stats.invalid_utf8_count) or INVALID_UTF8 in self.strings

    @property
    def distinct(self) -> int | None:
        """How many distinct values there are; None where they weren't counted."""
        kind = self.statistics.WhichOneof("stats")
        return int(self.statistics.string_stats.unique) if kind == "string_stats" else None

    @cached_property
    def histograms(self) -> list[Histogram]:
        """The histograms of a numeric feature."""
        numbers = self.statistics.num_stats
        return list((numbers.weighted_numeric_stats if self.by_weight else numbers).histograms)

    def histogram(self, kind: Histogram.HistogramType) -> Histogram | None:
        """Return the histogram of one kind; None where there is none."""
        return next((each for each in self.histograms if each.type == kind), None)

    def custom(self, name: str) -> CustomStatistic | None:
        """Return a custom statistic by its name; None where there is none."""
        return next((each for each in self.statistics.custom_stats if each.name == name), None)

    @property
    def nans(self) -> int:
        """How many values are NaN."""
        histograms = self.statistics.num_stats.histograms
        return max((int(histogram.num_nan) for histogram in histograms), default=0)

    @property
    def _total(self) -> float:
        return float(self.common.tot_num_values or self.common.num_non_missing * self.common.avg_num_values)

    @property
    def range(self) -> tuple[float, float] | None:
        """The least and greatest number; None for a feature without numbers."""
        if self.statistics.WhichOneof("stats") != "num_stats" or self._total <= self.nans:
            return None
        return float(self.statistics.num_stats.min), float(self.statistics.num_stats.max)


def dataset_of(statistics: DatasetFeatureStatisticsList) -> DatasetFeatureStatistics:
    """Return the statistics of all examples, as opposed to those of slices.

    Raises:
        ValueError: There are several data sets, none of them of all examples.
    """
    if len(statistics.datasets) == 1:
        return statistics.datasets[0]
    for dataset in statistics.datasets:
        if dataset.name == "All Examples":
            return dataset
    names = ", ".join(repr(dataset.name) for dataset in statistics.datasets) or "none"
    raise ValueError(f"Statistics must hold one data set or one named 'All Examples'; these hold: {names}.")


def views(dataset: DatasetFeatureStatistics, by_weight: bool | None = None) -> Iterator[FeatureView]:
    """Yield a view of each feature, in the order of the statistics.

    Args:
        dataset: Statistics of one data set.
        by_weight: Whether counts are weights; by default where all features have weighted statistics.
    """
    weighed = is_weighted(dataset) if by_weight is None else by_weight
    for feature in dataset.features:
        view = FeatureView(feature, examples_of(dataset, weighed), weighed)
        yield view if len(view.path) < 2 else replace(view, rows=view.present + view.missing)


def view_of(dataset: DatasetFeatureStatistics, name: str, by_weight: bool) -> FeatureView | None:
    """Return a view of one feature by its name; None where the statistics don't have it."""
    return next((view for view in views(dataset, by_weight) if view.name == name), None)


def examples_of(dataset: DatasetFeatureStatistics, by_weight: bool) -> float:
    """Return how many examples a data set has, or their weight."""
    return dataset.weighted_num_examples if by_weight else float(dataset.num_examples)


def is_weighted(dataset: DatasetFeatureStatistics) -> bool:
    """Whether every feature with values has weighted statistics, so that TFDV judges by weight."""
    if not dataset.weighted_num_examples:
        return False
    return all(
        view.common.HasField("weighted_common_stats")
        for view in views(dataset, by_weight=False)
        if view.statistics.WhichOneof("stats")
    )


def serialized_path(*path: str) -> str:
    """Return a feature's path as anomalies are keyed by it: steps are quoted that hold a dot, parenthesis or quote."""
    return ".".join(step if _PLAIN_STEP.fullmatch(step) else "'" + step.replace("'", "''") + "'" for step in path)

"""One feature's statistics as schema inference and anomaly rules ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    CommonStatistics,
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
    Histogram,
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
    """A read-only view of the statistics of one feature among `rows` examples."""

    statistics: FeatureNameStatistics
    rows: int

    @classmethod
    def of_nothing(cls) -> FeatureView:
        """Return the view of a feature of which nothing is known, for rules that look at the schema alone."""
        return cls(FeatureNameStatistics(), 0)

    @property
    def name(self) -> str:
        """The feature's name."""
        return self.statistics.name or ".".join(self.statistics.path.step)

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
    def present(self) -> int:
        """In how many examples the feature is present."""
        return int(self.common.num_non_missing)

    @property
    def missing(self) -> int:
        """In how many examples it is missing."""
        return int(self.common.num_missing)

    @property
    def fraction_present(self) -> float:
        """In which fraction of the examples it is present."""
        return self.present / self.rows if self.missing and self.rows else 1.0

    @property
    def values(self) -> int:
        """How many values there are in all."""
        return int(self.common.tot_num_values or self.present * self.common.avg_num_values)

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
        buckets = self.statistics.string_stats.rank_histogram.buckets
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
        return list(self.statistics.num_stats.histograms)

    @property
    def nans(self) -> int:
        """How many values are NaN."""
        return max((int(histogram.num_nan) for histogram in self.histograms), default=0)

    @property
    def range(self) -> tuple[float, float] | None:
        """The least and greatest number; None for a feature without numbers."""
        if self.statistics.WhichOneof("stats") != "num_stats" or self.values <= self.nans:
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


def views(dataset: DatasetFeatureStatistics) -> Iterator[FeatureView]:
    """Yield a view of each feature, in the order of the statistics."""
    for feature in dataset.features:
        yield FeatureView(feature, int(dataset.num_examples))


def serialized_path(name: str) -> str:
    """Return a feature's name as anomalies are keyed by it: quoted where it holds a dot, parenthesis or quote."""
    if _PLAIN_STEP.fullmatch(name):
        return name
    return "'" + name.replace("'", "''") + "'"

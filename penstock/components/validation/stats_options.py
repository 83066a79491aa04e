"""What statistics are asked for, in TFDV's words where it has them; light enough for a pipeline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.pipeline.errors import WiringError
from penstock.pipeline.settings import settings

MAX_QUANTILES = 100
"""Quantiles are right to within 1% of the rows, so more buckets than this would tell nothing."""


@settings
@dataclass(frozen=True)
class StatsOptions:
    """How `StatisticsGen` describes examples.

    Attributes:
        weight_feature: A numeric column with a row's weight; statistics then have a weighted part too.
        per_feature_weight_override: Columns of weights by the feature whose weights they are instead.
        label_feature: A column of strings or integers: the lift of each value of other strings and categories is then
            told, how much more often a label comes with it than at all.
        slice_features: Groups of columns, such as [["payment_type"], ["company", "payment_type"]]: each combination of
            their values is described as a data set of its own, named as TFDV does: "payment_type_Cash".
        sample_rate: The fraction of the rows that is described. A row is chosen by its content, so that neither
            shards nor workers matter, and rows that are equal are chosen together.
        struct_features: Nested records, such as ["user"]: the columns "user.age" and "user.name" are then described as
            fields of one feature of structs, by TFDV's paths, and a schema that is inferred has them in its
            `struct_domain`. What the schema calls STRUCT is described so anyway.
        feature_allowlist: The columns that are described; all by default.
        num_top_values: How many of the most frequent values are named.
        frequency_threshold: How often a value comes at least to be named among the frequent ones.
        weighted_frequency_threshold: With how much weight it comes at least to be named among those by weight.
        num_rank_histogram_buckets: How many frequent values are kept with their counts, and so at most how many a
            domain is checked by.
        num_values_histogram_buckets: Buckets of the histogram of how many values rows have.
        num_histogram_buckets: Buckets of equal width.
        num_quantiles_histogram_buckets: Buckets of equal count.
        enable_semantic_domain_stats: Look for natural language, images and integers that are categories.
        cross_features: Pairs of numeric columns whose correlation and covariance are computed.
        custom_statistics: Classes in `StatisticsGen(module_file=...)` with `add(batch)`, `merge(other)` and
            `statistics()`; what the last returns by feature and name becomes custom statistics.

    Raises:
        WiringError: A number is out of its range, a group of columns is not as described, or none is left.
    """

    weight_feature: str | None = None
    per_feature_weight_override: dict[str, str] | None = None
    label_feature: str | None = None
    slice_features: list[list[str]] | None = None
    sample_rate: float | None = None
    struct_features: list[str] | None = None
    feature_allowlist: list[str] | None = None
    num_top_values: int = 20
    frequency_threshold: int = 1
    weighted_frequency_threshold: float = 1.0
    num_rank_histogram_buckets: int = 1000
    num_values_histogram_buckets: int = 10
    num_histogram_buckets: int = 10
    num_quantiles_histogram_buckets: int = 10
    enable_semantic_domain_stats: bool = False
    cross_features: list[list[str]] | None = None
    custom_statistics: list[str] | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without data; what is a run parameter is checked when its value is known."""
        self._check_range("sample_rate", 0.0, 1.0)
        if self.feature_allowlist == []:
            raise WiringError(
                "StatsOptions(feature_allowlist=[]) describes no column. Name some, or leave it out to describe all."
            )
        self._check_range("num_top_values", 0, 4096)
        self._check_range("frequency_threshold", 0, math.inf)
        self._check_range("weighted_frequency_threshold", 0, math.inf)
        self._check_range("num_rank_histogram_buckets", 1, 4096)
        self._check_range("num_values_histogram_buckets", 1, MAX_QUANTILES)
        self._check_range("num_histogram_buckets", 1, 10_000)
        self._check_range("num_quantiles_histogram_buckets", 1, MAX_QUANTILES)
        self._check_groups("slice_features", self.slice_features, "one or more columns", range(1, 100))
        self._check_groups("cross_features", self.cross_features, "two columns", range(2, 3))

    def _check_range(self, name: str, least: float, most: float) -> None:
        value = getattr(self, name)
        if isinstance(value, int | float) and not (least <= value <= most and (name != "sample_rate" or value)):
            above = "above " if name == "sample_rate" else "from "
            raise WiringError(f"StatsOptions({name}={value!r}) is out of range: it goes {above}{least:g} to {most:g}.")

    def _check_groups(self, name: str, groups: Sequence[Sequence[str]] | None, what: str, sizes: range) -> None:
        if groups is not None and not isinstance(groups, list | tuple):
            return
        for group in groups or ():
            if isinstance(group, str) or len(group) not in sizes:
                raise WiringError(f"StatsOptions({name}=...) is a list of lists of {what}, got {group!r} among them.")

    @property
    def weights_by_feature(self) -> dict[str, str]:
        """The columns of weights of the features that have their own."""
        return dict(self.per_feature_weight_override or {})

    def weighs(self, feature: str) -> bool:
        """Whether the statistics of a feature have a weighted part."""
        return self.weight_feature is not None or feature in self.weights_by_feature

    def columns(self) -> dict[str, list[str]]:
        """Return the columns that are named, by the option that names them."""
        return {
            "weight_feature": [self.weight_feature] if self.weight_feature is not None else [],
            "per_feature_weight_override": [name for pair in self.weights_by_feature.items() for name in pair],
            "label_feature": [self.label_feature] if self.label_feature is not None else [],
            "slice_features": [name for group in self.slice_features or () for name in group],
            "feature_allowlist": list(self.feature_allowlist or ()),
            "cross_features": [name for pair in self.cross_features or () for name in pair],
        }


DEFAULT_OPTIONS = StatsOptions()

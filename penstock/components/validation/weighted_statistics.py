"""The weighted part of a column's statistics: the same figures, each value counted by its row's weight."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import WeightedNumericStatistics, WeightedStringStatistics

from penstock.components.validation.quantiles import (
    Extent,
    Floats,
    Quantiles,
    quantiles_histogram,
    standard_histogram,
)
from penstock.components.validation.stats_options import StatsOptions
from penstock.components.validation.value_counts import ValueCounts
from penstock.data.exact_sums import exact_sum, exact_sum_of_products, rounded


class WeightedNumbers:
    """Weighted moments and distribution of a numeric column."""

    def __init__(self) -> None:
        self._weight = 0
        self._total = 0
        self._squares = 0
        self._quantiles = Quantiles()
        self._infinities = {math.inf: 0, -math.inf: 0}
        self._nans = 0.0
        self._low = math.inf
        self._high = -math.inf

    def add(self, values: pa.Array, weights: Floats) -> None:
        """Add numbers (n,) without nulls, and their weights (n,)."""
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0
        finite = np.isfinite(numbers)
        for infinity in self._infinities:
            self._infinities[infinity] += exact_sum(weights[numbers == infinity])
        self._nans += int(np.count_nonzero(np.isnan(numbers)))
        heavy = ~np.isnan(numbers) & (weights > 0.0)
        self._quantiles.add(numbers[heavy], weights[heavy])
        numbers, weights = numbers[finite], weights[finite]
        if len(numbers):
            products = weights * numbers
            self._weight += exact_sum(weights)
            self._total += exact_sum_of_products(weights, numbers)
            self._squares += exact_sum_of_products(products, numbers)
            self._low, self._high = min(self._low, float(numbers.min())), max(self._high, float(numbers.max()))

    def merge(self, other: WeightedNumbers) -> None:
        """Add the values of `other`."""
        self._weight += other._weight
        self._total += other._total
        self._squares += other._squares
        self._quantiles.merge(other._quantiles)
        self._nans += other._nans
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)
        for infinity, weight in other._infinities.items():
            self._infinities[infinity] += weight

    def proto(self, options: StatsOptions) -> WeightedNumericStatistics:
        """Return the weighted numeric statistics; without any weight they are empty."""
        below, above = (rounded(self._infinities[infinity]) for infinity in (-math.inf, math.inf))
        statistics = WeightedNumericStatistics()
        if not (self._weight or below or above):
            return statistics
        distribution = self._quantiles.distribution()
        statistics.mean, statistics.std_dev = self._mean_and_deviation()
        statistics.median = distribution.median()
        extent = Extent(self._low, self._high, below, above)
        statistics.histograms.append(standard_histogram(distribution, extent, options.num_histogram_buckets))
        statistics.histograms.append(quantiles_histogram(distribution, options.num_quantiles_histogram_buckets))
        for histogram in statistics.histograms:
            histogram.num_nan = int(self._nans)
        return statistics

    def _mean_and_deviation(self) -> tuple[float, float]:
        infinite = [infinity for infinity, weight in self._infinities.items() if weight]
        if infinite:
            return sum(infinite), math.nan
        mean = self._total / self._weight
        spread = self._weight * self._squares - self._total * self._total
        return mean, math.sqrt(max(spread / (self._weight * self._weight), 0.0))


class WeightedStrings:
    """Frequent values by weight; a weight counts in single precision, as the sketch has it."""

    def __init__(self) -> None:
        self._counts = ValueCounts()

    def add(self, values: pa.Array, weights: Floats) -> None:
        """Add strings, binaries or integers (n,) without nulls, and their weights (n,)."""
        text = values.cast(pa.string()) if pa.types.is_integer(values.type) else values
        self._counts.add(text, weights)

    def merge(self, other: WeightedStrings) -> None:
        """Add the values of `other`."""
        self._counts.merge(other._counts)

    def proto(self, options: StatsOptions) -> WeightedStringStatistics:
        """Return the weighted string statistics."""
        statistics = WeightedStringStatistics()
        least = options.weighted_frequency_threshold
        frequent = [entry for entry in self._counts.frequent() if entry[1] >= least]
        for value, weight in frequent[: options.num_top_values]:
            statistics.top_values.add(value=value, frequency=weight)
        for rank, (value, weight) in enumerate(frequent[: options.num_rank_histogram_buckets]):
            statistics.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=weight)
        return statistics

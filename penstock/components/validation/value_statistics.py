"""Statistics of values, gathered batch by batch and merged: numbers, strings, bytes without meaning as text."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0.statistics_pb2 import BytesStatistics, Histogram, NumericStatistics, StringStatistics

from penstock.components.validation.quantiles import (
    Extent,
    Floats,
    Quantiles,
    quantiles_histogram,
    standard_histogram,
)
from penstock.components.validation.stats_options import StatsOptions
from penstock.components.validation.value_counts import ValueCounts
from penstock.data.exact_sums import Moments, moments_of_floats, moments_of_integers

_PART = 1 << 15


class Numbers:
    """Moments, extremes and distribution of a numeric column."""

    def __init__(self) -> None:
        self._moments = Moments()
        self._quantiles = Quantiles()
        self._nans = 0
        self._zeros = 0
        self._infinities = {math.inf: 0, -math.inf: 0}
        self._low = math.inf
        self._high = -math.inf

    def add(self, values: pa.Array) -> None:
        """Add int64, float32 or float64 values (n,) without nulls."""
        numbers = values.to_numpy(zero_copy_only=False)
        # Rows of long lists make batches of millions of numbers; parts of them fit the processor's cache.
        for start in range(0, len(numbers), _PART):
            part = numbers[start : start + _PART]
            if part.dtype.kind == "i":
                self._add_finite(part.astype(np.float64), moments_of_integers(part))
            else:
                self._add_floats(part.astype(np.float64, copy=False))

    def _add_floats(self, floats: Floats) -> None:
        finite = np.isfinite(floats)
        if not finite.all():
            self._add_special(floats[~finite])
            floats = floats[finite]
        self._add_finite(floats, moments_of_floats(floats))

    def _add_finite(self, floats: Floats, moments: Moments) -> None:
        if len(floats):
            floats = floats + 0.0  # turns -0.0 into 0.0, so that it doesn't matter which of the two comes first
            self._moments += moments
            self._zeros += len(floats) - int(np.count_nonzero(floats))
            self._low = min(self._low, float(floats.min()))
            self._high = max(self._high, float(floats.max()))
            self._quantiles.add(floats)

    def _add_special(self, floats: Floats) -> None:
        infinite = floats[np.isinf(floats)]
        self._nans += len(floats) - len(infinite)
        for infinity in self._infinities:
            self._infinities[infinity] += int(np.count_nonzero(infinite == infinity))
        self._quantiles.add(infinite)

    def merge(self, other: Numbers) -> None:
        """Add the values of `other`."""
        self._moments += other._moments
        self._quantiles.merge(other._quantiles)
        self._nans += other._nans
        self._zeros += other._zeros
        self._low = min(self._low, other._low)
        self._high = max(self._high, other._high)
        for infinity, count in other._infinities.items():
            self._infinities[infinity] += count

    def proto(self, options: StatsOptions) -> NumericStatistics:
        """Return the numeric part of a feature's statistics."""
        statistics = NumericStatistics()
        negative, positive = self._infinities[-math.inf], self._infinities[math.inf]
        if self._moments.count + negative + positive:
            distribution = self._quantiles.distribution()
            statistics.mean, statistics.std_dev = self._mean_and_deviation()
            statistics.num_zeros = self._zeros
            statistics.min = -math.inf if negative else min(self._low, math.inf)
            statistics.max = math.inf if positive else max(self._high, -math.inf)
            statistics.median = distribution.median()
            extent = Extent(self._low, self._high, negative, positive)
            statistics.histograms.append(standard_histogram(distribution, extent, options.num_histogram_buckets))
            statistics.histograms.append(quantiles_histogram(distribution, options.num_quantiles_histogram_buckets))
        elif self._nans:
            statistics.histograms.add(type=Histogram.STANDARD)
            statistics.histograms.add(type=Histogram.QUANTILES)
        for histogram in statistics.histograms:
            histogram.num_nan = self._nans
        return statistics

    def _mean_and_deviation(self) -> tuple[float, float]:
        infinite = [infinity for infinity, count in self._infinities.items() if count]
        if infinite:
            return sum(infinite), math.nan
        return self._moments.mean(), self._moments.std_dev()


class Strings:
    """Frequent values, number of distinct ones and lengths of a column of strings."""

    def __init__(self) -> None:
        self._counts = ValueCounts()
        self._bytes = 0
        self._invalid = 0

    def add(self, values: pa.Array) -> None:
        """Add strings, binaries or integers (n,) without nulls; integers stand for their decimal digits."""
        if pa.types.is_integer(values.type):
            values = values.cast(pa.string())
        elif not _is_text(values.type):
            self._invalid += _invalid_utf8(values)
        self._bytes += pc.sum(pc.binary_length(values)).as_py() or 0
        self._counts.add(values)

    def merge(self, other: Strings) -> None:
        """Add the values of `other`."""
        self._counts.merge(other._counts)
        self._bytes += other._bytes
        self._invalid += other._invalid

    def proto(self, values: int, options: StatsOptions) -> StringStatistics:
        """Return the string part of a feature's statistics; `values` is how many there were."""
        statistics = StringStatistics(
            unique=self._counts.distinct(),
            avg_length=self._bytes / values if values else 0.0,
            invalid_utf8_count=self._invalid,
        )
        frequent = [entry for entry in self._counts.frequent() if entry[1] >= options.frequency_threshold]
        for value, count in frequent[: options.num_top_values]:
            statistics.top_values.add(value=value, frequency=count)
        for rank, (value, count) in enumerate(frequent[: options.num_rank_histogram_buckets]):
            statistics.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=count)
        return statistics


class Blobs:
    """Sizes of a column of bytes that have no meaning as text, such as images."""

    def __init__(self) -> None:
        self._bytes = 0
        self._least = math.inf
        self._most = 0

    def add(self, values: pa.Array) -> None:
        """Add strings or binaries (n,) without nulls."""
        if len(values):
            sizes = np.asarray(pc.binary_length(values))
            self._bytes += int(sizes.sum(dtype=np.int64))
            self._least = min(self._least, int(sizes.min()))
            self._most = max(self._most, int(sizes.max()))

    def merge(self, other: Blobs) -> None:
        """Add the values of `other`."""
        self._bytes += other._bytes
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)

    def proto(self, values: int) -> BytesStatistics:
        """Return the bytes part of a feature's statistics; `values` is how many there were."""
        if not values:
            return BytesStatistics()
        return BytesStatistics(
            avg_num_bytes=self._bytes / values,
            min_num_bytes=self._least,
            max_num_bytes=self._most,
            max_num_bytes_int=self._most,
        )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _invalid_utf8(values: pa.Array) -> int:
    text = pa.large_string() if pa.types.is_large_binary(values.type) else pa.string()
    try:
        values.cast(text)
    except pa.ArrowInvalid:
        return sum(not _decodes(value) for value in values.to_pylist())
    return 0


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True

"""Quantiles of numbers in bounded memory, and the histograms that are read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import Histogram
from tfx_bsl.sketches import QuantilesSketch

Floats = npt.NDArray[np.float64]

RANK_ERROR = 0.01
"""Every rank is right to within this fraction of the values; TFDV's `epsilon`."""

HISTOGRAM_BUCKETS = 10
"""Buckets of a standard and of a quantiles histogram; TFDV's default."""

_SKETCH_ERROR = 0.004  # twice (in a range, then over all ranges), and a summary's 1 / 512, stay within RANK_ERROR
_SKETCH_CAPACITY = 1 << 32
_SUMMARY_POINTS = 512
_TABLE_POINTS = 100 * HISTOGRAM_BUCKETS


@dataclass(frozen=True)
class QuantileTable:
    """The distribution of some numbers.

    Attributes:
        values: Ascending values (m,), evenly spaced in rank, from the least to the greatest; repeated where the data
            repeats.
        counts: How many of the numbers are at most that value (m,).
    """

    values: Floats
    counts: Floats

    def median(self) -> float:
        """Return the middle value, or the mean of the middle two."""
        middle = len(self.values) // 2
        if len(self.values) % 2:
            return float(self.values[middle])
        return float((self.values[middle - 1] + self.values[middle]) / 2.0)


class Quantiles:
    """A mergeable sketch of the distribution of numbers.

    While values are added, tfx_bsl's C++ sketch holds them; to be merged or pickled it is put down as at most 513
    points, 8 kB instead of the sketch's 180. Summaries are kept in the order of the merges and meet in one sketch when
    the table is asked for, so the order of the merges is all that the table depends on.
    """

    def __init__(self) -> None:
        self._sketch: Any = None
        self._summaries: list[tuple[Floats, Floats]] = []

    def add(self, values: Floats) -> None:
        """Add `values` (n,), which may hold infinities but no NaN."""
        if not len(values):
            return
        if self._sketch is None:
            self._sketch = _new_sketch()
        self._sketch.AddValues(pa.array(values, pa.float64()))

    def merge(self, other: Quantiles) -> None:
        """Add what `other` saw, after what was seen here."""
        self._seal()
        other._seal()
        self._summaries.extend(other._summaries)

    def table(self) -> QuantileTable:
        """Return 1,001 points of the distribution.

        Raises:
            ValueError: Nothing was added.
        """
        self._seal()
        if not self._summaries:
            raise ValueError("A distribution of no numbers has no quantiles.")
        whole = _new_sketch()
        for values, weights in self._summaries:
            whole.AddValues(pa.array(values), pa.array(weights))
        return QuantileTable(*_points(whole, _TABLE_POINTS))

    def __getstate__(self) -> list[tuple[Floats, Floats]]:
        self._seal()
        return self._summaries

    def __setstate__(self, state: list[tuple[Floats, Floats]]) -> None:
        self._sketch = None
        self._summaries = state

    def _seal(self) -> None:
        if self._sketch is None:
            return
        values, counts = _points(self._sketch, _SUMMARY_POINTS)
        last = np.append(values[1:] != values[:-1], True)
        self._summaries.append((values[last], np.diff(counts[last], prepend=0.0)))
        self._sketch = None


def _new_sketch() -> Any:
    return QuantilesSketch(_SKETCH_ERROR, _SKETCH_CAPACITY, 1)


def _points(sketch: Any, points: int) -> tuple[Floats, Floats]:
    values, counts = sketch.GetQuantilesAndCumulativeWeights(points)
    return np.asarray(values.flatten()), np.asarray(counts.flatten())


def quantiles_histogram(table: QuantileTable) -> Histogram:
    """Return a histogram of ten buckets of equal count; buckets that end in the same value share their count."""
    step = (len(table.values) - 1) // HISTOGRAM_BUCKETS
    bounds, totals = table.values[::step], table.counts[::step]
    counts = np.diff(totals)
    counts[0] += totals[0]
    _, group, size = np.unique(bounds[1:], return_inverse=True, return_counts=True)
    shared = np.bincount(group, weights=counts) / size
    histogram = Histogram(type=Histogram.QUANTILES)
    for low, high, count in zip(bounds[:-1], bounds[1:], shared[group], strict=True):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
    return histogram


def constant_histogram(value: float, count: int) -> Histogram:
    """Return the quantiles histogram of `count` times the same `value`."""
    histogram = Histogram(type=Histogram.QUANTILES)
    for _ in range(HISTOGRAM_BUCKETS):
        histogram.buckets.add(low_value=value, high_value=value, sample_count=count / HISTOGRAM_BUCKETS)
    return histogram


@dataclass(frozen=True)
class Extent:
    """What numbers span.

    Attributes:
        low: The least finite one; `inf` when there is none.
        high: The greatest finite one; `-inf` when there is none.
        below: How many are -inf.
        above: How many are +inf.
    """

    low: float
    high: float
    below: int = 0
    above: int = 0


def standard_histogram(table: QuantileTable, extent: Extent) -> Histogram:
    """Return a histogram of ten buckets of equal width over the finite values, and one for each kind of infinity.

    Counts come from the table, infinities included, by linear interpolation between its points. A bucket holds its
    upper bound, the first one its lower bound too.
    """
    histogram = Histogram(type=Histogram.STANDARD)
    if extent.below:
        histogram.buckets.add(low_value=-np.inf, high_value=-np.inf, sample_count=extent.below)
    if extent.low <= extent.high:
        _add_equal_width(histogram, table, extent)
    if extent.above:
        histogram.buckets.add(low_value=np.inf, high_value=np.inf, sample_count=extent.above)
    return histogram


def _add_equal_width(histogram: Histogram, table: QuantileTable, extent: Extent) -> None:
    low, high = extent.low, extent.high
    total = float(table.counts[-1]) - extent.above
    if low == high:
        histogram.buckets.add(low_value=low, high_value=high, sample_count=total - extent.below)
        return
    # Halving first keeps the width of a range that is wider than any float from overflowing.
    fraction = np.linspace(0.0, 1.0, HISTOGRAM_BUCKETS + 1)
    bounds = 2.0 * ((low / 2.0) * (1.0 - fraction) + (high / 2.0) * fraction)
    bounds[0], bounds[-1] = low, high
    inner = np.isfinite(table.values) & (table.values < high)
    values = np.append(table.values[inner], high)
    counts = np.append(table.counts[inner], total)
    last = np.append(values[1:] != values[:-1], True)
    reached = np.interp(bounds, values[last], counts[last], left=extent.below)
    reached[0] = extent.below
    for start, end, count in zip(bounds[:-1], bounds[1:], np.diff(reached), strict=True):
        histogram.buckets.add(low_value=start, high_value=end, sample_count=count)

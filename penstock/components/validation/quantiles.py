"""Quantiles of numbers in bounded memory, and the histograms that are read from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0.statistics_pb2 import Histogram

Floats = npt.NDArray[np.float64]

RANK_ERROR = 0.01
"""Every rank is right to within this fraction of the values; TFDV's `epsilon`. A billion rows reach 0.6%."""

EXACT_VALUES = 512
"""A distribution of at most so many distinct numbers is exact, however many rows there are."""

HISTOGRAM_BUCKETS = 10
"""Buckets of a histogram unless other numbers are asked for; TFDV's default."""

_BLOCK_VALUES = 1 << 14
_BLOCK_POINTS = 1024
_BLOCKS_TO_MERGE = 16


@dataclass(frozen=True)
class Distribution:
    """How some numbers are distributed.

    Attributes:
        values: Some of the numbers, ascending and distinct (m,), the least and the greatest among them.
        counts: How many of all numbers are at most that value (m,).
        exact: Whether `values` are all that occur. Otherwise counts may be too low by the stated error.
    """

    values: Floats
    counts: Floats
    exact: bool = True

    def at_rank(self, rank: float) -> int:
        """Return the index of the least value that at least `rank` of the numbers don't exceed."""
        return min(int(np.searchsorted(self.counts, rank, side="left")), len(self.counts) - 1)

    def median(self) -> float:
        """Return the middle value, or the mean of the middle two."""
        middle = self.counts[-1] / 2.0
        lower = self.values[self.at_rank(middle)]
        upper = self.values[np.searchsorted(self.counts, middle, side="right")]
        return float(lower / 2.0 + upper / 2.0) if lower != upper else float(lower)


class Quantiles:
    """A mergeable sketch of the distribution of numbers.

    Blocks of values are sorted and thinned to points of equal rank; sixteen thinned blocks are merged and thinned
    to one of the next level. To be pickled or merged, all of it becomes one distribution of at most 513 points
    (8 kB). These are kept in the order of the merges and meet when the distribution is asked for, so that the order
    of the merges is all that it depends on.
    """

    def __init__(self) -> None:
        self._block: list[tuple[Floats, Floats | None]] = []
        self._in_block = 0
        self._levels: list[list[Distribution]] = []
        self._merged: list[Distribution] = []

    def add(self, values: Floats, weights: Floats | None = None) -> None:
        """Add `values` (n,), which may hold infinities but no NaN, and their positive weights (n,) if they have any."""
        if len(values):
            self._block.append((values, weights))
            self._in_block += len(values)
            if self._in_block >= _BLOCK_VALUES:
                self._close_block()

    def merge(self, other: Quantiles) -> None:
        """Add what `other` saw, after what was seen here."""
        self._seal()
        other._seal()
        self._merged.extend(other._merged)

    def distribution(self) -> Distribution:
        """Return the distribution of all that was added.

        Raises:
            ValueError: Nothing was added.
        """
        self._seal()
        if not self._merged:
            raise ValueError("No numbers have no distribution.")
        return _merged(self._merged)

    def __getstate__(self) -> list[Distribution]:
        self._seal()
        return self._merged

    def __setstate__(self, state: list[Distribution]) -> None:
        self._block, self._in_block, self._levels, self._merged = [], 0, [], state

    def _close_block(self) -> None:
        values = np.concatenate([part for part, _ in self._block])
        weights = [part for _, part in self._block if part is not None]
        self._block, self._in_block = [], 0
        self._push(_thinned(_distribution(values, np.concatenate(weights) if weights else None), _BLOCK_POINTS), 0)

    def _push(self, block: Distribution, level: int) -> None:
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(block)
        if len(self._levels[level]) == _BLOCKS_TO_MERGE:
            merged, self._levels[level] = _merged(self._levels[level]), []
            self._push(_thinned(merged, _BLOCK_POINTS), level + 1)

    def _seal(self) -> None:
        if self._block:
            self._close_block()
        blocks = [block for level in reversed(self._levels) for block in level]
        self._levels = []
        if blocks:
            self._merged.append(_thinned(_merged(blocks), EXACT_VALUES))


def _distribution(values: Floats, weights: Floats | None) -> Distribution:
    if weights is None:
        ordered = np.sort(values)
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        return Distribution(ordered[last], (last + 1).astype(np.float64))
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return Distribution(ordered[last], np.cumsum(weights[order])[last])


def _merged(parts: Sequence[Distribution]) -> Distribution:
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part.values for part in parts])
    weights = np.concatenate([np.diff(part.counts, prepend=0.0) for part in parts])
    order = np.argsort(values, kind="stable")
    values, counts = values[order], np.cumsum(weights[order])
    last = np.append(values[1:] != values[:-1], True)
    return Distribution(values[last], counts[last], all(part.exact for part in parts))


def _thinned(whole: Distribution, points: int) -> Distribution:
    if len(whole.values) <= points:
        return whole
    ranks = whole.counts[-1] * (np.arange(1, points) / points)
    kept = np.unique(np.concatenate([[0], np.searchsorted(whole.counts, ranks), [len(whole.counts) - 1]]))
    return Distribution(whole.values[kept], whole.counts[kept], exact=False)


def quantiles_histogram(distribution: Distribution, buckets: int = HISTOGRAM_BUCKETS) -> Histogram:
    """Return a histogram of buckets of equal count; buckets that end in the same value share their count."""
    total = float(distribution.counts[-1])
    at = [distribution.at_rank(total * i / buckets) for i in range(buckets + 1)]
    bounds = distribution.values[at]
    counts = np.diff(distribution.counts[at], prepend=0.0)[1:]
    counts[0] += distribution.counts[at[0]]
    _, group, size = np.unique(bounds[1:], return_inverse=True, return_counts=True)
    shared = np.bincount(group, weights=counts) / size
    histogram = Histogram(type=Histogram.QUANTILES)
    for low, high, count in zip(bounds[:-1], bounds[1:], shared[group], strict=True):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
    return histogram


def constant_histogram(value: float, count: int, buckets: int = HISTOGRAM_BUCKETS) -> Histogram:
    """Return the quantiles histogram of `count` times the same `value`."""
    histogram = Histogram(type=Histogram.QUANTILES)
    for _ in range(buckets):
        histogram.buckets.add(low_value=value, high_value=value, sample_count=count / buckets)
    return histogram


@dataclass(frozen=True)
class Extent:
    """What numbers span.

    Attributes:
        low: The least finite one; `inf` when there is none.
        high: The greatest finite one; `-inf` when there is none.
        below: How many are -inf, or their weight.
        above: How many are +inf, or their weight.
    """

    low: float
    high: float
    below: float = 0
    above: float = 0


def standard_histogram(distribution: Distribution, extent: Extent, buckets: int = HISTOGRAM_BUCKETS) -> Histogram:
    """Return a histogram of buckets of equal width over the finite values, and one for each kind of infinity.

    A bucket holds its upper bound, the first one its lower bound too. Counts are exact where the distribution is.
    Otherwise they are interpolated between its values, and how many numbers are up to a bucket's end is right to
    within 2% of them.
    """
    histogram = Histogram(type=Histogram.STANDARD)
    if extent.below:
        histogram.buckets.add(low_value=-np.inf, high_value=-np.inf, sample_count=extent.below)
    if extent.low <= extent.high:
        _add_equal_width(histogram, distribution, extent, buckets)
    if extent.above:
        histogram.buckets.add(low_value=np.inf, high_value=np.inf, sample_count=extent.above)
    return histogram


def _add_equal_width(histogram: Histogram, distribution: Distribution, extent: Extent, buckets: int) -> None:
    low, high = extent.low, extent.high
    total = float(distribution.counts[-1]) - extent.above
    if low == high:
        histogram.buckets.add(low_value=low, high_value=high, sample_count=total - extent.below)
        return
    # Halving first keeps the width of a range that is wider than any float from overflowing.
    fraction = np.linspace(0.0, 1.0, buckets + 1)
    bounds = 2.0 * ((low / 2.0) * (1.0 - fraction) + (high / 2.0) * fraction)
    bounds[0], bounds[-1] = low, high
    finite = np.isfinite(distribution.values)
    reached = _counts_at(bounds, distribution.values[finite], distribution.counts[finite], distribution.exact)
    reached[0], reached[-1] = extent.below, total
    for start, end, count in zip(bounds[:-1], bounds[1:], np.diff(reached), strict=True):
        histogram.buckets.add(low_value=start, high_value=end, sample_count=count)


def _counts_at(bounds: Floats, values: Floats, counts: Floats, exact: bool) -> Floats:
    at = np.searchsorted(values, bounds, side="right") - 1
    if exact:
        known: Floats = counts[at]
        return known
    # Steps of more than the error are many times the same number: these stand where they are, the others are spread.
    steps = np.diff(counts, prepend=0.0)
    heavy = np.where(steps > RANK_ERROR * counts[-1], steps, 0.0)
    reached: Floats = np.interp(bounds, values, np.cumsum(steps - heavy)) + np.cumsum(heavy)[at]
    return reached

"""Histograms of several sides over the same bins, so that they can be drawn and read beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0.statistics_pb2 import Histogram

from penstock.components.validation.feature_view import FeatureView
from penstock.ui.cumulative_shares import Cumulative, has_ends

Floats = npt.NDArray[np.float64]
COMMON_BINS = 20

HEAVY = 0.15
"""A number that makes up so much of a side is a bin of its own among those between quantiles."""


@dataclass(frozen=True)
class Bins:
    """Shares of the finite numbers of each side that lie in each bin.

    Attributes:
        edges: Low and high end by bin, ascending; a bin without width is a single number.
        shares: By side and bin, from 0 to 1. A side without numbers has zeros.
    """

    edges: tuple[tuple[float, float], ...]
    shares: tuple[tuple[float, ...], ...]


def even_bins(views: Sequence[FeatureView | None], count: int | None = None) -> Bins | None:
    """Return bins of equal width, from the least to the greatest number of all sides; None where there is no number.

    Args:
        views: One feature on each side; None where it isn't there.
        count: How many bins; by default those of the histograms where they are alike, else `COMMON_BINS`.
    """
    histograms = [view.histogram(Histogram.STANDARD) if view is not None else None for view in views]
    if count is None:
        own = [_Buckets(each) for each in histograms]
        edges = [side.edges for side in own if side.total]
        if edges and all(each == edges[0] for each in edges):
            return _over(own, edges[0])
    known = [Cumulative.of(view) if view is not None and view.histograms else None for view in views]
    ranges = [(float(each.values[0]), float(each.values[-1])) for each in known if each is not None and each.finite]
    if not ranges:
        return None
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    cuts = np.linspace(low, high, (count or COMMON_BINS) + 1).tolist() if high > low else [low, low]
    none = (0.0,) * (len(cuts) - 1)
    shares = [tuple(each.between(cuts[1:]).tolist()) if each is not None and each.finite else none for each in known]
    return Bins(tuple(pairwise(cuts)), tuple(shares))


def quantile_bins(views: Sequence[FeatureView | None]) -> Bins | None:
    """Return bins between the quantiles of the first side with numbers, frequent ones alone; None without numbers."""
    sides = [_Buckets(view.histogram(Histogram.QUANTILES) if view is not None else None) for view in views]
    filled = [side for side in sides if side.total]
    if not filled:
        return None
    low, high = min(side.edges[0] for side in filled), max(side.edges[-1] for side in filled)
    return _over(sides, [low, *filled[0].edges, high])


def _over(sides: Sequence[_Buckets], edges: Sequence[float]) -> Bins:
    points = {point for side in sides for point, count in side.points.items() if count >= HEAVY * side.total}
    bins = _bins(sorted({*edges, *points}), points)
    return Bins(bins, tuple(side.shares(bins) for side in sides))


def _bins(edges: list[float], points: set[float]) -> tuple[tuple[float, float], ...]:
    """Return the spaces between edges, and the points as bins of their own."""
    found: list[tuple[float, float]] = [(edges[0], edges[0])] if edges[0] in points or len(edges) == 1 else []
    for low, high in pairwise(edges):
        found += [(low, high), *([(high, high)] if high in points else [])]
    return tuple(found)


class _Buckets:
    """One histogram: how many numbers lie below any number, and exactly on it."""

    def __init__(self, histogram: Histogram | None) -> None:
        buckets = [
            (bucket.low_value, bucket.high_value, max(bucket.sample_count, 0.0))
            for bucket in (histogram.buckets if histogram is not None else ())
            if has_ends(bucket)
        ]
        self.total = sum(count for _, _, count in buckets)
        self.edges = sorted({edge for low, high, _ in buckets for edge in (low, high)})
        spread = [each for each in buckets if each[0] < each[1]]
        self.points: dict[float, float] = {}
        for low, high, count in buckets:
            if low == high and count:
                self.points[low] = self.points.get(low, 0.0) + count
        self._at: Floats = np.array([edge for low, high, _ in spread for edge in (low, high)] or [0.0])
        reached = np.cumsum([0.0, *(count for _, _, count in spread)])
        self._reached: Floats = np.repeat(reached, 2)[1:-1] if spread else np.zeros(1)

    def shares(self, bins: Sequence[tuple[float, float]]) -> tuple[float, ...]:
        """Return the share of the numbers in each bin; one on the edge between two belongs to the lower."""
        if not self.total:
            return (0.0,) * len(bins)
        own = {low for low, high in bins if low == high}
        highs = np.array([high for _, high in bins])
        below = np.interp(highs, self._at, self._reached)
        for place, count in self.points.items():
            alone = np.array([place in own and low < high == place for low, high in bins])
            below += count * ((highs >= place) & ~alone)
        return tuple(np.maximum(np.diff(below, prepend=0.0), 0.0) / self.total)

"""How far two distributions are apart: of counted values, and of numbers known by their histograms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0.statistics_pb2 import Histogram

Floats = npt.NDArray[np.float64]
Counts = Mapping[str, float]


def l_infinity(left: Counts, right: Counts) -> tuple[str, float]:
    """Return the greatest difference of a value's share, and that value; of equals the last in order.

    Args:
        left: Counts by value; without any, all shares are 0.
        right: The same of the other side.
    """
    return _greatest_difference(left, right, sum(left.values()), sum(right.values()))


def normalized_absolute_difference(left: Counts, right: Counts) -> tuple[str, float]:
    """Return the greatest difference of a value's count as a share of all counts of both sides, and that value."""
    both = sum(left.values()) + sum(right.values())
    return _greatest_difference(left, right, both, both)


def _greatest_difference(left: Counts, right: Counts, left_total: float, right_total: float) -> tuple[str, float]:
    found, greatest = "", 0.0
    for value in sorted(left.keys() | right.keys()):
        shares = left.get(value, 0.0) / (left_total or 1.0), right.get(value, 0.0) / (right_total or 1.0)
        if abs(shares[0] - shares[1]) >= greatest:
            found, greatest = value, abs(shares[0] - shares[1])
    return found, greatest


def jensen_shannon_of_counts(left: Counts, right: Counts) -> float:
    """Return the Jensen-Shannon divergence (base 2, so from 0 to 1) of counted values; both sides have some."""
    values = sorted(left.keys() | right.keys())
    return _jensen_shannon(
        np.array([left.get(value, 0.0) for value in values]), np.array([right.get(value, 0.0) for value in values])
    )


def jensen_shannon_of_histograms(left: Histogram, right: Histogram) -> float | None:
    """Return the approximate Jensen-Shannon divergence of numbers; None where a side has none.

    Within a bucket numbers count as evenly spread. A bucket without width is a point of its own; infinities, and NaN,
    never match those of the other side: that is TFDV's meaning.
    """
    parts = [_Parts(histogram) for histogram in (left, right)]
    edges = np.unique(np.concatenate([part.edges for part in parts]))
    points = sorted(parts[0].points.keys() | parts[1].points.keys())
    masses = []
    for side, part in enumerate(parts):
        strange = np.zeros(4)
        strange[2 * side : 2 * side + 2] = part.unmatched
        masses.append(
            np.concatenate([part.between(edges), np.array([part.points.get(at, 0.0) for at in points]), strange])
        )
    if not masses[0].sum() or not masses[1].sum():
        return None
    return _jensen_shannon(*masses)


class _Parts:
    """A histogram taken apart: buckets with a width, points, and what matches nothing."""

    def __init__(self, histogram: Histogram) -> None:
        self.points: dict[float, float] = {}
        lows, highs, counts, infinite = [], [], [], 0.0
        for bucket in histogram.buckets:
            if not (np.isfinite(bucket.low_value) and np.isfinite(bucket.high_value)):
                infinite += bucket.sample_count
            elif bucket.low_value == bucket.high_value:
                self.points[bucket.low_value] = self.points.get(bucket.low_value, 0.0) + bucket.sample_count
            else:
                lows.append(bucket.low_value)
                highs.append(bucket.high_value)
                counts.append(bucket.sample_count)
        self.unmatched = (infinite, float(histogram.num_nan))
        self.edges: Floats = np.column_stack([lows, highs]).ravel().astype(np.float64)
        self._reached: Floats = np.repeat(np.cumsum([0.0, *counts]), 2)[1:-1]

    def between(self, edges: Floats) -> Floats:
        """Return how much lies between each two neighbours of `edges` (n,), as an array (n - 1,)."""
        if not len(self.edges):
            return np.zeros(max(len(edges) - 1, 0))
        return np.diff(np.interp(edges, self.edges, self._reached))


def _jensen_shannon(left: Floats, right: Floats) -> float:
    p, q = left / left.sum(), right / right.sum()
    middle = (p + q) / 2.0
    return float(min((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2.0, 1.0))


def _relative_entropy(p: Floats, middle: Floats) -> float:
    some = p > 0.0
    return float(np.sum(p[some] * np.log2(p[some] / middle[some])))

"""Which share of a feature's numbers lies below any number, by all that its histograms say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0.statistics_pb2 import Histogram

from penstock.components.validation.feature_view import FeatureView

Floats = npt.NDArray[np.float64]


GREATEST = 1e300
"""Numbers beyond are taken for infinite: between two of them no distance can be computed."""


def has_ends(bucket: Histogram.Bucket) -> bool:
    """Say whether a bucket lies between two numbers that can be computed with."""
    return bool(-GREATEST <= bucket.low_value <= bucket.high_value <= GREATEST)


@dataclass(frozen=True)
class Cumulative:
    """What is known of the numbers of a feature: how many don't exceed each of some values.

    Attributes:
        values: Ascending and distinct (n,).
        reached: Which share of the finite numbers is at most that value (n,).
        finite: How many numbers are finite.
        strange: How many are infinite or NaN.
        cuts: The values that cut the numbers into parts of about equal size, without ends that only outliers reach.
    """

    values: Floats
    reached: Floats
    finite: float
    strange: float
    cuts: tuple[float, ...]

    @classmethod
    def of(cls, view: FeatureView) -> Cumulative | None:
        """Return what both histograms of a feature say together; None without numbers."""
        known: dict[float, float] = {}
        finite = 0.0
        cuts: tuple[float, ...] = ()
        for histogram in view.histograms:
            buckets = [each for each in histogram.buckets if has_ends(each)]
            total = sum(bucket.sample_count for bucket in buckets)
            finite = max(finite, total)
            reached = np.cumsum([bucket.sample_count for bucket in buckets]) / (total or 1.0)
            for bucket, share in zip(buckets, reached.tolist(), strict=True):
                known.setdefault(bucket.low_value, 0.0)
                known[bucket.high_value] = max(share, known.get(bucket.high_value, 0.0))
            if histogram.type == Histogram.QUANTILES or not cuts:
                cuts = _cuts(buckets)
        if not finite and not view.nans:
            return None
        values = np.array(sorted(known) or [0.0])
        steps = np.maximum.accumulate([known.get(value, 0.0) for value in values])
        return cls(values, steps, finite, max(view.values - finite, 0.0), cuts)

    def between(self, cuts: Sequence[float]) -> Floats:
        """Return which share of the finite numbers lies between neighbouring cuts (n,), the first up to its cut."""
        below = np.interp(cuts, self.values, self.reached, left=0.0)
        shares: Floats = np.maximum(np.diff(below, prepend=0.0), 0.0)
        return shares


def _cuts(buckets: Sequence[Histogram.Bucket]) -> tuple[float, ...]:
    """Return the values between buckets; an end itself where a frequent number lies there, a bucket without width."""
    between = sorted({bucket.high_value for bucket in buckets[:-1]})
    first, last = buckets[:1], buckets[-1:]
    before = [float(np.nextafter(each.low_value, -np.inf)) for each in first if each.low_value == each.high_value]
    after = [each.high_value for each in last if each.low_value == each.high_value and each.high_value not in between]
    return (*before, *between, *after)

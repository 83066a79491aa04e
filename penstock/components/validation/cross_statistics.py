"""Correlation and covariance of pairs of numeric columns, from exact sums."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import CrossFeatureStatistics

from penstock.data.exact_sums import exact_sum, exact_sum_of_products


class CrossStatistics:
    """Of one pair of columns with one number a row; rows in which both are finite count."""

    def __init__(self, left: str, right: str) -> None:
        self._names = (left, right)
        self._rows = 0
        self._sums = [0, 0, 0, 0, 0]

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows."""
        x, y = (
            batch.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for name in self._names
        )
        both = np.isfinite(x) & np.isfinite(y)  # Arrow's nulls have become NaN
        x, y = x[both], y[both]
        self._rows += len(x)
        found = (
            exact_sum(x),
            exact_sum(y),
            exact_sum_of_products(x, x),
            exact_sum_of_products(y, y),
            exact_sum_of_products(x, y),
        )
        self._sums = [known + new for known, new in zip(self._sums, found, strict=True)]

    def merge(self, other: CrossStatistics) -> None:
        """Add the rows of `other`."""
        self._rows += other._rows
        self._sums = [ours + theirs for ours, theirs in zip(self._sums, other._sums, strict=True)]

    def proto(self) -> CrossFeatureStatistics:
        """Return covariance and correlation of the rows as a population; NaN for the correlation of a constant."""
        cross = CrossFeatureStatistics(count=self._rows)
        cross.path_x.step.append(self._names[0])
        cross.path_y.step.append(self._names[1])
        if self._rows:
            covariance = self._moment(4, 0, 1)
            spread = self._moment(2, 0, 0) * self._moment(3, 1, 1)
            cross.num_cross_stats.covariance = covariance
            correlation = covariance / math.sqrt(spread) if spread > 0.0 else math.nan
            cross.num_cross_stats.correlation = max(-1.0, min(1.0, correlation)) if spread > 0.0 else math.nan
        return cross

    def _moment(self, products: int, left: int, right: int) -> float:
        # Sums are times 2**1074, products of two sums times 2**2148.
        scaled = (self._rows * self._sums[products] << 1074) - self._sums[left] * self._sums[right]
        return scaled / (self._rows * self._rows << 2148)

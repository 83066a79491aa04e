"""In how many rows a feature is present and with how many values, level by level where lists are nested."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    CommonStatistics,
    PresenceAndValencyStatistics,
    WeightedCommonStatistics,
)

from penstock.components.validation.quantiles import (
    HISTOGRAM_BUCKETS,
    Floats,
    Quantiles,
    constant_histogram,
    quantiles_histogram,
)
from penstock.data.exact_sums import exact_sum, rounded


class Presence:
    """In how many rows a feature is present, and with how many values.

    Args:
        levels: How deep its lists are nested; 0 for one value a row.
    """

    def __init__(self, levels: int) -> None:
        self._levels = levels
        self._inner = Presence(levels - 1) if levels > 1 else None
        self._lengths = Quantiles()
        self.rows = 0
        self.present = 0
        self._values = 0
        self._least = math.inf
        self._most = 0

    @property
    def leaves(self) -> int:
        """How many values there are at the innermost level."""
        return self._inner.leaves if self._inner is not None else self._values

    def add(self, column: pa.Array) -> None:
        """Add a column (rows,) of values or lists."""
        present = len(column) - column.null_count
        self.rows += len(column)
        self.present += present
        if not self._levels:
            self._values += present
            if present:
                self._least = self._most = 1
            return
        lengths = np.asarray(pc.drop_null(pc.list_value_length(column)), dtype=np.float64)
        if len(lengths):
            self._values += int(lengths.sum())
            self._least = min(self._least, int(lengths.min()))
            self._most = max(self._most, int(lengths.max()))
            self._lengths.add(lengths)
        if self._inner is not None:
            self._inner.add(pc.list_flatten(column))

    def merge(self, other: Presence) -> None:
        """Add the rows of `other`."""
        self.rows += other.rows
        self.present += other.present
        self._values += other._values
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)
        self._lengths.merge(other._lengths)
        if self._inner is not None and other._inner is not None:
            self._inner.merge(other._inner)

    def proto(self, buckets: int = HISTOGRAM_BUCKETS) -> CommonStatistics:
        """Return the common part of a feature's statistics; its histogram of numbers of values has `buckets`."""
        common = CommonStatistics(
            num_non_missing=self.present, num_missing=self.rows - self.present, tot_num_values=self._values
        )
        if self.present:
            common.min_num_values = int(self._least)
            common.max_num_values = self._most
            common.avg_num_values = self._values / self.present
            histogram = (
                quantiles_histogram(self._lengths.distribution(), buckets)
                if self._levels
                else constant_histogram(1.0, self.present, buckets)
            )
            common.num_values_histogram.CopyFrom(histogram)
        level: Presence | None = self if self._inner is not None else None
        while level is not None:
            common.presence_and_valency_stats.append(level._of_level())
            level = level._inner
        return common

    def _of_level(self) -> PresenceAndValencyStatistics:
        return PresenceAndValencyStatistics(
            num_missing=self.rows - self.present,
            num_non_missing=self.present,
            min_num_values=int(self._least) if self.present else 0,
            max_num_values=self._most,
            tot_num_values=self._values,
        )


class WeightedPresence:
    """The weight of the rows in which a feature is present, and of its values; sums are exact.

    Args:
        levels: How deep its lists are nested; 0 for one value a row.
    """

    def __init__(self, levels: int) -> None:
        self._levels = levels
        self._inner = WeightedPresence(levels - 1) if levels > 1 else None
        self._present = 0
        self._missing = 0
        self._values = 0

    def add(self, column: pa.Array, weights: Floats) -> None:
        """Add a column (rows,) of values or lists with the weights of its rows (rows,)."""
        there = column.is_valid().to_numpy(zero_copy_only=False)
        self._present += exact_sum(weights[there])
        self._missing += exact_sum(weights[~there])
        self._values += exact_sum(weights[there] * lengths_of(column)[there] if self._levels else weights[there])
        if self._inner is not None:
            self._inner.add(pc.list_flatten(column), np.repeat(weights, lengths_of(column).astype(np.int64)))

    def merge(self, other: WeightedPresence) -> None:
        """Add the rows of `other`."""
        self._present += other._present
        self._missing += other._missing
        self._values += other._values
        if self._inner is not None and other._inner is not None:
            self._inner.merge(other._inner)

    def add_to(self, common: CommonStatistics) -> None:
        """Add the weighted part to a feature's common statistics."""
        common.weighted_common_stats.CopyFrom(self._of_level())
        level: WeightedPresence | None = self if self._inner is not None else None
        while level is not None:
            common.weighted_presence_and_valency_stats.append(level._of_level())
            level = level._inner

    def _of_level(self) -> WeightedCommonStatistics:
        return WeightedCommonStatistics(
            num_non_missing=rounded(self._present),
            num_missing=rounded(self._missing),
            tot_num_values=rounded(self._values),
            avg_num_values=self._values / self._present if self._present else 0.0,
        )


def lengths_of(column: pa.Array) -> Floats:
    """Return how many values each row of a column of lists has (rows,); 0 where it has no list."""
    lengths: Floats = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.float64)
    return lengths


def flattened(column: pa.Array, weights: Floats | None, levels: int) -> tuple[pa.Array, Floats | None]:
    """Return the values of a column (rows,) without so many levels of lists, and the weight of each value's row."""
    for _ in range(levels):
        if weights is not None:
            weights = np.repeat(weights, lengths_of(column).astype(np.int64))
        column = pc.list_flatten(column)
    return column, weights

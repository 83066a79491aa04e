"""How many distinct values there are and which are frequent, in bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tfx_bsl.sketches import KmvSketch, MisraGriesSketch

CAPACITY = 4096
"""Counts and the number of distinct values are exact, and don't depend on sharding, for this many distinct values."""

COUNT_ERROR = 1.0 / CAPACITY
"""Beyond `CAPACITY` a count is never too high, and too low by at most this fraction of all values, merged in any order.

A value that is rarer than that may be left out; one that is more frequent is named.
"""

DISTINCT_ERROR = 4.0 / CAPACITY**0.5
"""Beyond `CAPACITY` the number of distinct values is right to within this fraction: four standard errors of 1.6%, which
one column in sixteen thousand exceeds.

It depends on the values alone, not on how they are sharded or merged.
"""

INVALID_UTF8 = "__BYTES_VALUE__"
"""Stands for all values that are not UTF-8, as in TFDV."""

LONG_VALUE = "__LARGE_BYTES__"
"""Stands for all values longer than `LONG_VALUE_BYTES`, as in TFDV."""

LONG_VALUE_BYTES = 1024

_PROBE = "\x00penstock\x00"
_PROBE_WEIGHT = 1 << 20


class ValueCounts:
    """A mergeable count of values, by tfx_bsl's Misra-Gries and k-minimum-values sketches."""

    def __init__(self) -> None:
        self._frequent = MisraGriesSketch(CAPACITY, INVALID_UTF8, LONG_VALUE_BYTES, LONG_VALUE)
        self._distinct = KmvSketch(CAPACITY)

    def add(self, values: pa.Array, weights: npt.NDArray[np.float64] | None = None) -> None:
        """Add strings or binaries (n,) without nulls, and their weights (n,) if they have any."""
        if weights is None:
            self._frequent.AddValues(values)
        else:
            self._frequent.AddValues(values, pa.array(weights, pa.float32()))
        self._distinct.AddValues(values)

    def merge(self, other: ValueCounts) -> None:
        """Add the counts of `other`."""
        self._frequent.Merge(other._frequent)
        self._distinct.Merge(other._distinct)

    def distinct(self) -> int:
        """Return the number of distinct values."""
        return int(self._distinct.Estimate())

    def frequent(self) -> list[tuple[str, float]]:
        """Return values with their counts, most frequent first and the greater value first among equals."""
        estimate = self._frequent.Estimate()
        values = [value.decode() for value in estimate.field("values").to_pylist()]
        # The sketch reports the most that a count can be, which is thousands for a column of unique values. What was
        # seen for certain is that less what was discarded; values of which nothing is left are noise.
        counts = pc.subtract(estimate.field("counts"), self._discarded()).to_pylist()
        return sorted(
            ((value, count) for value, count in zip(values, counts, strict=True) if count > 0),
            key=lambda pair: (pair[1], pair[0]),
            reverse=True,
        )

    def _discarded(self) -> float:
        copy = MisraGriesSketch.Deserialize(self._frequent.Serialize())
        copy.AddValues(pa.array([_PROBE]), pa.array([float(_PROBE_WEIGHT)], pa.float32()))
        estimate = copy.Estimate()
        at = pc.index(estimate.field("values"), pa.scalar(_PROBE.encode(), pa.large_binary())).as_py()
        return float(estimate.field("counts")[at].as_py() - _PROBE_WEIGHT)

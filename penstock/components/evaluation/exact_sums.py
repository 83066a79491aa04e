"""Sums of floats that are exact, so that no order and no sharding of the rows can change a metric."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import numpy as np
import numpy.typing as npt

_MANTISSA_BITS = 53
_LOW_BITS = 26  # half a mantissa: the sum of 2**26 halves is still exact in a float64
_EXPONENTS = 4096
_EXPONENT_ZERO = 2048


class ExactSums:
    """Exact sums of finite float64 values, one sum a slice.

    A float is an integer times a power of two; integers are added by (slice, power) and put together when the
    value is asked for, correctly rounded. Memory: at most one integer a slice and power that occurred.
    """

    def __init__(self) -> None:
        self._parts: defaultdict[int, int] = defaultdict(int)

    def add(self, slices: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> None:
        """Add `values` (n,) to the sums of `slices` (n,); at most 2**26 rows a call, all finite."""
        if not len(values):
            return
        fractions, exponents = np.frexp(values)
        mantissas = np.ldexp(fractions, _MANTISSA_BITS).astype(np.int64)
        lowest = int(exponents.min())
        width = int(exponents.max()) - lowest + 1
        keys = slices * width + (exponents - lowest)
        high = np.bincount(keys, weights=(mantissas >> _LOW_BITS).astype(np.float64))
        low = np.bincount(keys, weights=(mantissas & ((1 << _LOW_BITS) - 1)).astype(np.float64))
        for key in np.flatnonzero((high != 0) | (low != 0)).tolist():
            slice_number, power = divmod(key, width)
            part = (int(high[key]) << _LOW_BITS) + int(low[key])
            self._parts[slice_number * _EXPONENTS + power + lowest + _EXPONENT_ZERO] += part

    def merge(self, other: ExactSums, numbers: list[int]) -> None:
        """Add the sums of `other`, whose slice i is slice `numbers[i]` here."""
        for key, part in other._parts.items():
            slice_number, power = divmod(key, _EXPONENTS)
            self._parts[numbers[slice_number] * _EXPONENTS + power] += part

    def values(self, slices: int) -> list[float]:
        """Return the sum of each of the first `slices` slices; 0.0 where nothing was added."""
        totals = [Fraction(0)] * slices
        for key, part in self._parts.items():
            slice_number, power = divmod(key, _EXPONENTS)
            totals[slice_number] += part * Fraction(2) ** (power - _EXPONENT_ZERO - _MANTISSA_BITS)
        return [float(total) for total in totals]

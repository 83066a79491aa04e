"""Count, mean and standard deviation from exact sums, so that no sharding or order of the rows can change them.

A float64 is an integer times a power of two, so a sum of floats is one too: sums are kept as Python integers, scaled
by the smallest power that a float can have. Integers add exactly in any order; rounding happens once, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SUM_SCALE = 1074
"""A sum is an integer times 2**-1074, the smallest float64."""

SQUARES_SCALE = 2 * SUM_SCALE
"""A sum of squares is an integer times 2**-2148."""

MAX_VALUES = 1 << 18
"""The most values that one call takes: limbs of 22 bits, multiplied and summed, then fit 63 bits."""

_GUARD_BITS = 64
_SPLITTER = float(2**27 + 1)
_LIMB = 21
_LIMB_MASK = (1 << _LIMB) - 1


@dataclass(frozen=True)
class Moments:
    """The number of finite values, their exact sum and the exact sum of their squares.

    Attributes:
        count: How many values.
        total: Their sum times 2**1074.
        squares: The sum of their squares times 2**2148.
    """

    count: int = 0
    total: int = 0
    squares: int = 0

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def mean(self) -> float:
        """Return the mean, correctly rounded; 0.0 without values."""
        return self.total / (self.count << SUM_SCALE) if self.count else 0.0

    def std_dev(self) -> float:
        """Return the standard deviation of the values as a population; 0.0 without values."""
        if not self.count:
            return 0.0
        spread = self.count * self.squares - self.total * self.total
        return math.isqrt(spread << 2 * _GUARD_BITS) / (self.count << SUM_SCALE + _GUARD_BITS)


def moments_of_floats(values: npt.NDArray[np.float64]) -> Moments:
    """Return the moments of finite float64 `values` (n,), n at most `MAX_VALUES`."""
    return Moments(len(values), _sum(values), _sum_of_squares(values))


def moments_of_integers(values: npt.NDArray[np.int64]) -> Moments:
    """Return the moments of int64 `values` (n,), n at most `MAX_VALUES`."""
    if not len(values):
        return Moments()
    largest = max(-int(values.min()), int(values.max()))
    if largest * largest * len(values) < 1 << 63:
        total, squares = int(values.sum()), int(np.dot(values, values))
    else:
        total, squares = _limb_sums(values)
    return Moments(len(values), total << SUM_SCALE, squares << SQUARES_SCALE)


def _limb_sums(values: npt.NDArray[np.int64]) -> tuple[int, int]:
    limbs = (values & _LIMB_MASK, (values >> _LIMB) & _LIMB_MASK, values >> 2 * _LIMB)
    total = sum(int(limb.sum()) << _LIMB * i for i, limb in enumerate(limbs))
    squares = 0
    for i, left in enumerate(limbs):
        for j, right in enumerate(limbs[i:], start=i):
            squares += (int(np.dot(left, right)) << _LIMB * (i + j)) * (1 if i == j else 2)
    return total, squares


def _sum(values: npt.NDArray[np.float64]) -> int:
    largest = _largest(values)
    if largest > 2.0**900:
        big = np.abs(values) > 2.0**600
        return (_sum(values[big] * 2.0**-500) << 500) + _sum(values[~big])
    total = 0
    room = (len(values) + 1).bit_length()
    while largest > 0.0:
        # Rump's ExtractVector: adding and subtracting a power of two that is larger than the sum can get leaves of
        # each value the leading bits on one common grid. These add without rounding, and what remains is exact too.
        sigma = math.ldexp(1.0, math.frexp(largest)[1] + room)
        leading = values + sigma
        leading -= sigma
        total += _scaled(float(leading.sum()))
        values = np.subtract(values, leading, out=leading)
        largest = _largest(values)
    return total


def _sum_of_squares(values: npt.NDArray[np.float64]) -> int:
    size = np.abs(values)
    largest = float(size.max()) if len(size) else 0.0
    if largest > 2.0**500:
        big = size > 2.0**500
        return (_sum_of_squares(values[big] * 2.0**-600) << 1200) + _sum_of_squares(values[~big])
    small = (size < 2.0**-480) & (size > 0.0)
    if small.any():
        return (_plain_squares(values[small] * 2.0**600) >> 1200) + _plain_squares(values[~small])
    return _plain_squares(values)


def _plain_squares(values: npt.NDArray[np.float64]) -> int:
    # Dekker's product: a square is its rounded value plus an error that is itself a float, found by multiplying
    # halves of the mantissa. The callers see to it that neither overflows nor underflows.
    scaled = values * _SPLITTER
    high = scaled - (scaled - values)
    low = values - high
    square = values * values
    error = low * low + (2.0 * high * low + (high * high - square))
    return (_sum(square) + _sum(error)) << SUM_SCALE


def _largest(values: npt.NDArray[np.float64]) -> float:
    return max(-float(values.min()), float(values.max())) if len(values) else 0.0


def _scaled(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator << (SUM_SCALE + 1 - denominator.bit_length())

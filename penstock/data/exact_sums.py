"""Sums of floats that are exact, so that no sharding and no order of the rows can change what is made of them.

A float64 is an integer times a power of two, so a sum of floats is one too: sums are kept as Python integers, scaled
by the smallest power that a float can have. Integers add exactly in any order; rounding happens once, at the end.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
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


class ExactSums:
    """Exact sums of finite float64 values, one sum a group; groups are numbers from 0."""

    def __init__(self) -> None:
        self._sums: defaultdict[int, int] = defaultdict(int)

    def add(self, groups: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> None:
        """Add `values` (n,), all finite, to the sums of `groups` (n,)."""
        for start in range(0, len(values), MAX_VALUES):
            part = slice(start, start + MAX_VALUES)
            for scale, rows, leading in _slabs(values[part]):
                sums = np.bincount(groups[part][rows], weights=leading)
                for group in np.flatnonzero(sums).tolist():
                    self._sums[group] += _scaled(float(sums[group])) << scale

    def merge(self, other: ExactSums, numbers: list[int]) -> None:
        """Add the sums of `other`, whose group i is group `numbers[i]` here."""
        for group, total in other._sums.items():
            self._sums[numbers[group]] += total

    def values(self, groups: int) -> list[float]:
        """Return the sum of each of the first `groups` groups, correctly rounded; 0.0 where nothing was added."""
        return [rounded(self._sums[group]) if group in self._sums else 0.0 for group in range(groups)]


def exact_sum(values: npt.NDArray[np.float64]) -> int:
    """Return the sum of finite `values` (n,), n at most `MAX_VALUES`, times 2**1074."""
    return sum(_scaled(float(leading.sum())) << scale for scale, _, leading in _slabs(values))


def exact_sum_of_products(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> int:
    """Return the sum of the products of finite `left` (n,) and `right` (n,) times 2**1074.

    Exact unless a product leaves the range from 2**-900 to 2**900; then each product is rounded once.
    """
    product = left * right
    if not np.isfinite(product).all():
        raise OverflowError("Products of these values are beyond the range of floats.")
    size = np.maximum(np.abs(left), np.abs(right))
    fine = (size < 2.0**450) & ((np.abs(product) > 2.0**-900) | (product == 0.0))
    x, y = left[fine], right[fine]
    error = _product_error(x, y, product[fine])
    return exact_sum(product) + exact_sum(error)


def rounded(total: int) -> float:
    """Return the float that is nearest to a sum times 2**1074."""
    return total / (1 << SUM_SCALE)


def moments_of_floats(values: npt.NDArray[np.float64]) -> Moments:
    """Return the moments of finite float64 `values` (n,), n at most `MAX_VALUES`."""
    return Moments(len(values), exact_sum(values), _sum_of_squares(values))


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


_Slab = tuple[int, "slice | npt.NDArray[np.bool_]", npt.NDArray[np.float64]]


def _slabs(values: npt.NDArray[np.float64]) -> Iterator[_Slab]:
    """Yield (scale, rows, parts of these rows' values): parts of one slab add without rounding, whichever are added.

    All parts of a value, each times 2**scale, add up to the value.
    """
    largest = _largest(values)
    if largest <= 2.0**900:
        yield from ((0, slice(None), leading) for leading in _leading(values, largest))
        return
    big = np.abs(values) > 2.0**600
    for scale, rows, part in ((500, big, values[big] * 2.0**-500), (0, ~big, values[~big])):
        yield from ((scale, rows, leading) for leading in _leading(part, _largest(part)))


def _leading(values: npt.NDArray[np.float64], largest: float) -> Iterator[npt.NDArray[np.float64]]:
    room = (len(values) + 1).bit_length()
    while largest > 0.0:
        # Rump's ExtractVector: adding and subtracting a power of two that is larger than the sum can get leaves of
        # each value the leading bits on one common grid. These add without rounding, and what remains is exact too.
        sigma = math.ldexp(1.0, math.frexp(largest)[1] + room)
        leading = values + sigma
        leading -= sigma
        yield leading
        values = values - leading
        largest = _largest(values)


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
    square = values * values
    return (exact_sum(square) + exact_sum(_product_error(values, values, square))) << SUM_SCALE


def _product_error(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], product: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    # Dekker's product: a product is its rounded value plus an error that is itself a float, found by multiplying
    # halves of the mantissas. The callers see to it that neither overflows nor underflows.
    left_high, left_low = _halves(left)
    right_high, right_low = (left_high, left_low) if right is left else _halves(right)
    cross = left_high * right_low + left_low * right_high if right is not left else 2.0 * left_high * left_low
    error: npt.NDArray[np.float64] = left_low * right_low + (cross + (left_high * right_high - product))
    return error


def _halves(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    scaled = values * _SPLITTER
    high = scaled - (scaled - values)
    return high, values - high


def _largest(values: npt.NDArray[np.float64]) -> float:
    return max(-float(values.min()), float(values.max())) if len(values) else 0.0


def _scaled(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator << (SUM_SCALE + 1 - denominator.bit_length())

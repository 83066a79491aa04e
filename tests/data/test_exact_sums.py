"""Sums are exact: equal to rational arithmetic, whatever the values and however they are cut."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.exact_sums import (
    ExactSums,
    Moments,
    exact_sum_of_products,
    moments_of_floats,
    moments_of_integers,
    rounded,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
int64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(finite, max_size=50))
def test_sums_of_floats_equal_rational_arithmetic(values):
    moments = moments_of_floats(np.array(values, dtype=np.float64))

    assert Fraction(moments.total, 2**1074) == sum(map(Fraction, values))
    assert Fraction(moments.squares, 2**2148) == sum(Fraction(value) ** 2 for value in values)


@given(st.lists(int64, max_size=50))
def test_sums_of_integers_equal_integer_arithmetic(values):
    moments = moments_of_integers(np.array(values, dtype=np.int64))

    assert moments.total == sum(values) << 1074
    assert moments.squares == sum(value * value for value in values) << 2148


@given(st.lists(finite, max_size=40), st.integers(0, 40))
def test_moments_of_parts_add_up_to_those_of_the_whole(values, cut):
    whole, left, right = (np.array(part, dtype=np.float64) for part in (values, values[:cut], values[cut:]))

    merged = moments_of_floats(right) + moments_of_floats(left)

    assert merged == moments_of_floats(whole)


def test_a_full_batch_of_mixed_magnitudes_is_exact():
    rng = np.random.default_rng(0)
    values = rng.normal(size=16384) * 10.0 ** rng.integers(-300, 300, 16384)

    moments = moments_of_floats(values)

    assert Fraction(moments.total, 2**1074) == sum(map(Fraction, values.tolist()))


def test_mean_and_deviation_do_not_cancel():
    values = np.array([1e9 + 1, 1e9 + 2, 1e9 + 3])

    moments = moments_of_floats(values)

    assert moments.mean() == 1e9 + 2
    assert moments.std_dev() == pytest.approx(math.sqrt(2 / 3), rel=1e-15)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e200, 1e307])
def test_deviation_is_right_where_squares_leave_the_range_of_floats(scale):
    moments = moments_of_floats(np.array([scale, 3 * scale]))

    assert moments.std_dev() == pytest.approx(scale, rel=1e-3 if scale < 1e-300 else 1e-15)


def test_no_values_have_a_mean_of_zero():
    assert (Moments().mean(), Moments().std_dev()) == (0.0, 0.0)


@given(st.lists(st.tuples(st.integers(0, 3), finite), max_size=50), st.integers(0, 50))
def test_sums_by_group_equal_rational_arithmetic_however_they_are_cut(rows, cut):
    whole, parts = ExactSums(), ExactSums()

    for sums, pieces in ((whole, [rows]), (parts, [rows[cut:], rows[:cut]])):
        for piece in pieces:
            added = ExactSums()
            added.add(np.array([row[0] for row in piece], np.int64), np.array([row[1] for row in piece], np.float64))
            sums.merge(added, [0, 1, 2, 3])

    assert whole._sums == parts._sums
    for group in range(4):
        expected = sum((Fraction(value) for number, value in rows if number == group), Fraction(0))
        assert Fraction(whole._sums.get(group, 0), 2**1074) == expected


def test_a_group_without_values_has_the_sum_zero():
    sums = ExactSums()
    sums.add(np.array([2]), np.array([0.5]))

    assert sums.values(4) == [0.0, 0.0, 0.5, 0.0]


moderate = st.floats(-1e100, 1e100).filter(lambda value: value == 0.0 or abs(value) > 1e-100)


@given(st.lists(st.tuples(moderate, moderate), max_size=30))
def test_sums_of_products_equal_rational_arithmetic(pairs):
    left, right = (np.array([pair[side] for pair in pairs], np.float64) for side in (0, 1))

    total = exact_sum_of_products(left, right)

    assert Fraction(total, 2**1074) == sum((Fraction(x) * Fraction(y) for x, y in pairs), Fraction(0))
    assert rounded(total) == float(Fraction(total, 2**1074))

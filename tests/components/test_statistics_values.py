"""Quantiles and counts of values: exact on few, within the stated bounds on many."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.components.validation.quantiles import (
    RANK_ERROR,
    Extent,
    Quantiles,
    constant_histogram,
    quantiles_histogram,
    standard_histogram,
)
from penstock.components.validation.value_counts import CAPACITY, INVALID_UTF8, LONG_VALUE, ValueCounts

numbers = st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 3)), min_size=1, max_size=300)


def _quantiles(values, parts=1):
    whole = Quantiles()
    for part in np.array_split(np.asarray(values, dtype=np.float64), parts):
        one = Quantiles()
        one.add(part)
        whole.merge(pickle.loads(pickle.dumps(one)))
    return whole


def _rank_error(values, distribution):
    exact = np.searchsorted(np.sort(values), distribution.values, side="right")
    gaps = np.diff(distribution.counts, prepend=0.0) * (not distribution.exact)
    return float(max(np.abs(exact - distribution.counts).max(), gaps.max())) / len(values)


@given(numbers, st.integers(1, 5))
def test_the_distribution_of_few_numbers_is_exact(values, parts):
    distribution = _quantiles(values, parts).distribution()

    assert distribution.exact
    assert list(distribution.values) == sorted(set(values))
    assert distribution.median() == pytest.approx(np.median(values), rel=1e-12)
    assert distribution.counts[-1] == len(values)


@pytest.mark.parametrize("parts", [1, 7, 64])
@pytest.mark.parametrize("name", ["normal", "lognormal", "hours", "ascending"])
def test_ranks_of_many_numbers_are_within_the_stated_error(name, parts):
    rng = np.random.default_rng(0)
    size = 300_000
    values = {
        "normal": rng.normal(size=size),
        "lognormal": rng.lognormal(size=size),
        "hours": rng.integers(0, 24, size).astype(np.float64),
        "ascending": np.arange(size, dtype=np.float64),
    }[name]

    distribution = _quantiles(values, parts).distribution()

    assert _rank_error(values, distribution) < RANK_ERROR
    assert (distribution.values[0], distribution.values[-1]) == (values.min(), values.max())
    assert distribution.exact == (name == "hours")


def test_a_pickled_summary_is_small():
    values = np.random.default_rng(0).normal(size=100_000)

    assert len(pickle.dumps(_quantiles(values))) < 12_000


@given(numbers)
def test_buckets_of_histograms_hold_every_number_once(values):
    distribution = _quantiles(values).distribution()

    standard = standard_histogram(distribution, Extent(min(values), max(values)))
    quantiles = quantiles_histogram(distribution)

    assert sum(bucket.sample_count for bucket in standard.buckets) == pytest.approx(len(values))
    assert sum(bucket.sample_count for bucket in quantiles.buckets) == pytest.approx(len(values))
    assert len(quantiles.buckets) == 10
    assert len(standard.buckets) == (1 if min(values) == max(values) else 10)
    for left, right in zip(standard.buckets[:-1], standard.buckets[1:], strict=True):
        assert left.high_value == right.low_value


def test_standard_histogram_follows_the_data():
    values = np.random.default_rng(0).normal(size=100_000)

    histogram = standard_histogram(_quantiles(values).distribution(), Extent(values.min(), values.max()))

    exact, _ = np.histogram(values, bins=10)
    assert [bucket.sample_count for bucket in histogram.buckets] == pytest.approx(exact, abs=0.01 * len(values))


def test_buckets_of_few_distinct_values_are_exact():
    values = np.random.default_rng(0).integers(0, 24, 100_000).astype(np.float64)

    histogram = standard_histogram(_quantiles(values, 3).distribution(), Extent(0.0, 23.0))

    exact = [np.sum((values > b.low_value) & (values <= b.high_value)) for b in histogram.buckets]
    exact[0] += np.sum(values == 0.0)
    assert [bucket.sample_count for bucket in histogram.buckets] == exact


def test_infinities_have_buckets_of_their_own():
    distribution = _quantiles([-np.inf, -np.inf, 1.0, 2.0, 3.0, np.inf]).distribution()

    histogram = standard_histogram(distribution, Extent(1.0, 3.0, below=2, above=1))

    assert (histogram.buckets[0].low_value, histogram.buckets[0].sample_count) == (-np.inf, 2)
    assert (histogram.buckets[-1].high_value, histogram.buckets[-1].sample_count) == (np.inf, 1)
    assert sum(bucket.sample_count for bucket in histogram.buckets[1:-1]) == pytest.approx(3)


def test_bounds_of_a_histogram_wider_than_any_float_are_finite():
    distribution = _quantiles([-1.7e308, 0.0, 1.7e308]).distribution()

    histogram = standard_histogram(distribution, Extent(-1.7e308, 1.7e308))

    assert all(np.isfinite(bucket.high_value) for bucket in histogram.buckets)
    assert sum(bucket.sample_count for bucket in histogram.buckets) == pytest.approx(3)


def test_a_constant_has_ten_equal_buckets():
    histogram = constant_histogram(1.0, 25)

    assert [bucket.sample_count for bucket in histogram.buckets] == [2.5] * 10


def test_a_distribution_of_nothing_is_refused():
    with pytest.raises(ValueError, match="No numbers"):
        Quantiles().distribution()


def _counts(values, parts=1):
    whole = ValueCounts()
    for part in range(parts):
        one = ValueCounts()
        one.add(pa.array(values[part::parts], pa.string()))
        whole.merge(pickle.loads(pickle.dumps(one)))
    return whole


@given(st.lists(st.text(max_size=3), min_size=1, max_size=60), st.integers(1, 4))
def test_counts_of_few_distinct_values_are_exact_however_they_are_cut(values, parts):
    counts = _counts(values, parts)

    expected = sorted(((value, values.count(value)) for value in set(values)), key=lambda pair: (pair[1], pair[0]))
    assert counts.frequent() == expected[::-1]
    assert counts.distinct() == len(expected)


@pytest.mark.parametrize("parts", [1, 5])
def test_counts_beyond_capacity_are_never_too_high_and_little_too_low(parts):
    rng = np.random.default_rng(0)
    values = np.concatenate([np.arange(100_000), np.full(5_000, 7), np.full(500, 11)])
    rng.shuffle(values)

    counts = _counts([str(value) for value in values], parts)

    frequent = dict(counts.frequent())
    allowed = len(values) / CAPACITY
    assert 5_001 - allowed <= frequent["7"] <= 5_001
    assert 501 - allowed <= frequent["11"] <= 501
    assert max(count for value, count in frequent.items() if value not in ("7", "11")) <= 1
    assert counts.distinct() == pytest.approx(100_000, rel=0.06)


def test_values_that_are_no_text_and_long_ones_have_placeholders():
    counts = ValueCounts()

    counts.add(pa.array([b"\xff", b"ok", b"x" * 1025, b"\xfe"]))

    assert dict(counts.frequent()) == {INVALID_UTF8: 2, "ok": 1, LONG_VALUE: 1}
    assert counts.distinct() == 4

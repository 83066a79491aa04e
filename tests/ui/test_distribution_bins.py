"""Bins that several sides share, and distances between sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.feature_view import FeatureView, views
from penstock.ui.distribution_bins import even_bins, quantile_bins
from penstock.ui.shown import EVERYTHING
from penstock.ui.side_distances import distances
from penstock.ui.statistics_sides import sides_of
from tests.ui import described

numbers = st.lists(st.integers(-50, 50) | st.floats(-1e6, 1e6), min_size=1, max_size=60).map(
    lambda values: [float(value) for value in values]
)


def view_of(values: list[float]) -> FeatureView:
    (view,) = views(describe_table(pa.table({"n": pa.array(values, pa.float64())})).datasets[0])
    return view


@given(st.lists(numbers, min_size=1, max_size=3))
def test_the_shares_of_a_side_are_all_of_it(sides: list[list[float]]):
    described_sides = [view_of(values) for values in sides]

    for bins in (even_bins(described_sides), even_bins(described_sides, 10), quantile_bins(described_sides)):
        assert bins is not None
        assert all(sum(shares) == pytest.approx(1.0) for shares in bins.shares)
        assert all(share >= 0.0 for shares in bins.shares for share in shares)
        assert all(low <= high for low, high in bins.edges)
        assert [low for low, _ in bins.edges[1:]] == [high for _, high in bins.edges[:-1]]


@given(numbers)
def test_shares_below_the_edges_of_a_histogram_are_exact(values: list[float]):
    bins = even_bins([view_of(values)])

    assert bins is not None
    reached = np.cumsum(bins.shares[0])
    counted = [sum(value <= high for value in values) / len(values) for _, high in bins.edges]
    on_edge = [sum(value == high for value in values) / len(values) for _, high in bins.edges]
    assert all(
        exact - own - 1e-9 <= found <= exact + 1e-9 for found, exact, own in zip(reached, counted, on_edge, strict=True)
    )


def test_a_frequent_number_is_a_bin_of_its_own_between_quantiles():
    bins = quantile_bins([view_of([0.0] * 80 + [float(value) for value in range(1, 21)])])

    assert bins is not None
    assert bins.edges[0] == (0.0, 0.0)
    assert bins.shares[0][0] == pytest.approx(0.8, abs=0.05)


def test_sides_without_numbers_have_no_bins():
    assert even_bins([view_of([float("nan")]), None]) is None
    assert quantile_bins([None]) is None


def test_an_outlier_does_not_make_equal_distributions_differ(tmp_path: Path):
    values = np.random.default_rng(0).normal(size=2000).tolist()
    shown = described.statistics(tmp_path, {"train": {"n": values}, "eval": {"n": [*values[:-1], 1e6]}})

    (apart,) = distances(sides_of([shown], EVERYTHING))

    assert apart.jensen_shannon < 0.01


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([5.0] * 100, [3.0] * 100),
        ([5.0] * 100, [7.0] * 100),
        ([0.0] * 40 + [1.0, 2.0, 3.0] * 20, [-1.0] * 40 + [1.0, 2.0, 3.0] * 20),
        ([0.0, 1.0] * 50, [0.0, 2.0] * 50),
    ],
)
def test_a_frequent_number_that_moved_is_apart(tmp_path: Path, before: list[float], after: list[float]):
    shown = described.statistics(tmp_path, {"train": {"n": before}, "eval": {"n": after}})

    (apart,) = distances(sides_of([shown], EVERYTHING))

    assert apart.jensen_shannon > 0.1


def test_distances_know_where_a_category_moved(tmp_path: Path):
    splits = {"train": {"s": ["a"] * 6 + ["b"] * 4}, "eval": {"s": ["a"] * 2 + ["b"] * 8}}

    (apart,) = distances(sides_of([described.statistics(tmp_path, splits)], EVERYTHING))

    assert (apart.before, apart.after) == ("train", "eval")
    assert apart.l_infinity == pytest.approx(0.4)
    assert apart.value in ("a", "b")


def test_numbers_that_became_nan_are_apart(tmp_path: Path):
    splits = {"train": {"n": [1.0, 2.0] * 50}, "eval": {"n": [1.0, float("nan")] * 50}}

    (apart,) = distances(sides_of([described.statistics(tmp_path, splits)], EVERYTHING))

    assert apart.jensen_shannon > 0.2

"""What statistics promise: exact figures equal independent ones, and sharding changes nothing beyond stated bounds."""

import itertools
import math
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.components import StatsOptions
from penstock.components.validation.dataset_statistics import RangeStatistics, describe_table
from penstock.components.validation.quantiles import RANK_ERROR
from penstock.components.validation.value_counts import CAPACITY, COUNT_ERROR, DISTINCT_ERROR

TAXI = Path(__file__).parents[3] / "shared" / "data" / "chicago_taxi.csv"
needs_taxi = pytest.mark.skipif(not TAXI.exists(), reason=f"the Chicago taxi data is not shipped: {TAXI.name}")

shapes = st.sampled_from(["normal", "lognormal", "ascending", "descending", "ties", "spikes"])


def _numbers(shape, rng, size):
    """Return numbers of some shape; ten in a thousand are zero."""
    values = {
        "normal": lambda: rng.normal(size=size),
        "lognormal": lambda: rng.lognormal(sigma=3.0, size=size),
        "ascending": lambda: np.sort(rng.normal(size=size)),
        "descending": lambda: -np.sort(rng.lognormal(size=size)),
        "ties": lambda: rng.integers(-600, 600, size) * 0.5,
        "spikes": lambda: np.where(rng.random(size) < 0.4, 7.25, rng.normal(size=size)),
    }[shape]()
    values[rng.random(size) < 0.01] = 0.0
    return values


@st.composite
def large_tables(draw):
    """Tables beyond the capacity of the sketches, or just within."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.integers(5_000, 40_000))
    values = _numbers(draw(shapes), rng, size)
    words = rng.zipf(1.3, size) % draw(st.sampled_from([50, 4_000, 30_000]))
    return pa.table(
        {
            "x": pa.array(values, mask=rng.random(size) < 0.05),
            "s": pa.array([str(word) for word in words], mask=rng.random(size) < 0.05),
        }
    )


def _merged_at_random(table, data):
    """Describe `table` cut anywhere, each range pickled, merged in any order and any grouping."""
    cuts = sorted(data.draw(st.lists(st.integers(0, table.num_rows), max_size=7)))
    parts = []
    for number, (start, end) in enumerate(itertools.pairwise([0, *cuts, table.num_rows])):
        one = RangeStatistics(table.schema, number)
        for batch in table.slice(start, end - start).to_batches(max_chunksize=data.draw(st.integers(1_000, 20_000))):
            one.add(batch)
        parts.append(pickle.loads(pickle.dumps(one)))
    while len(parts) > 1:
        into = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        into.merge(parts.pop(data.draw(st.integers(0, len(parts) - 1))))
        parts.append(pickle.loads(pickle.dumps(into)))
    return parts[0].proto().datasets[0]


@settings(max_examples=30, deadline=None)
@given(large_tables(), st.data())
def test_any_shards_and_any_order_of_merging_keep_what_is_promised(table, data):
    merged = _merged_at_random(table, data)

    whole = describe_table(table).datasets[0]
    numbers, strings = (feature for feature in merged.features)
    _assert_exact_part_is_equal(numbers, whole.features[0])
    _assert_quantiles(numbers.num_stats, table["x"].drop_null().to_numpy())
    counts = {each["values"]: each["counts"] for each in table["s"].drop_null().value_counts().to_pylist()}
    assert strings.string_stats.common_stats == whole.features[1].string_stats.common_stats
    assert strings.string_stats.avg_length == whole.features[1].string_stats.avg_length
    assert strings.string_stats.unique == whole.features[1].string_stats.unique
    _assert_counts(strings.string_stats, counts)
    if len(counts) <= CAPACITY:
        assert strings == whole.features[1]


def _assert_exact_part_is_equal(found, whole):
    for name in ("mean", "std_dev", "num_zeros", "min", "max", "common_stats"):
        assert getattr(found.num_stats, name) == getattr(whole.num_stats, name), name
    assert [each.num_nan for each in found.num_stats.histograms] == [0, 0]


def _assert_quantiles(numeric, values):
    """Every bound of the quantiles histogram, and the median, lies where its rank says, to within `RANK_ERROR`."""
    ordered = np.sort(values)
    standard, quantiles = numeric.histograms
    bounds = [quantiles.buckets[0].low_value, *(bucket.high_value for bucket in quantiles.buckets)]
    for wanted, value in [*zip(np.linspace(0.0, 1.0, 11), bounds, strict=True), (0.5, numeric.median)]:
        low, high = (np.searchsorted(ordered, value, side) / len(ordered) for side in ("left", "right"))
        assert low - RANK_ERROR <= wanted <= high + RANK_ERROR
    assert (bounds[0], bounds[-1]) == (ordered[0], ordered[-1])
    reached = np.cumsum([bucket.sample_count for bucket in standard.buckets])
    for bucket, count in zip(standard.buckets, reached, strict=True):
        low, high = (np.searchsorted(ordered, bucket.high_value, side) for side in ("left", "right"))
        assert low - 2 * RANK_ERROR * len(ordered) <= count <= high + 2 * RANK_ERROR * len(ordered)


def _assert_counts(strings, counts):
    total = sum(counts.values())
    found = {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets}
    for value, count in found.items():
        assert counts[value] - COUNT_ERROR * total <= count <= counts[value]
    least = min(found.values()) if len(found) == 1000 else 0
    for value, count in counts.items():
        if count > COUNT_ERROR * total + least:
            assert value in found
    # One estimate in sixteen thousand is off by more than four standard errors; a test that runs often allows six.
    allowed = 1.5 * DISTINCT_ERROR if len(counts) > CAPACITY else 0
    assert strings.unique == pytest.approx(len(counts), rel=allowed)


small_floats = (
    st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from([0.0, 0.1, -3.0])
)
weights = st.integers(0, 2**20).map(lambda value: value / 64)


@given(st.lists(st.tuples(small_floats, weights), min_size=1, max_size=30))
def test_moments_equal_fractions_of_integers(rows):
    table = pa.table({"x": pa.array([x for x, _ in rows], pa.float64()), "w": [w for _, w in rows]})

    feature = describe_table(table, options=StatsOptions(weight_feature="w")).datasets[0].features[0].num_stats

    there = [(Fraction(x), Fraction(w)) for x, w in rows if x is not None]
    common = feature.common_stats.weighted_common_stats
    assert common.num_non_missing == float(sum(w for _, w in there))
    assert common.num_missing == float(sum(Fraction(w) for x, w in rows if x is None))
    if there:
        mean = sum(x for x, _ in there) / len(there)
        assert feature.mean == float(mean)
        assert feature.std_dev == pytest.approx(
            math.sqrt(sum((x - mean) ** 2 for x, _ in there) / len(there)), rel=1e-14
        )
    weight = sum(w for _, w in there)
    if weight:
        weighted = sum(x * w for x, w in there) / weight
        spread = sum(w * (x - weighted) ** 2 for x, w in there) / weight
        assert feature.weighted_numeric_stats.mean == float(weighted)
        largest = float(max(abs(x) for x, _ in there))
        assert feature.weighted_numeric_stats.std_dev == pytest.approx(math.sqrt(spread), rel=1e-6, abs=1e-8 * largest)


@given(st.lists(st.none() | st.lists(st.sampled_from(["a", "b", "é", ""]), max_size=4), min_size=1, max_size=20))
def test_lists_equal_what_arrow_counts(rows):
    column = pa.array(rows, pa.list_(pa.string()))

    strings = describe_table(pa.table({"s": column})).datasets[0].features[0].string_stats

    flat = column.flatten()
    exact = {each["values"]: each["counts"] for each in flat.value_counts().to_pylist()}
    assert {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets} == exact
    assert (strings.unique, strings.common_stats.tot_num_values) == (pc.count_distinct(flat).as_py(), len(flat))
    lengths = pc.list_value_length(column).drop_null()
    if len(lengths):
        bounds = pc.min_max(lengths).as_py()
        assert (strings.common_stats.min_num_values, strings.common_stats.max_num_values) == tuple(bounds.values())
        assert strings.common_stats.avg_num_values == pytest.approx(pc.mean(lengths).as_py(), rel=1e-6)


def _taxi():
    return pyarrow.csv.read_csv(TAXI, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))


@needs_taxi
def test_taxi_equals_arrow_in_every_exact_figure():
    table = _taxi()

    for feature in describe_table(table).datasets[0].features:
        column = table[feature.path.step[0]]
        common = getattr(feature, feature.WhichOneof("stats")).common_stats
        assert (common.num_missing, common.num_non_missing) == (column.null_count, len(column) - column.null_count)
        if feature.HasField("num_stats") and common.num_non_missing:
            values = column.drop_null().to_numpy().astype(np.float64)
            numeric = feature.num_stats
            assert numeric.mean == pytest.approx(math.fsum(values) / len(values), rel=1e-15)
            spread = math.fsum((values - numeric.mean) ** 2) / len(values)
            assert numeric.std_dev == pytest.approx(math.sqrt(spread), rel=1e-12)
            assert numeric.num_zeros == pc.sum(pc.equal(column, 0)).as_py()
            assert {"min": numeric.min, "max": numeric.max} == pc.min_max(column).as_py()
            _assert_quantiles(numeric, values)
        elif feature.HasField("string_stats"):
            counts = {each["values"]: each["counts"] for each in column.drop_null().value_counts().to_pylist()}
            assert {each.label: each.sample_count for each in feature.string_stats.rank_histogram.buckets} == counts
            lengths = pc.binary_length(column.drop_null())
            mean = pc.mean(lengths).as_py() if len(lengths) else 0.0
            assert feature.string_stats.avg_length == pytest.approx(mean, rel=1e-6)


@needs_taxi
def test_weighted_taxi_equals_numpy():
    table = _taxi().select(["fare", "payment_type", "trip_seconds"])
    table = table.filter(pc.is_valid(table["trip_seconds"]))

    fare, payment, _ = describe_table(table, options=StatsOptions(weight_feature="trip_seconds")).datasets[0].features

    values, weight = (table[name].to_numpy().astype(np.float64) for name in ("fare", "trip_seconds"))
    mean = np.average(values, weights=weight)
    weighted = fare.num_stats.weighted_numeric_stats
    assert weighted.mean == pytest.approx(mean, rel=1e-12)
    assert weighted.std_dev == pytest.approx(math.sqrt(np.average((values - mean) ** 2, weights=weight)), rel=1e-9)
    sums = table.group_by("payment_type").aggregate([("trip_seconds", "sum")]).to_pylist()
    top = payment.string_stats.weighted_string_stats.rank_histogram.buckets
    assert {each.label: each.sample_count for each in top} == pytest.approx(
        {each["payment_type"]: each["trip_seconds_sum"] for each in sums}, rel=1e-6
    )


@needs_taxi
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_taxi_cut_anywhere_keeps_what_is_promised(data):
    table = _taxi().select(["fare", "company"]).rename_columns(["x", "s"])

    merged = _merged_at_random(table, data)

    whole = describe_table(table).datasets[0]
    _assert_exact_part_is_equal(merged.features[0], whole.features[0])
    _assert_quantiles(merged.features[0].num_stats, table["x"].drop_null().to_numpy())
    assert merged.features[1] == whole.features[1]


@settings(max_examples=20, deadline=None)
@given(shapes, st.integers(0, 2**32), st.lists(st.integers(0, 30_000), max_size=6), st.data())
def test_weighted_quantiles_are_within_the_stated_error(shape, seed, cuts, data):
    rng = np.random.default_rng(seed)
    values, weight = _numbers(shape, rng, 30_000), rng.gamma(0.5, size=30_000)
    table = pa.table({"x": values, "w": weight})
    parts = []
    for number, (start, end) in enumerate(itertools.pairwise([0, *sorted(cuts), 30_000])):
        one = RangeStatistics(table.schema, number, options=StatsOptions(weight_feature="w"))
        for batch in table.slice(start, end - start).to_batches(max_chunksize=9_000):
            one.add(batch)
        parts.append(one)
    whole = parts.pop(0)
    for part in data.draw(st.permutations(parts)):
        whole.merge(pickle.loads(pickle.dumps(part)))

    weighted = whole.proto().datasets[0].features[0].num_stats.weighted_numeric_stats

    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], np.concatenate([[0.0], np.cumsum(weight[order])]) / weight.sum()
    bounds = [bucket.high_value for bucket in weighted.histograms[1].buckets]
    for wanted, value in [*zip(np.linspace(0.1, 1.0, 10), bounds, strict=True), (0.5, weighted.median)]:
        low, high = (reached[np.searchsorted(ordered, value, side)] for side in ("left", "right"))
        assert low - RANK_ERROR <= wanted <= high + RANK_ERROR
    assert weighted.mean == pytest.approx(np.average(values, weights=weight), rel=1e-9, abs=1e-9)

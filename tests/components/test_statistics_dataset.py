"""Statistics of tables against values computed independently, and the laws of merging."""

import datetime
import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics

from penstock.components.validation.dataset_statistics import RangeStatistics, describe_table, merge_ranges
from penstock.data.errors import UnsupportedDataError

TAXI = Path(__file__).parents[3] / "shared" / "data" / "chicago_taxi.csv"


def _feature(table, name, hints=None):
    dataset = describe_table(table, hints).datasets[0]
    return next(feature for feature in dataset.features if feature.path.step[0] == name)


def _sharded(table, cuts, order=None):
    """Describe `table` cut before the rows `cuts`, each range pickled, merged in any order."""
    bounds = [0, *sorted(cuts), table.num_rows]
    ranges = []
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        one = RangeStatistics(table.schema, number)
        for batch in table.slice(start, end - start).to_batches():
            one.add(batch)
        ranges.append(pickle.loads(pickle.dumps(one)))
    return merge_ranges([ranges[i] for i in order] if order else ranges).proto()


optional_floats = st.none() | st.floats(width=32) | st.sampled_from([0.0, 1.0, math.nan])
optional_ints = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3)
optional_texts = st.none() | st.text(max_size=3)
lists_of_floats = st.none() | st.lists(st.floats(-10, 10), max_size=4)


@st.composite
def tables(draw):
    rows = draw(st.integers(0, 40))

    def column(cells, kind):
        return pa.array(draw(st.lists(cells, min_size=rows, max_size=rows)), kind)

    return pa.table(
        {
            "float": column(optional_floats, pa.float32()),
            "int": column(optional_ints, pa.int64()),
            "text": column(optional_texts, pa.string()),
            "blob": column(st.none() | st.binary(max_size=3), pa.binary()),
            "list": column(lists_of_floats, pa.list_(pa.float64())),
            "texts": column(st.none() | st.lists(st.text(max_size=2), max_size=3), pa.list_(pa.string())),
        }
    )


@given(tables())
def test_presence_equals_what_python_counts(table):
    dataset = describe_table(table).datasets[0]

    assert dataset.num_examples == table.num_rows
    for feature in dataset.features:
        common = getattr(feature, feature.WhichOneof("stats")).common_stats
        cells = table[feature.path.step[0]].to_pylist()
        present = [cell for cell in cells if cell is not None]
        lengths = [len(cell) if isinstance(cell, list) else 1 for cell in present]
        assert (common.num_missing, common.num_non_missing) == (cells.count(None), len(present))
        assert common.tot_num_values == sum(lengths)
        if present:
            assert (common.min_num_values, common.max_num_values) == (min(lengths), max(lengths))
            assert common.avg_num_values == pytest.approx(sum(lengths) / len(present))
            assert sum(b.sample_count for b in common.num_values_histogram.buckets) == pytest.approx(len(present))


@given(tables())
def test_numbers_equal_what_numpy_computes(table):
    for name in ("float", "int", "list"):
        cells = table[name].to_pylist()
        flat = [value for cell in cells if cell is not None for value in (cell if name == "list" else [cell])]
        values = np.array([value for value in flat if not math.isnan(value)], dtype=np.float64)
        finite = values[np.isfinite(values)]

        numeric = _feature(table, name).num_stats

        nans = len(flat) - len(values)
        assert all(histogram.num_nan == nans for histogram in numeric.histograms)
        assert len(numeric.histograms) == (2 if flat else 0)
        if len(values):
            assert (numeric.min, numeric.max) == (values.min(), values.max())
            assert numeric.num_zeros == np.count_nonzero(values == 0.0)
        if len(values) and len(finite) == len(values):
            largest = np.abs(values).max()
            assert numeric.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9 * largest)
            scaled = values / (largest or 1.0)  # numpy's squares of very small numbers are all 0
            assert numeric.std_dev / (largest or 1.0) == pytest.approx(scaled.std(), abs=1e-6)


@given(tables())
def test_strings_equal_what_python_counts(table):
    for name in ("text", "texts", "blob"):
        cells = [cell for cell in table[name].to_pylist() if cell is not None]
        flat = [value for cell in cells for value in (cell if name == "texts" else [cell])]
        sizes = [len(value if isinstance(value, bytes) else value.encode()) for value in flat]

        strings = _feature(table, name).string_stats

        assert strings.unique == len(set(flat))
        assert sum(bucket.sample_count for bucket in strings.rank_histogram.buckets) == len(flat)
        assert strings.avg_length == pytest.approx(sum(sizes) / len(sizes) if sizes else 0.0)
        if name != "blob" and flat:
            top = strings.top_values[0]
            assert top.frequency == flat.count(top.value) == max(map(flat.count, flat))


@settings(max_examples=50)
@given(tables(), st.data())
def test_any_sharding_of_few_rows_gives_the_same_bytes(table, data):
    cuts = data.draw(st.lists(st.integers(0, table.num_rows), max_size=4))
    order = data.draw(st.permutations(range(len(cuts) + 1)))

    sharded = _sharded(table, cuts, order)

    assert sharded.SerializeToString() == _sharded(table, []).SerializeToString()


def test_merging_in_any_order_gives_the_same_bytes_for_many_rows():
    rng = np.random.default_rng(0)
    table = pa.table({"x": rng.normal(size=60_000), "s": [str(value) for value in rng.integers(0, 9_000, 60_000)]})
    cuts = [10_000, 25_000, 40_000, 55_000]

    forwards = _sharded(table, cuts).SerializeToString()

    assert _sharded(table, cuts, [4, 1, 3, 0, 2]).SerializeToString() == forwards


def test_exact_figures_do_not_depend_on_the_sharding_of_many_rows():
    rng = np.random.default_rng(1)
    table = pa.table({"x": rng.lognormal(size=60_000), "s": rng.choice(["a", "b", "c"], 60_000)})

    one, several = _sharded(table, []).datasets[0], _sharded(table, [7, 20_000, 43_210]).datasets[0]

    for name in ("mean", "std_dev", "min", "max", "num_zeros"):
        assert getattr(one.features[0].num_stats, name) == getattr(several.features[0].num_stats, name)
    assert one.features[1] == several.features[1]


def test_two_ranges_of_one_number_are_refused():
    schema = pa.schema({"x": pa.int64()})

    with pytest.raises(ValueError, match=r"distinct numbers, got \[3, 3\]"):
        merge_ranges([RangeStatistics(schema, 3), RangeStatistics(schema, 3)])


@pytest.mark.skipif(not TAXI.exists(), reason=f"the Chicago taxi data is not shipped: {TAXI.name}")
def test_taxi_equals_numpy():
    table = pyarrow.csv.read_csv(TAXI, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))

    dataset = describe_table(table).datasets[0]

    assert dataset.num_examples == 15_002
    assert [feature.path.step[0] for feature in dataset.features] == table.column_names
    for feature in dataset.features:
        column = table[feature.path.step[0]]
        if feature.HasField("num_stats"):
            numeric, values = feature.num_stats, column.drop_null().to_numpy().astype(np.float64)
            assert numeric.common_stats.num_missing == column.null_count
            assert numeric.mean == pytest.approx(values.mean() if len(values) else 0.0, rel=1e-12)
            assert numeric.std_dev == pytest.approx(values.std() if len(values) else 0.0, rel=1e-9)
            if len(values):
                assert (numeric.min, numeric.max) == (values.min(), values.max())
                assert abs(np.mean(values <= numeric.median) - 0.5) <= 0.01 + np.mean(values == numeric.median)
        else:
            counts = column.drop_null().value_counts().to_pylist()
            exact = sorted(((each["counts"], each["values"]) for each in counts), reverse=True)[:20]
            assert [(top.frequency, top.value) for top in feature.string_stats.top_values] == exact
            assert feature.string_stats.unique == len(counts)


def test_integers_that_the_schema_calls_categories_are_counted():
    hints = schema_pb2.Schema()
    hints.feature.add(name="zone", type=schema_pb2.INT).int_domain.is_categorical = True

    feature = _feature(pa.table({"zone": [7, 7, -1, None]}), "zone", hints)

    assert feature.type == FeatureNameStatistics.INT
    assert [(top.value, top.frequency) for top in feature.string_stats.top_values] == [("7", 2), ("-1", 1)]
    assert feature.string_stats.avg_length == pytest.approx(4 / 3)


def test_strings_that_the_schema_calls_images_are_measured():
    hints = schema_pb2.Schema()
    hints.feature.add(name="picture", type=schema_pb2.BYTES).image_domain.SetInParent()

    feature = _feature(pa.table({"picture": [b"\xff\xd8", b"\xff\xd8\x00\x00", None]}), "picture", hints)

    assert feature.type == FeatureNameStatistics.BYTES
    sizes = feature.bytes_stats
    assert (sizes.min_num_bytes, sizes.max_num_bytes, sizes.avg_num_bytes) == (2, 4, 3)


def test_binaries_that_are_no_text_are_counted_as_such():
    strings = _feature(pa.table({"b": [b"\xff", b"\xff", b"a"]}), "b").string_stats

    assert strings.invalid_utf8_count == 2
    assert strings.top_values[0].value == "__BYTES_VALUE__"


@pytest.mark.parametrize("values", [pa.array([True, None]), pa.array([1, None], pa.int8()), pa.array([None, None])])
def test_small_integers_booleans_and_nothing_are_described(values):
    feature = describe_table(pa.table({"x": values})).datasets[0].features[0]

    expected = FeatureNameStatistics.STRING if values.null_count == 2 else FeatureNameStatistics.INT
    assert feature.type == expected


def test_dictionary_encoding_does_not_matter():
    plain = pa.table({"s": pa.array(["a", None, "b", "a"])})

    encoded = pa.table({"s": plain["s"].dictionary_encode()})

    assert describe_table(encoded) == describe_table(plain)


def test_long_lists_are_summed_exactly():
    values = np.full(3 * 2**18, 2**62 + 1, dtype=np.int64)
    table = pa.table({"x": pa.FixedSizeListArray.from_arrays(pa.array(values), 2**18)})

    numeric = _feature(table, "x").num_stats

    assert (numeric.mean, numeric.std_dev) == (float(2**62 + 1), 0.0)
    assert numeric.common_stats.tot_num_values == len(values)


def test_infinities_show_in_mean_and_extremes():
    numeric = _feature(pa.table({"x": [1.0, math.inf]}), "x").num_stats

    assert (numeric.mean, numeric.max, numeric.min) == (math.inf, math.inf, 1.0)
    assert math.isnan(numeric.std_dev)


def test_a_column_of_another_type_is_refused_by_name():
    table = pa.table({"s": [{"a": [datetime.date(2026, 1, 1)]}]})

    with pytest.raises(
        UnsupportedDataError, match=r"Column 's\.a' is of type list<.*date32.*>, which can't be described"
    ):
        describe_table(table)

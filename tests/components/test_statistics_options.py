"""What StatsOptions ask for: weights, slices, samples, meanings, correlations; merged exactly, refused clearly."""

import math
import pickle
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import NaturalLanguageStatistics

from penstock.components import StatsOptions
from penstock.components.validation.anomalies import validate
from penstock.components.validation.dataset_statistics import RangeStatistics, describe_table, merge_ranges
from penstock.components.validation.draft import Draft
from penstock.components.validation.feature_view import FeatureView, is_weighted
from penstock.components.validation.schema_inference import infer_schema
from penstock.components.validation.semantic_rules import language_fits
from penstock.components.validation.statistics_files import more_of
from penstock.components.validation.statistics_ranges import read_columns
from penstock.data.errors import DataFormatError
from penstock.pipeline import DataError, ModuleFile, ParameterError, UserCodeError, WiringError

TRIPS = pa.table(
    {
        "fare": [1.0, 2.0, None, 10.0],
        "tags": [["a"], ["a", "b"], None, ["b"]],
        "payment": ["Cash", "Card", "Cash", None],
        "zone": [1, 1, 2, 2],
        "w": [1.0, 2.0, 4.0, 0.0],
    }
)


def _described(table, options, hints=None):
    return {dataset.name: dataset for dataset in describe_table(table, hints, options).datasets}


def _feature(dataset, name):
    return next(feature for feature in dataset.features if feature.path.step[0] == name)


def test_weights_count_rows_values_and_moments():
    whole = _described(TRIPS, StatsOptions(weight_feature="w"))["All Examples"]

    fare = _feature(whole, "fare").num_stats
    assert whole.weighted_num_examples == 7.0
    assert fare.common_stats.weighted_common_stats.num_non_missing == 3.0
    assert fare.common_stats.weighted_common_stats.num_missing == 4.0
    assert fare.weighted_numeric_stats.mean == pytest.approx(5 / 3)
    assert fare.weighted_numeric_stats.std_dev == pytest.approx(math.sqrt(2 / 9))
    assert fare.weighted_numeric_stats.median == 2.0
    assert fare.mean == pytest.approx(13 / 3)


def test_weights_count_every_value_of_a_list():
    tags = _feature(_described(TRIPS, StatsOptions(weight_feature="w"))["All Examples"], "tags").string_stats

    assert [(top.value, top.frequency) for top in tags.weighted_string_stats.top_values] == [("a", 3.0), ("b", 2.0)]
    assert tags.common_stats.weighted_common_stats.tot_num_values == 5.0
    assert tags.common_stats.weighted_common_stats.avg_num_values == pytest.approx(5 / 3)


def test_weighted_statistics_are_judged_by_weight():
    schema = text_format.Parse(
        "feature { name: 'fare' type: FLOAT presence { min_fraction: 0.5 } }", schema_pb2.Schema()
    )
    statistics = describe_table(TRIPS.select(["fare", "w"]), options=StatsOptions(weight_feature="w"))

    anomaly = validate(statistics, schema).features[0]

    assert is_weighted(statistics.datasets[0])
    assert anomaly.findings[0].long.endswith("minimum fraction = 0.500000, actual = 0.428571")


@pytest.mark.parametrize(("weight", "told"), [(None, "1 of 2 rows in a batch have none"), (-1.0, "has the weight -1")])
def test_a_row_without_a_proper_weight_is_refused(weight, told):
    with pytest.raises(DataFormatError, match=told):
        describe_table(pa.table({"w": [1.0, weight]}), options=StatsOptions(weight_feature="w"))


def test_slices_are_data_sets_of_their_own():
    datasets = _described(TRIPS, StatsOptions(slice_features=[["payment"], ["zone", "payment"]]))

    assert {name: dataset.num_examples for name, dataset in datasets.items()} == {
        "All Examples": 4,
        "payment_Card": 1,
        "payment_Cash": 2,
        "payment_Card_zone_1": 1,
        "payment_Cash_zone_1": 1,
        "payment_Cash_zone_2": 1,
    }
    assert _feature(datasets["payment_Cash"], "fare").num_stats.mean == 1.0


def test_slices_are_weighted_too():
    datasets = _described(TRIPS, StatsOptions(slice_features=[["zone"]], weight_feature="w"))

    assert [datasets[f"zone_{zone}"].weighted_num_examples for zone in (1, 2)] == [3.0, 4.0]


def test_too_many_slices_are_refused():
    table = pa.table({"id": [str(i) for i in range(200)]})

    with pytest.raises(DataFormatError, match=r"at most 100 are described\. Slice by columns with fewer values"):
        describe_table(table, options=StatsOptions(slice_features=[["id"]]))


def test_a_sample_has_about_its_rate_and_does_not_depend_on_the_order_of_rows():
    table = pa.table({"x": np.arange(20_000)})
    options = StatsOptions(sample_rate=0.25)

    one = describe_table(table, options=options).datasets[0]
    other = describe_table(table.take(pa.array(np.arange(20_000)[::-1])), options=options).datasets[0]

    assert one.num_examples == pytest.approx(5_000, abs=250)
    assert (other.num_examples, other.features[0].num_stats.mean) == (one.num_examples, one.features[0].num_stats.mean)


def test_only_the_allowed_features_are_described():
    whole = _described(TRIPS, StatsOptions(feature_allowlist=["zone", "fare"], weight_feature="w"))["All Examples"]

    assert [feature.path.step[0] for feature in whole.features] == ["fare", "zone"]
    assert whole.weighted_num_examples == 7.0


def test_numbers_of_buckets_are_as_asked_for():
    options = StatsOptions(
        num_top_values=1,
        num_rank_histogram_buckets=2,
        num_histogram_buckets=3,
        num_quantiles_histogram_buckets=4,
    )
    whole = _described(pa.table({"x": [1.0, 2.0, 3.0], "s": ["a", "b", "c"]}), options)["All Examples"]

    assert [len(each.buckets) for each in _feature(whole, "x").num_stats.histograms] == [3, 4]
    strings = _feature(whole, "s").string_stats
    assert (len(strings.top_values), len(strings.rank_histogram.buckets)) == (1, 2)


def test_correlation_and_covariance_equal_numpys():
    rng = np.random.default_rng(0)
    x = rng.normal(size=500) + 1e6
    y = 2.0 * x + rng.normal(size=500)
    table = pa.table({"x": x, "y": pa.array(y, mask=np.arange(500) < 5)})

    (cross,) = describe_table(table, options=StatsOptions(cross_features=[["x", "y"]])).datasets[0].cross_features

    assert cross.count == 495
    assert cross.num_cross_stats.correlation == pytest.approx(np.corrcoef(x[5:], y[5:])[0, 1], rel=1e-6)
    assert cross.num_cross_stats.covariance == pytest.approx(np.cov(x[5:], y[5:], bias=True)[0, 1], rel=1e-6)


def test_a_constant_has_no_correlation():
    table = pa.table({"x": [1.0, 1.0], "y": [1, 2]})

    (cross,) = describe_table(table, options=StatsOptions(cross_features=[["x", "y"]])).datasets[0].cross_features

    assert math.isnan(cross.num_cross_stats.correlation)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["this is what people would write"] * 120, "natural_language_domain {}"),
        ([b"\x89PNG\r\n\x1a\nrest"] * 90 + [b"nothing"] * 10, "image_domain {}"),
        ([b"\xff\xd8\xff\xe0"] * 100, "image_domain {}"),
        ([3, 7, 9] * 50, "int_domain { min: 3 max: 9 is_categorical: true }"),
        (["word"] * 120, None),
        (["this is what people would write"] * 99, None),
        (list(range(200)), None),
        ([0, 1] * 100, None),
    ],
)
def test_meanings_are_suggested(values, expected):
    options = StatsOptions(enable_semantic_domain_stats=True)

    feature = describe_table(pa.table({"x": values}), options=options).datasets[0].features[0]

    found = next((each.str for each in feature.custom_stats if each.name == "domain_info"), None)
    assert found == expected


def test_a_schema_is_inferred_by_meaning():
    table = pa.table({"x": [3, 7, 9] * 50, "t": ["this is what people would write"] * 150})

    schema = infer_schema([describe_table(table, options=StatsOptions(enable_semantic_domain_stats=True))])

    assert [feature.WhichOneof("domain_info") for feature in schema.feature] == [
        "int_domain",
        "natural_language_domain",
    ]
    assert validate(describe_table(table, schema), schema).features == ()


def test_formats_of_known_images_are_counted_whatever_they_are():
    schema = text_format.Parse(
        "feature { name: 'x' type: BYTES image_domain { minimum_supported_image_fraction: 0.9 } }", schema_pb2.Schema()
    )

    (anomaly,) = validate(describe_table(pa.table({"x": [b"BM1", b"no"]}), schema), schema).features

    assert anomaly.findings[0].short == "Low supported image fraction"


COMPOUND = text_format.Parse(
    "sparse_feature { name: 's' value_feature { name: 'v' } index_feature { name: 'i' } } "
    "weighted_feature { name: 'f' feature { step: 'v' } weight_feature { step: 'w' } }",
    schema_pb2.Schema(),
)


def test_parts_of_sparse_and_weighted_features_are_held_against_each_other():
    table = pa.table({"v": [[1], [1, 2], None, None], "i": [[1], None, None, [4]], "w": [[1.0], [0.5], None, None]})

    sparse, weighted = describe_table(table, COMPOUND).datasets[0].features[-2:]
    weighted, sparse = (weighted, sparse) if weighted.path.step[0] == "f" else (sparse, weighted)

    numbers = {each.name: each.rank_histogram.buckets[0].sample_count for each in sparse.custom_stats[1:]}
    assert sparse.custom_stats[0].num == 1
    assert numbers == {"missing_index": 1, "max_length_diff": 1, "min_length_diff": -2}
    assert {each.name: each.num for each in weighted.custom_stats} == {
        "missing_value": 0,
        "missing_weight": 0,
        "min_weight_length_diff": -1,
        "max_weight_length_diff": 0,
    }


def test_what_is_made_of_columns_is_no_column_of_an_inferred_schema():
    statistics = describe_table(pa.table({"v": [[1]], "i": [[1]], "w": [[1.0]]}), COMPOUND)

    schema = infer_schema([statistics])

    assert [feature.name for feature in schema.feature] == ["v", "i", "w"]
    assert validate(statistics, schema).features == ()


rows = st.tuples(
    st.one_of(st.none(), st.integers(-50, 50)),
    st.one_of(st.none(), st.sampled_from(["a", "b", "c"])),
    st.integers(0, 8).map(float),
)


@given(st.lists(rows, max_size=40), st.integers(0, 40))
def test_ranges_merge_to_the_whole(values, cut):
    columns = {
        "x": pa.array([row[0] for row in values], pa.int64()),
        "s": pa.array([row[1] for row in values], pa.string()),
        "w": pa.array([row[2] for row in values], pa.float64()),
    }
    table = pa.table(columns)
    options = StatsOptions(
        weight_feature="w",
        slice_features=[["s"]],
        cross_features=[["x", "w"]],
        label_feature="s",
        per_feature_weight_override={"x": "w"},
        sample_rate=0.9,
        enable_semantic_domain_stats=True,
    )
    ranges = []
    for number, part in enumerate((table.slice(0, cut), table.slice(cut))):
        one = RangeStatistics(table.schema, number, options=options)
        for batch in part.to_batches():
            one.add(batch)
        ranges.append(one)

    merged = merge_ranges(reversed(ranges)).proto()

    assert merged == describe_table(table, options=options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"weight_feature": "wieght"}, r"weight_feature=...\) names 'wieght', which is no column of the examples. Did"),
        ({"weight_feature": "payment"}, r"takes a column of numbers, one a row; it is of type string"),
        ({"slice_features": [["fare"]]}, r"columns of strings or integers, one value a row; 'fare' is of type double"),
        ({"cross_features": [["fare", "payment"]]}, r"takes columns of numbers; 'payment' is of type string"),
        ({"label_feature": "fare"}, r"takes columns of strings or integers, one value a row; 'fare'"),
        ({"per_feature_weight_override": {"fare": "tags"}}, r"override={'fare': 'tags'}\) takes a column of numbers"),
        ({"per_feature_weight_override": {"far": "zone"}}, r"names 'far', which is no column of the examples. Did you"),
    ],
)
def test_options_that_do_not_fit_the_columns_are_refused(options, told):
    schema = TRIPS.rename_columns(["fare", "tags", "payment", "zone", "weight"]).schema

    with pytest.raises(DataError, match=told):
        read_columns(schema, None, StatsOptions(**options))


def test_only_the_columns_that_are_needed_are_read():
    options = StatsOptions(feature_allowlist=["fare"], weight_feature="w", slice_features=[["zone"]])

    assert read_columns(TRIPS.schema, None, options).names == ["fare", "zone", "w"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sample_rate": 0.0}, "sample_rate=0.0) is out of range: it goes above 0 to 1"),
        ({"num_histogram_buckets": 0}, "num_histogram_buckets=0) is out of range: it goes from 1"),
        ({"frequency_threshold": -1}, "frequency_threshold=-1) is out of range: it goes from 0 to inf"),
        ({"slice_features": ["zone"]}, "is a list of lists of one or more columns, got 'zone' among them"),
        ({"cross_features": [["a"]]}, "is a list of lists of two columns, got ['a'] among them"),
        ({"feature_allowlist": []}, "(feature_allowlist=[]) describes no column. Name some, or leave it out"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, told):
    with pytest.raises(WiringError) as refused:
        StatsOptions(**options)

    assert told in str(refused.value)


LANGUAGE = text_format.Parse(
    "feature { name: 'x' type: BYTES natural_language_domain { "
    "coverage { min_coverage: 0.9 excluded_string_tokens: '.' oov_string_tokens: '<unk>' } "
    "token_constraints { string_value: 'the' min_fraction_of_sequences: 0.9 max_per_sequence: 1 } } }",
    schema_pb2.Schema(),
)


def _language_statistics(table, schema):
    (statistic,) = describe_table(table, schema).datasets[0].features[0].custom_stats
    found = NaturalLanguageStatistics()
    statistic.any.Unpack(found)
    return found


def test_tokens_of_a_language_are_counted_by_sequence():
    found = _language_statistics(pa.table({"x": [["the", "<unk>", "."], ["the", "the", "cat"], [], None]}), LANGUAGE)

    (token,) = found.token_statistics
    assert (found.feature_coverage, found.avg_token_length) == (pytest.approx(4 / 5), 3.0)
    assert (found.min_sequence_length, found.max_sequence_length) == (3, 3)
    assert (token.frequency, token.fraction_of_sequences) == (3, pytest.approx(2 / 3))
    assert (token.per_sequence_min_frequency, token.per_sequence_max_frequency) == (1, 2)


def test_a_language_is_held_against_its_domain():
    table = pa.table({"x": [["the", "<unk>"], ["the", "the"]]})

    (anomaly,) = validate(describe_table(table, LANGUAGE), LANGUAGE).features

    assert [AnomalyInfo.Type.Name(finding.type) for finding in anomaly.findings] == [
        "FEATURE_COVERAGE_TOO_LOW",
        "SEQUENCE_VALUE_TOO_MANY_OCCURRENCES",
    ]


def test_coverage_of_integer_tokens_is_not_available():
    feature = schema_pb2.Feature(name="x", type=schema_pb2.INT)
    view = FeatureView(describe_table(pa.table({"x": [1]})).datasets[0].features[0], 1)
    feature.natural_language_domain.coverage.min_coverage = 0.9
    view.statistics.custom_stats.add(name="nl_statistics").any.Pack(NaturalLanguageStatistics())

    (finding,) = language_fits(view, Draft(feature))

    assert finding.type == AnomalyInfo.STATS_NOT_AVAILABLE


@given(st.lists(st.lists(st.sampled_from(["the", "a", "<unk>"]), max_size=4), max_size=12), st.integers(0, 12))
def test_languages_merge_to_the_whole(sequences, cut):
    table = pa.table({"x": pa.array(sequences, pa.list_(pa.string()))})
    ranges = [RangeStatistics(table.schema, number, LANGUAGE) for number in (0, 1)]
    for one, part in zip(ranges, (table.slice(0, cut), table.slice(cut)), strict=True):
        for batch in part.to_batches():
            one.add(batch)

    assert merge_ranges(ranges).proto() == describe_table(table, LANGUAGE)


@given(
    st.lists(
        st.tuples(
            st.none() | st.lists(st.none() | st.sampled_from(["a", "b", "c"]), max_size=3),
            st.none() | st.integers(0, 2),
            st.none() | st.sampled_from(["no", "yes"]),
        ),
        min_size=1,
        max_size=25,
    ),
    st.integers(0, 25),
)
def test_lift_equals_what_python_counts_however_the_rows_are_cut(rows, cut):
    lists, zones, labels = ([row[at] for row in rows] for at in range(3))
    table = pa.table(
        {
            "x": pa.array(lists, pa.list_(pa.string())),
            "zone": pa.array(zones, pa.int64()),
            "y": pa.array(labels, pa.string()),
        }
    )
    hints = text_format.Parse(
        "feature { name: 'zone' type: INT int_domain { is_categorical: true } }", schema_pb2.Schema()
    )
    ranges = [RangeStatistics(table.schema, number, hints, StatsOptions(label_feature="y")) for number in (0, 1)]
    for one, part in zip(ranges, (table.slice(0, cut), table.slice(cut)), strict=True):
        for batch in part.to_batches():
            one.add(batch)

    crosses = merge_ranges(ranges).proto().datasets[0].cross_features

    found = {
        (cross.path_x.step[0], value.x_string or value.x_int, series.y_string): value
        for cross in crosses
        for series in cross.categorical_cross_stats.lift.lift_series
        for value in series.lift_values
    }
    values = {"x": [set(each or ()) - {None} for each in lists], "zone": [{zone} - {None} for zone in zones]}
    expected = {
        (name, value, label)
        for name, sets in values.items()
        for value in set().union(*sets)
        for label in set(labels) - {None}
    }
    assert set(found) == expected
    for (name, value, label), entry in found.items():
        having = [label_of for held, label_of in zip(values[name], labels, strict=True) if value in held]
        assert (entry.x_count, entry.x_and_y_count) == (len(having), having.count(label))
        assert entry.lift == pytest.approx(having.count(label) / len(having) / (labels.count(label) / len(rows)))


def test_lift_is_told_with_the_greatest_first():
    table = pa.table({"payment": ["Cash", "Cash", "Card", "Card"], "tips": [0, 0, 0, 1]})

    (cross,) = describe_table(table, options=StatsOptions(label_feature="tips")).datasets[0].cross_features

    zero, one = cross.categorical_cross_stats.lift.lift_series
    assert (cross.path_x.step[0], cross.path_y.step[0], one.y_int, one.y_count) == ("payment", "tips", 1, 1)
    assert [(each.x_string, each.lift) for each in one.lift_values] == [("Card", 2.0), ("Cash", 0.0)]
    assert [each.x_string for each in zero.lift_values] == ["Cash", "Card"]


def test_features_with_too_many_values_for_lift_are_left_out():
    table = pa.table({"id": [str(i) for i in range(20_001)], "y": ["a", "b", "c"] * 6_667})

    dataset = describe_table(table, options=StatsOptions(label_feature="y")).datasets[0]

    assert not dataset.cross_features


def test_a_feature_may_have_weights_of_its_own():
    table = TRIPS.append_column("v", [[10.0, 0.0, 0.0, 10.0]])
    options = StatsOptions(weight_feature="w", per_feature_weight_override={"fare": "v"})

    whole = _described(table, options)["All Examples"]

    assert _feature(whole, "fare").num_stats.weighted_numeric_stats.mean == 5.5
    assert _feature(whole, "payment").string_stats.common_stats.weighted_common_stats.num_missing == 0.0
    assert _feature(whole, "zone").num_stats.weighted_numeric_stats.mean == pytest.approx((3 * 1 + 4 * 2) / 7)


def test_only_one_feature_may_have_weights():
    whole = _described(TRIPS, StatsOptions(per_feature_weight_override={"fare": "w"}))["All Examples"]

    assert _feature(whole, "fare").num_stats.weighted_numeric_stats.mean == pytest.approx(5 / 3)
    assert not _feature(whole, "zone").num_stats.HasField("weighted_numeric_stats")


def test_values_that_are_too_rare_are_not_named():
    table = pa.table({"s": ["a", "a", "b"], "w": [0.5, 0.1, 5.0]})
    options = StatsOptions(frequency_threshold=2, weighted_frequency_threshold=2.0, weight_feature="w")

    strings = _feature(_described(table, options)["All Examples"], "s").string_stats

    assert [top.value for top in strings.top_values] == ["a"]
    assert [bucket.label for bucket in strings.rank_histogram.buckets] == ["a"]
    assert [top.value for top in strings.weighted_string_stats.top_values] == ["b"]
    assert strings.unique == 2


CUSTOM = """
import pyarrow.compute as pc


class RoundFares:
    def __init__(self):
        self.round = self.all = 0

    def add(self, batch):
        fares = batch.column("fare").drop_null()
        self.all += len(fares)
        self.round += pc.sum(pc.equal(pc.floor(fares), fares)).as_py() or 0

    def merge(self, other):
        self.round += other.round
        self.all += other.all

    def statistics(self):
        return {"fare": {"share_of_round_fares": self.round / self.all, "unit": "dollars"}}


class Broken(RoundFares):
    def statistics(self):
        return {"far": {"x": 1}}


class Failing(RoundFares):
    def add(self, batch):
        raise KeyError("fare")


class Strange(RoundFares):
    def statistics(self):
        return 7


class Half:
    def add(self, batch):
        pass
"""


@pytest.fixture
def module_file(tmp_path, monkeypatch):
    """A module file with classes of custom statistics."""
    (tmp_path / "own_statistics.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield ModuleFile(str(tmp_path / "own_statistics.py"), "own_statistics")
    sys.modules.pop("own_statistics", None)


def _own(module_file, *names):
    return more_of(StatsOptions(custom_statistics=list(names)), module_file, [])


def test_custom_statistics_stand_with_their_feature_in_every_data_set(module_file):
    table = pa.table({"fare": [1.0, 2.5, 3.0, None], "zone": [1, 1, 2, 2]})
    options = StatsOptions(slice_features=[["zone"]])
    ranges = [RangeStatistics(table.schema, n, options=options, more=_own(module_file, "RoundFares")) for n in (0, 1)]
    for one, part in zip(ranges, (table.slice(0, 1), table.slice(1)), strict=True):
        for batch in part.to_batches():
            one.add(batch)

    merged = merge_ranges(pickle.loads(pickle.dumps(one)) for one in ranges).proto()

    found = {dataset.name: _feature(dataset, "fare").custom_stats for dataset in merged.datasets}
    assert [(each.name, each.num, each.str) for each in found["All Examples"]] == [
        ("share_of_round_fares", pytest.approx(2 / 3), ""),
        ("unit", 0.0, "dollars"),
    ]
    assert found["zone_1"][0].num == 0.5


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Broken", "Broken.statistics() in own_statistics names 'far', which is not described. Did you mean 'fare'?"),
        ("Failing", "Failing.add() in own_statistics failed: KeyError: 'fare'"),
        ("Strange", "Strange.statistics() in own_statistics returned 7. It returns numbers or texts by feature"),
        ("Half", "Half in own_statistics has no method merge(). Custom statistics have add(batch), merge(other)"),
        ("RoundFare", "own_statistics has no class 'RoundFare', which StatsOptions(custom_statistics=...) names. Did"),
    ],
)
def test_custom_statistics_that_do_not_work_are_the_users(module_file, name, told):
    with pytest.raises(UserCodeError) as failed:
        describe_table(pa.table({"fare": [1.0]}), more=_own(module_file, name))

    assert told in str(failed.value)


def test_custom_statistics_need_a_file():
    with pytest.raises(ParameterError, match=r'there is no file of them\. Name it: StatisticsGen\(module_file="stat'):
        more_of(StatsOptions(custom_statistics=["RoundFares"]), None, [])


VOCABULARY = text_format.Parse(
    "feature { name: 'x' type: INT natural_language_domain { vocabulary: 'words' "
    "coverage { min_coverage: 0.9 excluded_string_tokens: '.' oov_string_tokens: '<unk>' excluded_int_tokens: 9 } } }",
    schema_pb2.Schema(),
)


def test_integers_are_covered_by_their_vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("the\n<unk>\n.\nhouse\n")
    more = more_of(StatsOptions(), None, [str(tmp_path / "words.txt")])
    table = pa.table({"x": [[0, 3, 2], [1, 9], [77, -1, 0]]})

    described = describe_table(table, VOCABULARY, more=more)

    found = NaturalLanguageStatistics()
    described.datasets[0].features[0].custom_stats[0].any.Unpack(found)
    assert found.feature_coverage == pytest.approx(3 / 6)
    assert found.avg_token_length == pytest.approx((3 + 5 + 3) / 3)
    (anomaly,) = validate(described, VOCABULARY).features
    assert [AnomalyInfo.Type.Name(finding.type) for finding in anomaly.findings] == ["FEATURE_COVERAGE_TOO_LOW"]


def test_strings_are_covered_by_their_vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("the\n<unk>\n.\nhouse\n")
    schema = schema_pb2.Schema()
    schema.CopyFrom(VOCABULARY)
    schema.feature[0].type = schema_pb2.BYTES
    table = pa.table({"x": [["the", "house", "."], ["<unk>", "horse"]]})

    described = describe_table(table, schema, more=more_of(StatsOptions(), None, [str(tmp_path / "words.txt")]))

    found = NaturalLanguageStatistics()
    described.datasets[0].features[0].custom_stats[0].any.Unpack(found)
    assert found.feature_coverage == pytest.approx(2 / 4)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"a\nb\na\n", "it has the token 'a' twice. It holds one"), (b"a\n\xff\n", "it is no UTF-8 text (byte 3).")],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, content, told):
    (tmp_path / "words.txt").write_bytes(content)

    with pytest.raises(DataError) as refused:
        more_of(StatsOptions(), None, [str(tmp_path / "words.txt")])

    assert told in str(refused.value)


def test_the_documents_tell_every_option():
    text = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()

    assert [field.name for field in fields(StatsOptions) if f"`{field.name}`" not in text] == []

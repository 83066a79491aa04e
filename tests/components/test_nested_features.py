"""Features in structs and lists of lists: described under TFDV's paths, inferred, validated, proposed."""

import itertools
import os
import pickle

import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics

from penstock.artifacts import Examples, ExampleStatistics
from penstock.components import StatisticsGen, StatsOptions
from penstock.components.validation.anomalies import validate
from penstock.components.validation.compatibility import Compatibility
from penstock.components.validation.dataset_statistics import RangeStatistics, describe_table, merge_ranges
from penstock.components.validation.patch_file import accept, patch_text
from penstock.components.validation.schema_inference import infer_schema
from penstock.components.validation.schema_patch import patch_lines
from penstock.components.validation.schema_proposal import propose
from penstock.data import protos
from penstock.data.raw_feature import raw_features
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import DataError

STEP = pa.struct({"token": pa.list_(pa.string()), "score": pa.float64()})
VISITS = pa.table(
    {
        "steps": pa.array(
            [
                [{"token": ["a", "b"], "score": 1.0}, {"token": None, "score": 2.0}],
                [{"token": ["a"], "score": None}],
                [],
                None,
            ],
            pa.list_(STEP),
        ),
        "user": pa.array([{"age": 30, "home": {"city": "Oslo"}}, None, {"age": 41, "home": None}, {"age": 7}]),
        "grid": pa.array([[[1, 2], [3]], [[4]], None, [[], None]], pa.list_(pa.list_(pa.int64()))),
        "w": [1.0, 2.0, 4.0, 8.0],
    }
)


def _features(table, **options):
    dataset = describe_table(table, options=StatsOptions(**options)).datasets[0]
    return {".".join(feature.path.step): feature for feature in dataset.features}


def _common(feature):
    return getattr(feature, feature.WhichOneof("stats")).common_stats


def test_structs_and_their_fields_have_paths_of_steps():
    dataset = describe_table(VISITS).datasets[0]

    assert [tuple(feature.path.step) for feature in dataset.features] == [
        ("steps",),
        ("steps", "token"),
        ("steps", "score"),
        ("user",),
        ("user", "age"),
        ("user", "home"),
        ("user", "home", "city"),
        ("grid",),
        ("w",),
    ]
    kinds = [FeatureNameStatistics.Type.Name(feature.type) for feature in dataset.features]
    assert kinds == ["STRUCT", "STRING", "FLOAT", "STRUCT", "INT", "STRUCT", "STRING", "INT", "FLOAT"]


@pytest.mark.parametrize(
    ("path", "missing", "present", "values"),
    [
        ("steps", 1, 3, 3),
        ("steps.token", 1, 2, 3),
        ("steps.score", 1, 2, 2),
        ("user", 1, 3, 3),
        ("user.age", 0, 3, 3),
        ("user.home", 2, 1, 1),
        ("user.home.city", 0, 1, 1),
        ("grid", 1, 3, 5),
    ],
)
def test_a_field_is_counted_by_the_structs_that_could_have_it(path, missing, present, values):
    common = _common(_features(VISITS)[path])

    assert (common.num_missing, common.num_non_missing, common.tot_num_values) == (missing, present, values)


def test_lists_of_lists_are_counted_by_level():
    grid = _features(VISITS)["grid"]

    levels = _common(grid).presence_and_valency_stats
    assert [(each.num_missing, each.num_non_missing, each.tot_num_values) for each in levels] == [(1, 3, 5), (1, 4, 4)]
    assert [(each.min_num_values, each.max_num_values) for each in levels] == [(1, 2), (0, 2)]
    assert (grid.num_stats.mean, grid.num_stats.min, grid.num_stats.max) == (2.5, 1.0, 4.0)


def test_fields_have_the_weight_of_their_rows():
    features = _features(VISITS, weight_feature="w")

    steps = _common(features["steps"]).weighted_common_stats
    assert (steps.num_non_missing, steps.num_missing, steps.tot_num_values) == (7.0, 8.0, 4.0)
    tokens = features["steps.token"].string_stats
    assert (tokens.common_stats.weighted_common_stats.num_non_missing, tokens.common_stats.num_missing) == (3.0, 1)
    assert [(top.value, top.frequency) for top in tokens.weighted_string_stats.top_values] == [("a", 3.0), ("b", 1.0)]
    assert features["steps.score"].num_stats.weighted_numeric_stats.mean == 1.5
    levels = _common(features["grid"]).weighted_presence_and_valency_stats
    assert [(each.num_non_missing, each.num_missing) for each in levels] == [(11.0, 4.0), (12.0, 8.0)]


structs = st.none() | st.lists(
    st.fixed_dictionaries(
        {"a": st.none() | st.integers(-3, 3), "b": st.none() | st.lists(st.none() | st.lists(st.text(max_size=1)))}
    ),
    max_size=3,
)


@settings(max_examples=50)
@given(st.lists(structs, max_size=12), st.data())
def test_nested_features_equal_what_python_counts_however_they_are_cut(rows, data):
    kind = pa.list_(pa.struct({"a": pa.int64(), "b": pa.list_(pa.list_(pa.string()))}))
    table = pa.table({"s": pa.array(rows, kind)})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    ranges = []
    for number, (start, end) in enumerate(itertools.pairwise([0, *cuts, len(rows)])):
        ranges.append(RangeStatistics(table.schema, number))
        for batch in table.slice(start, end - start).to_batches():
            ranges[-1].add(batch)

    merged = merge_ranges(pickle.loads(pickle.dumps(data.draw(st.permutations(ranges))))).proto()

    assert merged == describe_table(table)
    whole, a, b = merged.datasets[0].features
    seen = [struct for row in rows if row is not None for struct in row]
    numbers = [struct["a"] for struct in seen if struct["a"] is not None]
    lists = [struct["b"] for struct in seen if struct["b"] is not None]
    texts = [text for outer in lists for inner in outer if inner is not None for text in inner]
    assert _common(whole).tot_num_values == len(seen)
    assert (_common(a).num_non_missing, _common(a).num_missing) == (len(numbers), len(seen) - len(numbers))
    assert a.num_stats.mean == pytest.approx(sum(numbers) / len(numbers) if numbers else 0.0)
    assert (_common(b).num_non_missing, _common(b).tot_num_values) == (len(lists), sum(map(len, lists)))
    assert _common(b).presence_and_valency_stats[1].tot_num_values == len(texts)
    assert b.string_stats.unique == len(set(texts))


def test_the_schema_of_structs_is_inferred():
    schema = infer_schema([describe_table(VISITS.drop_columns(["w"]))])

    expected = """
        feature { name: "steps" type: STRUCT presence { min_count: 1 } struct_domain {
            feature { name: "token" type: BYTES presence { min_count: 1 } value_count { min: 1 } domain: "steps.token" }
            feature { name: "score" type: FLOAT presence { min_count: 1 } value_count { min: 1 max: 1 } } } }
        feature { name: "user" type: STRUCT presence { min_count: 1 } value_count { min: 1 max: 1 } struct_domain {
            feature { name: "age" type: INT presence { min_count: 1 min_fraction: 1 } shape { dim { size: 1 } } }
            feature { name: "home" type: STRUCT presence { min_count: 1 } value_count { min: 1 max: 1 } struct_domain {
                feature { name: "city" type: BYTES presence { min_count: 1 min_fraction: 1 }
                    shape { dim { size: 1 } } domain: "user.home.city" } } } } }
        feature { name: "grid" type: INT presence { min_count: 1 }
            value_counts { value_count { min: 1 } value_count { } } }
        string_domain { name: "steps.token" value: ["a", "b"] }
        string_domain { name: "user.home.city" value: "Oslo" }
    """
    assert schema == text_format.Parse(expected, schema_pb2.Schema())


def _visits(**fields):
    values = {"age": [30, 31], "city": ["Oslo", "Bergen"], **fields}
    names = [name for name in values if values[name] is not None]
    rows = zip(*(values[name] for name in names), strict=True)
    return describe_table(pa.table({"user": [dict(zip(names, row, strict=True)) for row in rows]}))


@pytest.mark.parametrize(
    ("fields", "key", "kind", "told"),
    [
        ({"age": ["30", "31"]}, "user.age", "UNEXPECTED_DATA_TYPE", "Expected data of type: INT but got STRING"),
        ({"age": [30, None]}, "user.age", "INVALID_FEATURE_SHAPE", "The feature has a shape, but it's not always"),
        ({"age": None}, "user.age", "SCHEMA_MISSING_COLUMN", "Column is completely missing"),
        ({"a.b": [1, 2]}, "user.'a.b'", "SCHEMA_NEW_COLUMN", "New column (column in data but not in schema)"),
        (
            {"city": ["Oslo", "Paris"]},
            "user.city",
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            "Examples contain values missing from the schema: Paris (~50%).",
        ),
    ],
)
def test_anomalies_of_fields_have_their_paths(fields, key, kind, told):
    schema = infer_schema([_visits()])

    found = validate(_visits(**fields), schema).proto().anomaly_info

    assert list(found) == [key]
    assert list(found[key].path.step) == [key.split(".", 1)[0], key.split(".", 1)[1].strip("'")]
    assert AnomalyInfo.Type.Name(found[key].reason[0].type) == kind
    assert found[key].reason[0].description.startswith(told)


def test_a_struct_that_is_missing_is_one_anomaly():
    schema = infer_schema([_visits()])

    found = validate(describe_table(pa.table({"x": [1]})), schema).features

    assert [anomaly.name for anomaly in found] == ["x", "user"]


def test_fields_of_a_struct_that_is_not_in_use_are_not_checked():
    schema = infer_schema([_visits()])
    schema.feature[0].lifecycle_stage = schema_pb2.DEPRECATED

    assert validate(_visits(age=["x", "y"], phone=[1, 2]), schema).features == ()


def test_a_new_field_is_added_where_it_belongs():
    schema = infer_schema([_visits()])

    (anomaly,) = validate(_visits(phone=[1, 2]), schema).features

    (line,) = patch_lines(anomaly)
    assert line.startswith("in the struct_domain of feature 'user' add feature { name: \"phone\" type: INT")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"phone": [1, 2]}, Compatibility.COMPATIBLE),
        ({"city": ["Oslo", "Paris"]}, Compatibility.NEEDS_RETRAINING),
        ({"age": ["x", "y"]}, Compatibility.BREAKING),
        ({"age": None}, Compatibility.BREAKING),
    ],
)
def test_accepting_what_is_proposed_for_a_field_has_the_data_fit(fields, expected):
    schema = infer_schema([_visits()])
    statistics = _visits(**fields)

    (proposal,) = propose(schema, {"train": statistics})
    text, _ = accept(patch_text([proposal], "d"), text_format.MessageToString(schema), "d")

    assert (proposal.subject, proposal.compatibility) == ("user", expected)
    assert proposal.evidence["train"][0].startswith(f"user.{next(iter(fields))}: ")
    assert validate(statistics, text_format.Parse(text, schema_pb2.Schema())).features == ()


def test_the_schema_says_what_fields_mean():
    schema = text_format.Parse(
        "feature { name: 'user' type: STRUCT struct_domain { "
        "feature { name: 'zone' type: INT int_domain { is_categorical: true } } } }",
        schema_pb2.Schema(),
    )

    zone = describe_table(pa.table({"user": [{"zone": 7}, {"zone": 7}]}), schema).datasets[0].features[1]

    assert [(top.value, top.frequency) for top in zone.string_stats.top_values] == [("7", 2)]


RECORDS = pa.table(
    {
        "sequence.token": pa.array([["a", "b"], None, ["c"], None], pa.list_(pa.string())),
        "sequence.length": pa.array([2, None, None, None]),
        "label": [0, 1, 0, 1],
        "sequence.at.x": [1.0, None, 3.0, None],
    }
)


def _examples(folder, table):
    path = folder / "examples"
    os.makedirs(path / "Split-train")
    with ShardWriter(shard_path(str(path), "train", 0, 1), table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return Examples(str(path))


def test_records_in_columns_are_described_inferred_validated_and_fed_as_structs(tmp_path):
    examples, statistics = _examples(tmp_path, RECORDS), ExampleStatistics(str(tmp_path / "statistics"))
    options = StatsOptions(struct_features=["sequence", "sequence.at"])

    StatisticsGen(examples=examples, statistics=statistics, stats_options=options)

    described = protos.read_statistics(statistics.path, "train")
    paths = [tuple(feature.path.step) for feature in described.datasets[0].features]
    assert paths == [
        ("sequence",),
        ("sequence", "token"),
        ("sequence", "length"),
        ("sequence", "at"),
        ("sequence", "at", "x"),
        ("label",),
    ]
    common = _common(described.datasets[0].features[0])
    assert (common.num_missing, common.num_non_missing) == (2, 2)
    schema = infer_schema([described])
    assert validate(described, schema).features == ()
    assert [feature.name for feature in schema.feature[0].struct_domain.feature] == ["token", "length", "at"]
    assert [feature.name for feature in raw_features(schema)] == [
        "sequence.token",
        "sequence.length",
        "sequence.at.x",
        "label",
    ]


def test_only_the_allowed_fields_of_records_are_described():
    for allowed, paths in ((["label"], [("label",)]), (["sequence.at.x"], [("sequence",), ("sequence", "at.x")])):
        options = StatsOptions(struct_features=["sequence"], feature_allowlist=allowed)

        features = describe_table(RECORDS, options=options).datasets[0].features

        assert [tuple(feature.path.step) for feature in features] == paths


def test_what_the_schema_calls_a_struct_is_described_as_one():
    schema = text_format.Parse("feature { name: 'sequence' type: STRUCT }", schema_pb2.Schema())

    features = describe_table(RECORDS, schema).datasets[0].features

    assert [tuple(feature.path.step) for feature in features] == [
        ("sequence",),
        ("sequence", "token"),
        ("sequence", "length"),
        ("sequence", "at.x"),
        ("label",),
    ]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (
            "sequenc",
            "'sequenc' can't be described as a record: no column's name begins with it and a dot. Did you mean "
            "'sequence'? Records are: sequence, sequence.at.",
        ),
        (
            "label",
            "'label' can't be described as a record: no column's name begins with it and a dot. Records are: sequence, "
            "sequence.at.",
        ),
    ],
)
def test_a_record_without_columns_is_refused(tmp_path, record, told):
    examples = _examples(tmp_path, RECORDS)

    with pytest.raises(DataError) as refused:
        StatisticsGen(
            examples=examples,
            statistics=ExampleStatistics(str(tmp_path / "statistics")),
            stats_options=StatsOptions(struct_features=[record]),
        )

    assert str(refused.value) == told


def test_fields_of_records_have_lift():
    table = pa.table({"user.city": ["Oslo", "Oslo", "Bergen"], "label": ["a", "b", "b"]})
    options = StatsOptions(struct_features=["user"], label_feature="label")

    (cross,) = describe_table(table, options=options).datasets[0].cross_features

    assert [value.lift for value in cross.categorical_cross_stats.lift.lift_series[0].lift_values] == [1.5, 0.0]

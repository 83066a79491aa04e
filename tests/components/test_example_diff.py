"""ExampleDiff: rows paired by key, what differs in them, and when the gate refuses."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.artifacts import Examples
from penstock.components import ExampleDiff, ExamplesDiff
from penstock.components.validation import row_pairs
from penstock.components.validation.example_diff import check_bounds
from penstock.components.validation.row_pairs import FeatureSkew, Pairing, paired_skew
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import DataError, GateFailed, ParameterError

TRAINING = pa.table(
    {
        "trip": ["a", "b", "c", "d", "e", "e", None],
        "fare": [1.0, 2.0, None, 4.0, 5.0, 5.0, 6.0],
        "tags": [["x"], ["x", "y"], [], None, ["z"], ["z"], ["z"]],
        "noise": [1, 2, 3, 4, 5, 6, 7],
    }
)
SERVING = pa.table(
    {
        "noise": [9, 9, 9, 9, 9],
        "fare": [1.0, 2.000001, 3.0, None, 8.0],
        "tags": [["x"], ["y", "x"], None, None, ["q"]],
        "trip": ["a", "b", "c", "d", "f"],
    }
)


def _examples(path, table, split="train", shards=1):
    os.makedirs(f"{path}/Split-{split}", exist_ok=True)
    size = -(-max(table.num_rows, 1) // shards)
    for shard in range(shards):
        with ShardWriter(shard_path(str(path), split, shard, shards), table.schema) as writer:
            for batch in table.slice(shard * size, size).to_batches():
                writer.write(batch)
    return Examples(str(path), properties={"span": 7})


@pytest.fixture
def diff(tmp_path):
    """Return a function that compares training and serving, and gives back the artifact and its document."""

    def run(training=TRAINING, serving=SERVING, **arguments):
        found = ExamplesDiff(str(tmp_path / "diff"))
        ExampleDiff(
            examples=_examples(tmp_path / "training", training),
            baseline_examples=_examples(tmp_path / "serving", serving),
            example_diff=found,
            **{"identifier_features": ["trip"], "ignore_features": ["noise"]} | arguments,
        )
        return found, json.loads(Path(found.path, "Split-train_train", "example_diff.json").read_text())

    return run


def test_differences_are_counted_by_feature(diff):
    found, document = diff()

    assert found.properties == {"span": 7, "split_names": ["train_train"]}
    assert {name: document[name] for name in ("pairs", "only_examples", "only_baseline", "ambiguous", "keyless")} == {
        "pairs": 4,
        "only_examples": 0,
        "only_baseline": 1,
        "ambiguous": 1,
        "keyless": 1,
    }
    assert document["features"] == {
        "fare": {"same": 1, "only_examples": 1, "only_baseline": 1, "different": 1, "skew": 0.75},
        "tags": {"same": 2, "only_examples": 1, "only_baseline": 0, "different": 1, "skew": 0.5},
    }


def test_floats_are_equal_when_they_round_alike(diff):
    _, document = diff(float_round_ndigits=4)

    assert document["features"]["fare"]["different"] == 0


def test_samples_show_both_values(diff):
    _, document = diff()

    assert {"key": {"trip": "c"}, "values": {"fare": [None, 3.0], "tags": ["[]", None]}} in document["samples"]
    assert len(document["samples"]) == 3


def test_samples_are_bounded(diff):
    assert len(diff(max_sample_pairs=1)[1]["samples"]) == 1


def test_too_much_skew_is_refused_with_an_example(diff):
    with pytest.raises(GateFailed) as refused:
        diff(max_skew=0.6)

    assert str(refused.value).startswith(
        "The examples differ from the baseline in 1 place by more than is allowed:\n"
        "- train_train, column 'fare': 75.00% of 4 pairs differ: 1 in value, 1 only in the examples, 1 only in the "
        "baseline, more than 60.00%. So trip '"
    )


def test_keys_that_never_meet_are_refused(diff):
    with pytest.raises(GateFailed, match="no row has a counterpart of the same key"):
        diff(serving=SERVING.set_column(3, "trip", [["q", "r", "s", "t", "u"]]), max_skew=0.5)


def test_a_column_of_one_side_is_missing_in_each_row_of_the_other(diff, caplog):
    _, document = diff(serving=SERVING.rename_columns(["noise", "price", "tags", "trip"]))

    assert document["features"]["fare"] == {
        "same": 1,
        "only_examples": 3,
        "only_baseline": 0,
        "different": 0,
        "skew": 0.75,
    }
    assert document["features"]["price"]["only_baseline"] == 3
    assert (document["columns_only_examples"], document["columns_only_baseline"]) == (["fare"], ["price"])
    assert "the baseline has columns that the examples have not: price. They count as missing there." in caplog.text


def test_a_column_that_is_gone_is_refused(diff):
    with pytest.raises(GateFailed, match=r"column 'fare' is in the examples only: 75.00% of 4 pairs differ"):
        diff(serving=SERVING.drop_columns(["fare"]), max_skew=0.5)


def test_rows_without_a_counterpart_have_a_bound_of_their_own(diff, caplog):
    diff(max_unpaired=0.5)

    assert "42.86% of the keys have no pair: 0 only in the examples, 1 only in the baseline, 1 that" in caplog.text


def test_too_many_rows_without_a_counterpart_are_refused(diff):
    with pytest.raises(GateFailed, match=r"- train_train: 42.86% of the keys have no pair: .*, more than 40.00%\."):
        diff(max_unpaired=0.4)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ((5.0, None, 1), "ExampleDiff(max_skew=5) is no fraction: it goes from 0 to 1."),
        ((None, float("nan"), 1), "ExampleDiff(max_unpaired=nan) is no fraction"),
        ((None, None, -1), "ExampleDiff(max_sample_pairs=-1) is negative; 0 keeps no samples."),
    ],
)
def test_bounds_that_can_not_be_are_refused(bounds, told):
    with pytest.raises(ParameterError) as refused:
        check_bounds(*bounds)

    assert told in str(refused.value)


def test_keys_of_two_types_are_refused(diff):
    with pytest.raises(DataError, match=r"'trip', which is string in examples and int64 in baseline_examples: no row"):
        diff(serving=SERVING.set_column(3, "trip", pa.array([1, 2, 3, 4, 5])))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"identifier_features": []}, "names no column; rows are paired by at least one"),
        ({"identifier_features": ["tripp"]}, "'tripp', which is no column of examples. Did you mean 'trip'?"),
        ({"ignore_features": ["nois"]}, "'nois', which is a column of neither side. Did you mean 'noise'?"),
        ({"ignore_features": ["noise", "fare", "tags"]}, "has no column left to compare"),
        ({"include_split_pairs": [["train", "eval"]]}, "'eval', which is no split of the baseline"),
    ],
)
def test_what_can_not_be_compared_is_refused(diff, arguments, told):
    with pytest.raises(DataError) as refused:
        diff(**arguments)

    assert told in str(refused.value)


rows = st.lists(
    st.tuples(st.integers(0, 12), st.one_of(st.none(), st.floats(), st.just(-0.0))),
    max_size=12,
    unique_by=lambda row: row[0],
)


@settings(max_examples=30, deadline=None)
@given(rows, rows)
def test_counts_equal_those_by_hand_whatever_the_parts_and_shards(tmp_path_factory, ours, theirs):
    folder = tmp_path_factory.mktemp("pairs")
    schema = pa.schema({"key": pa.int64(), "x": pa.float64()})
    sides = []
    for name, found in (("ours", ours), ("theirs", theirs)):
        table = pa.table({"key": [row[0] for row in found], "x": [row[1] for row in found]}, schema)
        _examples(folder / name, table, shards=2)
        sides.append((str(folder / name), "train"))
    pairing = Pairing(["key"], ["x"])

    whole = paired_skew(*sides, pairing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_pairs, "ROWS_A_PART", 3)
        parts = paired_skew(*sides, pairing)

    left, right = dict(ours), dict(theirs)
    both = left.keys() & right.keys()
    same = sum(_same(left[key], right[key]) for key in both)
    first = sum(left[key] is not None and right[key] is None for key in both)
    second = sum(left[key] is None and right[key] is not None for key in both)
    assert whole.features["x"] == FeatureSkew(same, first, second, len(both) - same - first - second)
    assert (whole.only_examples, whole.only_baseline) == (len(left.keys() - both), len(right.keys() - both))
    assert (parts.features, parts.pairs, parts.only_examples) == (whole.features, whole.pairs, whole.only_examples)


def _same(left, right):
    if left is None or right is None:
        return left is right
    return left == right or (left != left and right != right)

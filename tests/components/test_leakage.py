"""What leaks between splits, and from the label into a feature; and that a gate stops on it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.artifacts import ExampleAnomalies, ExampleStatistics, Schema
from penstock.components import ExampleValidator, LeakageChecks
from penstock.components.validation import leakage
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.leakage import find_leaks
from penstock.components.validation.schema_inference import infer_schema
from penstock.data import protos
from penstock.pipeline import DataError, GateFailed, ParameterError, WiringError
from tests.components.test_example_diff import _examples

TRAIN = pa.table({"patient": ["a", "b", None], "t": [1, 2, 5], "x": [1.0, 2.0, 3.0]})
EVAL = pa.table({"patient": ["b", "c", None, "d"], "t": [2, 6, 7, 8], "x": [2.0, 2.0, 4.0, 5.0]})


@pytest.fixture
def leaks(tmp_path):
    """Return a function from checks to what leaks: (split, feature, text)."""

    def find(train=TRAIN, held_out=EVAL, **checks):
        for split, table in (("train", train), ("eval", held_out)):
            examples = _examples(tmp_path / "examples", table, split)
        found = find_leaks(examples.path, ["train", "eval"], LeakageChecks(**checks))
        return [(leak.split, leak.feature, leak.finding.long) for leak in found]

    return find


def test_rows_in_two_splits_leak(leaks):
    assert leaks(max_duplicate_fraction=0.0) == [
        ("eval", "", "1 of 4 rows (25.00%) have rows that earlier splits have too; at most 0.00% may.")
    ]


def test_as_many_duplicates_as_are_allowed_are_fine(leaks):
    assert leaks(max_duplicate_fraction=0.25) == []


def test_rows_twice_in_one_split_do_not_leak(leaks):
    assert leaks(train=pa.concat_tables([TRAIN, TRAIN]), held_out=EVAL.slice(1), max_duplicate_fraction=0.0) == []


def test_groups_in_two_splits_leak_and_are_named(leaks):
    assert leaks(group_features=["patient"]) == [
        (
            "eval",
            "",
            "1 of 4 rows (25.00%) have groups (patient) that earlier splits have too, such as 'b'; at most 0.00% may.",
        )
    ]


def test_times_that_overlap_leak(leaks):
    assert leaks(time_feature="t") == [
        ("eval", "t", "'t' begins at 2 in split eval, and ends at 5 in split train: 1 of 4 rows (25.00%) aren't later.")
    ]


def test_splits_follow_each_other_in_the_order_that_is_said(leaks):
    (found,) = leaks(time_feature="t", split_order=["eval", "train"])

    assert found[:2] == ("train", "t")


def _labelled(**columns):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 1000)
    return pa.table(
        {"noise": rng.normal(size=1000), "id": [str(i) for i in range(1000)], "label": label, **columns}
    ), label


@pytest.mark.parametrize(
    "make",
    [
        lambda label: label * 7 + 3,
        lambda label: np.where(label == 1, "yes", "no"),
        lambda label: label + np.linspace(0.0, 0.4, 1000),
        lambda label: label * 1000 + np.arange(1000) % 500,
        lambda label: pa.array(np.ones(1000), mask=label == 0),
    ],
)
def test_a_feature_that_gives_the_label_away_is_found(leaks, make):
    _, label = _labelled()
    table, _ = _labelled(leak=make(label))

    found = leaks(train=table, held_out=table, label="label", max_predictability=0.9)

    assert [(split, feature) for split, feature, _ in found] == [("train", "leak")]
    assert "alone predicts the label 'label': it avoids" in found[0][2]


def test_a_feature_may_be_allowed_to_predict_the_label(leaks):
    _, label = _labelled()
    table, _ = _labelled(leak=label)

    assert leaks(train=table, held_out=table, label="label", ignore_features=["leak"]) == []


def test_a_label_of_floats_is_given_away_by_correlation(leaks):
    x = np.random.default_rng(0).normal(size=100)
    table = pa.table({"x": 3.0 * x + 1.0, "noise": np.arange(100) % 7, "label": x})

    (found,) = leaks(train=table, held_out=table, label="label")

    assert found[1:] == (
        "x",
        "'x' alone predicts the label 'label': their correlation is 1.0000 in 100 rows; at most 0.9900 may be.",
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=15), st.lists(st.integers(0, 20), max_size=15))
def test_shared_rows_are_counted_whatever_the_parts(tmp_path_factory, train, held_out):
    folder = tmp_path_factory.mktemp("leaks")
    for split, values in (("train", train), ("eval", held_out)):
        _examples(folder, pa.table({"x": pa.array(values, pa.int64())}), split)
    checks = LeakageChecks(max_duplicate_fraction=0.0)

    whole = find_leaks(str(folder), ["train", "eval"], checks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leakage, "HASHES_A_PART", 4)
        parts = find_leaks(str(folder), ["train", "eval"], checks)

    shared = sum(value in train for value in held_out)
    assert whole == parts
    assert [leak.finding.long.split()[0] for leak in whole] == ([str(shared)] if shared else [])


@pytest.fixture
def validator(tmp_path):
    """Return a function that validates the two splits with checks of leakage."""

    def run(checks, *, with_examples=True):
        tables = {"train": TRAIN, "eval": EVAL}
        for split, table in tables.items():
            examples = _examples(tmp_path / "examples", table, split)
            protos.write_statistics(str(tmp_path / "statistics"), split, describe_table(table))
        protos.write_schema(str(tmp_path / "schema"), infer_schema(map(describe_table, tables.values())))
        ExampleValidator(
            statistics=ExampleStatistics(str(tmp_path / "statistics")),
            schema=Schema(str(tmp_path / "schema")),
            anomalies=ExampleAnomalies(str(tmp_path / "anomalies")),
            examples=examples if with_examples else None,
            leakage=checks,
        )

    return run


def test_a_leak_stops_the_gate_and_is_kept(validator, tmp_path):
    with pytest.raises(GateFailed, match=r"split eval, column 't': Times of splits overlap: 't' begins at 2"):
        validator(LeakageChecks(time_feature="t"))

    assert "t" in protos.read_anomalies(str(tmp_path / "anomalies"), "eval").anomaly_info


def test_leakage_needs_the_examples(validator):
    with pytest.raises(ParameterError, match=r"looks into the rows\. .* ExampleValidator\(examples=gen\.examples"):
        validator(LeakageChecks(time_feature="t"), with_examples=False)


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ({"time_feature": "tt"}, "names 'tt', which is no column of the examples. Did you mean 't'?"),
        ({"time_feature": "patient"}, "takes a column of numbers; it is of type string"),
        ({"label": "x", "split_order": ["trian"]}, "'trian', which is no split that is checked. Did you mean 'train'?"),
    ],
)
def test_checks_that_do_not_fit_are_refused(leaks, checks, told):
    with pytest.raises(DataError) as refused:
        leaks(**checks)

    assert told in str(refused.value)


def test_checks_that_check_nothing_are_refused():
    with pytest.raises(WiringError, match="checks nothing: set max_duplicate_fraction"):
        LeakageChecks()

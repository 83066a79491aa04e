"""What leaks between splits, and from the label into a feature; and that a gate stops on it."""

import os
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.artifacts import ExampleAnomalies, ExampleStatistics, Schema
from penstock.components import ExampleValidator, LeakageChecks, StatisticsGen, StatsOptions
from penstock.components.validation import label_tables, sorted_runs
from penstock.components.validation.anomalies import Validation
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.label_tables import Labels, NumberTable, TextTable, avoided_errors
from penstock.components.validation.leakage_report import read_leakage
from penstock.components.validation.leakage_validation import add_leaks, leaks_in
from penstock.components.validation.schema_inference import infer_schema
from penstock.components.validation.sorted_runs import Overlap, SortedRuns, count_up_to, overlaps
from penstock.data import protos
from penstock.pipeline import Beam, DataError, GateFailed, WiringError
from tests.components.test_example_diff import _examples

TRAIN = pa.table({"patient": ["a", "b", None], "t": [1, 2, 5], "x": [1.0, 2.0, 3.0]})
EVAL = pa.table({"patient": ["b", "c", None, "d"], "t": [2, 6, 7, 8], "x": [2.0, 2.0, 4.0, 5.0]})


def _described(folder, tables, checks, **arguments):
    for split, table in tables.items():
        examples = _examples(f"{folder}/examples", table, split)
    statistics = ExampleStatistics(f"{folder}/statistics")
    StatisticsGen(examples=examples, statistics=statistics, leakage=checks, **arguments)
    return statistics


@pytest.fixture
def leaks(tmp_path):
    """Return a function from checks to what leaks: (split, feature, text)."""

    def find(train=TRAIN, held_out=EVAL, **checks):
        statistics = _described(tmp_path, {"train": train, "eval": held_out}, LeakageChecks(**checks))
        found = leaks_in(read_leakage(statistics.path))
        return [(leak.split, leak.feature, leak.finding.long) for leak in found]

    return find


def test_rows_in_two_splits_leak(leaks):
    assert leaks(max_duplicate_fraction=0.0) == [
        (
            "eval",
            "",
            "1 of 4 rows (25.00%) are in earlier splits too, such as patient='b', t=2, x=2.0; at most 0.00% may be.",
        )
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
            "1 of 3 rows (33.33%) have groups (patient) that earlier splits have too, such as patient='b'; "
            "at most 0.00% may.",
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
        "'x' alone predicts the label 'label': their correlation is 1.0000 in 100 rows; it has to be below 0.9900.",
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 19), max_size=15), min_size=2, max_size=4), st.data())
def test_shared_keys_are_counted_exactly_however_they_are_cut(tmp_path_factory, splits, data):
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "RUN_KEYS", data.draw(st.integers(1, 6)))
        patch.setattr(sorted_runs, "PART_KEYS", data.draw(st.integers(1, 6)))
        runs = {}
        for split, values in enumerate(splits):
            cut = data.draw(st.integers(0, len(values)))
            for number, part in enumerate((values[cut:], values[:cut])):
                one = SortedRuns(str(folder / f"{split}-{number}"))
                for value in part:
                    one.add(np.array([value * 0x0D1CE5B9_00000001], np.uint64))
                one.close()
                one = pickle.loads(pickle.dumps(one))
                runs[str(split)] = one if number == 0 else _merged(runs[str(split)], one)
        found = overlaps(runs, 2)

    expected = {}
    for split, values in list(enumerate(splits))[1:]:
        earlier = {value for each in splits[:split] for value in each}
        shared = sorted({value for value in values if value in earlier})[:2]
        keys = tuple(value * 0x0D1CE5B9_00000001 for value in shared)
        expected[str(split)] = Overlap(len(values), sum(value in earlier for value in values), keys)
    assert found == expected
    assert count_up_to(runs["0"].files, 7 * 0x0D1CE5B9_00000001) == sum(value <= 7 for value in splits[0])


def _merged(one, other):
    one.merge(other)
    return one


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.none() | st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0]), st.sampled_from("abc")),
        max_size=60,
    ),
    st.integers(0, 60),
)
def test_tables_of_parts_merge_to_that_of_the_whole(rows, cut):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_tables, "MOST_BINS", 8)
        whole, merged = _tables([rows]), _tables([rows[cut:], rows[:cut]])

    assert merged == whole


def _tables(parts):
    """Return sorted counts by bin and by text of some parts of rows, described apart and merged."""
    found = []
    for part in parts:
        labels, numbers, texts = Labels(), NumberTable(), TextTable(12)
        for start in range(0, len(part), 7):
            values = pa.array([value for value, _ in part[start : start + 7]], pa.float32())
            codes = labels.add(pa.array([label for _, label in part[start : start + 7]]))
            numbers.add(values, codes, len(labels))
            texts.add(values.cast(pa.string()), codes, len(labels))
        found.append((labels, numbers, texts))
    (labels, numbers, texts), *others = found
    for other, more_numbers, more_texts in others:
        codes = labels.merge(other)
        numbers.merge(more_numbers, codes)
        texts.merge(more_texts, codes)
    rows = sum(map(len, parts))
    tables = [table.by_value(rows, len(labels)) for table in (numbers, texts)]
    order = labels.add(pa.array(sorted({label for part in parts for _, label in part}), pa.string()))
    return [None if table is None else sorted(table[:, order].tolist()) for table in tables]


def test_wide_tables_count_fewer_pairs_a_column():
    assert [label_tables.most_pairs(columns) for columns in (0, 1, 100, 500)] == [20_000, 20_000, 20_000, 4_000]


def test_values_that_tell_nothing_avoid_no_errors():
    assert avoided_errors(np.array([[5, 5], [5, 5]])) == 0.0
    assert avoided_errors(np.array([[5, 0], [0, 5]])) == 1.0
    assert avoided_errors(np.array([[5, 0], [5, 0]])) is None


def test_the_report_is_the_same_for_any_shards_and_workers(tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table({"x": rng.integers(0, 3000, 5000), "t": rng.normal(size=5000), "label": rng.integers(0, 3, 5000)})
    checks = LeakageChecks(max_duplicate_fraction=0.0, group_features=["x"], time_feature="t", label="label")
    digests, reports = set(), []

    for shards, workers in ((1, 1), (7, 2)):
        folder = tmp_path / f"{shards}-{workers}"
        _examples(folder / "examples", table, "train", shards=shards)
        examples = _examples(folder / "examples", table.slice(4000), "eval", shards=shards)
        statistics = ExampleStatistics(str(folder / "statistics"))
        StatisticsGen(examples=examples, statistics=statistics, leakage=checks, beam=Beam(workers=workers))
        reports.append(read_leakage(statistics.path))
        digests.add(protos.digest_statistics(statistics.path))

    assert reports[0] == reports[1]
    assert reports[0].duplicates[0].shared == 1000
    assert sorted(os.listdir(statistics.path)) == ["Leakage.json", "Split-eval", "Split-train"]


def test_what_is_measured_about_leakage_counts_in_the_digest(tmp_path):
    tables = {"train": TRAIN, "eval": EVAL}

    digests = {
        protos.digest_statistics(_described(tmp_path / str(bound), tables, checks).path)
        for bound, checks in enumerate((None, *(LeakageChecks(max_duplicate_fraction=bound) for bound in (0.0, 1.0))))
    }

    assert len(digests) == 3


def test_columns_and_samples_that_are_described_do_not_change_what_is_compared(tmp_path):
    checks = LeakageChecks(max_duplicate_fraction=0.0, time_feature="t")
    options = StatsOptions(feature_allowlist=["x"], sample_rate=0.5)

    statistics = _described(tmp_path, {"train": TRAIN, "eval": EVAL}, checks, stats_options=options)

    assert [(leak.split, leak.feature) for leak in leaks_in(read_leakage(statistics.path))] == [
        ("eval", ""),
        ("eval", "t"),
    ]
    plain = _described(tmp_path / "plain", {"train": TRAIN, "eval": EVAL}, None, stats_options=options)
    for split in ("train", "eval"):
        assert protos.read_statistics(plain.path, split) == protos.read_statistics(statistics.path, split)


def test_a_label_with_too_many_values_is_told_not_passed_over(tmp_path, leaks):
    table = pa.table({"x": np.arange(500), "label": [str(i) for i in range(500)]})

    assert leaks(train=table, held_out=table, label="label") == []
    prediction = read_leakage(str(tmp_path / "statistics")).prediction
    assert prediction.unmeasured == {
        "label": "the label has more distinct values than classes can, or no feature could predict it"
    }


def test_what_could_not_be_checked_is_noted(tmp_path):
    table = pa.table({"x": np.arange(500), "label": [str(i) for i in range(500)]})
    statistics = _described(tmp_path, {"train": table}, LeakageChecks(max_duplicate_fraction=0.0, label="label"))

    found = add_leaks({"train": Validation(schema_pb2.Schema())}, read_leakage(statistics.path))

    assert found["train"].notes == (
        "leakage between splits was not checked: there is no other split.",
        "whether a feature gives the label 'label' away was not checked: the label has more distinct values than "
        "classes can, or no feature could predict it.",
    )


def test_splits_without_rows_leak_nothing(leaks):
    everything = {"max_duplicate_fraction": 0.0, "group_features": ["patient"], "time_feature": "t", "label": "patient"}

    assert leaks(held_out=EVAL.slice(0, 0), **everything) == []
    assert leaks(train=TRAIN.slice(0, 0), **everything) == []


@pytest.fixture
def validator(tmp_path):
    """Return a function that describes two splits with checks of leakage, and validates them."""

    def run(checks, **arguments):
        tables = {"train": TRAIN, "eval": EVAL}
        statistics = _described(tmp_path, tables, checks)
        protos.write_schema(str(tmp_path / "schema"), infer_schema(map(describe_table, tables.values())))
        ExampleValidator(
            statistics=statistics,
            schema=Schema(str(tmp_path / "schema")),
            anomalies=ExampleAnomalies(str(tmp_path / "anomalies")),
            **arguments,
        )

    return run


def test_a_leak_stops_the_gate_and_is_kept(validator, tmp_path):
    with pytest.raises(GateFailed, match=r"split eval, column 't': Times of splits overlap: 't' begins at 2"):
        validator(LeakageChecks(time_feature="t"))

    assert "t" in protos.read_anomalies(str(tmp_path / "anomalies"), "eval").anomaly_info


def test_a_leak_may_be_a_warning(validator, tmp_path, caplog):
    validator(LeakageChecks(time_feature="t"), severities={"CUSTOM_VALIDATION": "WARNING"})

    info = protos.read_anomalies(str(tmp_path / "anomalies"), "eval").anomaly_info["t"]
    assert info.severity == AnomalyInfo.WARNING
    assert "Times of splits overlap" in caplog.text


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ({"time_feature": "tt"}, "names 'tt', which is no column of the examples. Did you mean 't'?"),
        ({"time_feature": "patient"}, "takes a column of numbers, one a row; it is of type string"),
        (
            {"label": "x", "split_order": ["trian"]},
            "'trian', which is no split that is described. Did you mean 'train'?",
        ),
    ],
)
def test_checks_that_do_not_fit_are_refused(leaks, checks, told):
    with pytest.raises(DataError) as refused:
        leaks(**checks)

    assert told in str(refused.value)


def test_checks_that_check_nothing_are_refused():
    with pytest.raises(WiringError, match="checks nothing: set max_duplicate_fraction"):
        LeakageChecks()


def test_an_order_with_a_split_twice_is_refused():
    with pytest.raises(WiringError, match=r"split_order=\['a', 'a'\]\) names a split twice"):
        LeakageChecks(time_feature="t", split_order=["a", "a"])

"""Metrics against values computed the plain way, and the laws of merging."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.components.evaluation import ranking
from penstock.components.evaluation.accumulators import Problem, problem_for
from penstock.components.evaluation.evaluation import Evaluation
from penstock.components.evaluation.metrics import (
    METRICS,
    Metric,
    applicable,
    check_task,
    value,
    why_undefined,
)
from penstock.components.evaluation.ranking import bin_scores, count_scores
from penstock.data.exact_sums import ExactSums
from penstock.pipeline.errors import WiringError

BINARY = problem_for("binary", ("no", "yes"), [Metric("auc", of_class="no")])
SPECIES = ("Adelie", "Chinstrap", "Gentoo")
MULTI = problem_for("multiclass", SPECIES, [])
REGRESSION = Problem("regression")

scores = st.floats(0, 1, width=32)
rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1), scores), min_size=1, max_size=60)


def evaluate(problem, labels, predictions, islands=None, slices=()):
    evaluation = Evaluation(problem, slices)
    batch = pa.record_batch({"island": pa.array(islands or ["x"] * len(labels))})
    evaluation.add(batch, np.asarray(labels), np.asarray(predictions, np.float32))
    return evaluation


def overall(problem, labels, predictions, metric):
    return value(metric, evaluate(problem, labels, predictions).overall())


def naive_auc(labels, predictions):
    pairs = [
        (p > n) + (p == n) / 2
        for label, p in zip(labels, predictions, strict=True)
        for other, n in zip(labels, predictions, strict=True)
        if label and not other
    ]
    return sum(pairs) / len(pairs) if pairs else math.nan


@settings(deadline=None)
@given(rows)
def test_auc_is_the_chance_that_a_positive_scores_above_a_negative(drawn):
    labels, predictions = [y for _, y, _ in drawn], [p for _, _, p in drawn]

    measured = overall(BINARY, labels, predictions, Metric("auc"))

    assert measured == pytest.approx(naive_auc(labels, predictions), nan_ok=True)


@settings(deadline=None)
@given(rows)
def test_binary_metrics_agree_with_their_definitions(drawn):
    labels, predictions = [y for _, y, _ in drawn], [p for _, _, p in drawn]
    hits = [y == (p > 0.5) for y, p in zip(labels, predictions, strict=True)]
    clipped = np.clip(predictions, 1e-7, 1 - 1e-7)
    loss = np.mean([-math.log(p if y else 1 - p) for y, p in zip(labels, clipped, strict=True)])
    errors = np.subtract(predictions, labels)

    totals = evaluate(BINARY, labels, predictions).overall()

    assert value(Metric("accuracy"), totals) == sum(hits) / len(hits)
    assert value(Metric("loss"), totals) == pytest.approx(loss)
    assert value(Metric("mae"), totals) == pytest.approx(np.abs(errors).mean())
    assert value(Metric("rmse"), totals) == pytest.approx(math.sqrt((errors**2).mean()))
    assert value(Metric("mean_prediction"), totals) == pytest.approx(np.mean(predictions))
    assert value(Metric("mean_label"), totals) == pytest.approx(np.mean(labels))
    assert value(Metric("example_count"), totals) == len(labels)


def test_precision_recall_and_calibration_by_hand():
    labels, predictions = [1, 1, 1, 0, 0], [0.9, 0.6, 0.5, 0.7, 0.1]

    totals = evaluate(BINARY, labels, predictions).overall()

    assert value(Metric("precision"), totals) == pytest.approx(2 / 3)
    assert value(Metric("recall"), totals) == pytest.approx(2 / 3)
    assert value(Metric("precision", of_class="no"), totals) == pytest.approx(1 / 2)
    assert value(Metric("calibration"), totals) == pytest.approx(2.8 / 3)


def test_area_under_precision_and_recall_is_that_of_keras():
    keras = pytest.importorskip("keras")
    generator = np.random.default_rng(7)
    labels = generator.integers(0, 2, 400)
    predictions = np.round(np.clip(labels * 0.3 + generator.random(400) * 0.7, 0, 1), 2).astype(np.float32)
    reference = keras.metrics.AUC(curve="PR", thresholds=[i / 1000 - 0.0005 for i in range(1, 1000)])
    reference.update_state(labels, predictions)

    measured = overall(BINARY, labels, predictions, Metric("auc_pr"))

    assert measured == pytest.approx(float(reference.result()), abs=1e-6)


def test_auc_of_the_other_class_is_the_same_area():
    labels, predictions = [0, 1, 0, 1, 1], [0.1, 0.9, 0.6, 0.4, 0.7]

    negative = overall(BINARY, labels, predictions, Metric("auc", of_class="no"))

    assert negative == pytest.approx(naive_auc(labels, predictions))


def test_multiclass_metrics_by_hand():
    labels = [0, 0, 1, 2, 2]
    predictions = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]]

    totals = evaluate(MULTI, labels, predictions).overall()

    assert value(Metric("accuracy"), totals) == pytest.approx(4 / 5)
    assert value(Metric("recall"), totals) == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert value(Metric("precision"), totals) == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert value(Metric("precision", average="micro"), totals) == pytest.approx(4 / 5)
    assert value(Metric("recall", of_class="Adelie"), totals) == pytest.approx(1 / 2)
    assert value(Metric("loss"), totals) == pytest.approx(-np.log([0.8, 0.2, 0.8, 0.8, 0.4]).mean(), abs=1e-6)
    one_vs_rest = [naive_auc(np.equal(labels, k), np.asarray(predictions)[:, k]) for k in range(3)]
    assert value(Metric("auc"), totals) == pytest.approx(np.mean(one_vs_rest))


def test_confusion_matrix_counts_true_by_predicted():
    evaluation = evaluate(BINARY, [1, 1, 0, 0, 0], [0.9, 0.2, 0.8, 0.1, 0.3])

    assert evaluation.confusion() == [[2, 1], [1, 1]]


def test_regression_metrics_by_hand():
    totals = evaluate(REGRESSION, [1.0, 2.0, 4.0], [2.0, 2.0, 2.0]).overall()

    assert value(Metric("mae"), totals) == pytest.approx(1.0)
    assert value(Metric("mse"), totals) == pytest.approx(5 / 3)
    assert value(Metric("loss"), totals) == pytest.approx(5 / 3)
    assert value(Metric("calibration"), totals) == pytest.approx(6 / 7)


def test_auc_of_one_class_is_undefined_and_says_why():
    totals = evaluate(BINARY, [0, 0, 0], [0.1, 0.2, 0.9]).overall()

    assert math.isnan(value(Metric("auc"), totals))
    assert why_undefined(Metric("auc"), totals) == "none of the 3 labels is 'yes'"


def test_precision_without_positive_predictions_is_undefined():
    totals = evaluate(BINARY, [1, 0], [0.1, 0.2]).overall()

    assert math.isnan(value(Metric("precision"), totals))
    assert why_undefined(Metric("precision"), totals) == "the model never predicts 'yes'"


def test_a_class_never_predicted_has_precision_zero_in_the_mean():
    totals = evaluate(MULTI, [0, 1], [[0.9, 0.1, 0], [0.8, 0.2, 0]]).overall()

    assert value(Metric("precision"), totals) == pytest.approx(1 / 4)


@settings(deadline=None)
@given(rows, st.data())
def test_any_sharding_gives_equal_metrics(drawn, data):
    order = data.draw(st.permutations(range(len(drawn))))
    cut = data.draw(st.integers(0, len(drawn)))
    slices = [["island"]]

    def part(indices):
        taken = [drawn[i] for i in indices]
        if not taken:
            return Evaluation(BINARY, slices)
        islands, labels, predictions = zip(*taken, strict=True)
        return evaluate(BINARY, labels, predictions, list(islands), slices)

    whole, left, right = part(range(len(drawn))), part(order[:cut]), part(order[cut:])
    left.merge(right)

    assert repr(left.overall()) == repr(whole.overall())
    assert repr(left.slices()) == repr(whole.slices())
    assert left.confusion() == whole.confusion()


@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), max_size=40), st.randoms())
def test_sums_are_exact_in_any_order(values, random):
    shuffled = random.sample(values, len(values))
    sums = ExactSums()
    for value_ in shuffled:
        sums.add(np.zeros(1, np.int64), np.array([value_]))

    assert sums.values(1) == [math.fsum(values)]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1))
def test_binning_keeps_order_and_does_nothing_twice(drawn):
    ordered = np.sort(np.asarray(drawn))

    binned = bin_scores(ordered)

    assert np.all(np.diff(binned) >= 0)
    assert np.array_equal(bin_scores(binned), binned)
    assert np.max(np.abs(binned - ordered)) <= 2**-9


def test_binned_auc_stays_within_its_stated_error():
    generator = np.random.default_rng(3)
    labels = generator.random(60_000) < 0.3
    predictions = 1 / (1 + np.exp(-(generator.normal(size=60_000) + labels)))
    ordered = np.argsort(predictions)
    ranks = np.empty(len(predictions))
    ranks[ordered] = np.arange(1, len(predictions) + 1)
    positives, negatives = labels.sum(), (~labels).sum()
    exact = (ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives)

    counted = count_scores(labels, predictions)

    assert counted.binned
    assert abs(counted.ranking().auc - exact) <= counted.ranking().auc_error < 0.002


def test_binning_does_not_depend_on_sharding(monkeypatch):
    monkeypatch.setattr(ranking, "EXACT_SCORES", 50)
    generator = np.random.default_rng(5)
    labels, predictions = generator.random(300) < 0.5, generator.random(300)
    whole = count_scores(labels, predictions)

    parts = [count_scores(labels[i::7], predictions[i::7]) for i in range(7)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merged(part)

    assert merged.binned
    assert np.array_equal(merged.scores, whole.scores)
    assert np.array_equal(merged.positives, whole.positives)
    assert merged.ranking() == whole.ranking()


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(WiringError, match=r"Metric\('acuracy'\) is not known\. Did you mean 'accuracy'\?"):
        Metric("acuracy")


def test_a_name_of_keras_is_translated():
    with pytest.raises(WiringError, match="Penstock calls it 'auc_pr'"):
        Metric("AUCPrecisionRecall")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "loss", "of_class": "yes"}, "takes no of_class; these do: auc, auc_pr, precision, recall"),
        ({"name": "auc", "average": "micro"}, "goes with precision or recall"),
        ({"name": "recall", "average": "median"}, "Use one of: macro, micro"),
        ({"name": "auc", "at_least": 0.9, "at_most": 0.8}, "at_least is above at_most"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(WiringError, match=message):
        Metric(**options)


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(WiringError, match=r"not for a regression model\. It has: example_count, loss, mae"):
        check_task(Metric("auc"), "regression", ())


def test_a_class_the_model_does_not_have_names_the_nearest():
    with pytest.raises(WiringError, match=r"no such class\. Did you mean 'Gentoo'\?"):
        check_task(Metric("recall", of_class="Gento"), "multiclass", SPECIES)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_applicable_metric_has_a_value(task):
    problem = {"binary": BINARY, "multiclass": MULTI, "regression": REGRESSION}[task]
    labels, predictions = [0, 1, 2] if task == "multiclass" else [0, 1, 1], [0.2, 0.7, 0.6]
    totals = evaluate(problem, labels, np.eye(3) * 0.9 if task == "multiclass" else predictions).overall()

    values = {metric.name: value(metric, totals) for metric in applicable(task)}

    assert values.keys() == {name for name, rule in METRICS.items() if task in rule.tasks}
    assert all(math.isfinite(number) for number in values.values())

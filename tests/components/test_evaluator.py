"""The Evaluator on real models and examples: labels, blessings, what it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model, ModelBlessing, ModelEvaluation
from penstock.components.evaluation.evaluator import Evaluator, check_arguments
from penstock.components.evaluation.metrics import Metric
from penstock.components.evaluation.verdict import NO_BOUNDS
from penstock.pipeline import DataError, UserCodeError, WiringError
from tests.components.small_models import BINARY, LISTED, MADE_LABEL, MULTICLASS, REGRESSION, save_examples, save_model

ROWS = {
    "island": ["Biscoe", "Biscoe", None, "Dream", "Dream"],
    "p": [0.9, 0.2, 0.7, 0.4, None],
    "answer": ["yes", "no", "yes", "yes", "no"],
    "distance": [30.0, 1.0, 12.0, 2.0, 3.0],
    "target": [1.0, 0.0, 0.5, 0.5, 0.5],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths of one model per task, saved once."""
    folder = tmp_path_factory.mktemp("models")
    contracts = {"binary": BINARY, "made_label": MADE_LABEL, "regression": REGRESSION, "multiclass": MULTICLASS}
    return {name: save_model(folder / name, contract) for name, contract in contracts.items()}


@pytest.fixture
def examples(tmp_path):
    return save_examples(tmp_path / "examples", ROWS)


def run(tmp_path, examples, model, **parameters):
    outputs = [ModelEvaluation(str(tmp_path / "evaluation")), ModelBlessing(str(tmp_path / "blessing"))]
    for output in outputs:
        os.makedirs(output.path)
    Evaluator(Examples(examples), Model(model), *outputs, **parameters)
    with open(tmp_path / "evaluation" / "metrics.json", encoding="utf-8") as file:
        return *outputs, json.load(file)


def test_metrics_are_written_overall_and_by_slice(tmp_path, examples, models):
    evaluation, _, document = run(tmp_path, examples, models["binary"], slices=[["island"]])

    assert document["overall"]["accuracy"] == pytest.approx(4 / 5)
    assert document["overall"]["example_count"] == 5
    assert (document["task"], document["label"]) == ("binary", "answer")
    by_island = {found["slice"]["island"]: found["metrics"]["accuracy"] for found in document["slices"]}
    assert by_island == {"Biscoe": 1.0, "Dream": 0.5, None: 1.0}
    assert evaluation.properties["metrics"] == document["overall"]


def test_a_model_without_bounds_is_blessed_and_the_blessing_says_so(tmp_path, examples, models):
    _, blessing, _ = run(tmp_path, examples, models["binary"])

    assert blessing.properties == {"blessed": 1, "reasons": [NO_BOUNDS]}
    assert os.listdir(blessing.path) == ["BLESSED"]


def test_bounds_that_hold_bless(tmp_path, examples, models):
    _, blessing, document = run(tmp_path, examples, models["binary"], metrics=[Metric("accuracy", at_least=0.8)])

    assert blessing.properties["blessed"] == 1
    assert blessing.properties["reasons"] == ["accuracy is 0.8 overall; at least 0.8 was asked"]
    assert document["bounds"][0]["holds"]


def test_a_bound_that_fails_refuses_and_says_by_how_much(tmp_path, examples, models):
    bounds = [Metric("accuracy", at_least=0.9), Metric("loss", at_most=5)]

    _, blessing, document = run(tmp_path, examples, models["binary"], metrics=bounds)

    assert blessing.properties["blessed"] == 0
    assert blessing.properties["reasons"] == ["accuracy is 0.8 overall; at least 0.9 was asked"]
    assert os.listdir(blessing.path) == ["NOT_BLESSED"]
    assert not document["blessed"]


def test_one_failing_slice_refuses(tmp_path, examples, models):
    bound = Metric("accuracy", at_least=0.8, per_slice=True)

    _, blessing, _ = run(tmp_path, examples, models["binary"], metrics=[bound], slices=[["island"]])

    assert blessing.properties["reasons"] == ["accuracy is 0.5 for island='Dream'; at least 0.8 was asked"]


def test_slices_of_few_examples_can_be_left_unjudged(tmp_path, examples, models):
    bound = Metric("accuracy", at_least=0.8, per_slice=True, min_examples=3)

    _, blessing, _ = run(tmp_path, examples, models["binary"], metrics=[bound], slices=[["island"]])

    assert blessing.properties["blessed"] == 1


def test_an_undefined_metric_never_meets_its_bound_and_says_why(tmp_path, examples, models):
    bound = Metric("auc", at_least=0.5, per_slice=True)

    _, blessing, document = run(tmp_path, examples, models["binary"], metrics=[bound], slices=[["island"]])

    assert blessing.properties["reasons"] == [
        "auc is 0 for island='Dream'; at least 0.5 was asked",
        "auc is undefined for island=missing: every one of the 1 labels is 'yes'; at least 0.5 was asked",
    ]
    missing = document["slices"][-1]
    assert missing["metrics"]["auc"] is None
    assert missing["undefined"]["auc"] == "every one of the 1 labels is 'yes'"


def test_the_label_may_come_from_the_transform(tmp_path, examples, models):
    _, _, document = run(tmp_path, examples, models["made_label"])

    assert document["label"] == "far"
    assert document["overall"]["mean_label"] == pytest.approx(2 / 5)
    assert document["overall"]["accuracy"] == 1.0


def test_a_label_that_the_transform_makes_of_a_missing_value_counts(tmp_path, models):
    examples = save_examples(tmp_path / "gaps", {"p": [0.9, 0.1], "distance": pa.array([30.0, None])})

    _, _, document = run(tmp_path, examples, models["made_label"])

    assert (document["rows"], document["rows_without_label"]) == (2, 0)


def test_a_model_over_lists_is_called_with_serialized_examples(tmp_path):
    rows = {"p": pa.array([[0.9], [0.2], None], pa.list_(pa.float64())), "answer": ["yes", "no", "no"]}
    model = save_model(tmp_path / "listed", LISTED)

    _, _, document = run(tmp_path, save_examples(tmp_path / "lists", rows), model)

    assert document["overall"]["accuracy"] == 1.0


def test_another_raw_label_may_be_named(tmp_path, models):
    examples = save_examples(tmp_path / "renamed", {"p": [0.9, 0.1], "truth": ["yes", "no"]})

    _, _, document = run(tmp_path, examples, models["binary"], label="truth")

    assert document["overall"]["accuracy"] == 1.0


def test_regression_targets_are_raw_values(tmp_path, examples, models):
    _, _, document = run(tmp_path, examples, models["regression"], metrics=[Metric("mae", at_most=0.2)])

    assert document["overall"]["mae"] == pytest.approx((0.1 + 0.2 + 0.2 + 0.1 + 0) / 5)
    assert document["blessed"]


def test_a_multiclass_model_is_measured_by_the_names_of_its_classes(tmp_path, models):
    rows = {"p": [0.1, 0.4, 0.8, 0.9], "species": ["Adelie", "Chinstrap", "Gentoo", "Adelie"]}
    examples = save_examples(tmp_path / "penguins", rows)
    bound = Metric("recall", of_class="Adelie", at_least=0.4)

    _, _, document = run(tmp_path, examples, models["multiclass"], metrics=[bound])

    assert document["overall"]["accuracy"] == pytest.approx(3 / 4)
    assert document["overall"]["recall[Adelie]"] == pytest.approx(1 / 2)
    plots = json.loads((tmp_path / "evaluation" / "plots.json").read_text())
    assert plots["confusion"] == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("labels", [[1, 0], [1.0, 0.0], [True, False], ["1", "0"], [b"1", b"0"]])
def test_a_class_is_found_however_it_is_stored(tmp_path, models, labels):
    examples = save_examples(tmp_path / "typed", {"p": [0.9, 0.1], "distance": [0.0, 0.0], "hit": labels})

    _, _, document = run(tmp_path, examples, models["made_label"], label="hit")

    assert document["overall"]["accuracy"] == 1.0


def test_rows_without_a_label_are_counted_and_left_out(tmp_path, models):
    rows = {"p": [0.9, 0.1, 0.2], "answer": pa.array(["yes", None, ""])}

    evaluation, _, document = run(tmp_path, save_examples(tmp_path / "gaps", rows), models["binary"])

    assert (document["rows"], document["rows_without_label"]) == (1, 2)
    assert evaluation.properties["rows_without_label"] == 2


def test_several_splits_are_measured_together(tmp_path, examples, models):
    save_examples(examples, {name: values[:2] for name, values in ROWS.items()}, split="test")

    _, _, document = run(tmp_path, examples, models["binary"], example_splits=["eval", "test"])

    assert document["rows"] == 7


def test_plots_hold_calibration_and_roc(tmp_path, examples, models):
    run(tmp_path, examples, models["binary"])

    plots = json.loads((tmp_path / "evaluation" / "plots.json").read_text())

    assert sum(bucket["rows"] for bucket in plots["calibration"]["yes"]) == 5
    assert plots["roc"]["yes"][-1]["true_positive_rate"] == 1.0
    assert plots["confusion"] == [[2, 0], [1, 2]]


def test_evaluating_twice_gives_the_same_bytes(tmp_path, examples, models):
    for attempt in "ab":
        (tmp_path / attempt).mkdir()
        run(tmp_path / attempt, examples, models["binary"], slices=[["island"]])

    for name in ("metrics.json", "plots.json"):
        first, second = ((tmp_path / attempt / "evaluation" / name).read_bytes() for attempt in "ab")
        assert first == second


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("answer", ["yes", "nay"], r"label 'answer' has values that the model doesn't know: 'nay'\..*no, yes"),
        ("answer", [None, None], r"None of the 2 rows in eval has a value of the label 'answer'"),
        ("p", ["a", "b"], r"'p'"),
    ],
)
def test_unusable_data_is_named(tmp_path, models, column, values, message):
    rows = {"p": [0.9, 0.1], "answer": ["yes", "no"], column: pa.array(values, pa.string())}

    with pytest.raises(DataError, match=message):
        run(tmp_path, save_examples(tmp_path / "bad", rows), models["binary"])


def test_a_column_that_the_model_reads_and_the_examples_lack_is_named(tmp_path, models):
    examples = save_examples(tmp_path / "bad", {"P": [0.9], "answer": ["yes"]})

    with pytest.raises(DataError, match=r"The model reads the column 'p', and the examples have none"):
        run(tmp_path, examples, models["binary"])


def test_a_split_without_rows_is_refused(tmp_path, models):
    rows = pa.table({"p": pa.array([], pa.float64()), "answer": pa.array([], pa.string())})

    with pytest.raises(DataError, match="no rows in: eval"):
        run(tmp_path, save_examples(tmp_path / "empty", rows), models["binary"])


def test_an_infinite_target_is_refused(tmp_path, models):
    rows = {"p": [0.9, 0.1], "target": [1.0, float("inf")]}

    with pytest.raises(DataError, match="'target' is infinite in 1 row"):
        run(tmp_path, save_examples(tmp_path / "inf", rows), models["regression"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("nan", "1 of 5 scores are NaN or infinite; such a model is never blessed"),
        ("logits", "are probabilities, this one gives -3 to 4"),
        ("short", r"scores of the shape \(5, 1\) for 5 rows, this one gave \(4, 1\)"),
    ],
)
def test_scores_that_break_the_contract_are_refused(tmp_path, examples, broken, message):
    model = save_model(tmp_path / "broken", BINARY, broken)

    with pytest.raises(UserCodeError, match=message):
        run(tmp_path, examples, model)


def test_a_folder_without_a_model_is_named(tmp_path, examples):
    with pytest.raises(UserCodeError, match="save_model"):
        run(tmp_path, examples, str(tmp_path))


def test_a_metric_of_another_task_is_refused_by_the_step_too(tmp_path, examples, models):
    with pytest.raises(WiringError, match="not for a regression model"):
        run(tmp_path, examples, models["regression"], metrics=[Metric("auc")])


RECORDED = Examples("", properties={"columns": {"island": "string", "species": "string"}, "split_names": ["train"]})
TRAINED = Model("", properties={"task": "regression", "transformed_features": ["tips"]})


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"label": "specis"}, DataError, r"label=\.\.\.\) names 'specis', .* Did you mean 'species'\?"),
        ({"slices": [["iland"]]}, DataError, r"slices=\.\.\.\) names 'iland', .* Did you mean 'island'\?"),
        ({"example_splits": ["evil"]}, DataError, "'evil', which is no split of the examples"),
        ({}, DataError, "'eval', which is no split"),
        ({"metrics": [Metric("mae", at_most=1, per_slice=True)]}, WiringError, "needs slices"),
        ({"metrics": [Metric("auc")], "example_splits": ["train"]}, WiringError, "not for a regression model"),
    ],
)
def test_wrong_arguments_are_named_before_anything_heavy(parameters, error, message):
    with pytest.raises(error, match=message):
        check_arguments(RECORDED, TRAINED, **parameters)


def test_a_label_made_by_the_transform_passes_the_check():
    check_arguments(RECORDED, TRAINED, label="tips", example_splits=["train"])


def test_the_shell_imports_nothing_heavy():
    code = (
        "import sys, penstock.components.evaluation.evaluator as e; e.Evaluator.spec;"
        "print([m for m in ('numpy', 'pyarrow', 'tensorflow', 'apache_beam') if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"

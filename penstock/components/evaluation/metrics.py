"""The metrics that Penstock knows: one table from a name to its rule, over the totals of one slice.

No numpy here: pipelines name metrics, and naming one must stay cheap. Meanings are TFMA's and Keras's, but a
value that isn't defined (an AUC where one class doesn't occur) is NaN with a reason, never 0.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.pipeline.errors import WiringError, listing, nearest
from penstock.pipeline.settings import settings

BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
CLASSIFICATION = (BINARY, MULTICLASS)
NUMERIC = (BINARY, REGRESSION)
EVERY_TASK = (BINARY, MULTICLASS, REGRESSION)
AVERAGES = ("macro", "micro")
UNDEFINED = math.nan


@settings
@dataclass(frozen=True)
class Metric:
    """A metric to compute, and the bounds within which it must lie for a model to be blessed.

    Attributes:
        name: A name of `METRICS`.
        at_least: The lowest value that is still accepted.
        at_most: The highest value that is still accepted.
        per_slice: Hold every slice to the bounds too, not only all rows together.
        min_examples: With `per_slice`, slices of fewer labelled rows are not judged.
        of_class: For precision, recall, auc and auc_pr: this class against all others.
        average: For precision and recall over many classes: "macro" (the mean over classes, the default) or
            "micro" (counts of all classes together).

    Raises:
        WiringError: No such metric, or it doesn't take that option.
    """

    name: str
    at_least: float | None = None
    at_most: float | None = None
    per_slice: bool = False
    min_examples: int = 0
    of_class: str | None = None
    average: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without a model; what is a run parameter is checked when its value is known."""
        if isinstance(self.name, str) and self.name not in METRICS:
            alias = FIELD_NAMES.get(self.name.lower().replace("_", ""))
            hint = f" Penstock calls it {alias!r}." if alias else nearest(self.name.lower(), METRICS)
            raise WiringError(f"Metric({self.name!r}) is not known.{hint} Known: {', '.join(METRICS)}.")
        if isinstance(self.name, str):
            self._check_options()
        self._check_bounds()

    def _check_options(self) -> None:
        if self.of_class is not None and not METRICS[self.name].by_class:
            names = ", ".join(name for name, rule in METRICS.items() if rule.by_class)
            raise WiringError(f"Metric({self.name!r}) takes no of_class; these do: {names}.")
        if self.average is not None and (self.name not in ("precision", "recall") or self.of_class is not None):
            raise WiringError("Metric(average=...) goes with precision or recall, and without of_class.")
        if isinstance(self.average, str) and self.average not in AVERAGES:
            raise WiringError(f"Metric(average={self.average!r}) is not known. Use one of: {', '.join(AVERAGES)}.")

    def _check_bounds(self) -> None:
        known = isinstance(self.at_least, int | float) and isinstance(self.at_most, int | float)
        if known and self.at_least > self.at_most:  # type: ignore[operator]
            raise WiringError(
                f"Metric({self.name!r}, at_least={self.at_least:g}, at_most={self.at_most:g}) can't hold: "
                f"at_least is above at_most."
            )

    @property
    def key(self) -> str:
        """What the metric is called in reports: "recall", "recall_micro", "recall[Gentoo]"."""
        if self.of_class is not None:
            return f"{self.name}[{self.of_class}]"
        return f"{self.name}_micro" if self.average == "micro" else self.name


@dataclass(frozen=True)
class Ranking:
    """How the scores of one class rank its rows: areas under ROC and precision-recall curve.

    `auc_error` bounds how far `auc` can be from its exact value; 0.0 unless the scores were put into bins.
    """

    positives: int
    negatives: int
    auc: float
    auc_pr: float
    auc_error: float


@dataclass(frozen=True)
class Totals:
    """All that metrics are computed from, for one slice.

    `actual`, `predicted` and `correct` count rows by class (binary: negative, positive, split at a score of
    0.5); `rankings` are by index of the class. What a task doesn't have is empty or 0.
    """

    task: str
    count: int
    classes: tuple[str, ...] = ()
    label_sum: float = 0.0
    prediction_sum: float = 0.0
    absolute_error: float = 0.0
    squared_error: float = 0.0
    cross_entropy: float = 0.0
    actual: tuple[int, ...] = ()
    predicted: tuple[int, ...] = ()
    correct: tuple[int, ...] = ()
    rankings: Mapping[int, Ranking] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricRule:
    """One metric: which tasks it is for, its value from the totals, and whether it exists class by class."""

    tasks: tuple[str, ...]
    value: Callable[[Totals, Metric], float]
    summary: str
    by_class: bool = False


def ratio(above: float, below: float) -> float:
    """Return `above / below`, NaN when `below` is 0."""
    return above / below if below else UNDEFINED


def _accuracy(totals: Totals, _: Metric) -> float:
    return ratio(sum(totals.correct), totals.count)


def _precision(totals: Totals, metric: Metric) -> float:
    return _over_classes(totals, metric, totals.predicted)


def _recall(totals: Totals, metric: Metric) -> float:
    return _over_classes(totals, metric, totals.actual)


def _over_classes(totals: Totals, metric: Metric, below: tuple[int, ...]) -> float:
    if metric.average == "micro":
        return ratio(sum(totals.correct), sum(below))
    if metric.of_class is not None or (totals.task == BINARY and metric.average is None):
        index = class_index(metric, totals.classes)
        return ratio(totals.correct[index], below[index])
    # A class that occurs but is never predicted has precision 0: else naming one class only would look good.
    seen = [i for i in range(len(below)) if totals.actual[i] or totals.predicted[i]]
    values = [totals.correct[i] / below[i] if below[i] else 0.0 for i in seen]
    return ratio(sum(values), len(values))


def _auc(totals: Totals, metric: Metric) -> float:
    return _mean_ranking(totals, metric, lambda ranking: ranking.auc)


def _auc_pr(totals: Totals, metric: Metric) -> float:
    return _mean_ranking(totals, metric, lambda ranking: ranking.auc_pr)


def _mean_ranking(totals: Totals, metric: Metric, area: Callable[[Ranking], float]) -> float:
    values = [area(totals.rankings[i]) for i in ranked_classes(metric, totals.task, totals.classes)]
    return sum(values) / len(values)


def _loss(totals: Totals, _: Metric) -> float:
    total = totals.squared_error if totals.task == REGRESSION else totals.cross_entropy
    return ratio(total, totals.count)


def _mae(totals: Totals, _: Metric) -> float:
    return ratio(totals.absolute_error, totals.count)


def _mse(totals: Totals, _: Metric) -> float:
    return ratio(totals.squared_error, totals.count)


def _rmse(totals: Totals, metric: Metric) -> float:
    return math.sqrt(_mse(totals, metric))


def _calibration(totals: Totals, _: Metric) -> float:
    return ratio(totals.prediction_sum, totals.label_sum)


def _mean_label(totals: Totals, _: Metric) -> float:
    return ratio(totals.label_sum, totals.count)


def _mean_prediction(totals: Totals, _: Metric) -> float:
    return ratio(totals.prediction_sum, totals.count)


def _example_count(totals: Totals, _: Metric) -> float:
    return totals.count


METRICS: Mapping[str, MetricRule] = {
    "example_count": MetricRule(EVERY_TASK, _example_count, "labelled rows"),
    "accuracy": MetricRule(CLASSIFICATION, _accuracy, "rows whose class is predicted; binary: score above 0.5"),
    "auc": MetricRule(CLASSIFICATION, _auc, "area under ROC; multiclass: mean of one class against the rest", True),
    "auc_pr": MetricRule(CLASSIFICATION, _auc_pr, "area under precision over recall, interpolated", True),
    "precision": MetricRule(CLASSIFICATION, _precision, "predicted rows that are right", True),
    "recall": MetricRule(CLASSIFICATION, _recall, "rows of the class that are found", True),
    "loss": MetricRule(EVERY_TASK, _loss, "mean cross-entropy in nats; regression: mean squared error"),
    "mae": MetricRule(NUMERIC, _mae, "mean absolute error"),
    "mse": MetricRule(NUMERIC, _mse, "mean squared error; binary: the Brier score"),
    "rmse": MetricRule(NUMERIC, _rmse, "root of the mean squared error"),
    "calibration": MetricRule(NUMERIC, _calibration, "mean prediction over mean label; 1 is unbiased"),
    "mean_label": MetricRule(NUMERIC, _mean_label, "mean of the label; binary: share of positives"),
    "mean_prediction": MetricRule(NUMERIC, _mean_prediction, "mean of the score"),
}
"""Every metric by its name."""

FIELD_NAMES: Mapping[str, str] = {
    "binaryaccuracy": "accuracy",
    "categoricalaccuracy": "accuracy",
    "sparsecategoricalaccuracy": "accuracy",
    "rocauc": "auc",
    "aucroc": "auc",
    "aucprecisionrecall": "auc_pr",
    "averageprecision": "auc_pr",
    "prauc": "auc_pr",
    "binarycrossentropy": "loss",
    "categoricalcrossentropy": "loss",
    "sparsecategoricalcrossentropy": "loss",
    "crossentropy": "loss",
    "logloss": "loss",
    "meanabsoluteerror": "mae",
    "meansquarederror": "mse",
    "brier": "mse",
    "rootmeansquarederror": "rmse",
    "meancalibration": "calibration",
}
"""What Keras, TFMA and scikit-learn call them: lower case, no underscores."""


def applicable(task: str) -> list[Metric]:
    """Return the metrics that are recorded for every model of this task."""
    return [Metric(name) for name, rule in METRICS.items() if task in rule.tasks]


def check_task(metric: Metric, task: str, classes: tuple[str, ...]) -> None:
    """Check that a model of this task and these classes has the metric.

    Raises:
        WiringError: It hasn't.
    """
    if task not in METRICS[metric.name].tasks:
        names = [name for name, rule in METRICS.items() if task in rule.tasks]
        raise WiringError(f"Metric({metric.name!r}) is not for a {task} model. It has: {', '.join(names)}.")
    if metric.of_class is not None and metric.of_class not in classes:
        raise WiringError(
            f"Metric({metric.name!r}, of_class={metric.of_class!r}): the model has no such class."
            f"{nearest(metric.of_class, classes)} It has: {listing(classes)}."
        )


def check_slices(slices: Sequence[Sequence[str]], metrics: Sequence[Metric]) -> None:
    """Check that bounds on every slice have slices to hold for.

    Raises:
        WiringError: A metric is `per_slice`, and there are no slices.
    """
    for metric in metrics:
        if metric.per_slice and not slices:
            raise WiringError(
                f"Metric({metric.name!r}, per_slice=True) needs slices, such as Evaluator(slices=[['column']])."
            )


def class_index(metric: Metric, classes: tuple[str, ...]) -> int:
    """Return the index of `metric.of_class`; without one, of the last class, a binary model's positive."""
    return len(classes) - 1 if metric.of_class is None else classes.index(metric.of_class)


def ranked_classes(metric: Metric, task: str, classes: tuple[str, ...]) -> tuple[int, ...]:
    """Return the indices of the classes whose rankings the metric needs."""
    if metric.name not in ("auc", "auc_pr"):
        return ()
    if task == BINARY or metric.of_class is not None:
        return (class_index(metric, classes),)
    return tuple(range(len(classes)))


def value(metric: Metric, totals: Totals) -> float:
    """Return the metric's value, NaN where it isn't defined."""
    return METRICS[metric.name].value(totals, metric)


def why_undefined(metric: Metric, totals: Totals) -> str:
    """Say why `value` is NaN, in words that end a sentence."""
    if not totals.count:
        return "there are no labelled rows"
    if metric.name in ("auc", "auc_pr"):
        for index in ranked_classes(metric, totals.task, totals.classes):
            ranking = totals.rankings[index]
            if not ranking.positives or not ranking.negatives:
                which = "none" if not ranking.positives else "every one"
                return f"{which} of the {totals.count} labels is {totals.classes[index]!r}"
    if metric.name == "precision":
        return f"the model never predicts {totals.classes[class_index(metric, totals.classes)]!r}"
    if metric.name == "recall":
        return f"no label is {totals.classes[class_index(metric, totals.classes)]!r}"
    return "the labels sum to 0"

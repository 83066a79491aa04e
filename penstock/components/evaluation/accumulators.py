"""From labels and scores to totals by slice: mergeable, of bounded memory, the same under any sharding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.components.evaluation.metrics import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    Metric,
    Totals,
    applicable,
    ranked_classes,
)
from penstock.components.evaluation.ranking import NO_SCORES, ScoreCounts, count_scores
from penstock.data.exact_sums import ExactSums

MAX_RANKED_CLASSES = 20
"""Classes up to which the AUC of every class against the rest is recorded unasked."""

LOSS_EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1 in a loss, as Keras does."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """What is predicted, and which classes (by index) need a ranking of their scores."""

    task: str
    classes: tuple[str, ...] = ()
    ranked: tuple[int, ...] = ()


def problem_for(task: str, classes: tuple[str, ...], metrics: list[Metric]) -> Problem:
    """Return the problem whose totals serve `metrics` and all that is recorded unasked."""
    wanted = [*metrics, *recorded(task, classes)]
    ranked = {index for metric in wanted for index in ranked_classes(metric, task, classes)}
    return Problem(task, classes, tuple(sorted(ranked)))


def recorded(task: str, classes: tuple[str, ...]) -> list[Metric]:
    """Return the metrics recorded unasked: all of the task's, less rankings of very many classes."""
    metrics = applicable(task)
    if len(classes) <= MAX_RANKED_CLASSES:
        return metrics
    return [metric for metric in metrics if not ranked_classes(metric, task, classes)]


@dataclass(frozen=True)
class Scored:
    """Rows with their labels and scores, and what follows from the two.

    Attributes:
        labels: (n,) float64: the value; binary: 1.0 for the positive class; multiclass: index of the class.
        scores: (n,) float64; multiclass: (n, classes).
        actual: (n,) index of the label's class; zeros for a regression.
        predicted: (n,) index of the predicted class; zeros for a regression.
        cross_entropy: (n,) loss of the row; zeros for a regression.
    """

    labels: Floats
    scores: Floats
    actual: Ints
    predicted: Ints
    cross_entropy: Floats

    def take(self, rows: Ints) -> Scored:
        """Return these rows, in this order, repeated where they repeat."""
        return Scored(
            self.labels[rows],
            self.scores[rows],
            self.actual[rows],
            self.predicted[rows],
            self.cross_entropy[rows],
        )

    def __len__(self) -> int:
        return len(self.labels)


def score_rows(problem: Problem, labels: npt.NDArray[np.generic], scores: npt.NDArray[np.generic]) -> Scored:
    """Put labels and scores together; shapes as in `Scored`, of any numeric type, all finite."""
    y, p = labels.astype(np.float64), scores.astype(np.float64)
    nothing = np.zeros(len(y), np.int64)
    if problem.task == REGRESSION:
        return Scored(y, p, nothing, nothing, np.zeros(len(y)))
    actual = y.astype(np.int64)
    if problem.task == BINARY:
        clipped = np.clip(p, LOSS_EPSILON, 1 - LOSS_EPSILON)
        return Scored(y, p, actual, (p > 0.5).astype(np.int64), -np.log(np.where(actual == 1, clipped, 1 - clipped)))
    own = p[np.arange(len(p)), actual] / p.sum(axis=1)
    loss = -np.log(np.clip(own, LOSS_EPSILON, 1 - LOSS_EPSILON))
    return Scored(y, p, actual, p.argmax(axis=1).astype(np.int64), loss)


class TotalsBySlice:
    """Accumulates the totals of slices, which are numbers from 0."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._rows: Ints = np.zeros((0, 1), np.int64)
        width = max(1, len(problem.classes))
        self._actual, self._predicted, self._correct = (np.zeros((0, width), np.int64) for _ in range(3))
        self._sums = {name: ExactSums() for name in _sum_names(problem.task)}
        self._scores: dict[tuple[int, int], ScoreCounts] = {}

    def add(self, slices: Ints, scored: Scored) -> None:
        """Add rows: row i of `scored` to slice `slices[i]`."""
        width = self._actual.shape[1]
        self._rows = _plus(self._rows, _counts(slices, np.zeros_like(slices), 1))
        if self.problem.classes:
            right = scored.actual == scored.predicted
            self._actual = _plus(self._actual, _counts(slices, scored.actual, width))
            self._predicted = _plus(self._predicted, _counts(slices, scored.predicted, width))
            self._correct = _plus(self._correct, _counts(slices[right], scored.actual[right], width))
        for name, sums in self._sums.items():
            sums.add(slices, _summand(name, scored))
        for index in self.problem.ranked:
            self._add_scores(index, slices, scored)

    def _add_scores(self, index: int, slices: Ints, scored: Scored) -> None:
        of_class = class_scores(self.problem, scored.scores, index)
        order = np.argsort(slices, kind="stable")
        starts = np.flatnonzero(np.diff(slices[order], prepend=-1))
        for rows in np.split(order, starts[1:]) if len(order) else ():
            key = (int(slices[rows[0]]), index)
            counted = count_scores(scored.actual[rows] == index, of_class[rows])
            self._scores[key] = self._scores[key].merged(counted) if key in self._scores else counted

    def merge(self, other: TotalsBySlice, numbers: list[int]) -> None:
        """Add the totals of `other`, whose slice i is slice `numbers[i]` here."""
        self._rows = _plus(self._rows, _renumbered(other._rows, numbers))
        self._actual = _plus(self._actual, _renumbered(other._actual, numbers))
        self._predicted = _plus(self._predicted, _renumbered(other._predicted, numbers))
        self._correct = _plus(self._correct, _renumbered(other._correct, numbers))
        for name, sums in self._sums.items():
            sums.merge(other._sums[name], numbers)
        for (slice_number, index), counted in other._scores.items():
            key = (numbers[slice_number], index)
            self._scores[key] = self._scores[key].merged(counted) if key in self._scores else counted

    def totals(self, slices: int) -> list[Totals]:
        """Return the totals of the first `slices` slices."""
        sums = {name: sums.values(slices) for name, sums in self._sums.items()}
        counts = [_plus(c, np.zeros((slices, c.shape[1]), np.int64)) for c in self._count_arrays()]
        rows, actual, predicted, correct = (count.tolist() for count in counts)
        has_classes = bool(self.problem.classes)
        return [
            Totals(
                task=self.problem.task,
                count=rows[i][0],
                classes=self.problem.classes,
                actual=tuple(actual[i]) if has_classes else (),
                predicted=tuple(predicted[i]) if has_classes else (),
                correct=tuple(correct[i]) if has_classes else (),
                rankings={k: self.score_counts(i, k).ranking() for k in self.problem.ranked},
                **{name: values[i] for name, values in sums.items()},
            )
            for i in range(slices)
        ]

    def score_counts(self, slice_number: int, index: int) -> ScoreCounts:
        """Return the score counts of a slice for one ranked class."""
        return self._scores.get((slice_number, index), NO_SCORES)

    def _count_arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self._rows, self._actual, self._predicted, self._correct


def class_scores(problem: Problem, scores: Floats, index: int) -> Floats:
    """Return the (n,) scores of one class, out of the scores of a row."""
    if problem.task == MULTICLASS:
        return scores[:, index]
    return scores if index == 1 else 1.0 - scores


def _sum_names(task: str) -> tuple[str, ...]:
    numeric = ("label_sum", "prediction_sum", "absolute_error", "squared_error")
    return {BINARY: (*numeric, "cross_entropy"), MULTICLASS: ("cross_entropy",), REGRESSION: numeric}[task]


def _summand(name: str, scored: Scored) -> Floats:
    if name == "label_sum":
        return scored.labels
    if name == "prediction_sum":
        return scored.scores
    if name == "cross_entropy":
        return scored.cross_entropy
    error = scored.scores - scored.labels
    return np.abs(error) if name == "absolute_error" else error * error


def _counts(slices: Ints, columns: Ints, width: int) -> Ints:
    size = int(slices.max()) + 1 if len(slices) else 0
    counts: Ints = np.bincount(slices * width + columns, minlength=size * width)
    return counts.reshape(size, width)


def _plus(left: Ints, right: Ints) -> Ints:
    larger, smaller = (left, right) if len(left) >= len(right) else (right, left)
    added: Ints = larger.copy()
    added[: len(smaller)] += smaller
    return added


def _renumbered(counts: Ints, numbers: list[int]) -> Ints:
    moved = np.zeros((max(numbers, default=-1) + 1, counts.shape[1]), np.int64)
    moved[np.asarray(numbers[: len(counts)], np.int64)] = counts
    return moved

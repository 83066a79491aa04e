"""One evaluation: all rows and all slicings of them, accumulated batch by batch and merged in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.components.evaluation.accumulators import Problem, score_rows
from penstock.components.evaluation.metrics import Totals
from penstock.components.evaluation.ranking import ScoreCounts
from penstock.components.evaluation.slicing import SliceKey, Slicing

MAX_CONFUSION_CLASSES = 200
"""Classes up to which a confusion matrix is recorded."""


@dataclass(frozen=True)
class SliceTotals:
    """The totals of one slice: the rows whose `columns` have the values `key`."""

    columns: tuple[str, ...]
    key: SliceKey
    totals: Totals


class Evaluation:
    """Accumulates predictions against labels; bounded memory, exact and equal under any sharding."""

    def __init__(self, problem: Problem, slices: Sequence[Sequence[str]] = ()) -> None:
        self.problem = problem
        self.unlabelled = 0
        self._everything = Slicing((), problem)
        self._slicings = [Slicing(columns, problem) for columns in slices]
        width = len(problem.classes) if len(problem.classes) <= MAX_CONFUSION_CLASSES else 0
        self._confusion = np.zeros((width, width), np.int64)

    def add(
        self,
        batch: pa.RecordBatch,
        labels: npt.NDArray[np.generic],
        scores: npt.NDArray[np.generic],
        labelled: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Add rows.

        Args:
            batch: Raw rows with at least the columns of all slices.
            labels: (n,) values, or indices of classes.
            scores: (n,), or (n, classes) for a multiclass problem; finite.
            labelled: (n,) False where the row has no label; such a row is counted and left out.
        """
        if labelled is not None and not labelled.all():
            self.unlabelled += int(len(labelled) - labelled.sum())
            batch, labels, scores = batch.filter(pa.array(labelled)), labels[labelled], scores[labelled]
        if not len(labels):
            return
        scored = score_rows(self.problem, labels, scores)
        for slicing in (self._everything, *self._slicings):
            slicing.add(batch, scored)
        if width := len(self._confusion):
            pairs = np.bincount(scored.actual * width + scored.predicted, minlength=width * width)
            self._confusion += pairs.reshape(width, width)

    def merge(self, other: Evaluation) -> None:
        """Add what another evaluation of the same problem and slices has accumulated."""
        self.unlabelled += other.unlabelled
        self._everything.merge(other._everything)
        for own, others in zip(self._slicings, other._slicings, strict=True):
            own.merge(others)
        self._confusion += other._confusion

    def overall(self) -> Totals:
        """Return the totals of all labelled rows."""
        return self._everything.totals().get((), Totals(self.problem.task, 0, self.problem.classes))

    def slices(self) -> list[SliceTotals]:
        """Return the totals of every slice, slicing by slicing, each in the order of its values."""
        return [
            SliceTotals(slicing.columns, key, totals)
            for slicing in self._slicings
            for key, totals in slicing.totals().items()
        ]

    def overflowed(self) -> list[tuple[str, ...]]:
        """Return the slicings that have too many slices to be reported."""
        return [slicing.columns for slicing in self._slicings if slicing.overflowed]

    def confusion(self) -> list[list[int]]:
        """Return counts by true class (rows) and predicted class; empty without or with too many classes."""
        counts: list[list[int]] = self._confusion.tolist()
        return counts

    def score_counts(self, index: int) -> ScoreCounts:
        """Return the score counts of all rows for one ranked class."""
        return self._everything.accumulated.score_counts(0, index)

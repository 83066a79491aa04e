"""How well scores rank positives above negatives: score counts by slice, and the areas under their curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.components.evaluation.metrics import Ranking

EXACT_SCORES = 16_384
"""Distinct scores of one slice up to which its curves are exact; above, scores are put into bins."""

_KEPT_BITS = np.int64(-1) << np.int64(44)  # sign, exponent and 8 of a float64's 52 fraction bits
_SMALLEST = 2.0**-32

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScoreCounts:
    """Positives and negatives of one slice by score, scores ascending and distinct; three arrays (k,)."""

    scores: Floats
    positives: Ints
    negatives: Ints
    binned: bool = False

    def merged(self, other: ScoreCounts) -> ScoreCounts:
        """Return the counts of both; the same whatever the order or grouping of merges."""
        scores = np.concatenate([self.scores, other.scores])
        binned = self.binned or other.binned
        if not binned:
            distinct, places = np.unique(scores, return_inverse=True)
            binned = len(distinct) > EXACT_SCORES
        if binned:
            distinct, places = np.unique(bin_scores(scores), return_inverse=True)
        return ScoreCounts(
            distinct,
            _sum_at(places, np.concatenate([self.positives, other.positives]), len(distinct)),
            _sum_at(places, np.concatenate([self.negatives, other.negatives]), len(distinct)),
            binned,
        )

    def ranking(self) -> Ranking:
        """Return the areas under the curves; NaN where one of the two classes doesn't occur."""
        positives, negatives = int(self.positives.sum()), int(self.negatives.sum())
        area_pr = area_under_pr(self) if positives else float("nan")
        if not positives or not negatives:
            return Ranking(positives, negatives, float("nan"), area_pr, 0.0)
        above = positives - np.cumsum(self.positives)
        doubled = int(np.sum(self.negatives * (2 * above + self.positives)))
        tied = int(np.sum(self.positives * self.negatives))
        pairs = 2 * positives * negatives
        return Ranking(positives, negatives, doubled / pairs, area_pr, tied / pairs if self.binned else 0.0)


def count_scores(positive: npt.NDArray[np.bool_], scores: Floats) -> ScoreCounts:
    """Count positives and negatives by score; `positive` and `scores` are (n,), scores within [0, 1]."""
    distinct, places = np.unique(scores, return_inverse=True)
    positives = np.bincount(places, weights=positive, minlength=len(distinct)).astype(np.int64)
    counts = np.bincount(places, minlength=len(distinct)).astype(np.int64)
    counted = ScoreCounts(distinct, positives, counts - positives)
    return counted if len(distinct) <= EXACT_SCORES else counted.merged(NO_SCORES)


def bin_scores(scores: Floats) -> Floats:
    """Map scores within [0, 1] to about 16,000 bins, in order, finer towards 0 and 1.

    A bin's width is 1/256 of the power of two below its distance from 0 or from 1, whichever is nearer: a
    confident model keeps its ranking. Binning twice changes nothing.
    """
    near_one = scores >= 0.5
    distance = np.where(near_one, 1.0 - scores, scores)
    distance = np.where(distance < _SMALLEST, 0.0, distance)
    kept: Floats = (distance.view(np.int64) & _KEPT_BITS).view(np.float64)
    return np.where(near_one, 1.0 - kept, kept)


def area_under_pr(counts: ScoreCounts) -> float:
    """Return the area under precision over recall, interpolated as Keras and TFMA do (Davis and Goadrich)."""
    true = np.concatenate([[0.0], np.cumsum(counts.positives[::-1])])
    predicted = true + np.concatenate([[0.0], np.cumsum(counts.negatives[::-1])])
    gained = np.diff(true)
    slope = gained / np.diff(predicted)
    intercept = true[:-1] - slope * predicted[:-1]
    ratio = np.ones_like(slope)
    ratio[1:] = predicted[2:] / predicted[1:-1]
    return float(np.sum(slope * (gained + intercept * np.log(ratio))) / true[-1])


def _sum_at(places: npt.NDArray[np.intp], counts: Ints, size: int) -> Ints:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, places, counts)
    return sums


NO_SCORES = ScoreCounts(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))

"""Bounds held against metrics: which of them hold, and the reasons in words. No numpy here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.components.evaluation.metrics import Metric, Totals, value, why_undefined

NO_BOUNDS = "No metric has a bound (at_least, at_most): nothing was held against the model."


@dataclass(frozen=True)
class Judgement:
    """One bound on one slice; `value` is NaN where the metric isn't defined."""

    metric: Metric
    slice: Mapping[str, Any]
    value: float
    holds: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """All judgements of a model; it is blessed when none fails."""

    judgements: tuple[Judgement, ...]

    @property
    def blessed(self) -> bool:
        """True when every bound holds, also when there is none."""
        return all(judgement.holds for judgement in self.judgements)

    @property
    def reasons(self) -> list[str]:
        """Why: the bounds that fail, or else those that hold, or that there are none."""
        if not self.judgements:
            return [NO_BOUNDS]
        return [judgement.reason for judgement in self.judgements if judgement.holds == self.blessed]


def judge(
    metrics: Sequence[Metric],
    overall: Totals,
    slices: Iterable[tuple[Mapping[str, Any], Totals]],
    left_out: Sequence[Sequence[str]] = (),
) -> Verdict:
    """Hold the totals of a model against the bounds of `metrics`.

    Args:
        metrics: Those without a bound are passed over.
        overall: All rows together.
        slices: Each slice's raw values by column, and its totals.
        left_out: Slicings that have too many slices: a bound on every slice can't be said to hold.
    """
    bounded = [metric for metric in metrics if metric.at_least is not None or metric.at_most is not None]
    by_slice = list(slices)
    judgements = [judge_slice(metric, {}, overall) for metric in bounded]
    for metric in (each for each in bounded if each.per_slice):
        judged = [(key, totals) for key, totals in by_slice if totals.count >= metric.min_examples]
        judgements += [judge_slice(metric, key, totals) for key, totals in judged]
        judgements += [_not_judged(metric, columns) for columns in left_out]
    return Verdict(tuple(judgements))


def judge_slice(metric: Metric, key: Mapping[str, Any], totals: Totals) -> Judgement:
    """Hold one slice against one metric's bounds."""
    measured = value(metric, totals)
    place = slice_text(key)
    if math.isnan(measured):
        reason = f"{metric.key} is undefined {place}: {why_undefined(metric, totals)}; {bounds_text(metric)} was asked"
        return Judgement(metric, key, measured, False, reason)
    holds = (metric.at_least is None or measured >= metric.at_least) and (
        metric.at_most is None or measured <= metric.at_most
    )
    reason = f"{metric.key} is {measured:.6g} {place}; {bounds_text(metric)} was asked"
    return Judgement(metric, key, measured, holds, reason)


def bounds_text(metric: Metric) -> str:
    """Return "at least 0.9", "at most 3" or both."""
    bounds = (("at least", metric.at_least), ("at most", metric.at_most))
    return " and ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None)


def slice_text(key: Mapping[str, Any]) -> str:
    """Return "overall", or "for island='Biscoe'"."""
    named = ", ".join(f"{column}={'missing' if own is None else repr(own)}" for column, own in key.items())
    return f"for {named}" if named else "overall"


def _not_judged(metric: Metric, columns: Sequence[str]) -> Judgement:
    named = ", ".join(columns)
    reason = f"{metric.key} can't be held against each slice by {named}: there are too many of them"
    return Judgement(metric, {}, math.nan, False, reason)

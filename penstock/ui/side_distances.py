"""How far the features of two sides are apart, ranked: where to look first.

Numbers are compared by their shares between the quantiles of the first side. The divergence of the histograms
themselves, which the thresholds of a schema bound, would rank outliers and rounded numbers first: one outlier moves
every bucket of equal width, and a frequent number is a bucket of its own on one side only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.components.validation.distribution_distance import (
    jensen_shannon_of_counts,
    l_infinity,
)
from penstock.components.validation.feature_view import FeatureView
from penstock.ui.cumulative_shares import Cumulative
from penstock.ui.statistics_sides import Side, feature_names

IDENTIFYING = 0.9
"""Strings of which such a share is distinct are identifiers, and aren't compared."""

FEWEST_IDENTIFIERS = 100
"""Fewer distinct strings may all differ by chance."""


@dataclass(frozen=True)
class SideDistance:
    """How far one feature is apart on two sides.

    Attributes:
        feature: Its name.
        before: The side that it is compared with.
        after: The side that is compared.
        jensen_shannon: The Jensen-Shannon divergence, from 0 to 1.
        l_infinity: The greatest difference of a value's share; None for numbers.
        value: The value of which that is; "" for numbers.
    """

    feature: str
    before: str
    after: str
    jensen_shannon: float
    l_infinity: float | None = None
    value: str = ""


def side_pairs(sides: Sequence[Side]) -> list[tuple[Side, Side]]:
    """Return which sides are compared: each artifact's splits with those of the first, or its splits with the first."""
    if not sides:
        return []
    first = sides[0].place
    if all(side.place == first for side in sides):
        return [(sides[0], side) for side in sides[1:]]
    base = {side.split: side for side in reversed(sides) if side.place == first}
    return [(base[side.split], side) for side in sides if side.place != first and side.split in base]


def distances(sides: Sequence[Side], names: Iterable[str] | None = None) -> list[SideDistance]:
    """Return the distance of each feature of each pair, the greatest first; what one side lacks is left out.

    Args:
        sides: At least two for anything to be compared.
        names: The features that are compared; all by default.
    """
    wanted = list(feature_names(sides) if names is None else names)
    found = [
        _distance(before, after, name)
        for before, after in side_pairs(sides)
        for name in wanted
        if name in before.views and name in after.views
    ]
    return sorted(filter(None, found), key=lambda each: -each.jensen_shannon)


def slice_distances(side: Side, part: Side) -> list[SideDistance]:
    """Return how far a slice is from the whole that it is part of, the greatest distance first."""
    found = [_distance(side, part, name) for name in side.views if name in part.views]
    return sorted(filter(None, found), key=lambda each: -each.jensen_shannon)


def greatest_by_feature(found: Iterable[SideDistance]) -> dict[str, SideDistance]:
    """Return the greatest distance of each feature, the greatest first."""
    greatest: dict[str, SideDistance] = {}
    for each in sorted(found, key=lambda each: -each.jensen_shannon):
        greatest.setdefault(each.feature, each)
    return greatest


def _distance(before: Side, after: Side, name: str) -> SideDistance | None:
    left, right = before.views[name], after.views[name]
    if _identifies(left) and _identifies(right):
        return None
    if sum(left.strings.values()) and sum(right.strings.values()):
        value, apart = l_infinity(left.strings, right.strings)
        divergence = jensen_shannon_of_counts(left.strings, right.strings)
        return SideDistance(name, before.label, after.label, divergence, apart, value)
    measured = _of_numbers(left, right)
    return None if measured is None else SideDistance(name, before.label, after.label, measured)


def _identifies(view: FeatureView) -> bool:
    """Say whether nearly every value is another one: identifiers differ on any two sides, which says nothing."""
    return view.distinct is not None and view.distinct >= max(IDENTIFYING * view.values, FEWEST_IDENTIFIERS)


def _of_numbers(left: FeatureView, right: FeatureView) -> float | None:
    before, after = Cumulative.of(left), Cumulative.of(right)
    if before is None or after is None:
        return None
    parts = _parts(before, before.cuts), _parts(after, before.cuts)
    return jensen_shannon_of_counts(*parts) if all(sum(each.values()) for each in parts) else None


def _parts(known: Cumulative, cuts: Sequence[float]) -> dict[str, float]:
    """Return how many numbers lie between neighbouring cuts, and how many are no finite numbers."""
    counts = known.between([*cuts, math.inf]) * known.finite
    return {f"part {place:03}": count for place, count in enumerate(counts.tolist())} | {"strange": known.strange}

"""Correlations of pairs of features, where they were asked for, the strongest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.ui.statistics_sides import Side


@dataclass(frozen=True)
class Correlation:
    """How two features go together: from -1 to 1 by side's label; a side without such a number is left out."""

    left: str
    right: str
    by_side: dict[str, float]

    @property
    def strength(self) -> float:
        """The strongest on any side, whatever its sign."""
        return max(abs(value) for value in self.by_side.values())


def correlations_of(sides: Sequence[Side]) -> list[Correlation]:
    """Return the pairs that some side has a correlation of."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for side in sides:
        for cross in side.dataset.cross_features:
            value = cross.num_cross_stats.correlation
            if cross.WhichOneof("cross_stats") == "num_cross_stats" and math.isfinite(value):
                pair = ".".join(cross.path_x.step), ".".join(cross.path_y.step)
                found.setdefault(pair, {})[side.label] = value
    pairs = [Correlation(left, right, by_side) for (left, right), by_side in found.items()]
    return sorted(pairs, key=lambda pair: -pair.strength)

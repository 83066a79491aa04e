"""A distribution in a few block characters."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.components.validation.feature_view import FeatureView
from penstock.ui.distribution_bins import even_bins

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 10


def sketches(views: Sequence[FeatureView | None]) -> list[str]:
    """Return a sketch a side, at most `WIDTH` wide and on the same axis: bins of numbers, or the frequent values.

    Args:
        views: One feature on each side; None where it isn't there.
    """
    if any(view is not None and view.strings for view in views):
        return _of_values(views)
    bins = even_bins(views, WIDTH)
    return [blocks(shares) for shares in bins.shares] if bins is not None else [""] * len(views)


def blocks(shares: Sequence[float]) -> str:
    """Return one block a share, the greatest full, nothing a blank.

    >>> blocks([0.5, 0.25, 0.0, 0.001])
    '█▅ ▁'
    """
    greatest = max(shares, default=0.0)
    if not greatest:
        return ""
    return "".join(BLOCKS[round(share / greatest * (len(BLOCKS) - 1))] if share else " " for share in shares)


def _of_values(views: Sequence[FeatureView | None]) -> list[str]:
    counted = [view.strings if view is not None else {} for view in views]
    first = next(counts for counts in counted if counts)
    ranked = sorted(first, key=lambda value: -first[value])[:WIDTH]
    return [blocks([counts.get(value, 0.0) for value in ranked]) for counts in counted]

"""Distributions as SVG: steps over bins of numbers, bars of frequent values; the sides in their colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from penstock.ui import formats
from penstock.ui.distribution_bins import Bins
from penstock.ui.feature_figures import shown_value
from penstock.ui.page.markup import Markup, joined, tag

WIDTH = 400
HEIGHT = 100
STRIP_HEIGHT = 30
MOST_OVERLAID = 3
"""More sides than that are drawn below each other."""

COLOURS = 8
"""Sides beyond take the colours anew."""

NARROWEST = 0.012
"""The least width of a bin as a share of the axis: a single number has none of its own."""

TALLEST_POINT = 1.6
"""How far a single number may stand out above the densest bin before it is cut."""

WIDE_TAIL = 3.0
"""The axis of quantiles leaves out tails when the range is so many times what lies between the outer quantiles."""

BAR = 9
ROW_PADDING = 9


def colour(side: int) -> str:
    """Return the class of a side's colour."""
    return f"s{side % COLOURS}"


def density_chart(bins: Bins, axis: tuple[float, float], title: str, labels: Sequence[str]) -> Markup:
    """Return numbers as steps over an axis, each side's area the same; many sides as strips below each other.

    Args:
        bins: The shares by side.
        axis: The least and the greatest number that is drawn.
        title: What a screen reader says of it.
        labels: The sides' names.
    """
    outlines = [_outline(bins, shares, axis) for shares in bins.shares]
    highest = _highest(bins, axis)
    data = {
        "data_edges": " ".join(f"{low:.6g},{high:.6g}" for low, high in bins.edges),
        "data_axis": f"{axis[0]:.9g} {axis[1]:.9g}",
    }
    strips = len(outlines) > MOST_OVERLAID
    groups = [[place] for place in range(len(outlines))] if strips else [list(range(len(outlines)))]
    height = STRIP_HEIGHT if strips else HEIGHT
    drawn = [
        tag(
            "svg",
            tag("title", f"{title}, {labels[group[0]]}" if strips else title),
            *(
                tag("path", class_=f"area {colour(place)}", d=_path(outlines[place], highest, height))
                for place in group
            ),
            viewBox=f"0 0 {WIDTH} {height}",
            preserveAspectRatio="none",
            role="img",
            class_="strip" if strips else "density",
            data_sides=" ".join(map(str, group)),
            data_shares=";".join(" ".join(f"{share:.4g}" for share in bins.shares[place]) for place in group),
            **data,
        )
        for group in groups
    ]
    return joined([*drawn, _axis(axis, bins)])


def axis_of(bins: Bins, *, central: bool = False) -> tuple[float, float]:
    """Return the numbers between which bins are drawn.

    Args:
        bins: At least one.
        central: Leave out long tails: the outer bins, where the others are crowded together.
    """
    low, high = bins.edges[0][0], bins.edges[-1][1]
    inner = [edge for pair in bins.edges[1:-1] for edge in pair]
    if central and inner and max(inner) > min(inner) and high - low > WIDE_TAIL * (max(inner) - min(inner)):
        margin = (max(inner) - min(inner)) / 4.0
        low, high = max(low, min(inner) - margin), min(high, max(inner) + margin)
    if low == high:
        around = abs(low) / 10.0 or 1.0
        return low - around, high + around
    return low, high


def value_bars(values: Sequence[str], shares: Sequence[Sequence[float]], title: str) -> Markup:
    """Return frequent values as bars, each with its share on every side.

    Args:
        values: What the rows are called.
        shares: By side and value.
        title: What a screen reader says of it.
    """
    row = BAR * len(shares) + ROW_PADDING
    greatest = max((share for side in shares for share in side), default=0.0) or 1.0
    bars = [
        tag(
            "rect",
            class_=colour(side),
            x=0,
            y=place * row + ROW_PADDING / 2 + side * BAR,
            width=f"{max(share / greatest * 100, 0.4 if share else 0):.2f}",
            height=BAR - 2,
        )
        for side, own in enumerate(shares)
        for place, share in enumerate(own)
    ]
    drawn = tag(
        "svg",
        tag("title", title),
        *bars,
        viewBox=f"0 0 100 {row * len(values)}",
        height=row * len(values),
        preserveAspectRatio="none",
        role="img",
        class_="bars",
    )
    names = tag("ol", *(tag("li", shown_value(value), title=value) for value in values), class_="values")
    told = [" / ".join(formats.percent(min(side[place], 1.0)) for side in shares) for place in range(len(values))]
    numbers = tag("ol", *(tag("li", each) for each in told), class_="shares")
    return tag("div", names, drawn, numbers, class_=f"ranked of{min(len(shares), 9)}")


def meter(share: float, mark: float | None = None, class_: str = "") -> Markup:
    """Return a bar that is filled to a share, with a mark where a threshold lies."""
    width = min(max(share, 0.0), 1.0) * 100
    line = tag("line", x1=f"{mark * 100:.2f}", x2=f"{mark * 100:.2f}", y1=0, y2=8) if mark is not None else None
    back, front = (
        tag("rect", class_="back", width=100, height=8),
        tag("rect", class_="front", width=f"{width:.2f}", height=8),
    )
    return tag(
        "svg", back, front, line, viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true",
        class_=f"meter {class_}".rstrip(),
    )  # fmt: skip


def _axis(axis: tuple[float, float], bins: Bins) -> Markup:
    low, high = bins.edges[0][0], bins.edges[-1][1]
    if low == high:
        texts = ["", formats.measure(low, 12), ""]
    else:
        texts = _distinct([axis[0], (axis[0] + axis[1]) / 2, axis[1]])
        texts[0] = f"← {formats.measure(low)} · {texts[0]}" if low < axis[0] else texts[0]
        texts[2] = f"{texts[2]} · {formats.measure(high)} →" if high > axis[1] else texts[2]
    return tag("div", *(tag("span", text) for text in texts), class_="axis", aria_hidden="true")


def _distinct(values: Sequence[float]) -> list[str]:
    """Return numbers with as many places as tell them apart."""
    texts: list[str] = []
    for places in range(4, 16, 2):
        texts = [formats.measure(value, places) for value in values]
        if len(set(texts)) == len(values):
            break
    return texts


Outline = list[tuple[float, float, float]]


def _outline(bins: Bins, shares: Sequence[float], axis: tuple[float, float]) -> Outline:
    """Return left, right and density of each bin on an axis from 0 to 1; a number alone is given some width."""
    span = axis[1] - axis[0]
    found = []
    for (low, high), share in zip(bins.edges, shares, strict=True):
        left, right = (low - axis[0]) / span, (high - axis[0]) / span
        if right - left < NARROWEST:
            middle = (left + right) / 2
            left, right = middle - NARROWEST / 2, middle + NARROWEST / 2
        found.append((left, right, share / (right - left)))
    return found


def _highest(bins: Bins, axis: tuple[float, float]) -> float:
    """Return the density that is drawn in full height."""
    outlines = [_outline(bins, shares, axis) for shares in bins.shares]
    wide = [
        each[2] for outline in outlines for each, edge in zip(outline, bins.edges, strict=True) if edge[0] < edge[1]
    ]
    every = max((each[2] for outline in outlines for each in outline), default=0.0)
    return (min(every, max(wide) * TALLEST_POINT) if wide and max(wide) > 0 else every) or 1.0


def _path(outline: Outline, highest: float, height: int) -> str:
    """Return the closed steps of one side."""
    parts: list[str] = []
    reached = -math.inf
    for left, right, density in outline:
        if right <= 0 or left >= 1 or not density:
            continue
        x0, x1 = max(left, 0.0) * WIDTH, min(right, 1.0) * WIDTH
        y = height - min(density / highest, 1.0) * (height - 2)
        parts.append(f"{f'H{x0:.1f}V{y:.1f}' if abs(x0 - reached) < 0.05 else _begin(parts, x0, y, height)}H{x1:.1f}")
        reached = x1
    return "".join(parts) + (f"V{height}Z" if parts else "")


def _begin(parts: Sequence[str], x: float, y: float, height: int) -> str:
    close = f"V{height}Z" if parts else ""
    return f"{close}M{x:.1f} {height}V{y:.1f}"

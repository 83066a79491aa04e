"""What a comparison says at a glance: the sides, the features furthest apart, and the slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from penstock.ui import formats
from penstock.ui.page.anomaly_cards import linked
from penstock.ui.page.charts import meter
from penstock.ui.page.markup import Markup, joined, tag
from penstock.ui.page.plain_table import plain_table
from penstock.ui.page.statistics_cells import NAME_LENGTH, side_name
from penstock.ui.side_distances import SideDistance, slice_distances
from penstock.ui.statistics_sides import Side

RANKED_OPEN = 10
FURTHEST_OF_SLICE = 3
MOST_COMPARED = 4000
"""Features of slices that are compared with the whole; of further slices only the rows are told."""


def side_section(sides: Sequence[Side]) -> Markup:
    """Return a table of the sides: rows, features, and how much is missing."""
    numbers = ("rows", "numbers", "categories", "other", "cells missing")
    rows = [
        tag("tr", tag("th", side_name(place, side), scope="row"), *_side_cells(side))
        for place, side in enumerate(sides)
    ]
    return tag("section", tag("h2", "Overview"), plain_table(("split", *numbers), rows, right=numbers))


def _side_cells(side: Side) -> list[Markup]:
    found = list(side.figures.values())
    numbers = sum(each.zeros is not None for each in found)
    categories = sum(each.kind == "string" or (each.zeros is None and each.kind == "int") for each in found)
    cells = sum(each.count + each.missing for each in found)
    missing = sum(each.missing for each in found) / cells if cells else 0.0
    weighed = " (counts are weights)" if side.by_weight else ""
    counts = [f"{side.rows:,}{weighed}", f"{numbers:,}", f"{categories:,}", f"{len(found) - numbers - categories:,}"]
    share = tag("td", meter(missing) if missing else None, formats.percent(missing), class_="num")
    return [*(tag("td", each, class_="num") for each in counts), share]


def drift_section(ranked: Sequence[SideDistance], anchors: Mapping[str, str], sides: Sequence[Side]) -> Markup | None:
    """Return the features by how far they are apart; None where nothing is compared."""
    if not ranked:
        return None
    by_label = {side.label: side for side in sides}
    heads = ("feature", "between", "Jensen-Shannon", "", "L-infinity", "missing")
    numbers = ("Jensen-Shannon", "L-infinity", "missing")
    rows = [_drift_row(each, anchors, by_label) for each in ranked]
    first = plain_table(heads, rows[:RANKED_OPEN], right=numbers, class_="ranking")
    left = rows[RANKED_OPEN:]
    rest = tag(
        "details",
        tag("summary", f"{formats.counted(len(left), 'more feature')}"),
        plain_table(heads, left, right=numbers, class_="ranking"),
    )
    told = "the greatest distance of each feature; 0 is alike, 1 has nothing in common"
    return tag("section", tag("h2", "Furthest apart", tag("small", told)), first, rest if left else None)


def _drift_row(each: SideDistance, anchors: Mapping[str, str], sides: Mapping[str, Side]) -> Markup:
    before, after = (sides[label].figures[each.feature].missing_share for label in (each.before, each.after))
    value = formats.visible(each.value, 40)
    at = tag("small", f" at {value}") if each.l_infinity else None
    told = f"{formats.percent(before)} → {formats.percent(after)}" if before != after else formats.percent(before)
    return tag(
        "tr",
        tag("th", linked(each.feature, anchors), scope="row"),
        tag("td", f"{each.before} → {each.after}"),
        tag("td", f"{each.jensen_shannon:.4f}", class_="num"),
        tag("td", meter(math.sqrt(each.jensen_shannon))),
        tag("td", f"{each.l_infinity:.4f}" if each.l_infinity is not None else "", at, class_="num"),
        tag("td", told, class_="num"),
    )


def slice_section(sides: Sequence[Side], anchors: Mapping[str, str]) -> Markup | None:
    """Return the slices of each split: their rows, and where they differ most from the whole; None without slices."""
    if not any(side.slices for side in sides):
        return None
    heads = ("slice", "split", "rows", "share", "differs most from the whole in")
    rows, budget = [], MOST_COMPARED
    parts = [(place, side, part) for place, side in enumerate(sides) for part in side.slices]
    for place, side, part in sorted(parts, key=lambda each: -each[2].num_examples):
        budget -= len(part.features)
        own = Side(part.name, side.split, side.place, part)
        furthest = slice_distances(side, own)[:FURTHEST_OF_SLICE] if budget >= 0 else []
        rows.append(_slice_row(place, side, own, furthest, anchors))
    table = plain_table(heads, rows, right=("rows", "share"), tall=True)
    return tag("section", tag("h2", "Slices"), table)


def _slice_row(
    place: int, side: Side, part: Side, furthest: Sequence[SideDistance], anchors: Mapping[str, str]
) -> Markup:
    share = part.rows / side.rows if side.rows else 0.0
    told = [joined([linked(each.feature, anchors), tag("small", f" {each.jensen_shannon:.3f}")]) for each in furthest]
    return tag(
        "tr",
        tag("th", formats.visible(part.label, NAME_LENGTH), scope="row"),
        tag("td", side_name(place, side)),
        tag("td", f"{part.rows:,}", class_="num"),
        tag("td", meter(share), formats.percent(min(share, 1.0)), class_="num"),
        tag("td", joined(told, ", ")),
    )

"""What stands below a table of features: further figures, what is furthest apart, correlations, leakage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from penstock.ui import formats
from penstock.ui.correlations import Correlation
from penstock.ui.fitting_table import Cell, Column, FittingTable
from penstock.ui.leakage_figures import LeakageRow
from penstock.ui.side_distances import SideDistance
from penstock.ui.statistics_sides import Side

NAME_LENGTH = 60
TEXT_LENGTH = 20
FURTHEST = 5
CORRELATED = 10


def furthest(found: Sequence[SideDistance]) -> Iterator[RenderableType]:
    """Yield the features that differ most between the sides; nothing where nothing is compared."""
    if not found:
        return
    yield Text("\nfurthest apart", "bold")
    columns = (Column("feature", least=18), Column("between", least=8),
               Column("Jensen-Shannon", right=True), Column("L-infinity", right=True, rank=1),
               Column("at", rank=2, least=8))  # fmt: skip
    rows = [
        (
            formats.visible(each.feature, NAME_LENGTH),
            f"{each.before} and {each.after}",
            f"{each.jensen_shannon:.4f}",
            f"{each.l_infinity:.4f}" if each.l_infinity is not None else "",
            formats.visible(each.value, TEXT_LENGTH),
        )
        for each in found[:FURTHEST]
    ]
    yield FittingTable(columns, rows)


def further(names: Sequence[str], sides: Sequence[Side]) -> Iterator[RenderableType]:
    """Yield the figures beyond the usual: semantic types, statistics of the user's own."""
    found = [(name, side) for name in names for side in sides if name in side.figures and side.figures[name].further]
    if not found:
        return
    rows = [
        (formats.visible(name, NAME_LENGTH), side.label, key, told)
        for name, side in found
        for key, told in side.figures[name].further
    ]
    yield Text("\nfurther figures", "bold")
    columns = (
        Column("feature", least=18),
        Column("split", least=5),
        Column("figure", least=12),
        Column("value", least=12),
    )
    yield FittingTable(columns, rows)


def correlated(pairs: Sequence[Correlation]) -> Iterator[RenderableType]:
    """Yield the strongest correlations, a column a side; nothing where none were asked for."""
    if not pairs:
        return
    labels = list(dict.fromkeys(label for pair in pairs for label in pair.by_side))
    columns = (Column("features", least=18), *(Column(label, right=True) for label in labels))
    rows = [
        (
            formats.visible(f"{pair.left} and {pair.right}", NAME_LENGTH),
            *(f"{pair.by_side[label]:+.3f}" if label in pair.by_side else "" for label in labels),
        )
        for pair in pairs[:CORRELATED]
    ]
    yield Text("\ncorrelations", "bold")
    yield FittingTable(columns, rows)


def leaking(rows: Sequence[LeakageRow]) -> Iterator[RenderableType]:
    """Yield what was measured about leakage, and how great it may be; nothing where nothing was."""
    if not rows:
        return
    columns = (Column("", least=0), Column("what", least=18), Column("split"), Column("measured", right=True),
               Column("may be", right=True), Column("evidence", rank=1, least=16))  # fmt: skip
    told: list[Sequence[Cell]] = [
        (
            Text("✓", "green") if row.holds else Text("✗", "bold red"),
            row.what,
            row.split,
            formats.percent(row.share),
            formats.percent(row.bound),
            row.told,
        )
        for row in rows
    ]
    yield Text("\nleakage", "bold")
    yield FittingTable(columns, told)

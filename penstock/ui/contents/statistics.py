"""ExampleStatistics: a row group a feature with its splits side by side, and which features are furthest apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.pipeline.errors import ParameterError, listing, nearest
from penstock.ui import formats
from penstock.ui.comparison_tables import correlated, further, furthest, leaking
from penstock.ui.correlations import correlations_of
from penstock.ui.distribution_sketch import sketches
from penstock.ui.feature_figures import FeatureFigures, document_of, shown_value
from penstock.ui.fitting_table import Cell, Column, FittingTable
from penstock.ui.leakage_figures import leakage_rows
from penstock.ui.shown import EVERYTHING, Shown, Wish
from penstock.ui.side_distances import SideDistance, distances, greatest_by_feature
from penstock.ui.statistics_sides import Side, feature_names, sides_of

NAME_LENGTH = 60
TOP_VALUES = 3
TEXT_LENGTH = 20
MUCH_MISSING = 0.5

_FIRST = (Column("feature", least=18), Column("split", least=5), Column("type", rank=6))
_COUNTED = (Column("count", right=True, rank=5), Column("missing", right=True, rank=1), Column("values a row", rank=4))
_NUMBERS = (
    Column("mean", right=True, rank=2),
    Column("std", right=True, rank=8),
    Column("min", right=True, rank=3),
    Column("median", right=True, rank=4),
    Column("max", right=True, rank=3),
    Column("zeros", right=True, rank=7),
)
_CATEGORIES = (
    Column("unique", right=True, rank=2),
    Column("mean length", right=True, rank=9),
    Column("longest", right=True, rank=9),
    Column("most frequent", rank=3, least=24),
)
_LAST = (Column("distribution"),)


def document(shown: Shown, wish: Wish = EVERYTHING) -> dict[str, Any]:
    """Return the figures by split and feature.

    Raises:
        DataFormatError: A file can't be read.
    """
    sides = sides_of([shown], wish)
    wanted = wish.chosen(feature_names(sides))
    return {
        side.label: {
            "rows": side.rows,
            "features": [document_of(side.figures[name]) for name in wanted if name in side.figures],
            "slices": [{"name": each.name, "rows": int(each.num_examples)} for each in side.slices],
        }
        for side in sides
    }


def render(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> RenderableType:
    """Return a table of numbers and one of categories, then the features that are furthest apart.

    Raises:
        DataFormatError: A file can't be read.
        ParameterError: The wish names what the statistics don't have.
    """
    sides = sides_of(artifacts, wish)
    chosen = wish.chosen(feature_names(sides))
    apart = greatest_by_feature(distances(sides, chosen))
    names = sorted_names(chosen, sides, apart, wish.sort)[: wish.limit]
    parts: list[RenderableType] = [_head(sides)]
    for title, numeric in (("numbers", True), ("categories and bytes", False)):
        own = [name for name in names if _is_numeric(_first(sides, name)) == numeric]
        if own:
            columns = (*_FIRST, *_COUNTED, *(_NUMBERS if numeric else _CATEGORIES), *_LAST)
            rows = [row for name in own for row in _rows(name, sides, columns)]
            parts += [Text(f"\n{title} ({len(own):,})", "bold"), FittingTable(columns, rows)]
    if len(chosen) > len(names):
        parts.append(Text(f"\n… {len(chosen) - len(names):,} more features; --limit {len(chosen)} lists them", "dim"))
    parts += [*further(names, sides), *furthest(list(apart.values())), *correlated(correlations_of(sides))]
    return Group(*parts, *leaking(leakage_rows(artifacts)))


def sorted_names(names: Sequence[str], sides: Sequence[Side], apart: Mapping[str, SideDistance], key: str) -> list[str]:
    """Return features in the order that was wished for: of equals, and without a wish, that of the data.

    Raises:
        ParameterError: There is no such order.
    """
    if key not in SORTS:
        raise ParameterError(f"--sort {key!r} is no order.{nearest(key, SORTS)} There are: {listing(SORTS)}.")
    if key == "distance":
        return sorted(names, key=lambda name: -apart[name].jensen_shannon if name in apart else 1.0)
    return sorted(names, key=lambda name: SORTS[key](_first(sides, name)))


def _greatest(name: str) -> Callable[[FeatureFigures], float]:
    def key(figures: FeatureFigures) -> float:
        value = getattr(figures, name)
        return float("inf") if value is None else -float(value)

    return key


SORTS: Mapping[str, Callable[[FeatureFigures], Any]] = {
    "data": lambda figures: 0,
    "name": lambda figures: figures.name,
    "type": lambda figures: figures.kind,
    "missing": _greatest("missing_share"),
    "zeros": _greatest("zero_share"),
    "unique": _greatest("unique"),
    "mean": _greatest("mean"),
    "std": _greatest("std"),
    "max": _greatest("max"),
    "distance": lambda figures: 0,
}
"""What features can be sorted by: the greatest first, by the first side that has them."""


def _first(sides: Sequence[Side], name: str) -> FeatureFigures:
    return next(side.figures[name] for side in sides if name in side.figures)


def _is_numeric(figures: FeatureFigures) -> bool:
    return figures.zeros is not None


def _head(sides: Sequence[Side]) -> Text:
    rows = [formats.counted(side.rows, "row") + (" (counts are weights)" if side.by_weight else "") for side in sides]
    told = [Text.assemble((side.label, "bold"), f" {count}") for side, count in zip(sides, rows, strict=True)]
    return Text(" · ").join(told)


def _rows(name: str, sides: Sequence[Side], columns: Sequence[Column]) -> Iterator[list[Cell]]:
    drawn = sketches([side.views.get(name) for side in sides])
    for place, side in enumerate(sides):
        shown = Text(formats.visible(name, NAME_LENGTH), "bold") if not place else Text("")
        label = side.label if len(sides) > 1 else ""
        figures = side.figures.get(name)
        if figures is None:
            yield [shown, label, *[""] * (len(columns) - 3), Text("not there", "yellow")]
            continue
        cells = _cells(figures) | {"distribution": Text(drawn[place], "cyan")}
        yield [shown, label, *(cells.get(column.name, "") for column in columns[2:])]


def _cells(figures: FeatureFigures) -> dict[str, Cell]:
    share = figures.missing_share
    style = "bold red" if share >= MUCH_MISSING else "yellow" if share else "dim"
    measured = {name: getattr(figures, name) for name in ("mean", "std", "min", "median", "max")}
    return {
        "type": figures.kind,
        "count": formats.number(figures.count),
        "missing": Text(formats.percent(share), style),
        "values a row": figures.values_a_row,
        **{name: formats.measure(value) if value is not None else "" for name, value in measured.items()},
        "zeros": formats.percent(figures.zero_share) if figures.zero_share is not None else "",
        "unique": formats.number(figures.unique) if figures.unique is not None else "",
        "mean length": formats.measure(figures.mean_length) if figures.mean_length is not None else "",
        "longest": formats.measure(figures.longest) if figures.longest is not None else "",
        "most frequent": _most_frequent(figures),
    }


def _most_frequent(figures: FeatureFigures) -> str:
    total = figures.values or 1.0
    return ", ".join(
        f"{formats.shortened(shown_value(value), TEXT_LENGTH)} {formats.percent(min(count / total, 1.0))}"
        for value, count in figures.top[:TOP_VALUES]
    )

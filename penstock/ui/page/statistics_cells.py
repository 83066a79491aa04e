"""The figures of features as tables: beside each chart, and all of them in one that can be sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from penstock.ui import formats
from penstock.ui.feature_figures import FeatureFigures, shown_value
from penstock.ui.page.charts import colour
from penstock.ui.page.markup import Markup, joined, tag
from penstock.ui.statistics_sides import Side

MUCH_MISSING = 0.5
NAME_LENGTH = 200

Told = Callable[[FeatureFigures], str]


def _measure(name: str) -> Told:
    def told(figures: FeatureFigures) -> str:
        value = getattr(figures, name)
        return "" if value is None else formats.measure(value)

    return told


def _zeros(figures: FeatureFigures) -> str:
    return "" if figures.zero_share is None else formats.percent(figures.zero_share)


def _unique(figures: FeatureFigures) -> str:
    return "" if figures.unique is None else formats.number(figures.unique)


def _top(figures: FeatureFigures) -> str:
    return shown_value(figures.top[0][0]) if figures.top else ""


NUMBERS: Mapping[str, Told] = {
    "mean": _measure("mean"),
    "std": _measure("std"),
    "min": _measure("min"),
    "median": _measure("median"),
    "max": _measure("max"),
    "zeros": _zeros,
}
CATEGORIES: Mapping[str, Told] = {
    "unique": _unique,
    "mean length": _measure("mean_length"),
    "longest": _measure("longest"),
}
SORTED_BY: Mapping[str, Callable[[FeatureFigures], float | None]] = {
    "missing": lambda figures: figures.missing_share,
    "count": lambda figures: figures.count,
    "mean": lambda figures: figures.mean,
    "std": lambda figures: figures.std,
    "min": lambda figures: figures.min,
    "median": lambda figures: figures.median,
    "max": lambda figures: figures.max,
    "zeros": lambda figures: figures.zero_share,
    "unique": lambda figures: figures.unique,
    "length": lambda figures: figures.mean_length,
}
"""What the page sorts features by, of the first side that has them."""


def side_name(place: int, side: Side) -> Markup:
    """Return a side's name with its colour."""
    label = formats.visible(side.label, NAME_LENGTH)
    return tag("span", tag("i", class_=f"swatch {colour(place)}"), label, class_="side")


def missing_cell(figures: FeatureFigures) -> Markup:
    """Return which share of the rows misses a feature, more conspicuous the more it is."""
    share = figures.missing_share
    told = formats.percent(share)
    if not share:
        return tag("td", told, class_="none")
    return tag("td", told, class_="much" if share >= MUCH_MISSING else "some")


def figure_table(name: str, sides: Sequence[Side]) -> Markup:
    """Return a feature's figures, a row a side."""
    columns = _columns([side.figures[name] for side in sides if name in side.figures])
    head = tag("tr", tag("th", tag("span", "split", class_="unseen")), tag("th", "count"), tag("th", "missing"),
               *(tag("th", each) for each in columns))  # fmt: skip
    rows = [_row(name, place, side, columns) for place, side in enumerate(sides)]
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="figures")


def _row(name: str, place: int, side: Side, columns: Mapping[str, Told]) -> Markup:
    figures = side.figures.get(name)
    first = tag("th", side_name(place, side), scope="row")
    class_ = f"of-s{place}"
    if figures is None:
        return tag("tr", first, tag("td", "not there", class_="absent", colspan=len(columns) + 2), class_=class_)
    counted = tag("td", formats.number(figures.count))
    return tag(
        "tr",
        first,
        counted,
        missing_cell(figures),
        *(tag("td", told(figures)) for told in columns.values()),
        class_=class_,
    )


def _columns(found: Sequence[FeatureFigures]) -> Mapping[str, Told]:
    columns = {**NUMBERS, **CATEGORIES}
    return {name: told for name, told in columns.items() if any(told(figures) for figures in found)}


def whole_table(names: Sequence[str], sides: Sequence[Side], anchors: Mapping[str, str]) -> Markup:
    """Return all figures of all features in one table, a body a feature."""
    found = [side.figures[name] for side in sides for name in names if name in side.figures]
    columns = {**_columns(found), "most frequent": _top}
    keys = {"mean length": "length", "longest": "", "most frequent": ""}
    heads = ["feature", "split", "type", "count", "missing", *columns]
    sortable = {"split": "", "feature": "name", "type": "kind"} | keys
    head = tag("tr", *(_head(each, sortable.get(each, each)) for each in heads))
    bodies = [tag("tbody", *_body(name, sides, columns, anchors), data_place=anchors[name][1:]) for name in names]
    return tag("div", tag("table", tag("thead", head), *bodies, class_="whole"), class_="wide")


def _head(name: str, key: str) -> Markup:
    return tag("th", tag("button", name, type="button", data_sort=key) if key else name, scope="col")


def _body(name: str, sides: Sequence[Side], columns: Mapping[str, Told], anchors: Mapping[str, str]) -> list[Markup]:
    rows = []
    for place, side in enumerate(sides):
        figures = side.figures.get(name)
        shown = formats.visible(name, NAME_LENGTH)
        first = (
            tag("th", tag("a", shown, href=f"#{anchors[name]}"), scope="row", rowspan=len(sides)) if not place else None
        )
        cells = [tag("td", side_name(place, side))]
        if figures is None:
            cells.append(tag("td", "not there", class_="absent", colspan=len(columns) + 3))
        else:
            cells += [tag("td", figures.kind), tag("td", formats.number(figures.count)), missing_cell(figures)]
            cells += [tag("td", told(figures)) for told in columns.values()]
        rows.append(tag("tr", first, *cells, class_=f"of-s{place}"))
    return rows


def sort_data(name: str, place: int, sides: Sequence[Side], distance: float | None) -> dict[str, str | int | None]:
    """Return what the page sorts and filters a feature by, as attributes."""
    figures = next(side.figures[name] for side in sides if name in side.figures)
    numbers = {key: value(figures) for key, value in SORTED_BY.items()} | {"distance": distance}
    data: dict[str, str | int | None] = {"data_place": place, "data_name": formats.visible(name, NAME_LENGTH)}
    data["data_kind"] = figures.kind
    return data | {f"data_{key}": f"{value:.9g}" for key, value in numbers.items() if value is not None}


def value_table(name: str, sides: Sequence[Side], values: Sequence[str]) -> Markup:
    """Return the counts of frequent values, a column a side."""
    counts = [dict(side.figures[name].top) if name in side.figures else {} for side in sides]
    head = tag("tr", tag("th", "value"), *(tag("th", side_name(place, side)) for place, side in enumerate(sides)))
    rows = [
        tag("tr", tag("th", shown_value(value), scope="row"),
            *(tag("td", formats.number(own[value]) if value in own else "") for own in counts))
        for value in values
    ]  # fmt: skip
    table = tag("table", tag("thead", head), tag("tbody", joined(rows)), class_="counts")
    return tag("details", tag("summary", f"{formats.counted(len(values), 'frequent value')}"), table)

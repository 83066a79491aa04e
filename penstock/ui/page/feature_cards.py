"""A card a feature: what it is, what is wrong with it, its distribution on every side, its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.ui import formats
from penstock.ui.anomaly_figures import AnomalyFigures
from penstock.ui.distribution_bins import even_bins, quantile_bins
from penstock.ui.feature_figures import FeatureFigures
from penstock.ui.page.charts import axis_of, density_chart, value_bars
from penstock.ui.page.markup import Markup, tag
from penstock.ui.page.statistics_cells import MUCH_MISSING, NAME_LENGTH, figure_table, sort_data, value_table
from penstock.ui.schema_figures import SchemaRow
from penstock.ui.side_distances import SideDistance
from penstock.ui.statistics_sides import Side

BARS = 6
STRIPPED_BARS = 4


@dataclass(frozen=True)
class Beside:
    """What else is known of features, by name.

    Attributes:
        anchors: The ids of their cards.
        anomalies: What is wrong with them.
        schema: What the schema says of them.
        apart: How far they are apart at most.
    """

    anchors: Mapping[str, str]
    anomalies: Mapping[str, Sequence[AnomalyFigures]] = field(default_factory=dict)
    schema: Mapping[str, SchemaRow] = field(default_factory=dict)
    apart: Mapping[str, SideDistance] = field(default_factory=dict)


def feature_card(name: str, place: int, sides: Sequence[Side], beside: Beside) -> Markup:
    """Return one feature's card.

    Args:
        name: The feature; some side has it.
        place: Its place in the order of the data.
        sides: What is compared.
        beside: What else is known.
    """
    apart = beside.apart.get(name)
    attributes = sort_data(name, place, sides, apart.jensen_shannon if apart is not None else None)
    wrong = beside.anomalies.get(name, ())
    return tag(
        "article",
        _head(name, sides, beside),
        tag("div", *_charts(name, sides), class_="chart"),
        tag("div", figure_table(name, sides), class_="wide"),
        class_="feature",
        id=beside.anchors[name],
        data_wrong=bool(wrong),
        **attributes,
    )


def _head(name: str, sides: Sequence[Side], beside: Beside) -> Markup:
    found = [side.figures[name] for side in sides if name in side.figures]
    kinds = " or ".join(dict.fromkeys(figures.kind for figures in found))
    chips = [tag("span", kinds, class_="chip"), *_chips(name, found, beside)]
    row = beside.schema.get(name)
    expected = " · ".join(filter(None, (row.presence, row.domain, row.environments, row.comparators))) if row else ""
    return tag(
        "header",
        tag("h3", formats.visible(name, NAME_LENGTH)),
        tag("p", *chips, class_="chips"),
        tag("p", f"Schema: {expected}", class_="expected") if expected else None,
        *(tag("p", f"{key}: {told}", class_="expected") for key, told in _further(name, sides).items()),
    )


def _further(name: str, sides: Sequence[Side]) -> dict[str, str]:
    """Return the figures beyond the usual by name: once where all sides say the same, else a side after the other."""
    found: dict[str, list[str]] = {}
    for side in sides:
        for key, told in side.figures[name].further if name in side.figures else ():
            found.setdefault(key, []).append(told)
    return {key: " / ".join(told if len(set(told)) > 1 else told[:1]) for key, told in found.items()}


def _chips(name: str, found: Sequence[FeatureFigures], beside: Beside) -> Iterator[Markup]:
    wrong = {reason.short: each.severity for each in beside.anomalies.get(name, ()) for reason in each.reasons}
    for short, severity in wrong.items():
        told = formats.visible(short.removesuffix("."), NAME_LENGTH)
        yield tag("a", told, class_=f"chip {severity.lower()}", href="#anomalies")
    missing = max(figures.missing_share for figures in found)
    if missing >= MUCH_MISSING:
        yield tag("span", f"{formats.percent(missing)} missing", class_="chip warning")
    for told in dict.fromkeys(figures.values_a_row for figures in found if figures.is_list):
        yield tag("span", f"{told} values a row", class_="chip")
    apart = beside.apart.get(name)
    if apart is not None:
        yield tag("span", f"distance {apart.jensen_shannon:.3f}", class_="chip quiet", title=between(apart))


def between(apart: SideDistance) -> str:
    """Return what a distance was measured between."""
    return formats.visible(f"Jensen-Shannon, {apart.before} and {apart.after}", NAME_LENGTH)


def _charts(name: str, sides: Sequence[Side]) -> Iterator[Markup]:
    views = [side.views.get(name) for side in sides]
    labels = [side.label for side in sides]
    if any(view is not None and view.strings for view in views):
        yield from _values(name, sides)
        return
    drawn = [("standard", "equal widths", even_bins(views)), ("quantiles", "equal counts", quantile_bins(views))]
    for class_, words, bins in drawn:
        if bins is not None:
            title = formats.visible(f"Distribution of {name}, bins of {words}", NAME_LENGTH)
            axis = axis_of(bins, central=class_ == "quantiles")
            numbers = tag("details", tag("summary", "Numbers of the chart"), hidden=True)
            yield tag("figure", density_chart(bins, axis, title, labels), numbers, class_=class_)
    if not any(bins for _, _, bins in drawn):
        yield tag("p", _without_chart([side.figures[name] for side in sides if name in side.figures]), class_="empty")


def _values(name: str, sides: Sequence[Side]) -> Iterator[Markup]:
    counts = [dict(side.figures[name].top) if name in side.figures else {} for side in sides]
    totals = [side.figures[name].values or 1.0 if name in side.figures else 1.0 for side in sides]
    every = dict.fromkeys(value for own in counts for value in own)
    shares = [
        {value: own.get(value, 0.0) / total for value in every} for own, total in zip(counts, totals, strict=True)
    ]
    ranked = sorted(every, key=lambda value: -max(own[value] for own in shares))
    most = BARS if len(sides) <= 3 else STRIPPED_BARS
    title = formats.visible(f"Frequent values of {name}", NAME_LENGTH)
    bars = value_bars(ranked[:most], [[own[value] for value in ranked[:most]] for own in shares], title)
    yield tag("figure", bars)
    if len(ranked) > most or len(sides) > 1:
        yield value_table(name, sides, ranked)


def _without_chart(found: Sequence[FeatureFigures]) -> str:
    if not any(figures.count for figures in found):
        return "Every row misses it."
    if any(figures.zeros is not None for figures in found):
        return "There is no finite number."
    return f"Of {found[0].kind} no distribution is kept."

"""The page: anomalies, what is furthest apart, features, slices and schemas of the artifacts that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data.protos import read_schema
from penstock.ui import formats
from penstock.ui.anomaly_figures import AnomalyFigures, Findings, evidence_of, findings_of
from penstock.ui.anomaly_words import repair_of, summary
from penstock.ui.contents.statistics import sorted_names
from penstock.ui.correlations import correlations_of
from penstock.ui.leakage_figures import leakage_rows
from penstock.ui.page.anomaly_cards import anomaly_section
from penstock.ui.page.comparison_sections import drift_section, side_section, slice_section
from penstock.ui.page.document import document, navigation
from penstock.ui.page.evaluation_tables import evaluation_section
from penstock.ui.page.feature_cards import Beside, feature_card
from penstock.ui.page.leakage_table import correlation_section, leakage_section
from penstock.ui.page.markup import Markup, tag
from penstock.ui.page.paired_tables import paired_section
from penstock.ui.page.schema_table import difference_section, schema_section
from penstock.ui.page.statistics_cells import side_name, whole_table
from penstock.ui.schema_figures import SchemaRow, schema_facts, schema_rows
from penstock.ui.shown import EVERYTHING, Shown, Wish, with_origins
from penstock.ui.side_distances import distances, greatest_by_feature
from penstock.ui.statistics_sides import Side, feature_names, sides_of

SORTS = {
    "place": "order of the data", "name": "name", "distance": "distance", "missing": "missing",
    "unique": "unique values", "zeros": "zeros", "mean": "mean", "std": "standard deviation", "max": "maximum",
}  # fmt: skip
INITIAL = {"data": "place", "type": "place"}
MOST_NAMED = 3
FILTERS = {"all": "all features", "numbers": "numbers", "categories": "categories", "missing": "with missing values",
           "wrong": "with anomalies"}  # fmt: skip


Section = tuple[str, str, Markup | None]
"""A section's id, what leads to it, and itself; None for one that has nothing to tell."""


def page(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> str:
    """Return artifacts as one page, those of a type beside each other, anomalies with the statistics that show them.

    Raises:
        DataFormatError: A file can't be read.
        OSError: A file is gone.
        ParameterError: The wish names what there is not.
    """
    every = with_origins(artifacts)
    own = {name: [each for each in every if each.type == name] for name in {each.type for each in every}}
    sides = sides_of(own.get("ExampleStatistics", []), wish)
    checked = own.get("ExampleAnomalies", [])
    findings = findings_of(checked) if checked else None
    schemas = [(shown, read_schema(shown.path)) for shown in own.get("Schema", [])]
    known = [row for _, schema in schemas[:1] for row in schema_rows(schema)]
    names = _names(sides, findings, known, wish)
    beside = _beside(names, sides, findings, known)
    anchors, statistics = beside.anchors, own.get("ExampleStatistics", [])
    sections: list[Section] = []
    if findings is not None:
        sections.append(("anomalies", summary(findings).capitalize(), _anomalies(checked, findings, beside, wish)))
    if sides:
        sections += [
            ("overview", "Overview", side_section(sides)),
            ("apart", "Furthest apart", drift_section(list(beside.apart.values()), anchors, sides)),
            ("leakage", "Leakage", leakage_section(leakage_rows(statistics))),
            ("features", "Features", _features(names, sides, beside, wish)),
            ("correlations", "Correlations", correlation_section(correlations_of(sides), sides, anchors)),
            ("slices", "Slices", slice_section(sides, anchors)),
        ]
    sections += [("schema", "Schema", _schema(*each, anchors, labelled=len(schemas) > 1)) for each in schemas]
    sections += [("differs", "What differs", difference_section(schemas[0][0], after)) for after, _ in schemas[1:]]
    sections += [("pairs", "Rows of one key", paired_section(shown, wish)) for shown in own.get("ExamplesDiff", [])]
    sections += [("evaluation", "Evaluation", evaluation_section(shown)) for shown in own.get("ModelEvaluation", [])]
    title = _title(artifacts)
    links = {anchor: words for anchor, words, section in sections if section is not None}
    body = [tag("div", section, id=anchor or None) for anchor, _, section in _once(sections) if section is not None]
    return document(title, [_banner(title, list(links.items())), tag("main", *body)])


def _once(sections: Sequence[Section]) -> Iterator[Section]:
    """Yield the sections, of those with one id only the first under it."""
    seen: set[str] = set()
    for anchor, words, section in sections:
        yield "" if anchor in seen else anchor, words, section
        seen.add(anchor)


def _schema(shown: Shown, schema: schema_pb2.Schema, anchors: Mapping[str, str], *, labelled: bool) -> Markup:
    return schema_section(schema_rows(schema), schema_facts(schema), anchors, shown.label if labelled else "")


def _names(sides: Sequence[Side], findings: Findings | None, known: Sequence[SchemaRow], wish: Wish) -> list[str]:
    """Return the features of the statistics that are wanted; a wish may also be for one that only others know."""
    described = feature_names(sides)
    wrong = [each.feature for each in findings.anomalies] if findings is not None else []
    wish.chosen([*described, *wrong, *(row.name for row in known)] or wish.features)
    return [name for name in described if wish.selects(name)]


def _beside(
    names: Sequence[str], sides: Sequence[Side], findings: Findings | None, known: Sequence[SchemaRow]
) -> Beside:
    wrong: dict[str, list[AnomalyFigures]] = {}
    for each in findings.anomalies if findings is not None else ():
        wrong.setdefault(each.feature, []).append(each)
    return Beside(
        anchors={name: f"f{place}" for place, name in enumerate(names)},
        anomalies=wrong,
        schema={row.name: row for row in known},
        apart=greatest_by_feature(distances(sides, names)),
    )


def _anomalies(checked: Sequence[Shown], findings: Findings, beside: Beside, wish: Wish) -> Markup:
    return anomaly_section(findings, evidence_of(checked), beside.anchors, repair_of(checked[0], findings, wish.root))


def _features(names: Sequence[str], sides: Sequence[Side], beside: Beside, wish: Wish) -> Markup:
    """Return the features: how to choose among them, a card each, and all their figures in one table."""
    ordered = sorted_names(names, sides, beside.apart, wish.sort)[: wish.limit]
    place = {name: at for at, name in enumerate(names)}
    cards = [feature_card(name, place[name], sides, beside) for name in ordered]
    count = tag("span", f"{len(ordered):,}", id="count", aria_live="polite")
    return tag(
        "section",
        tag("h2", "Features ", tag("small", count, f" of {len(ordered):,}")),
        _tools(sides, INITIAL.get(wish.sort, wish.sort), several=bool(beside.apart)),
        tag("div", *cards, id="cards"),
        tag("div", whole_table(ordered, sides, beside.anchors), id="table"),
        tag("p", "No feature fits.", class_="empty", id="nothing", hidden=True),
    )


def _tools(sides: Sequence[Side], sort: str, *, several: bool) -> Markup:
    search = tag("input", type="search", id="search", placeholder="Find a feature", aria_label="Find a feature")
    sorts = {key: words for key, words in SORTS.items() if several or key != "distance"}
    legend = [
        tag("button", side_name(place, side), type="button", data_side=place, aria_pressed="true", class_="legend")
        for place, side in enumerate(sides)
    ]
    return tag(
        "div",
        search,
        _choice("filter", "Show", FILTERS, "all"),
        _choice("sort", "Sort by", sorts, sort if sort in sorts else "place"),
        _segments("view", "As", {"charts": "charts", "table": "table"}),
        _segments("bins", "Bins of", {"standard": "equal widths", "quantiles": "equal counts"}),
        tag("div", *legend, class_="legends") if len(sides) > 1 else None,
        class_="tools",
    )


def _choice(name: str, words: str, choices: dict[str, str], chosen: str) -> Markup:
    options = [tag("option", text, value=value, selected=value == chosen) for value, text in choices.items()]
    return tag("label", f"{words} ", tag("select", *options, id=name))


def _segments(name: str, words: str, choices: dict[str, str]) -> Markup:
    buttons = [
        tag("button", text, type="button", data_set=name, data_to=value, aria_pressed="false" if place else "true")
        for place, (value, text) in enumerate(choices.items())
    ]
    return tag("div", tag("span", f"{words} "), *buttons, class_="segments", role="group", aria_label=words)


def _title(artifacts: Sequence[Shown]) -> str:
    names = {"ExampleAnomalies": "Anomalies", "ExampleStatistics": "Statistics", "ExamplesDiff": "Differences",
             "ModelEvaluation": "Evaluation"}  # fmt: skip
    kinds = list(dict.fromkeys(names.get(each.type, each.type) for each in artifacts))
    words = ", ".join(kinds[:-1]) + (" and " if len(kinds) > 1 else "") + kinds[-1] if kinds else "Nothing"
    labels = list(dict.fromkeys(each.label for each in artifacts if each.label))
    named = f" of {', '.join(labels)}" if 0 < len(labels) <= MOST_NAMED else ""
    return formats.visible(words[0] + words[1:].lower() + named, 200)


def _banner(title: str, links: Sequence[tuple[str, str]]) -> Markup:
    theme = tag(
        "button", "◐", type="button", id="theme", title="Light, dark, or as the system", aria_label="Change colours"
    )
    return tag("header", tag("h1", title), navigation(links), theme, class_="banner")

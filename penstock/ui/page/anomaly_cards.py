"""Anomalies on a page: a card each with the gravest first, the distances measured, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.ui import formats
from penstock.ui.anomaly_figures import AnomalyFigures, Findings, Measured, Reason
from penstock.ui.anomaly_words import distance_name, in_words, summary, told_by_split
from penstock.ui.feature_figures import FeatureFigures
from penstock.ui.page.charts import meter
from penstock.ui.page.markup import Markup, tag
from penstock.ui.page.plain_table import plain_table
from penstock.ui.page.statistics_cells import NAME_LENGTH

TOLD_LENGTH = 1000
LINK_LENGTH = 60
Evidence = Mapping[str, Mapping[str, FeatureFigures]]


def anomaly_section(
    findings: Findings, evidence: Evidence, anchors: Mapping[str, str], repair: Sequence[str]
) -> Markup:
    """Return all that is wrong.

    Args:
        findings: What was found.
        evidence: The figures by split and feature.
        anchors: The ids of features' cards.
        repair: What to do, line by line; commands are indented.
    """
    splits = ", ".join(findings.splits)
    title = tag("h2", "Anomalies", tag("small", f"{summary(findings)} in {splits}"))
    if not findings.anomalies:
        fine = tag(
            "p", tag("b", "✓ No anomalies. "), f"All that was checked in {splits or 'no split'} fits.", class_="fine"
        )
        return tag("section", title, fine, _distances(findings.measured, anchors))
    cards = [_card(group, evidence, anchors) for group in findings.grouped()]
    parts = [title, tag("div", *cards, class_="anomalies"), _repair(repair), _distances(findings.measured, anchors)]
    return tag("section", *parts)


def _card(group: Sequence[AnomalyFigures], evidence: Evidence, anchors: Mapping[str, str]) -> Markup:
    first = group[0]
    told = [_reason(reason, texts) for reason, texts in told_by_split(group)]
    seen = [(each.split, evidence.get(each.split, {}).get(each.feature)) for each in group]
    facts = [tag("li", tag("b", split), f" has {in_words(figures)}") for split, figures in seen if figures is not None]
    return tag(
        "article",
        tag(
            "header",
            tag("span", first.severity.lower(), class_=f"chip {first.severity.lower()}"),
            tag("h3", linked(first.feature, anchors) if first.feature else "The split as a whole"),
            tag("span", *(tag("span", each.split, class_="chip quiet") for each in group), class_="chips"),
        ),
        tag("ul", *told, class_="reasons"),
        tag("ul", *facts, class_="evidence") if facts else None,
        class_=f"anomaly {first.severity.lower()}",
    )


def _reason(reason: Reason, texts: Sequence[tuple[str, str]]) -> Markup:
    lines = [tag("p", tag("b", split) if split else None, formats.visible(text, TOLD_LENGTH)) for split, text in texts]
    short = tag("b", formats.visible(reason.short.removesuffix("."), NAME_LENGTH))
    return tag("li", short, tag("code", reason.type) if reason.type else None, *lines)


def linked(name: str, anchors: Mapping[str, str]) -> Markup:
    """Return a feature's name, leading to its card where there is one."""
    shown, whole = formats.visible(name, LINK_LENGTH), formats.visible(name, NAME_LENGTH)
    title = whole if shown != whole else None
    return (
        tag("a", shown, href=f"#{anchors[name]}", title=title) if name in anchors else tag("span", shown, title=title)
    )


def _repair(lines: Sequence[str]) -> Markup | None:
    if not lines:
        return None
    commands = "\n".join(line.strip() for line in lines if line.startswith(" "))
    words = [tag("p", line) for line in lines if not line.startswith(" ")]
    return tag("aside", tag("h3", "What to do"), *words, tag("pre", tag("code", commands)) if commands else None)


def _distances(measured: Sequence[Measured], anchors: Mapping[str, str]) -> Markup | None:
    if not measured:
        return None
    heads = ("feature", "split", "of", "distance", "measured", "may be", "")
    rows = [
        tag(
            "tr",
            tag("th", linked(each.feature, anchors), scope="row"),
            tag("td", each.split),
            tag("td", each.kind),
            tag("td", distance_name(each.distance)),
            tag("td", f"{each.value:.4f}", class_="num"),
            tag("td", f"{each.threshold:.4f}", class_="num"),
            tag("td", meter(each.value, each.threshold, "" if each.holds else "bad"),
                tag("span", "within" if each.holds else "too far", class_="ok" if each.holds else "not-ok")),
        )
        for each in measured
    ]  # fmt: skip
    table = plain_table(heads, rows, right=("measured", "may be"))
    return tag("div", tag("h3", "Distances against their thresholds"), table)

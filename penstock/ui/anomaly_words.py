"""Anomalies in words: how many, what a split has in place of what was asked, what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.ui import formats
from penstock.ui.anomaly_figures import ORDER, AnomalyFigures, Findings, Reason
from penstock.ui.feature_figures import FeatureFigures, shown_value
from penstock.ui.shown import Shown

TOP_VALUES = 3
TEXT_LENGTH = 20

BEYOND_SCHEMAS = ("CUSTOM_VALIDATION", "DATA_MISSING")
"""Types of which a schema says nothing: custom rules, leakage, splits without rows."""


def summary(findings: Findings) -> str:
    """Return "2 errors, 1 warning"."""
    counted = [(findings.count(severity), severity.lower()) for severity in ORDER]
    return ", ".join(formats.counted(count, noun) for count, noun in counted if count) or "no anomalies"


def told_by_split(group: Sequence[AnomalyFigures]) -> list[tuple[Reason, list[tuple[str, str]]]]:
    """Return what a group says, reason by reason: splits and their evidence, no split where all say the same.

    Args:
        group: Anomalies of one place and kind, one a split.
    """
    told = []
    for place, reason in enumerate(group[0].reasons):
        by_split = [(each.split, each.reasons[place].long) for each in group]
        alike = len({text for _, text in by_split}) == 1
        told.append((reason, [("", reason.long)] if alike else by_split))
    return told


def in_words(figures: FeatureFigures) -> str:
    """Return a feature's figures as a line: how many values, what is missing, the range or the frequent values."""
    told = [f"{formats.number(figures.count)} present, {formats.percent(figures.missing_share)} missing"]
    if figures.min is not None and figures.max is not None:
        told.append(f"{figures.kind} from {formats.measure(figures.min)} to {formats.measure(figures.max)}")
    if figures.unique is not None:
        told.append(f"{figures.unique:,} distinct")
    if figures.top:
        shown = [
            f"{formats.shortened(shown_value(value), TEXT_LENGTH)} "
            f"{formats.percent(min(count / (figures.values or 1.0), 1.0))}"
            for value, count in figures.top[:TOP_VALUES]
        ]
        told.append(f"such as {', '.join(shown)}")
    return "; ".join(told)


def distance_name(distance: str) -> str:
    """Return the name of a distance as people say it.

    >>> distance_name("JENSEN_SHANNON_DIVERGENCE"), distance_name("L_INFTY")
    ('Jensen-Shannon', 'L-infinity')
    """
    known = {"JENSEN_SHANNON_DIVERGENCE": "Jensen-Shannon", "L_INFTY": "L-infinity"}
    return known.get(distance, distance.replace("_", " ").lower())


def repair_of(shown: Shown, findings: Findings, root: str = "") -> list[str]:
    """Return what to do about anomalies, line by line, commands indented; nothing when there is nothing to do.

    Args:
        shown: The ExampleAnomalies.
        findings: What is in it.
        root: What a command needs to find the root, such as " --root DIR".
    """
    if not findings.anomalies:
        return []
    named = {each.type: each.reference for each in reversed(shown.made_from)}
    statistics = named.get("ExampleStatistics", "STATISTICS")
    lines = ["If the data are wrong, mend the source and run again."]
    if all(reason.type in BEYOND_SCHEMAS for each in findings.anomalies for reason in each.reasons):
        return [*lines, "No change of the schema accepts this: if it is meant, change the check that found it."]
    if "Schema" not in named:
        return [
            *lines,
            "If the change is meant, compare with a later baseline, or raise the thresholds that it passes.",
        ]
    return [
        *lines,
        "If the data are right, let the schema follow, and review what that means:",
        f"  penstock schema propose {named['Schema']} {statistics}{root} -o schema.patch",
        "  penstock schema accept schema.patch SCHEMA.pbtxt",
    ]

"""ExampleAnomalies: what is wrong, the gravest first, with its evidence, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from penstock.ui import formats
from penstock.ui.anomaly_figures import AnomalyFigures, Findings, Measured, evidence_of, findings_of
from penstock.ui.anomaly_words import distance_name, in_words, repair_of, summary, told_by_split
from penstock.ui.feature_figures import FeatureFigures
from penstock.ui.fitting_table import Column, FittingTable
from penstock.ui.shown import EVERYTHING, Shown, Wish

SIGNS = {"ERROR": ("✗", "bold red"), "WARNING": ("!", "bold yellow"), "UNKNOWN": ("?", "bold")}
NAME_LENGTH = 60
TOLD_LENGTH = 400


def document(shown: Shown, wish: Wish = EVERYTHING) -> dict[str, list[dict[str, Any]]]:
    """Return the anomalies by split: feature, severity, descriptions, and the reasons one by one.

    Raises:
        DataFormatError: A file can't be read.
    """
    findings = findings_of([shown])
    found: dict[str, list[dict[str, Any]]] = {split: [] for split in findings.splits}
    for each in findings.anomalies:
        if wish.selects(each.feature):
            found[each.split].append(_document(each))
    return found


def render(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> RenderableType:
    """Return a paragraph an anomaly, the distances that were measured, and what to do.

    Raises:
        DataFormatError: A file can't be read.
    """
    findings = findings_of(artifacts)
    if not findings.anomalies:
        head = Text(f"No anomalies in {', '.join(findings.splits) or 'no split'}.", "green")
        return Group(head, *_distances(findings.measured))
    wanted = [group for group in findings.grouped() if wish.selects(group[0].feature)]
    evidence = evidence_of(artifacts)
    parts: list[RenderableType] = [_head(findings)]
    for group in wanted[: wish.limit]:
        parts += [Text(), *_paragraph(group, evidence)]
    if len(wanted) > len(wanted[: wish.limit]):
        parts.append(Text(f"\n… {len(wanted) - (wish.limit or 0):,} more; --limit {len(wanted)} lists them", "dim"))
    repair = repair_of(artifacts[0], findings, wish.root)
    return Group(*parts, *_distances(findings.measured), Text("\nwhat to do", "bold"), *map(Text, repair))


def _document(each: AnomalyFigures) -> dict[str, Any]:
    return {
        "feature": each.feature or "(the whole split)",
        "severity": each.severity,
        "short_description": each.short,
        "description": each.long,
        "reasons": [
            {"type": reason.type, "short_description": reason.short, "description": reason.long}
            for reason in each.reasons
        ],
    }


def _head(findings: Findings) -> Text:
    return Text.assemble((summary(findings), "bold"), f" in {', '.join(findings.splits)}")


def _paragraph(
    group: Sequence[AnomalyFigures], evidence: Mapping[str, Mapping[str, FeatureFigures]]
) -> Iterator[RenderableType]:
    """Yield a headline, and below it the reasons and what the statistics say."""
    first = group[0]
    sign, style = SIGNS[first.severity]
    name = formats.visible(first.feature, NAME_LENGTH) if first.feature else "the split as a whole"
    splits = ", ".join(each.split for each in group)
    yield Text.assemble((f"{sign} {first.severity}", style), "  ", (name, "bold"), (f"  {splits}", "dim"))
    for reason, texts in told_by_split(group):
        short = formats.visible(reason.short.removesuffix("."), NAME_LENGTH)
        told = [f"{split}: {formats.visible(text, TOLD_LENGTH)}".removeprefix(": ") for split, text in texts]
        yield Padding(Text(f"{short}: {told[0]}" if len(told) == 1 else f"{short}:"), (0, 0, 0, 2))
        for line in told if len(told) > 1 else ():
            yield Padding(Text(line), (0, 0, 0, 4))
    for each in group:
        seen = evidence.get(each.split, {}).get(each.feature)
        if seen is not None:
            yield Padding(Text(f"{each.split} has {in_words(seen)}", "dim"), (0, 0, 0, 2))


def _distances(measured: Sequence[Measured]) -> Iterator[RenderableType]:
    if not measured:
        return
    yield Text("\ndistances", "bold")
    columns = (Column("", least=0), Column("feature", least=18), Column("split", rank=2), Column("of", rank=1),
               Column("distance", rank=3), Column("measured", right=True), Column("may be", right=True))  # fmt: skip
    yield FittingTable(columns, [_distance_row(each) for each in measured])


def _distance_row(each: Measured) -> tuple[str | Text, ...]:
    sign = Text("✓", "green") if each.holds else Text("✗", "bold red")
    numbers = f"{each.value:.4f}", f"{each.threshold:.4f}"
    return (
        sign,
        formats.visible(each.feature, NAME_LENGTH),
        each.split,
        each.kind,
        distance_name(each.distance),
        *numbers,
    )

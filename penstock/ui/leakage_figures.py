"""What was measured about leakage between splits, as rows that people read: a share and how great it may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from penstock.components.validation.leakage_report import LeakageReport, Prediction, Shared, Times, read_leakage
from penstock.ui import formats
from penstock.ui.shown import Shown

MOST_FEATURES = 5
TOLD_LENGTH = 200


@dataclass(frozen=True)
class LeakageRow:
    """One thing that was measured.

    Attributes:
        what: Such as "rows that earlier splits have".
        split: The later split; for a feature that gives the label away the one in which it was measured.
        share: How great it is, from 0 to 1.
        bound: How great it may be.
        told: Examples, or from when to when.
    """

    what: str
    split: str
    share: float
    bound: float
    told: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is within its bound."""
        return self.share <= self.bound


def leakage_rows(artifacts: Sequence[Shown]) -> list[LeakageRow]:
    """Return what was measured beside statistics, what is beyond its bound first; nothing where nothing was.

    Raises:
        DataFormatError: A file can't be read.
    """
    reports = [(shown, read_leakage(shown.path)) for shown in artifacts]
    several = len(artifacts) > 1
    rows = [
        replace(row, split=f"{row.split} · {shown.label}") if several else row
        for shown, report in reports
        if report is not None
        for row in _rows(report)
    ]
    return sorted(rows, key=lambda row: row.holds)


def _rows(report: LeakageReport) -> Iterator[LeakageRow]:
    for each in report.duplicates:
        yield _shared(each, "rows that earlier splits have", report.max_duplicate_fraction or 0.0)
    for each in report.groups:
        yield _shared(each, f"groups ({', '.join(report.group_features)}) that earlier splits have", 0.0)
    for times in report.times:
        if times.before:
            yield _times(times, report.time_feature)
    if report.prediction is not None:
        yield from _predictions(report.prediction)


def _shared(shared: Shared, what: str, bound: float) -> LeakageRow:
    share = shared.shared / shared.rows if shared.rows else 0.0
    examples = f", such as {'; '.join(shared.examples)}" if shared.examples else ""
    told = f"{shared.shared:,} of {shared.rows:,}{examples}"
    return LeakageRow(what, shared.split, share, bound, formats.visible(told, TOLD_LENGTH))


def _times(times: Times, feature: str) -> LeakageRow:
    share = times.early / times.rows if times.rows else 0.0
    told = f"from {times.begins} to {times.ends}; {times.before} ends at {times.before_ends}"
    return LeakageRow(
        f"{feature} not after earlier splits", times.split, share, 0.0, formats.visible(told, TOLD_LENGTH)
    )


def _predictions(prediction: Prediction) -> Iterator[LeakageRow]:
    """Yield the features that give most of the label away."""
    measure = "correlation" if prediction.measure == "correlation" else "errors that knowing it avoids"
    for name, value in list(prediction.features.items())[:MOST_FEATURES]:
        what = formats.visible(f"{prediction.label} known from {name}", TOLD_LENGTH)
        yield LeakageRow(what, prediction.split, min(abs(value), 1.0), prediction.bound, measure)

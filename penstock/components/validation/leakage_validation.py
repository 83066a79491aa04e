"""What leaks becomes anomalies of the splits that it is in: measurements held against their bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.anomalies import Validation
from penstock.components.validation.custom_rules import with_finding
from penstock.components.validation.draft import Finding
from penstock.components.validation.leakage_report import LeakageReport, Prediction, Shared, Times


@dataclass(frozen=True)
class Leak:
    """Something that leaks into a split.

    Attributes:
        split: The later split, or the one in which a feature predicts the label.
        feature: The feature; "" for the data set as a whole.
        finding: What leaks, with its evidence.
    """

    split: str
    feature: str
    finding: Finding


def leaks_in(report: LeakageReport) -> Iterator[Leak]:
    """Yield what is beyond its bound: rows, groups, times, then features."""
    bound = report.max_duplicate_fraction or 0.0
    for shared in report.duplicates:
        yield from _shared(shared, "rows", bound)
    for shared in report.groups:
        yield from _shared(shared, f"groups ({', '.join(report.group_features)})", 0.0)
    for times in report.times:
        yield from _early(times, report.time_feature)
    if report.prediction is not None:
        yield from _predictive(report.prediction)


def add_leaks(
    validations: Mapping[str, Validation], report: LeakageReport, severity: int = AnomalyInfo.ERROR
) -> dict[str, Validation]:
    """Return the validations by split with what leaks into these splits, and what could not be measured."""
    found = dict(validations)
    for leak in leaks_in(report):
        if leak.split in found:
            found[leak.split] = with_finding(found[leak.split], leak.feature, leak.finding, severity)
    for split, note in _unchecked(report):
        if split in found:
            found[split] = replace(found[split], notes=(*found[split].notes, note))
    return found


def _unchecked(report: LeakageReport) -> Iterator[tuple[str, str]]:
    compared = report.max_duplicate_fraction is not None or report.group_features or report.time_feature
    if compared and len(report.split_order) == 1:
        yield report.split_order[0], "leakage between splits was not checked: there is no other split."
    prediction = report.prediction
    if prediction is None:
        return
    for name, why in prediction.unmeasured.items():
        label = prediction.label
        what = f"a feature gives the label {label!r}" if name == label else f"{name!r} gives the label {label!r}"
        yield prediction.split, f"whether {what} away was not checked: {why}."


def _shared(shared: Shared, what: str, bound: float) -> Iterator[Leak]:
    if shared.shared <= bound * shared.rows:
        return
    examples = f", such as {'; '.join(shared.examples)}" if shared.examples else ""
    told = (
        f"{shared.shared} of {shared.rows} rows ({shared.shared / shared.rows:.2%}) have {what} that earlier splits "
        f"have too{examples}; at most {bound:.2%} may."
        if what != "rows"
        else f"{shared.shared} of {shared.rows} rows ({shared.shared / shared.rows:.2%}) are in earlier splits "
        f"too{examples}; at most {bound:.2%} may be."
    )
    yield Leak(shared.split, "", _finding(f"{what.capitalize()} leak between splits", told))


def _early(times: Times, column: str) -> Iterator[Leak]:
    if times.early:
        told = (
            f"{column!r} begins at {times.begins} in split {times.split}, and ends at {times.before_ends} in split "
            f"{times.before}: {times.early} of {times.rows} rows ({times.early / times.rows:.2%}) aren't later."
        )
        yield Leak(times.split, column, _finding("Times of splits overlap", told))


def _predictive(prediction: Prediction) -> Iterator[Leak]:
    for feature, found in prediction.features.items():
        if found < prediction.bound:
            continue
        how = (
            f"their correlation is {found:.4f} in {prediction.rows} rows; it has to be below {prediction.bound:.4f}."
            if prediction.measure == "correlation"
            else f"it avoids {found:.2%} of the errors of always guessing the most frequent label, in "
            f"{prediction.rows} rows; it has to be below {prediction.bound:.2%}."
        )
        told = f"{feature!r} alone predicts the label {prediction.label!r}: {how}"
        yield Leak(prediction.split, feature, _finding("A feature predicts the label", told))


def _finding(short: str, told: str) -> Finding:
    return Finding(AnomalyInfo.CUSTOM_VALIDATION, short, told)

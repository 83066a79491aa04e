"""Anomalies as people read them: what is wrong in one place, in which splits, by what evidence, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo, DriftSkewInfo

from penstock.data import protos
from penstock.ui import formats
from penstock.ui.feature_figures import FeatureFigures, shown_value
from penstock.ui.shown import EVERYTHING, Shown
from penstock.ui.statistics_sides import sides_of

SEVERITIES = {0: "UNKNOWN", 1: "WARNING", 2: "ERROR"}
ORDER = ("ERROR", "WARNING", "UNKNOWN")
NO_DATA = "No examples"
BEYOND_SCHEMAS = ("CUSTOM_VALIDATION", "DATA_MISSING")
"""Types of which a schema says nothing: custom rules, leakage, splits without rows."""

TOP_VALUES = 3
TEXT_LENGTH = 20
MEASURES = {"drift_measurements": "drift", "skew_measurements": "skew"}


@dataclass(frozen=True)
class Reason:
    """One thing that is wrong: its `AnomalyInfo.Type` by name, in a few words, and with its evidence."""

    type: str
    short: str
    long: str


@dataclass(frozen=True)
class AnomalyFigures:
    """What is wrong with a feature, or with a split as a whole.

    Attributes:
        split: The split, or the pair of splits "split_baseline".
        feature: The feature's name; "" for the split as a whole.
        severity: "ERROR", "WARNING" or "UNKNOWN".
        short: What is wrong in a few words.
        long: The same with its evidence.
        reasons: What is wrong one by one; at least one.
    """

    split: str
    feature: str
    severity: str
    short: str
    long: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Measured:
    """A distance that a comparator measured, and how great it may be.

    Attributes:
        split: The split, or the pair of splits.
        feature: The feature's name.
        kind: "drift" or "skew".
        distance: Which distance, such as "L_INFTY".
        value: How great it is.
        threshold: How great it may be.
    """

    split: str
    feature: str
    kind: str
    distance: str
    value: float
    threshold: float

    @property
    def holds(self) -> bool:
        """Whether it is within its threshold."""
        return self.value <= self.threshold


@dataclass(frozen=True)
class Findings:
    """What one or several ExampleAnomalies hold.

    Attributes:
        splits: The splits that were checked.
        anomalies: The gravest first, by feature.
        measured: Distances against their thresholds, those that are passed first.
    """

    splits: tuple[str, ...]
    anomalies: tuple[AnomalyFigures, ...]
    measured: tuple[Measured, ...]

    def grouped(self) -> list[list[AnomalyFigures]]:
        """Return the anomalies, those of one place and kind in several splits together."""
        groups: dict[tuple[str, str, tuple[str, ...]], list[AnomalyFigures]] = {}
        for each in self.anomalies:
            key = each.severity, each.feature, tuple(reason.type + reason.short for reason in each.reasons)
            groups.setdefault(key, []).append(each)
        return list(groups.values())

    def count(self, severity: str) -> int:
        """Return how many places have anomalies of a severity."""
        return sum(group[0].severity == severity for group in self.grouped())


def findings_of(artifacts: Sequence[Shown]) -> Findings:
    """Return what is in ExampleAnomalies.

    Raises:
        DataFormatError: A file can't be read.
    """
    splits, anomalies, measured = [], [], []
    for shown in artifacts:
        for split in protos.split_names_of(shown.path):
            proto, label = protos.read_anomalies(shown.path, split), _label(split, shown, artifacts)
            splits.append(label)
            anomalies += _anomalies(proto, label)
            measured += [each for info in proto.drift_skew_info for each in _measured(info, label)]
    anomalies.sort(key=lambda each: (ORDER.index(each.severity), each.feature))
    measured.sort(key=lambda each: (each.holds, each.threshold - each.value))
    return Findings(tuple(splits), tuple(anomalies), tuple(measured))


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


def evidence_of(artifacts: Sequence[Shown]) -> dict[str, Mapping[str, FeatureFigures]]:
    """Return the figures by split and feature of the statistics that were checked; nothing where they are gone.

    Args:
        artifacts: ExampleAnomalies.
    """
    return {
        _label(split, shown, artifacts): figures for shown in artifacts for split, figures in _described(shown).items()
    }


def _described(shown: Shown) -> Mapping[str, Mapping[str, FeatureFigures]]:
    statistics = [each for each in shown.made_from if each.type == "ExampleStatistics"][:1]
    try:
        return {side.split: side.figures for side in sides_of(statistics, EVERYTHING)}
    except (OSError, ValueError):
        return {}


def _label(split: str, shown: Shown, artifacts: Sequence[Shown]) -> str:
    return f"{split} · {shown.label}" if len(artifacts) > 1 else split


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


def summary(findings: Findings) -> str:
    """Return "2 errors, 1 warning"."""
    counted = [(findings.count(severity), severity.lower()) for severity in ORDER]
    return ", ".join(formats.counted(count, noun) for count, noun in counted if count) or "no anomalies"


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


def _anomalies(proto: Anomalies, split: str) -> list[AnomalyFigures]:
    if proto.data_missing:
        told = "The split has no examples, so that nothing could be checked."
        return [AnomalyFigures(split, "", "ERROR", NO_DATA, told, (Reason("DATA_MISSING", NO_DATA, told),))]
    named = [(".".join(info.path.step) or key, info) for key, info in proto.anomaly_info.items()]
    if proto.HasField("dataset_anomaly_info"):
        named.append(("", proto.dataset_anomaly_info))
    return [_of_info(split, name, info) for name, info in named]


def _of_info(split: str, name: str, info: AnomalyInfo) -> AnomalyFigures:
    reasons = tuple(
        Reason(_type_name(each.type), each.short_description, each.description) for each in info.reason
    ) or (Reason("", info.short_description, info.description),)
    severity = SEVERITIES.get(info.severity, "UNKNOWN")
    return AnomalyFigures(split, name, severity, info.short_description, info.description, reasons)


def _type_name(number: int) -> str:
    known = AnomalyInfo.Type.DESCRIPTOR.values_by_number.get(number)
    return known.name if known is not None else str(number)


def _measured(info: DriftSkewInfo, split: str) -> list[Measured]:
    kinds = DriftSkewInfo.Measurement.Type
    return [
        Measured(split, ".".join(info.path.step), kind, kinds.Name(each.type), each.value, each.threshold)
        for field, kind in MEASURES.items()
        for each in getattr(info, field)
    ]

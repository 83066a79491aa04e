"""Anomalies as people read them: what is wrong in one place, in which splits, by what evidence, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo, DriftSkewInfo

from penstock.data import protos
from penstock.ui.feature_figures import FeatureFigures
from penstock.ui.shown import EVERYTHING, Shown
from penstock.ui.statistics_sides import sides_of

SEVERITIES = {0: "UNKNOWN", 1: "WARNING", 2: "ERROR"}
ORDER = ("ERROR", "WARNING", "UNKNOWN")
NO_DATA = "No examples"
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

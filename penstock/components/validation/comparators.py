"""Drift and skew: a feature's distribution against an earlier one, or against the one in serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo, DriftSkewInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, Histogram

from penstock.components.validation.distribution_distance import (
    jensen_shannon_of_counts,
    jensen_shannon_of_histograms,
    l_infinity,
    normalized_absolute_difference,
)
from penstock.components.validation.draft import Finding
from penstock.components.validation.feature_view import FeatureView, view_of

Measurement = DriftSkewInfo.Measurement


@dataclass(frozen=True)
class References:
    """Statistics that those of a split are compared with; None for what there is not.

    Attributes:
        previous: Of an earlier span, for drift.
        serving: Of what is seen in serving, for skew.
        previous_version: Of an earlier version of the same span.
    """

    previous: DatasetFeatureStatistics | None = None
    serving: DatasetFeatureStatistics | None = None
    previous_version: DatasetFeatureStatistics | None = None


NO_REFERENCES = References()


@dataclass(frozen=True)
class Comparison:
    """What came of comparing one feature.

    Attributes:
        findings: The thresholds that were passed, the missing data.
        measured: All that was measured, passed or not; without a measurement there is none.
        notes: What could not be compared, and why.
    """

    findings: list[Finding] = field(default_factory=list)
    measured: DriftSkewInfo = field(default_factory=DriftSkewInfo)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Side:
    """One kind of comparison: its name in a schema, and what TFDV calls the two sides."""

    comparator: str
    reference: str
    argument: str
    treatment: str
    measurements: str


_SIDES = (
    _Side("drift_comparator", "previous", "previous_statistics", "current", "drift_measurements"),
    _Side("skew_comparator", "serving", "serving_statistics", "training", "skew_measurements"),
)


@dataclass(frozen=True)
class _Distance:
    """A way to measure: its field in a comparator, its types, its words.

    Attributes:
        measure: From two views to the value that differs most ("" where there is none) and the distance; None where
            the two have no distributions of the same kind.
    """

    threshold: str
    measurement: DriftSkewInfo.Measurement.Type
    anomaly: AnomalyInfo.Type
    words: str
    needs: str
    measure: Callable[[FeatureView, FeatureView, schema_pb2.FeatureComparator], tuple[str, float] | None]


def compare(view: FeatureView, feature: schema_pb2.Feature, references: References) -> Comparison:
    """Hold a feature that the data has against the thresholds of its comparators, and lift those that are passed."""
    comparison = Comparison()
    for side in _SIDES:
        if feature.HasField(side.comparator):
            reference = getattr(references, side.reference)
            _compare_with(view, getattr(feature, side.comparator), reference, side, comparison)
    return comparison


def asked_distances(comparator: schema_pb2.FeatureComparator) -> list[str]:
    """Return the names of the thresholds that a comparator sets."""
    return [each.threshold for each in _DISTANCES if getattr(comparator, each.threshold).HasField("threshold")]


def _compare_with(
    view: FeatureView,
    comparator: schema_pb2.FeatureComparator,
    reference: DatasetFeatureStatistics | None,
    side: _Side,
    comparison: Comparison,
) -> None:
    asked = [each for each in _DISTANCES if each.threshold in asked_distances(comparator)]
    if not asked:
        return
    if reference is None:
        comparison.notes.append(f"feature {view.name!r}: {side.comparator} was not checked, without {side.argument}.")
        return
    other = view_of(reference, view.name, view.by_weight)
    if other is None:
        for each in asked:
            getattr(comparator, each.threshold).ClearField("threshold")
        short, told = f"{side.reference} data missing", f"{side.reference} data is missing."
        comparison.findings.append(Finding(AnomalyInfo.COMPARATOR_CONTROL_DATA_MISSING, short, told))
        return
    for distance in asked:
        found = distance.measure(view, other, comparator)
        if found is None:
            comparison.notes.append(
                f"feature {view.name!r}: {side.comparator}.{distance.threshold} was not checked: it needs "
                f"{distance.needs} on both sides."
            )
            continue
        limit = getattr(comparator, distance.threshold)
        info = getattr(comparison.measured, side.measurements)
        info.add(type=distance.measurement, value=found[1], threshold=limit.threshold)
        if found[1] > limit.threshold:
            comparison.findings.append(_too_far(distance, side, limit.threshold, *found))
            limit.threshold = found[1]


def _too_far(distance: _Distance, side: _Side, limit: float, value: str, measured: float) -> Finding:
    between = f"{distance.words} between {side.treatment} and {side.reference}"
    told = f"The {between} is {measured:g} (up to six significant digits), above the threshold {limit:g}."
    if value:
        told += f" The feature value with maximum difference is: {value}"
    return Finding(distance.anomaly, f"High {between}", told)


def _l_infinity(
    view: FeatureView, other: FeatureView, comparator: schema_pb2.FeatureComparator
) -> tuple[str, float] | None:
    return l_infinity(view.strings, other.strings) if view.strings or other.strings else None


def _absolute_difference(
    view: FeatureView, other: FeatureView, comparator: schema_pb2.FeatureComparator
) -> tuple[str, float] | None:
    return normalized_absolute_difference(view.strings, other.strings) if view.strings or other.strings else None


def _jensen_shannon(
    view: FeatureView, other: FeatureView, comparator: schema_pb2.FeatureComparator
) -> tuple[str, float] | None:
    if view.strings and other.strings:
        return "", jensen_shannon_of_counts(view.strings, other.strings)
    source = comparator.jensen_shannon_divergence.source.type
    quantiles = source == schema_pb2.HistogramSelection.QUANTILES
    kind = Histogram.QUANTILES if quantiles else Histogram.STANDARD
    left, right = view.histogram(kind), other.histogram(kind)
    divergence = jensen_shannon_of_histograms(left, right) if left is not None and right is not None else None
    return None if divergence is None else ("", divergence)


_COUNTED = "counted values (strings, or integers that the schema calls categorical)"
_DISTANCES = (
    _Distance(
        "infinity_norm",
        Measurement.L_INFTY,
        AnomalyInfo.COMPARATOR_L_INFTY_HIGH,
        "Linfty distance",
        _COUNTED,
        _l_infinity,
    ),
    _Distance(
        "jensen_shannon_divergence",
        Measurement.JENSEN_SHANNON_DIVERGENCE,
        AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
        "approximate Jensen-Shannon divergence",
        "counted values or numbers",
        _jensen_shannon,
    ),
    _Distance(
        "normalized_abs_difference",
        Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE,
        AnomalyInfo.COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH,
        "normalized absolute difference",
        _COUNTED,
        _absolute_difference,
    ),
)
"""All of them, in TFDV's order."""

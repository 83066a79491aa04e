"""Where statistics and a schema disagree, in TFDV's words and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo, DriftSkewInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.comparators import NO_REFERENCES, Comparison, References, compare
from penstock.components.validation.conformance import NEW_COLUMN, examine, miss
from penstock.components.validation.dataset_rules import examine_dataset, unchecked_constraints
from penstock.components.validation.draft import Draft, Environment, Finding, draft_of, in_use
from penstock.components.validation.feature_inference import Inference, infer_feature
from penstock.components.validation.feature_view import FeatureView, dataset_of, serialized_path, views

_SEVERAL = "Multiple errors"

Severities = Mapping[int, int]
"""Severities by `AnomalyInfo.Type`, where they aren't ERROR."""


@dataclass(frozen=True)
class Anomaly:
    """What is wrong with one feature, or with the data set as a whole.

    Attributes:
        name: The feature; "" for the data set.
        findings: What is wrong, at least one.
        severity: An `AnomalyInfo.Severity`, the worst of the findings.
        before: The feature as the schema has it; None where it has none.
        after: The feature, and its domain, changed so that the data would fit; None for the data set.
        constraints: The constraints of the data set, changed so that it would fit; None for a feature.
    """

    name: str
    findings: tuple[Finding, ...]
    severity: int
    before: Draft | None = None
    after: Draft | None = None
    constraints: schema_pb2.DatasetConstraints | None = None

    @property
    def is_error(self) -> bool:
        """Whether a gate stops on it."""
        return bool(self.severity == AnomalyInfo.ERROR)

    def proto(self) -> AnomalyInfo:
        """Return the anomaly in TFDV's format: one reason a finding, and their union."""
        info = AnomalyInfo(severity=self.severity)
        if self.name:
            info.path.step.append(self.name)
        for finding in self.findings:
            info.reason.add(type=finding.type, short_description=finding.short, description=finding.long)
        info.short_description = self.findings[0].short if len(self.findings) == 1 else _SEVERAL
        info.description = " ".join(finding.long for finding in self.findings)
        return info


@dataclass(frozen=True)
class Validation:
    """The outcome of holding one split against a schema.

    Attributes:
        schema: The schema it was held against.
        features: Anomalies of features, in the order of the data, then the features that are missing.
        dataset: The anomaly of the data set as a whole, if any.
        no_data: Whether there was no example at all, so that nothing else was looked at.
        columns: The features that the data has.
        drift_skew: What the comparators measured, by feature.
        notes: What could not be checked, and why: a comparator without statistics to compare with.
    """

    schema: schema_pb2.Schema
    features: tuple[Anomaly, ...] = ()
    dataset: Anomaly | None = None
    no_data: bool = False
    columns: tuple[str, ...] = ()
    drift_skew: tuple[DriftSkewInfo, ...] = ()
    notes: tuple[str, ...] = ()

    def proto(self) -> Anomalies:
        """Return the anomalies in TFDV's format."""
        anomalies = Anomalies(baseline=self.schema, data_missing=self.no_data)
        if self.no_data:
            return anomalies
        anomalies.anomaly_name_format = Anomalies.SERIALIZED_PATH
        for anomaly in self.features:
            anomalies.anomaly_info[serialized_path(anomaly.name)].CopyFrom(anomaly.proto())
        if self.dataset is not None:
            anomalies.dataset_anomaly_info.CopyFrom(self.dataset.proto())
        anomalies.drift_skew_info.extend(self.drift_skew)
        return anomalies


def validate(
    statistics: DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    environment: str = "",
    severities: Severities | None = None,
    references: References = NO_REFERENCES,
) -> Validation:
    """Hold the statistics of one split against a schema.

    Args:
        statistics: Of all examples of the split.
        schema: Is not changed.
        environment: Where the data comes from, "" for a schema without environments.
        severities: Overrides by type; all types are errors otherwise, as in TFDV.
        references: What the schema's comparators compare with.
    """
    dataset = dataset_of(statistics)
    if not dataset.num_examples:
        return Validation(schema, no_data=True)
    place = Environment(environment, tuple(schema.default_environment))
    known = {feature.name: feature for feature in schema.feature}
    found, compared = [], []
    for view in views(dataset):
        before = draft_of(schema, known[view.name], place) if view.name in known else None
        anomaly, comparison = _anomaly(view, before, severities or {}, references)
        found.append(anomaly)
        compared.append(comparison)
    present = tuple(view.name for view in views(dataset))
    for feature in schema.feature:
        if feature.name not in present:
            found.append(_missing(draft_of(schema, feature, place), severities or {}))
    return Validation(
        schema,
        tuple(filter(None, found)),
        _dataset_anomaly(dataset, schema, severities or {}, references),
        columns=present,
        drift_skew=tuple(each.measured for each in compared if each.measured.ListFields()),
        notes=(
            *(note for each in compared for note in each.notes),
            *unchecked_constraints(schema.dataset_constraints, references),
        ),
    )


def environments(schema: schema_pb2.Schema) -> set[str]:
    """Return every environment that the schema names."""
    named = set(schema.default_environment)
    for feature in schema.feature:
        named.update(feature.in_environment, feature.not_in_environment)
    return named


def _anomaly(
    view: FeatureView, before: Draft | None, severities: Severities, references: References
) -> tuple[Anomaly | None, Comparison]:
    if before is None:
        return _judged(view.name, [NEW_COLUMN], severities, after=_inferred(view)), Comparison()
    after = before.copy()
    findings = examine(view, after)
    comparison = Comparison()
    if view.present and in_use(after.feature):
        comparison = compare(view, after.feature, references)
        if comparison.measured.ListFields():
            comparison.measured.path.step.append(view.name)
    return _judged(view.name, [*findings, *comparison.findings], severities, before=before, after=after), comparison


def _missing(before: Draft, severities: Severities) -> Anomaly | None:
    after = before.copy()
    return _judged(before.feature.name, miss(after), severities, before=before, after=after)


def _inferred(view: FeatureView) -> Draft:
    scratch = schema_pb2.Schema()
    infer_feature(view, scratch, Inference())
    return draft_of(scratch, scratch.feature[0])


def _dataset_anomaly(
    dataset: DatasetFeatureStatistics, schema: schema_pb2.Schema, severities: Severities, references: References
) -> Anomaly | None:
    constraints = schema_pb2.DatasetConstraints()
    constraints.CopyFrom(schema.dataset_constraints)
    findings = examine_dataset(dataset, constraints, references)
    return _judged("", findings, severities, constraints=constraints)


def _judged(
    name: str,
    findings: list[Finding],
    severities: Severities,
    *,
    before: Draft | None = None,
    after: Draft | None = None,
    constraints: schema_pb2.DatasetConstraints | None = None,
) -> Anomaly | None:
    if not findings:
        return None
    severity = max(severities.get(finding.type, AnomalyInfo.ERROR) for finding in findings)
    return Anomaly(name, tuple(findings), severity, before, after, constraints)

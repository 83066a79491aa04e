"""Where statistics and a schema disagree, in TFDV's words and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo, DriftSkewInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.comparators import NO_REFERENCES, Comparison, References, compare
from penstock.components.validation.compound_rules import Compound, compound_in_use, compounds_of, examine_compound
from penstock.components.validation.conformance import NEW_COLUMN, examine, miss
from penstock.components.validation.dataset_rules import examine_dataset, unchecked_constraints
from penstock.components.validation.draft import Draft, Environment, Finding, draft_of, in_use
from penstock.components.validation.feature_inference import Inference, infer_feature
from penstock.components.validation.feature_paths import Path, feature_at, features_by_path, parent_is_in
from penstock.components.validation.feature_view import FeatureView, dataset_of, serialized_path, views
from penstock.components.validation.semantic_rules import unchecked_meaning

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
        path: The names that lead to a field of structs; empty for any other feature.
        withdrawn: For a sparse or weighted feature: the fields of the schema in which it would be taken out of use.
    """

    name: str
    findings: tuple[Finding, ...]
    severity: int
    before: Draft | None = None
    after: Draft | None = None
    constraints: schema_pb2.DatasetConstraints | None = None
    withdrawn: tuple[str, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """The names that lead to the feature; none for the data set."""
        return self.path or ((self.name,) if self.name else ())

    @property
    def is_error(self) -> bool:
        """Whether a gate stops on it."""
        return bool(self.severity == AnomalyInfo.ERROR)

    def proto(self) -> AnomalyInfo:
        """Return the anomaly in TFDV's format: one reason a finding, and their union."""
        info = AnomalyInfo(severity=self.severity)
        if self.steps:
            info.path.step.extend(self.steps)
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
            anomalies.anomaly_info[serialized_path(*(anomaly.steps or ("",)))].CopyFrom(anomaly.proto())
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
    judge = _Judge(schema, severities or {}, references)
    found, compared = [], []
    for view in views(dataset):
        anomaly, comparison = judge.seen(view, place)
        found.append(anomaly)
        compared.append(comparison)
    seen = {view.path for view in views(dataset)}
    found += [
        judge.missing(path, feature, place)
        for path, feature in features_by_path(schema).items()
        if path not in seen and parent_is_in(path, seen)
    ]
    present = tuple(view.name for view in views(dataset))
    return Validation(
        schema,
        tuple(filter(None, found)),
        judge.whole(dataset),
        columns=present,
        drift_skew=tuple(each.measured for each in compared if each.measured.ListFields()),
        notes=(
            *(note for each in compared for note in each.notes),
            *unchecked_constraints(schema.dataset_constraints, references),
            *(_undescribed(name) for name in compounds_of(schema) if name not in present),
        ),
    )


def _undescribed(name: str) -> str:
    return (
        f"{name!r} was not checked: the statistics don't describe this sparse or weighted feature. Give StatisticsGen "
        f"the schema that names it."
    )


def environments(schema: schema_pb2.Schema) -> set[str]:
    """Return every environment that the schema names."""
    named = set(schema.default_environment)
    for feature in features_by_path(schema).values():
        named.update(feature.in_environment, feature.not_in_environment)
    return named


@dataclass(frozen=True)
class _Judge:
    """What everything in a split is judged by."""

    schema: schema_pb2.Schema
    severities: Severities
    references: References

    def seen(self, view: FeatureView, place: Environment) -> tuple[Anomaly | None, Comparison]:
        """Judge what the data has."""
        compounds, known = compounds_of(self.schema), feature_at(self.schema, view.path)
        structs = (feature_at(self.schema, view.path[:depth]) for depth in range(1, len(view.path)))
        if any(struct is not None and not in_use(struct) for struct in structs):
            return None, Comparison()
        if view.name in compounds:
            return self._compound(view, compounds[view.name]), Comparison()
        if known is not None:
            return self._feature(view, draft_of(self.schema, known, place))
        if not view.is_column:
            return None, Comparison()
        return _judged(view.path, [NEW_COLUMN], self.severities, after=_inferred(view)), Comparison()

    def _feature(self, view: FeatureView, before: Draft) -> tuple[Anomaly | None, Comparison]:
        after = before.copy()
        findings = examine(view, after)
        comparison = Comparison()
        if view.present and in_use(after.feature):
            comparison = compare(view, after.feature, self.references)
            comparison.notes.extend(unchecked_meaning(view, before.feature))
            if comparison.measured.ListFields():
                comparison.measured.path.step.extend(view.path)
        found = [*findings, *comparison.findings]
        return _judged(view.path, found, self.severities, before=before, after=after), comparison

    def _compound(self, view: FeatureView, compound: Compound) -> Anomaly | None:
        named = {
            "weighted_feature": [each.name for each in self.schema.weighted_feature if compound_in_use(each)],
            "sparse_feature": [each.name for each in self.schema.sparse_feature if compound_in_use(each)],
            "feature": [each.name for each in self.schema.feature if in_use(each)],
        }
        kinds = tuple(kind for kind, names in named.items() if view.name in names)
        anomaly = _judged(view.path, examine_compound(view, compound, list(kinds[1:])), self.severities)
        return replace(anomaly, withdrawn=kinds) if anomaly is not None else None

    def missing(self, path: Path, feature: schema_pb2.Feature, place: Environment) -> Anomaly | None:
        """Judge what the data doesn't have."""
        before = draft_of(self.schema, feature, place)
        after = before.copy()
        return _judged(path, miss(after), self.severities, before=before, after=after)

    def whole(self, dataset: DatasetFeatureStatistics) -> Anomaly | None:
        """Judge the data set as a whole."""
        constraints = schema_pb2.DatasetConstraints()
        constraints.CopyFrom(self.schema.dataset_constraints)
        findings = examine_dataset(dataset, constraints, self.references)
        return _judged((), findings, self.severities, constraints=constraints)


def _inferred(view: FeatureView) -> Draft:
    scratch = schema_pb2.Schema()
    infer_feature(view, scratch, Inference())
    feature = feature_at(scratch, view.path)
    return draft_of(scratch, feature or schema_pb2.Feature())


def _judged(
    path: Path,
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
    nested = path if len(path) > 1 else ()
    return Anomaly(".".join(path), tuple(findings), severity, before, after, constraints, path=nested)

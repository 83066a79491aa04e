"""Propose how a schema could change for data to fit it: a change an entry, with its evidence, to be reviewed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.anomalies import Anomaly, validate
from penstock.components.validation.comparators import NO_REFERENCES, References
from penstock.components.validation.compatibility import Compatibility, worst
from penstock.components.validation.domain_rules import MAX_EXAMPLES, shortened
from penstock.components.validation.feature_inference import Inference, infer_feature
from penstock.components.validation.feature_paths import feature_at, features_by_path
from penstock.components.validation.feature_view import FeatureView, dataset_of, view_of, views
from penstock.components.validation.schema_difference import Difference, differences

_MAX_EVIDENCE = 320


@dataclass(frozen=True)
class Proposal:
    """A change of a schema that would have data fit, and why.

    Attributes:
        subject: What doesn't fit: a feature's name; "" for the data set as a whole.
        differences: The entries of the schema that change: the feature, and its domain.
        patch: These entries as they would be.
        evidence: What was found, by where it was found, such as "span 3, train".
    """

    subject: str
    differences: tuple[Difference, ...]
    patch: schema_pb2.Schema
    evidence: Mapping[str, tuple[str, ...]]

    @property
    def compatibility(self) -> Compatibility:
        """What accepting it means for models."""
        return worst(each.compatibility for each in self.differences)


def propose(
    schema: schema_pb2.Schema,
    described: Mapping[str, DatasetFeatureStatisticsList],
    environment: str = "",
    references: Mapping[str, References] | None = None,
) -> list[Proposal]:
    """Propose a change for each feature that doesn't fit, such that all the data would.

    A feature that some of the data miss altogether and others have may be missing then; one that all of them miss is
    taken out of use.

    Args:
        schema: Is not changed.
        described: Statistics by where they are from, such as "span 3, train".
        environment: Where the data comes from, or "".
        references: What comparators compare with, by the same names.
    """
    changed = schema_pb2.Schema()
    changed.CopyFrom(schema)
    somewhere = {view.path for each in described.values() for view in views(dataset_of(each)) if view.present}
    evidence: dict[str, dict[str, tuple[str, ...]]] = {}
    for place, statistics in described.items():
        compared = (references or {}).get(place, NO_REFERENCES)
        for anomaly in _anomalies(statistics, schema, environment, compared):
            told = evidence.setdefault(anomaly.steps[0] if anomaly.steps else "", {})
            told[place] = (*told.get(place, ()), *_evidence(anomaly, dataset_of(statistics)))
    # A column that a later one brings is missing in an earlier one: so they are gone through once more.
    for place, statistics in [*described.items(), *described.items()]:
        compared = (references or {}).get(place, NO_REFERENCES)
        for anomaly in _anomalies(statistics, changed, environment, compared):
            _accept(changed, _kept_where_seen(anomaly, somewhere), dataset_of(statistics))
    by_subject: dict[str, list[Difference]] = {}
    for difference in differences(schema, changed):
        for subject in _subjects(difference, changed, evidence):
            by_subject.setdefault(subject, []).append(difference)
    return [
        Proposal(subject, tuple(found), _patch(found, changed), evidence.get(subject, {}))
        for subject, found in by_subject.items()
    ]


def _anomalies(
    statistics: DatasetFeatureStatisticsList, schema: schema_pb2.Schema, environment: str, references: References
) -> list[Anomaly]:
    validation = validate(statistics, schema, environment, references=references)
    return [*validation.features, *([validation.dataset] if validation.dataset else [])]


def _kept_where_seen(anomaly: Anomaly, somewhere: Container[tuple[str, ...]]) -> Anomaly:
    """Return the anomaly with a repair that lets a feature be missing, where it would be taken out of use in vain."""
    before, after = anomaly.before, anomaly.after
    gone = after is not None and after.feature.lifecycle_stage == schema_pb2.DEPRECATED
    if before is None or after is None or not gone or anomaly.steps not in somewhere:
        return anomaly
    kept = before.copy()
    kept.feature.ClearField("presence")
    return replace(anomaly, after=kept)


def _accept(schema: schema_pb2.Schema, anomaly: Anomaly, dataset: DatasetFeatureStatistics) -> None:
    for kind in anomaly.withdrawn:
        for entry in getattr(schema, kind):
            if entry.name == anomaly.name:
                entry.lifecycle_stage = schema_pb2.DEPRECATED
    if anomaly.constraints is not None:
        schema.dataset_constraints.CopyFrom(anomaly.constraints)
    view = view_of(dataset, anomaly.name, by_weight=False)
    if anomaly.before is None and anomaly.after is not None and view is not None:
        infer_feature(view, schema, Inference())
    elif anomaly.after is not None:
        feature = feature_at(schema, anomaly.steps)
        if feature is not None:
            feature.CopyFrom(anomaly.after.feature)
        for domain in schema.string_domain:
            if anomaly.after.domain is not None and domain.name == anomaly.after.domain.name:
                domain.CopyFrom(anomaly.after.domain)


def _subjects(difference: Difference, changed: schema_pb2.Schema, evidence: Iterable[str]) -> list[str]:
    if difference.kind != "string_domain":
        return [difference.name]
    users = [path[0] for path, feature in features_by_path(changed).items() if feature.domain == difference.name]
    return [name for name in users if name in evidence] or users[:1] or [difference.name]


def _patch(found: Iterable[Difference], changed: schema_pb2.Schema) -> schema_pb2.Schema:
    patch = schema_pb2.Schema()
    for difference in found:
        if difference.kind == "dataset_constraints":
            patch.dataset_constraints.CopyFrom(changed.dataset_constraints)
        for entry in getattr(changed, difference.kind) if difference.name else ():
            if entry.name == difference.name:
                getattr(patch, difference.kind).add().CopyFrom(entry)
    return patch


def _evidence(anomaly: Anomaly, dataset: DatasetFeatureStatistics) -> tuple[str, ...]:
    told, field = [], f"{anomaly.name}: " if anomaly.path else ""
    for finding in anomaly.findings:
        text = finding.brief or finding.long
        text = text if len(text) <= _MAX_EVIDENCE else text[: _MAX_EVIDENCE - 1] + "…"
        told.append(f"{field}{finding.short.removesuffix('.')}: {text}")
    view = view_of(dataset, anomaly.name, by_weight=False)
    told.append(f"{field}{_counts(view)}" if view is not None else f"{field}{int(dataset.num_examples)} examples.")
    return tuple(told)


def _counts(view: FeatureView) -> str:
    words = f"{view.rows:.0f} examples, present in {view.present:.0f}, {view.values:.0f} values"
    if view.strings:
        frequent = sorted(view.strings, key=lambda label: (-view.strings[label], label))[:MAX_EXAMPLES]
        shown = ", ".join(f"{shortened(label)!r} {view.strings[label]:.0f} times" for label in frequent)
        return f"{words}, {view.distinct} distinct; most frequent: {shown}."
    return f"{words} from {view.range[0]:g} to {view.range[1]:g}." if view.range is not None else f"{words}."

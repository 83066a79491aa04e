"""Infer a schema from the statistics of one or more splits, as TFX's SchemaGen does by TFDV."""

from __future__ import annotations

from collections.abc import Iterable

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from penstock.components.validation.conformance import examine
from penstock.components.validation.draft import draft_of
from penstock.components.validation.feature_inference import Inference, infer_feature, set_bounds
from penstock.components.validation.feature_paths import feature_at, features_by_path, parent_is_in
from penstock.components.validation.feature_view import FeatureView, dataset_of, views
from penstock.pipeline import DataError


def infer_schema(
    statistics: Iterable[DatasetFeatureStatisticsList], inference: Inference | None = None
) -> schema_pb2.Schema:
    """Infer a schema that all the statistics fit.

    The first statistics give each feature its type, presence, shape and domain; each further one loosens what it
    doesn't fit: a string that is new joins the domain, a value that is missing lowers the fraction, and a feature that
    is missing altogether becomes one that may be. Statistics of no examples tell nothing, and are passed over.

    Raises:
        DataError: None of them describes an example, or a feature: nothing would break such a schema.
    """
    schema = schema_pb2.Schema()
    described = [each for each in statistics if dataset_of(each).num_examples]
    if not described:
        raise DataError(
            "The statistics describe no example, and a schema of nothing would pass everything. Check the source, and "
            "StatsOptions(sample_rate=...) where there is one."
        )
    for each in described:
        fit_schema(schema, each, inference)
    if not schema.feature:
        raise DataError(
            "The statistics describe no feature, and a schema without any would pass everything. Check "
            "StatsOptions(feature_allowlist=...)."
        )
    return schema


def fit_schema(
    schema: schema_pb2.Schema, statistics: DatasetFeatureStatisticsList, inference: Inference | None = None
) -> None:
    """Change `schema` so that the statistics fit: features are added or loosened."""
    known, seen = set(features_by_path(schema)), set()
    # A struct goes before its fields, wherever it stands in the statistics.
    for view in sorted(views(dataset_of(statistics)), key=lambda view: len(view.path)):
        seen.add(view.path)
        feature = feature_at(schema, view.path)
        if feature is not None:
            _fit(schema, feature, view)
        elif view.is_column:
            infer_feature(view, schema, inference or Inference())
            feature = feature_at(schema, view.path)
            if feature is not None and known and parent_is_in(view.path, known):
                _make_optional(feature)
    for path in [path for path in known if path not in seen and parent_is_in(path, seen)]:
        feature = feature_at(schema, path)
        if feature is not None:
            _make_optional(feature)


def _fit(schema: schema_pb2.Schema, feature: schema_pb2.Feature, view: FeatureView) -> None:
    if not view.present:
        _make_optional(feature)
        return
    draft = draft_of(schema, feature)
    examine(view, draft)
    if feature.HasField("shape") and not draft.feature.HasField("shape"):
        _count_instead(draft.feature, _sizes(feature), view.value_counts)
    feature.CopyFrom(draft.feature)
    for domain in schema.string_domain:
        if draft.domain is not None and domain.name == draft.domain.name:
            domain.CopyFrom(draft.domain)


def _make_optional(feature: schema_pb2.Feature) -> None:
    """Let the feature be missing everywhere, as the first of the statistics would have it.

    TFDV takes it out of use instead, and so does the patch of an anomaly. But these statistics are of one source: a
    small split without a value is no reason to keep the feature from the model, nor to stop checking it.
    """
    feature.presence.min_count = 0
    feature.presence.ClearField("min_fraction")
    if feature.HasField("shape"):
        sizes = _sizes(feature)
        feature.ClearField("shape")
        _count_instead(feature, sizes, sizes)


def _sizes(feature: schema_pb2.Feature) -> list[tuple[int, int]]:
    return [(dimension.size, dimension.size) for dimension in feature.shape.dim]


def _count_instead(feature: schema_pb2.Feature, before: list[tuple[int, int]], now: list[tuple[int, int]]) -> None:
    """Say how many values there are where a shape said so before."""
    if len(before) == len(now):
        bounds = [(min(old[0], new[0]), max(old[1], new[1])) for old, new in zip(before, now, strict=True)]
        set_bounds(feature, bounds)

"""Infer a schema from the statistics of one or more splits, as TFX's SchemaGen does by TFDV."""

from __future__ import annotations

from collections.abc import Iterable

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from penstock.components.validation.conformance import examine, miss
from penstock.components.validation.draft import Draft, draft_of
from penstock.components.validation.feature_inference import Inference, infer_feature
from penstock.components.validation.feature_paths import feature_at, features_by_path, parent_is_in
from penstock.components.validation.feature_view import dataset_of, views


def infer_schema(
    statistics: Iterable[DatasetFeatureStatisticsList], inference: Inference | None = None
) -> schema_pb2.Schema:
    """Infer a schema that all the statistics fit.

    The first statistics give each feature its type, presence, shape and domain; each further one loosens what it
    doesn't fit: a string that is new joins the domain, a value that is missing lowers the fraction.
    """
    schema = schema_pb2.Schema()
    for each in statistics:
        fit_schema(schema, each, inference)
    return schema


def fit_schema(
    schema: schema_pb2.Schema, statistics: DatasetFeatureStatisticsList, inference: Inference | None = None
) -> None:
    """Change `schema` so that the statistics fit: features are added, loosened, or taken out of use when missing."""
    seen = set()
    # A struct goes before its fields, wherever it stands in the statistics.
    for view in sorted(views(dataset_of(statistics)), key=lambda view: len(view.path)):
        seen.add(view.path)
        feature = feature_at(schema, view.path)
        if feature is not None:
            draft = draft_of(schema, feature)
            examine(view, draft)
            _accept(schema, feature, draft)
        elif view.is_column:
            infer_feature(view, schema, inference or Inference())
    for path in [path for path in features_by_path(schema) if path not in seen and parent_is_in(path, seen)]:
        feature = feature_at(schema, path)
        if feature is not None:
            draft = draft_of(schema, feature)
            miss(draft)
            _accept(schema, feature, draft)


def _accept(schema: schema_pb2.Schema, feature: schema_pb2.Feature, draft: Draft) -> None:
    feature.CopyFrom(draft.feature)
    for domain in schema.string_domain:
        if draft.domain is not None and domain.name == draft.domain.name:
            domain.CopyFrom(draft.domain)

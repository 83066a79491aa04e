"""Which wishes of a schema the anomaly rules don't fulfil yet: they are refused, not passed over."""

from __future__ import annotations

from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.feature_paths import features_by_path

_LANGUAGE_CHECKS = ("sequence_length_constraints",)


def unchecked_wishes(schema: schema_pb2.Schema) -> list[str]:
    """Return what the schema asks for and nothing checks, each as "feature 'x': group_presence"."""
    return [
        f"feature {'.'.join(path)!r}: {wish}"
        for path, feature in features_by_path(schema).items()
        for wish in _of_feature(feature)
    ]


def _of_feature(feature: schema_pb2.Feature) -> Iterator[str]:
    for name in ("group_presence", "sequence_metadata"):
        if feature.HasField(name):
            yield name
    yield from _of_domain(feature)


def _of_domain(feature: schema_pb2.Feature) -> Iterator[str]:
    kind = feature.WhichOneof("domain_info")
    if kind == "float_domain" and feature.float_domain.is_embedding:
        yield "float_domain.is_embedding"
    if kind == "natural_language_domain":
        present = {field.name for field, _ in feature.natural_language_domain.ListFields()}
        yield from (f"natural_language_domain.{name}" for name in _LANGUAGE_CHECKS if name in present)

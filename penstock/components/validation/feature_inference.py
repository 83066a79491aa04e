"""What a feature's statistics suggest for its schema: type, presence, shape, domain; as TFDV infers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.feature_paths import add_feature
from penstock.components.validation.feature_view import FeatureView
from penstock.components.validation.numbers_in_text import parse_int
from penstock.components.validation.semantic_rules import suggested_domain

TRUE_VALUES = frozenset({"TRUE", "true", "SET", "set", "1", ""})
FALSE_VALUES = frozenset({"FALSE", "false", "CLEAR", "clear", "0"})


@dataclass(frozen=True)
class Inference:
    """How a schema is inferred.

    Attributes:
        shape: Whether features with a fixed number of values in every example get a fixed shape; else they get a
            number of values.
        max_string_domain_size: Strings with at most so many distinct values get a domain of these; TFDV's default.
    """

    shape: bool = True
    max_string_domain_size: int = 100


def infer_feature(view: FeatureView, schema: schema_pb2.Schema, inference: Inference) -> None:
    """Add the feature to the schema where its path says, and its domain of strings where it has one."""
    feature = add_feature(schema, view.path)
    feature.type = view.type
    _set_presence(view, feature, inference)
    _set_domain(view, feature, schema, inference)


def _set_presence(view: FeatureView, feature: schema_pb2.Feature, inference: Inference) -> None:
    feature.presence.min_count = 1 if view.present >= 1 else 0
    if not view.present:
        return
    if not view.missing:
        feature.presence.min_fraction = 1.0
    fixed = all(least == most and least for least, most in view.value_counts)
    if inference.shape and fixed and not view.ever_missing and view.type != schema_pb2.STRUCT:
        for least, _ in view.value_counts:
            feature.shape.dim.add(size=least)
    else:
        set_value_count(view, feature)


def set_value_count(view: FeatureView, feature: schema_pb2.Feature) -> None:
    """Set how many values the feature has, by level where it is nested; nothing where some example has none."""
    set_bounds(feature, view.value_counts)


def set_bounds(feature: schema_pb2.Feature, counts: Sequence[tuple[int, int]]) -> None:
    """Set the least and greatest number of values, by level of nesting."""
    if len(counts) > 1:
        for least, most in counts:
            _set_bounds(feature.value_counts.value_count.add(), least, most)
    elif counts[0][0]:
        _set_bounds(feature.value_count, *counts[0])


def _set_bounds(bounds: schema_pb2.ValueCount, least: int, most: int) -> None:
    if least and least == most:
        bounds.min, bounds.max = least, most
    elif least:
        bounds.min = 1


def _set_domain(
    view: FeatureView, feature: schema_pb2.Feature, schema: schema_pb2.Schema, inference: Inference
) -> None:
    suggested = suggested_domain(view)
    if suggested is not None:
        feature.MergeFrom(suggested)
    elif _is_boolean(view):
        feature.bool_domain.SetInParent()
        for label in view.strings:
            field = "true_value" if label in TRUE_VALUES else "false_value"
            setattr(feature.bool_domain, field, label)
    elif not view.is_text or view.has_invalid_utf8 or not view.strings:
        return
    elif all(parse_int(label) is not None for label in view.strings):
        feature.int_domain.SetInParent()
    elif len(view.strings) <= inference.max_string_domain_size:
        domain = schema.string_domain.add(name=_free_name(view.name, schema), value=list(view.strings))
        feature.domain = domain.name


def _is_boolean(view: FeatureView) -> bool:
    if view.type == schema_pb2.INT and view.range is not None:
        return view.range[0] >= 0.0 and view.range[1] == 1.0
    if not view.is_text or not view.strings or view.has_invalid_utf8:
        return False
    true = sum(label in TRUE_VALUES for label in view.strings)
    false = sum(label in FALSE_VALUES for label in view.strings)
    return true + false == len(view.strings) and true <= 1 and false <= 1


def _free_name(name: str, schema: schema_pb2.Schema) -> str:
    taken = {domain.name for domain in schema.string_domain}
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}{number}"
    return candidate

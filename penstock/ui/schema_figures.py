"""A schema's features as people read them: type, presence, how many values, domain, environments, comparators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.comparators import asked_distances
from penstock.ui import formats

VALUE_LENGTH = 80
DISTANCES = {
    "infinity_norm": "L-infinity",
    "jensen_shannon_divergence": "Jensen-Shannon",
    "normalized_abs_difference": "normalized difference",
}


@dataclass(frozen=True)
class SchemaRow:
    """What a schema says of one feature.

    Attributes:
        name: The feature's name.
        type: Such as "INT"; "SPARSE" and "WEIGHTED" for features that are made of others.
        presence: "required", "in 95% of rows", "optional"; "" where the schema doesn't say.
        valency: How many values a row has, such as "1" or "2 to 5".
        domain: What values there may be, without the list of them.
        values: The values that there may be, cut to a line each; nothing for another domain.
        value_count: How many there are.
        environments: Where it is, or isn't, expected.
        comparators: Drift and skew: which distance may be how great.
        stage: The stage of its life, such as "DEPRECATED"; "" in use.
    """

    name: str
    type: str
    presence: str = ""
    valency: str = ""
    domain: str = ""
    values: tuple[str, ...] = ()
    value_count: int = 0
    environments: str = ""
    comparators: str = ""
    stage: str = ""


def schema_rows(schema: schema_pb2.Schema) -> list[SchemaRow]:
    """Return a row a feature, in the schema's order; sparse and weighted ones last."""
    domains = {domain.name: domain for domain in schema.string_domain}
    rows = [_feature(feature, domains) for feature in schema.feature]
    rows += [SchemaRow(each.name, "SPARSE", domain=_sparse(each)) for each in schema.sparse_feature]
    weighted = [
        SchemaRow(each.name, "WEIGHTED", domain=f"{_path(each.feature)} by {_path(each.weight_feature)}")
        for each in schema.weighted_feature
    ]
    return rows + weighted


def schema_facts(schema: schema_pb2.Schema) -> list[tuple[str, str]]:
    """Return what a schema says of the data as a whole, by name."""
    facts = [("environments", ", ".join(schema.default_environment))]
    limits = schema.dataset_constraints
    if limits.min_examples_count or limits.max_examples_count:
        facts.append(("examples", _range(limits.min_examples_count, limits.max_examples_count)))
    for kind in ("drift", "version"):
        comparator = getattr(limits, f"num_examples_{kind}_comparator")
        if comparator.ListFields():
            low, high = comparator.min_fraction_threshold, comparator.max_fraction_threshold
            facts.append((f"examples against the previous {'span' if kind == 'drift' else kind}", _range(low, high)))
    return [(name, value) for name, value in facts if value]


def _feature(feature: schema_pb2.Feature, domains: Mapping[str, schema_pb2.StringDomain]) -> SchemaRow:
    domain, values = _domain(feature, domains)
    stage = schema_pb2.LifecycleStage.Name(feature.lifecycle_stage) if feature.lifecycle_stage else ""
    return SchemaRow(
        name=feature.name,
        type=schema_pb2.FeatureType.Name(feature.type).removeprefix("TYPE_"),
        presence=_presence(feature),
        valency=_valency(feature),
        domain=domain,
        values=tuple(formats.visible(value, VALUE_LENGTH) for value in values),
        value_count=len(values),
        environments=_environments(feature),
        comparators=_comparators(feature),
        stage=stage if stage not in ("PRODUCTION", "UNKNOWN_STAGE") else "",
    )


def _presence(feature: schema_pb2.Feature) -> str:
    if not feature.HasField("presence"):
        return ""
    least = feature.presence.min_fraction
    if least >= 1.0:
        return "required"
    return f"in {formats.percent(least)} of rows" if least else "optional"


def _valency(feature: schema_pb2.Feature) -> str:
    kind = feature.WhichOneof("shape_type")
    if kind == "shape":
        return " x ".join(str(each.size) for each in feature.shape.dim) or "1"
    if kind == "value_counts":
        return ", ".join(_range(each.min, each.max) for each in feature.value_counts.value_count)
    return _range(feature.value_count.min, feature.value_count.max) if kind == "value_count" else ""


def _range(low: float, high: float) -> str:
    if low == high:
        return formats.measure(low)
    if not high:
        return f"{formats.measure(low)} or more"
    return f"{formats.measure(low)} to {formats.measure(high)}"


def _domain(feature: schema_pb2.Feature, domains: Mapping[str, schema_pb2.StringDomain]) -> tuple[str, list[str]]:
    kind = feature.WhichOneof("domain_info")
    if kind in ("domain", "string_domain"):
        domain = domains.get(feature.domain) if kind == "domain" else feature.string_domain
        values = list(domain.value) if domain is not None else []
        few = "" if domain is not None else f"{feature.domain}, which the schema lacks"
        return few or formats.counted(len(values), "value"), values
    if kind in ("int_domain", "float_domain"):
        return _number_domain(getattr(feature, kind)), []
    if kind == "bool_domain":
        named = [feature.bool_domain.true_value, feature.bool_domain.false_value]
        return " or ".join(filter(None, named)) or "0 or 1", []
    return kind.removesuffix("_domain").replace("_", " ") if kind else "", []


def _number_domain(domain: Any) -> str:
    bounds = {field.name: value for field, value in domain.ListFields()}
    told = [f"{sign} {formats.measure(bounds[name])}" for name, sign in (("min", "≥"), ("max", "≤")) if name in bounds]
    flags = {
        "is_categorical": "categories",
        "is_embedding": "embedding",
        "disallow_nan": "no NaN",
        "disallow_inf": "finite",
    }
    return ", ".join(told + [word for name, word in flags.items() if bounds.get(name)])


def _environments(feature: schema_pb2.Feature) -> str:
    told = [", ".join(feature.in_environment)] if feature.in_environment else []
    return "; ".join(told + ([f"not {', '.join(feature.not_in_environment)}"] if feature.not_in_environment else []))


def _comparators(feature: schema_pb2.Feature) -> str:
    return "; ".join(
        f"{kind}: {DISTANCES[name]} ≤ {getattr(comparator, name).threshold:g}"
        for kind, comparator in (("drift", feature.drift_comparator), ("skew", feature.skew_comparator))
        for name in asked_distances(comparator)
    )


def _sparse(feature: schema_pb2.SparseFeature) -> str:
    index = ", ".join(each.name for each in feature.index_feature)
    return f"{feature.value_feature.name} at {index}"


def _path(path: Any) -> str:
    return ".".join(path.step)

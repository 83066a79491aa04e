"""Rules about the schema itself: what it says of a feature must make sense before data is held against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.draft import Draft, Finding, Rule
from penstock.components.validation.feature_view import FeatureView

_MALFORMED = "Malformed schema"
_BYTES, _INT, _FLOAT, _STRUCT = schema_pb2.BYTES, schema_pb2.INT, schema_pb2.FLOAT, schema_pb2.STRUCT

TYPES_OF_DOMAIN: dict[str, frozenset[int]] = {
    "domain": frozenset({_BYTES}),
    "string_domain": frozenset({_BYTES}),
    "bool_domain": frozenset({_INT, _BYTES, _FLOAT}),
    "int_domain": frozenset({_INT, _BYTES}),
    "float_domain": frozenset({_FLOAT, _BYTES}),
    "struct_domain": frozenset({_STRUCT}),
    "natural_language_domain": frozenset({_BYTES, _INT}),
    "image_domain": frozenset({_BYTES}),
    "mid_domain": frozenset({_BYTES}),
    "url_domain": frozenset({_BYTES}),
    "time_domain": frozenset({_INT, _BYTES}),
}
"""Which types of feature a kind of domain may stand on; kinds that aren't named may stand on any."""


def has_name(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A feature has a name."""
    if not draft.feature.HasField("name"):
        draft.withdraw()
        told = "unspecified name (maybe meant to be the empty string): find name rather than deprecating."
        yield Finding(AnomalyInfo.FEATURE_MISSING_NAME, "Missing name", told)


def has_type(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A feature has a type; one with a string domain can only be BYTES."""
    feature = draft.feature
    if feature.type != schema_pb2.TYPE_UNKNOWN or not feature.HasField("name"):
        return
    if feature.WhichOneof("domain_info") in ("domain", "string_domain"):
        feature.type = schema_pb2.BYTES
        told = "unspecified type: inferring the type to be BYTES, given the domain specified."
    else:
        draft.withdraw()
        told = "unspecified type: determine the type and set it, rather than deprecating."
    yield Finding(AnomalyInfo.FEATURE_MISSING_TYPE, "Missing type", told)


def presence_is_a_fraction(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`presence.min_fraction` lies between 0 and 1."""
    presence = draft.feature.presence
    if presence.min_fraction < 0.0:
        presence.ClearField("min_fraction")
        yield _malformed("min_fraction should not be negative: clear is equal to zero")
    if presence.min_fraction > 1.0:
        presence.min_fraction = 1.0
        yield _malformed("min_fraction should not greater than 1")


def value_count_is_a_range(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`value_count` has a minimum of at least 0 and a maximum not below it."""
    if not draft.feature.HasField("value_count"):
        return
    count = draft.feature.value_count
    if count.min < 0:
        count.ClearField("min")
        yield _malformed("ValueCount.min should not be negative")
    if count.HasField("max") and count.max < count.min:
        count.max = count.min
        yield _malformed("ValueCount.max should not be less than min")


def value_counts_are_ranges(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """Each level of `value_counts` has a minimum of at least 0 and a maximum not below it."""
    for level, count in enumerate(draft.feature.value_counts.value_count):
        if count.min < 0:
            count.ClearField("min")
            yield _malformed(f"ValueCounts.min at level {level} should not be negative.")
        if count.HasField("max") and count.max < count.min:
            count.max = count.min
            yield _malformed(f"ValueCounts.max at level {level} should not be less than min.")


def shape_is_positive(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """Every dimension of a `shape` has a positive size."""
    if any(dimension.size <= 0 for dimension in draft.feature.shape.dim):
        draft.feature.ClearField("shape")
        yield _malformed("Shape.dim.size must be a positive integer")


def domain_fits_type(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A domain stands on a feature of a type that it can hold."""
    feature = draft.feature
    kind = feature.WhichOneof("domain_info")
    if not drop_unfitting_domain(feature):
        return
    type_name = schema_pb2.FeatureType.Name(feature.type)
    yield Finding(
        AnomalyInfo.DOMAIN_INVALID_FOR_TYPE,
        "The domain does not match the type",
        f'The domain "{kind}" does not match the type: {type_name}',
    )


def drop_unfitting_domain(feature: schema_pb2.Feature) -> bool:
    """Remove a domain that can't stand on a feature of this type; say whether there was one."""
    kind = feature.WhichOneof("domain_info")
    if feature.type in TYPES_OF_DOMAIN.get(kind or "", {feature.type}):
        return False
    feature.ClearField(kind)
    return True


def named_domain_exists(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A domain that is referred to by name is in the schema."""
    feature = draft.feature
    if feature.WhichOneof("domain_info") == "domain" and draft.domain is None:
        name = feature.domain
        feature.ClearField("domain")
        yield Finding(AnomalyInfo.INVALID_DOMAIN_SPECIFICATION, _MALFORMED, f"missing domain: {name}")


def domain_values_differ(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A value stands only once in a domain of strings."""
    kind = draft.feature.WhichOneof("domain_info")
    domain = {"string_domain": draft.feature.string_domain, "domain": draft.domain}.get(kind or "")
    if domain is None:
        return
    repeated = [value for value, times in Counter(domain.value).items() if times > 1]
    if repeated:
        distinct = list(dict.fromkeys(domain.value))
        del domain.value[:]
        domain.value.extend(distinct)
        told = f"Repeated values in StringDomain: {', '.join(repeated)}"
        yield Finding(AnomalyInfo.INVALID_DOMAIN_SPECIFICATION, "Malformed StringDomain", told)


def boolean_values_differ(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """The strings for true and false in a `bool_domain` are different ones."""
    if draft.feature.WhichOneof("domain_info") != "bool_domain":
        return
    domain = draft.feature.bool_domain
    both = domain.HasField("true_value") and domain.HasField("false_value")
    if both and domain.true_value == domain.false_value:
        domain.ClearField("false_value")
        yield Finding(
            AnomalyInfo.BOOL_TYPE_INVALID_CONFIG,
            "Malformed BoolDomain",
            f"True and false value equal for BoolDomain: {domain.true_value}. The suggested change is to clear the "
            f"false_value, but a domain expert should review this change.",
        )


def mass_needs_strings(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`distribution_constraints` stand on features with a domain of strings."""
    feature = draft.feature
    kind = feature.WhichOneof("domain_info")
    if feature.HasField("distribution_constraints") and kind not in ("domain", "string_domain"):
        feature.ClearField("distribution_constraints")
        yield _malformed(
            f"distribution constraints not supported for {kind}."
            if kind
            else "distribution constraints require domain or string domain."
        )


def _malformed(told: str) -> Finding:
    return Finding(AnomalyInfo.INVALID_SCHEMA_SPECIFICATION, _MALFORMED, told)


SPECIFICATION_RULES: tuple[Rule, ...] = (
    has_name,
    has_type,
    presence_is_a_fraction,
    value_count_is_a_range,
    value_counts_are_ranges,
    shape_is_positive,
    domain_fits_type,
    named_domain_exists,
    domain_values_differ,
    boolean_values_differ,
    mass_needs_strings,
)
"""All of them, in the order in which they are applied: later ones see the repairs of earlier ones."""

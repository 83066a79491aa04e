"""Rules about a feature as a whole: whether it may be there, how often it is, with how many values, of which type."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.draft import Draft, Finding, Rule
from penstock.components.validation.feature_inference import set_value_count
from penstock.components.validation.feature_view import FeatureView

_DROPPED = "Column dropped"
_SUPERFLUOUS = "Superfluous values"
_TOO_FEW = "Missing values"
_NESTING = "Mismatched value nest level"
_SHAPE_DROPPED = "Feature shape dropped"


def belongs_to_environment(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A feature with values is expected in the environment that the data comes from."""
    feature, name = draft.feature, draft.environment.name
    if draft.environment.holds(feature):
        return
    if name in feature.not_in_environment:
        feature.not_in_environment.remove(name)
    if not draft.environment.holds(feature):
        feature.in_environment.append(name)
    yield Finding(
        AnomalyInfo.SCHEMA_NEW_COLUMN,
        "Column missing in environment",
        f"New column {view.name} found in data but not in the environment {name} in the schema.",
    )


def value_count_holds(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`value_count` bounds the number of values of a feature without nesting."""
    feature = draft.feature
    if not feature.HasField("value_count"):
        return
    if len(view.value_counts) > 1:
        feature.ClearField("value_count")
        set_value_count(view, feature)
        yield Finding(
            AnomalyInfo.VALUE_NESTEDNESS_MISMATCH,
            _NESTING,
            "This feature has a value_count, but the nestedness level of the feature > 1. For features with "
            "nestedness levels greater than 1, value_counts, not value_count, should be specified.",
        )
        return
    yield from _bounds_hold(feature.value_count, view.value_counts[0], "")


def value_counts_hold(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`value_counts` bounds the number of values at each level of nesting."""
    feature = draft.feature
    if not feature.HasField("value_counts"):
        return
    bounds = feature.value_counts.value_count
    if len(bounds) != len(view.value_counts):
        feature.ClearField("value_counts")
        set_value_count(view, feature)
        yield Finding(
            AnomalyInfo.VALUE_NESTEDNESS_MISMATCH,
            _NESTING,
            "The values have a different nest level than expected. Value counts will not be checked.",
        )
        return
    for level, (bound, seen) in enumerate(zip(bounds, view.value_counts, strict=True)):
        yield from _bounds_hold(bound, seen, f" at nestedness level {level}")


def _bounds_hold(bound: schema_pb2.ValueCount, seen: tuple[int, int], where: str) -> Iterator[Finding]:
    least, most = seen
    if bound.HasField("min") and least < bound.min:
        if least:
            bound.min = least
        else:
            bound.ClearField("min")
        told = f"Some examples have fewer values than expected{where}."
        yield Finding(AnomalyInfo.FEATURE_TYPE_LOW_NUMBER_VALUES, _TOO_FEW, told)
    if bound.HasField("max") and most > bound.max:
        bound.max = most
        told = f"Some examples have more values than expected{where}."
        yield Finding(AnomalyInfo.FEATURE_TYPE_HIGH_NUMBER_VALUES, _SUPERFLUOUS, told)


def shape_holds(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A feature with a `shape` is in every example, with as many values as the shape holds."""
    feature = draft.feature
    if not feature.HasField("shape"):
        return
    expected = math.prod(dimension.size for dimension in feature.shape.dim)
    fixed = all(least == most and least for least, most in view.value_counts)
    found = math.prod(least for least, _ in view.value_counts)
    if not fixed or view.ever_missing:
        told = (
            "The feature has a shape, but it's not always present (if the feature is nested, then it should always "
            "be present at each nested level) or its value lengths vary."
        )
    elif found != expected:
        told = f"The feature has fixed value length {found} but it's not compatible with the specified shape."
    else:
        return
    feature.ClearField("shape")
    yield Finding(AnomalyInfo.INVALID_FEATURE_SHAPE, _SHAPE_DROPPED, told)


def present_often_enough(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`presence` says in how many examples, and in which fraction of them, the feature is at least."""
    presence = draft.feature.presence
    few = "The feature was present in fewer examples than expected"
    if presence.HasField("min_count") and view.present < presence.min_count:
        told = f"{few}: minimum count = {presence.min_count}, actual = {int(view.present)}"
        presence.min_count = int(view.present)
        yield Finding(AnomalyInfo.FEATURE_TYPE_LOW_NUMBER_PRESENT, _DROPPED, told)
    if presence.HasField("min_fraction") and view.fraction_present < presence.min_fraction:
        told = f"{few}: minimum fraction = {presence.min_fraction:f}, actual = {view.fraction_present:f}"
        presence.min_fraction = view.fraction_present
        yield Finding(AnomalyInfo.FEATURE_TYPE_LOW_FRACTION_PRESENT, _DROPPED, told)


def type_holds(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """The data is of the schema's type; strings and bytes are one type."""
    if view.type == draft.feature.type:
        return
    expected = schema_pb2.FeatureType.Name(draft.feature.type)
    draft.feature.type = view.type
    yield Finding(
        AnomalyInfo.UNEXPECTED_DATA_TYPE,
        "Unexpected data type",
        f"Expected data of type: {expected} but got {view.type_name}",
    )


def distinct_values_in_bounds(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """`unique_constraints` bounds the number of distinct values of a feature whose values are counted."""
    feature = draft.feature
    if not feature.HasField("unique_constraints"):
        return
    bounds, found = feature.unique_constraints, view.distinct
    if found is None:
        feature.ClearField("unique_constraints")
        yield Finding(
            AnomalyInfo.FEATURE_TYPE_NO_UNIQUE,
            "No unique values",
            "UniqueConstraints specified for the feature, but unique values were not counted (i.e., feature is not "
            "string or categorical).",
        )
        return
    if bounds.HasField("min") and found < bounds.min:
        told = f"Expected at least {bounds.min} unique values but found only {found}."
        bounds.min = found
        yield Finding(AnomalyInfo.FEATURE_TYPE_LOW_UNIQUE, "Low number of unique values", told)
    if bounds.HasField("max") and found > bounds.max:
        told = f"Expected no more than {bounds.max} unique values but found {found}."
        bounds.max = found
        yield Finding(AnomalyInfo.FEATURE_TYPE_HIGH_UNIQUE, "High number of unique values", told)


PRESENCE_RULES: tuple[Rule, ...] = (
    belongs_to_environment,
    value_count_holds,
    value_counts_hold,
    shape_holds,
    present_often_enough,
    type_holds,
)
"""All that come before the domain is looked at, in the order in which they are applied."""

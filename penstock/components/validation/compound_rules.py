"""Rules about sparse and weighted features: columns that only have a meaning together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import CustomStatistic

from penstock.components.validation.draft import Finding, stage_in_use
from penstock.components.validation.feature_view import FeatureView

Compound: TypeAlias = "schema_pb2.SparseFeature | schema_pb2.WeightedFeature"
KINDS = ("weighted_feature", "sparse_feature", "feature")
"""The fields of a schema that hold what has a name; of two of one name the first collides with the others."""


def compounds_of(schema: schema_pb2.Schema) -> dict[str, Compound]:
    """Return the sparse and weighted features in use by name; a weighted one goes first."""
    found: dict[str, Compound] = {each.name: each for each in schema.sparse_feature if compound_in_use(each)}
    return found | {each.name: each for each in schema.weighted_feature if compound_in_use(each)}


def compound_in_use(compound: Compound) -> bool:
    """Whether the lifecycle stage has it checked."""
    gone = isinstance(compound, schema_pb2.SparseFeature) and compound.deprecated
    return not gone and stage_in_use(compound.lifecycle_stage)


def examine_compound(view: FeatureView, compound: Compound, others: list[str]) -> list[Finding]:
    """Hold the statistics of a sparse or weighted feature against its schema.

    Args:
        view: Its statistics, custom ones only.
        compound: What the schema says of it.
        others: The other kinds of `KINDS` of which the schema has one of that name in use.
    """
    sparse = isinstance(compound, schema_pb2.SparseFeature)
    if others:
        kind, words = ("SPARSE", "Sparse") if sparse else ("WEIGHTED", "Weighted")
        short = f"{words} feature name collision"
        return [Finding(AnomalyInfo.Type.Value(f"{kind}_FEATURE_NAME_COLLISION"), short, f"{short}.")]
    if sparse:
        return [finding for each in view.statistics.custom_stats for finding in _sparse(each)]
    return list(_weighted(view))


def _sparse(statistic: CustomStatistic) -> Iterator[Finding]:
    if statistic.name == "missing_value" and statistic.num:
        told = f"Found {statistic.num:g} examples missing value feature"
        yield Finding(AnomalyInfo.SPARSE_FEATURE_MISSING_VALUE, "Missing value feature", told)
    for bucket in statistic.rank_histogram.buckets:
        if not bucket.sample_count:
            continue
        if statistic.name == "missing_index":
            told = f"Found {bucket.sample_count:g} examples missing index feature: {bucket.label}"
            yield Finding(AnomalyInfo.SPARSE_FEATURE_MISSING_INDEX, "Missing index feature", told)
        elif statistic.name in ("max_length_diff", "min_length_diff"):
            told = (
                f"Mismatch between index feature: {bucket.label} and value column, with {statistic.name} = "
                f"{bucket.sample_count:g}"
            )
            short = "Length mismatch between value and index feature"
            yield Finding(AnomalyInfo.SPARSE_FEATURE_LENGTH_MISMATCH, short, told)


def _weighted(view: FeatureView) -> Iterator[Finding]:
    numbers = {each.name: each.num for each in view.statistics.custom_stats}
    for name, kind in (
        ("missing_weight", AnomalyInfo.WEIGHTED_FEATURE_MISSING_WEIGHT),
        ("missing_value", AnomalyInfo.WEIGHTED_FEATURE_MISSING_VALUE),
    ):
        if numbers.get(name):
            part = name.removeprefix("missing_")
            told = f"Found {numbers[name]:g} examples missing {part} feature."
            yield Finding(kind, f"Missing {part} feature", told)
    least, most = (numbers.get(name, 0.0) for name in ("min_weight_length_diff", "max_weight_length_diff"))
    if least or most:
        told = (
            f"Mismatch between weight and value feature with min_weight_length_diff = {least:g} and "
            f"max_weight_length_diff = {most:g}."
        )
        short = "Length mismatch between value and weight feature"
        yield Finding(AnomalyInfo.WEIGHTED_FEATURE_LENGTH_MISMATCH, short, told)

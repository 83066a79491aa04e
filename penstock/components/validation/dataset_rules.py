"""Rules about a data set as a whole: how many examples it has, in itself and against earlier ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics

from penstock.components.validation.comparators import References
from penstock.components.validation.draft import Finding
from penstock.components.validation.feature_view import examples_of, is_weighted

_COMPARATORS = (
    ("num_examples_drift_comparator", "previous", "previous span", "previous_statistics"),
    ("num_examples_version_comparator", "previous_version", "previous version", "previous_version_statistics"),
)


def examine_dataset(
    dataset: DatasetFeatureStatistics, constraints: schema_pb2.DatasetConstraints, references: References
) -> list[Finding]:
    """Apply all rules to a data set that has examples, and repair the constraints so that it fits."""
    weighted = is_weighted(dataset)
    rows = examples_of(dataset, weighted)
    findings: list[Finding] = []
    for name, reference, words, _ in _COMPARATORS:
        earlier = getattr(references, reference)
        if constraints.HasField(name) and earlier is not None:
            findings += _ratio_holds(rows, examples_of(earlier, weighted), getattr(constraints, name), words)
    return [*findings, *_count_holds(rows, constraints)]


def unchecked_constraints(constraints: schema_pb2.DatasetConstraints, references: References) -> list[str]:
    """Return a line for each comparator that has nothing to compare with."""
    return [
        f"dataset_constraints.{name} was not checked, without {argument}."
        for name, reference, _, argument in _COMPARATORS
        if constraints.HasField(name) and getattr(references, reference) is None
    ]


def _ratio_holds(
    rows: float, earlier: float, limits: schema_pb2.NumericValueComparator, words: str
) -> Iterator[Finding]:
    if limits.HasField("max_fraction_threshold"):
        limit = limits.max_fraction_threshold
        high = "High num examples in current dataset versus the " + words
        if not earlier:
            limits.ClearField("max_fraction_threshold")
            told = (
                f"The {words} has 0 examples, so there is a high number of examples in the current dataset versus the "
                f"{words}."
            )
            yield Finding(AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES, f"{high}, which has 0.", told)
        elif rows / earlier > limit:
            limits.max_fraction_threshold = rows / earlier
            told = _told(rows / earlier, limit, words, "above")
            yield Finding(AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES, f"{high}.", told)
    if limits.HasField("min_fraction_threshold") and earlier and rows / earlier < limits.min_fraction_threshold:
        told = _told(rows / earlier, limits.min_fraction_threshold, words, "below")
        limits.min_fraction_threshold = rows / earlier
        low = f"Low num examples in current dataset versus the {words}."
        yield Finding(AnomalyInfo.COMPARATOR_LOW_NUM_EXAMPLES, low, told)


def _told(ratio: float, limit: float, words: str, where: str) -> str:
    return (
        f"The ratio of num examples in the current dataset versus the {words} is {ratio:g} (up to six significant "
        f"digits), which is {where} the threshold {limit:g}."
    )


def _count_holds(rows: float, constraints: schema_pb2.DatasetConstraints) -> Iterator[Finding]:
    if constraints.HasField("min_examples_count") and rows < constraints.min_examples_count:
        constraints.min_examples_count = int(rows)
        told = f"The dataset has {rows:.12g} examples, which is fewer than expected."
        yield Finding(AnomalyInfo.DATASET_LOW_NUM_EXAMPLES, "Low num examples in dataset.", told)
    if constraints.HasField("max_examples_count") and rows > constraints.max_examples_count:
        constraints.max_examples_count = math.ceil(rows)
        told = f"The dataset has {rows:.12g} examples, which is more than expected."
        yield Finding(AnomalyInfo.DATASET_HIGH_NUM_EXAMPLES, "High num examples in dataset.", told)

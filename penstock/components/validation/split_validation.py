"""Validate several splits against one schema, after checking that the request makes sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.anomalies import Validation, environments, validate
from penstock.components.validation.comparators import NO_REFERENCES, References
from penstock.components.validation.feature_view import dataset_of
from penstock.components.validation.schema_coverage import unchecked_wishes
from penstock.data.protos import read_statistics, split_names_of
from penstock.pipeline import DataError, ParameterError, Unsupported
from penstock.pipeline.errors import listing, nearest


def validate_splits(
    statistics: Mapping[str, DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    environment: str = "",
    severities: Mapping[str, str] | None = None,
    references: Mapping[str, References] | None = None,
) -> dict[str, Validation]:
    """Hold the statistics of each split against the schema.

    Args:
        statistics: By split.
        schema: Is not changed.
        environment: One that the schema names, or "".
        severities: "ERROR" or "WARNING" by the name of an anomaly type.
        references: What comparators compare with, by split.

    Raises:
        Unsupported: The schema asks for a check that isn't covered.
        ParameterError: There is no such environment or anomaly type.
    """
    _refuse_unchecked(schema)
    check_environment(schema, environment, "ExampleValidator(environment=...)")
    overrides = {_type_number(name): AnomalyInfo.Severity.Value(value) for name, value in (severities or {}).items()}
    known_references = references or {}
    return {
        split: validate(each, schema, environment, overrides, known_references.get(split, NO_REFERENCES))
        for split, each in statistics.items()
    }


def check_environment(schema: schema_pb2.Schema, environment: str, argument: str) -> None:
    """Check that the schema names an environment; "" is every one.

    Raises:
        ParameterError: It doesn't.
    """
    known = environments(schema)
    if environment and environment not in known:
        raise ParameterError(
            f"{argument} is {environment!r}: the schema names no such environment.{nearest(environment, known)} It "
            f"names: {listing(sorted(known))}."
        )


def references_of(
    splits: Sequence[str], previous: str | None = None, serving: str | None = None, previous_version: str | None = None
) -> dict[str, References]:
    """Read what comparators compare with: by split, from folders of statistics.

    Args:
        splits: The splits to be validated.
        previous: Statistics of an earlier span, for drift.
        serving: Statistics of what is seen in serving, for skew.
        previous_version: Statistics of an earlier version of the same span.

    Raises:
        DataError: A folder has several splits, and none of the same name.
    """
    return {
        split: References(
            _counterpart(previous, split, "previous_statistics"),
            _counterpart(serving, split, "serving_statistics"),
            _counterpart(previous_version, split, "previous_version_statistics"),
        )
        for split in splits
    }


def _counterpart(path: str | None, split: str, argument: str) -> DatasetFeatureStatistics | None:
    if path is None:
        return None
    known = split_names_of(path)
    if split not in known and len(known) != 1:
        raise DataError(
            f"ExampleValidator({argument}=...) has nothing to compare split {split!r} with: it has the splits "
            f"{listing(known)}. It needs one of the same name, or only one; else exclude {split!r}."
        )
    return dataset_of(read_statistics(path, split if split in known else known[0]))


def _refuse_unchecked(schema: schema_pb2.Schema) -> None:
    wishes = unchecked_wishes(schema)
    if wishes:
        raise Unsupported(
            f"The schema asks for checks that ExampleValidator doesn't do yet: {listing(wishes)}. "
            f"Take them out of the schema; it would be wrong to pass over them."
        )


def _type_number(name: str) -> int:
    known = [value.name for value in AnomalyInfo.Type.DESCRIPTOR.values]
    if name not in known:
        raise ParameterError(
            f"ExampleValidator(severities=...) names {name!r}, which is no anomaly type."
            f"{nearest(name, known)} The types are those of tensorflow_metadata's AnomalyInfo."
        )
    return int(AnomalyInfo.Type.Value(name))

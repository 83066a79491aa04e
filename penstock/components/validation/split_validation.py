"""Validate several splits against one schema, after checking that the request makes sense."""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from penstock.components.validation.anomalies import Validation, environments, validate
from penstock.components.validation.schema_coverage import unchecked_wishes
from penstock.pipeline import ParameterError, Unsupported
from penstock.pipeline.errors import listing, nearest


def validate_splits(
    statistics: Mapping[str, DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    environment: str = "",
    severities: Mapping[str, str] | None = None,
) -> dict[str, Validation]:
    """Hold the statistics of each split against the schema.

    Args:
        statistics: By split.
        schema: Is not changed.
        environment: One that the schema names, or "".
        severities: "ERROR" or "WARNING" by the name of an anomaly type.

    Raises:
        Unsupported: The schema asks for a check that isn't covered.
        ParameterError: There is no such environment or anomaly type.
    """
    _refuse_unchecked(schema)
    known = environments(schema)
    if environment and environment not in known:
        raise ParameterError(
            f"ExampleValidator(environment={environment!r}): the schema names no such environment."
            f"{nearest(environment, known)} It names: {listing(sorted(known))}."
        )
    overrides = {_type_number(name): AnomalyInfo.Severity.Value(value) for name, value in (severities or {}).items()}
    return {split: validate(each, schema, environment, overrides) for split, each in statistics.items()}


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

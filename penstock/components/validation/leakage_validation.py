"""Leaks become anomalies of the splits that they are in."""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.anomalies import Validation
from penstock.components.validation.custom_rules import with_finding
from penstock.components.validation.leakage import find_leaks
from penstock.components.validation.leakage_config import LeakageChecks
from penstock.pipeline import ParameterError


def add_leaks(
    validations: Mapping[str, Validation], examples: str | None, checks: LeakageChecks
) -> dict[str, Validation]:
    """Return the validations by split with what leaks among their splits, as errors.

    Raises:
        ParameterError: There are no examples to look into.
        DataError: The checks name a column or a split that there isn't.
    """
    if examples is None:
        raise ParameterError(
            "ExampleValidator(leakage=...) looks into the rows. Give it the examples that the statistics describe: "
            "ExampleValidator(examples=gen.examples, ...)."
        )
    found = dict(validations)
    for leak in find_leaks(examples, list(validations), checks):
        found[leak.split] = with_finding(found[leak.split], leak.feature, leak.finding, AnomalyInfo.ERROR)
    return found

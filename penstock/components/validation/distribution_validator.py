"""`DistributionValidator`: the gate that holds distributions against those of a baseline."""

from __future__ import annotations

import logging
import os
from typing import Literal

from penstock.artifacts import ExampleAnomalies, ExampleStatistics
from penstock.components.validation.distribution_config import DistributionValidatorConfig
from penstock.pipeline import GateFailed, Input, Output, component

NO_BASELINE = "NO_BASELINE"
"""The file that says so: an output can't be empty."""


@component(gates="statistics.examples")
def DistributionValidator(
    statistics: Input[ExampleStatistics],
    anomalies: Output[ExampleAnomalies],
    *,
    config: DistributionValidatorConfig,
    baseline_statistics: Input[ExampleStatistics] | None = None,
    include_split_pairs: list[list[str]] | None = None,
    fail_on: Literal["error", "never"] = "error",
) -> None:
    """Hold distributions against those of a baseline, such as the span before; fail where they are too far apart.

    Args:
        statistics: What is checked.
        anomalies: `Split-<split>_<baseline split>/SchemaDiff.pb` by pair, with every distance measured; the property
            `blessed` says by pair 1 (nothing found), 0, or 2 (there is no baseline).
        config: The features and their thresholds.
        baseline_statistics: What is compared with; without it nothing is checked, as in a first run.
        include_split_pairs: Pairs [split, split of the baseline]; by default all that have one name.
        fail_on: "error" fails the step on any anomaly; "never" records only.
    """
    from penstock.components.validation.anomaly_report import distribution_refusal
    from penstock.components.validation.distribution_validation import blessed, compare_distributions, split_pairs
    from penstock.data.protos import read_statistics, split_names_of, write_anomalies

    anomalies.properties["span"] = statistics.properties.get("span", 0)
    splits = split_names_of(statistics.path)
    if baseline_statistics is None:
        anomalies.properties.update(split_names=[], blessed=dict.fromkeys(splits, 2))
        told = "There is no baseline yet: no distribution was compared."
        logging.getLogger(__name__).warning(told)
        os.makedirs(anomalies.path, exist_ok=True)
        with open(os.path.join(anomalies.path, NO_BASELINE), "w", encoding="ascii") as file:
            file.write(told + "\n")
        return
    validations = {}
    for split, other in split_pairs(splits, split_names_of(baseline_statistics.path), include_split_pairs):
        baseline = read_statistics(baseline_statistics.path, other)
        compared = compare_distributions(read_statistics(statistics.path, split), baseline, config)
        validations[f"{split}_{other}"] = compared
        write_anomalies(anomalies.path, f"{split}_{other}", compared.proto())
    anomalies.properties.update(split_names=list(validations), blessed=blessed(validations))
    message = distribution_refusal(validations)
    if message and fail_on == "error":
        raise GateFailed(message)
    if message:
        logging.getLogger(__name__).warning(message)

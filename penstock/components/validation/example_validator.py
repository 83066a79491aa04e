"""`ExampleValidator`: the gate that holds examples against a schema and stops what would use them."""

from __future__ import annotations

import logging
from typing import Literal

from penstock.artifacts import ExampleAnomalies, ExampleStatistics, Schema
from penstock.components.validation.rule_config import CustomRule
from penstock.components.validation.split_selection import kept_splits
from penstock.pipeline import GateFailed, Input, ModuleFile, Output, component


@component(gates="statistics.examples")
def ExampleValidator(
    statistics: Input[ExampleStatistics],
    schema: Input[Schema],
    anomalies: Output[ExampleAnomalies],
    *,
    previous_statistics: Input[ExampleStatistics] | None = None,
    serving_statistics: Input[ExampleStatistics] | None = None,
    previous_version_statistics: Input[ExampleStatistics] | None = None,
    exclude_splits: list[str] | None = None,
    fail_on: Literal["error", "never"] = "error",
    environment: str = "",
    severities: dict[str, Literal["ERROR", "WARNING"]] | None = None,
    custom_rules: list[CustomRule] | None = None,
    module_file: ModuleFile | None = None,
) -> None:
    """Hold the statistics of every split against a schema; fail on what TFDV calls an error.

    It is a gate: steps that use the examples which the statistics describe wait for it and are skipped when it
    fails. What it finds is published either way.

    Args:
        statistics: What is checked. Where `StatisticsGen` looked for leakage, what leaks is an error too.
        schema: What it is checked against; nothing in it is passed over: checks that aren't covered are refused.
        anomalies: `Split-<name>/SchemaDiff.pb`, an `Anomalies` proto that TFDV reads; one without anomalies too.
        previous_statistics: Of an earlier span: what `drift_comparator` and `num_examples_drift_comparator` compare
            with. A split is compared with the one of its name, or with the only one that there is.
        serving_statistics: Of what is seen in serving: what `skew_comparator` compares with.
        previous_version_statistics: Of an earlier version of the span: for `num_examples_version_comparator`.
        exclude_splits: Splits that are not checked.
        fail_on: "error" fails the step on an anomaly of severity ERROR; "never" records only.
        environment: Where the data comes from, such as "SERVING": features that the schema has not in this
            environment may be missing. By default the schema's environments don't count.
        severities: Severities by anomaly type, such as {"SCHEMA_NEW_COLUMN": "WARNING"}; all are "ERROR" by default.
            Leakage is of the type CUSTOM_VALIDATION; custom rules have a severity each.
        custom_rules: Rules of your own, such as `CustomRule("mean(fare) < 50")`.
        module_file: The file with the functions that custom rules name.
    """
    from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

    from penstock.components.validation.anomaly_report import refusal, warning_lines
    from penstock.components.validation.custom_rules import apply_rules, check_rules
    from penstock.components.validation.leakage_report import read_leakage
    from penstock.components.validation.leakage_validation import add_leaks
    from penstock.components.validation.split_validation import references_of, validate_splits
    from penstock.data.protos import read_schema, read_statistics, split_names_of, write_anomalies

    rules = custom_rules or []
    check_rules(rules, module_file)
    splits = kept_splits("ExampleValidator", split_names_of(statistics.path), exclude_splits)
    described = {split: read_statistics(statistics.path, split) for split in splits}
    compared = (previous_statistics, serving_statistics, previous_version_statistics)
    references = references_of(splits, *(each.path if each is not None else None for each in compared))
    validations = validate_splits(described, read_schema(schema.path), environment, severities or {}, references)
    for split, validation in validations.items():
        validations[split] = apply_rules(
            validation,
            described[split],
            rules,
            environment=environment,
            references=references[split],
            module_file=module_file,
        )
    measured = read_leakage(statistics.path)
    if measured is not None:
        severity = (severities or {}).get("CUSTOM_VALIDATION", "ERROR")
        validations = add_leaks(validations, measured, AnomalyInfo.Severity.Value(severity))
    for split, validation in validations.items():
        write_anomalies(anomalies.path, split, validation.proto())
    anomalies.properties.update(span=statistics.properties.get("span", 0), split_names=splits)
    message = refusal(validations)
    if message and fail_on == "error":
        raise GateFailed(message)
    for line in ([message] if message else []) + warning_lines(validations):
        logging.getLogger(__name__).warning(line)

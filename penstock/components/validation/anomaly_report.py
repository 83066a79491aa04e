"""What a failing gate says: which features break the schema, by what evidence, and how to accept it."""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.anomalies import Anomaly, Validation
from penstock.components.validation.schema_patch import patch_lines
from penstock.pipeline.errors import MAX_FAILURES, listing

_MAX_FINDINGS = 5
_MAX_EVIDENCE = 320


def refusal(validations: Mapping[str, Validation]) -> str:
    """Return the message of a gate that refuses, or "" when there is no anomaly of severity ERROR.

    Args:
        validations: By split, in the order in which they are to be told.
    """
    return _message(
        validations,
        "The examples break the schema",
        'All of them are in the output "anomalies" (Split-<name>/SchemaDiff.pb). To record anomalies and go on: '
        'ExampleValidator(..., fail_on="never").',
    )


def distribution_refusal(validations: Mapping[str, Validation]) -> str:
    """Return the message of a gate on distributions, or "" when they are all near enough.

    Args:
        validations: By pair of splits "split_baseline", in the order in which they are to be told.
    """
    return _message(
        validations,
        "The distributions are too far from the baseline",
        'All distances are in the output "anomalies" (Split-<split>_<baseline split>/SchemaDiff.pb). To record them '
        'and go on: DistributionValidator(..., fail_on="never").',
    )


def _message(validations: Mapping[str, Validation], verdict: str, repair: str) -> str:
    empty = [split for split, validation in validations.items() if validation.no_data]
    failures = [f"- {_named(empty)}: no example at all. Check the source, or exclude the split."] if empty else []
    for anomaly, splits in _errors(validations):
        failures.append(_failure(anomaly, splits, validations[splits[0]]))
    if not failures:
        return ""
    left = len(failures) - MAX_FAILURES
    lines = [
        f"{verdict} in {len(failures)} {'place' if len(failures) == 1 else 'places'}:",
        *failures[:MAX_FAILURES],
        *([f"- and {left} more."] if left > 0 else []),
        repair,
    ]
    return "\n".join(lines)


def warning_lines(validations: Mapping[str, Validation]) -> list[str]:
    """Return a line for each anomaly that isn't an error, and for what could not be checked."""
    told = [
        f"{_named([split])}, {_subject(anomaly)}: {_evidence(anomaly)}"
        for split, validation in validations.items()
        for anomaly in (*validation.features, validation.dataset)
        if anomaly is not None and not anomaly.is_error
    ]
    return told + [
        f"{_named([split])}, {note}" for split, validation in validations.items() for note in validation.notes
    ]


def _errors(validations: Mapping[str, Validation]) -> list[tuple[Anomaly, list[str]]]:
    """Return each error once, with the splits that have it."""
    grouped: dict[tuple[str, tuple[int, ...]], tuple[Anomaly, list[str]]] = {}
    for split, validation in validations.items():
        for anomaly in (*validation.features, validation.dataset):
            if anomaly is not None and anomaly.is_error:
                key = anomaly.name, tuple(finding.type for finding in anomaly.findings)
                grouped.setdefault(key, (anomaly, []))[1].append(split)
    return list(grouped.values())


def _failure(anomaly: Anomaly, splits: list[str], validation: Validation) -> str:
    types = {int(finding.type) for finding in anomaly.findings}
    text = f"- {_named(splits)}, {_subject(anomaly)}: {_evidence(anomaly)} [{_type_names(types)}]"
    if AnomalyInfo.SCHEMA_MISSING_COLUMN in types:
        known = {feature.name for feature in validation.schema.feature}
        new = [name for name in validation.columns if name not in known]
        text += f"\n  New in the data: {listing(map(repr, new))}. Was it renamed?" if new else ""
    if AnomalyInfo.UNEXPECTED_DATA_TYPE in types:
        text += _where_to_look(anomaly.name, validation)
    changes = "; ".join(patch_lines(anomaly))
    return f"{text}\n  If it is intended, edit the curated schema: {changes}." if changes else text


def _where_to_look(name: str, validation: Validation) -> str:
    """Return how to find the cell at fault: one odd cell makes strings of a column of numbers, and a file has it."""
    declared = {schema_pb2.INT: "int64", schema_pb2.FLOAT: "float64"}
    expected = next((declared.get(each.type) for each in validation.schema.feature if each.name == name), None)
    if expected is None:
        return ""
    return (
        "\n  One odd cell may do that. To have ingestion name its file and line: "
        f'column_types={{"{name}": "{expected}"}} of CsvExampleGen or JsonlExampleGen.'
    )


def _named(splits: list[str]) -> str:
    return f"{'split' if len(splits) == 1 else 'splits'} {listing(splits)}"


def _subject(anomaly: Anomaly) -> str:
    return f"column {anomaly.name!r}" if anomaly.name else "the data set"


def _evidence(anomaly: Anomaly) -> str:
    told = []
    for finding in anomaly.findings[:_MAX_FINDINGS]:
        evidence = (finding.brief or finding.long).removesuffix(".")
        cut = evidence if len(evidence) <= _MAX_EVIDENCE else evidence[: _MAX_EVIDENCE - 1] + "…"
        told.append(f"{finding.short.removesuffix('.')}: {cut}{'' if cut.endswith('?') else '.'}")
    return " ".join(told)


def _type_names(types: set[int]) -> str:
    return ", ".join(AnomalyInfo.Type.Name(each) for each in sorted(types))

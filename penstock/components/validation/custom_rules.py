"""Hold statistics against the user's own rules, and add what they find to the anomalies of a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.anomalies import Anomaly, Validation
from penstock.components.validation.comparators import References
from penstock.components.validation.draft import Finding
from penstock.components.validation.feature_view import dataset_of, is_weighted
from penstock.components.validation.rule_config import CustomRule
from penstock.components.validation.rule_language import Evaluation, evaluate
from penstock.pipeline import ModuleFile, ParameterError, UserCodeError
from penstock.pipeline.errors import listing, nearest


def check_rules(rules: Sequence[CustomRule], module_file: ModuleFile | None) -> None:
    """Check that functions are there, before any statistics are looked at; expressions check themselves.

    Raises:
        ParameterError: One is a function of no file, or of another.
        UserCodeError: The module file has no such function.
    """
    for rule in rules:
        if not rule.is_function:
            continue
        module, _, function = rule.rule.partition(":")
        if module_file is None:
            raise ParameterError(
                f"CustomRule({rule.rule!r}) is a function, and there is no file of functions. Name it: "
                f'ExampleValidator(module_file="{module.replace(".", "/")}.py").'
            )
        if module not in (module_file.module, module_file.module.rsplit(".", 1)[-1]):
            raise ParameterError(
                f"CustomRule({rule.rule!r}) is of the module {module!r}, and the module_file is {module_file.module!r}."
            )
        module_file.function(function)


def apply_rules(
    validation: Validation,
    statistics: DatasetFeatureStatisticsList,
    rules: Sequence[CustomRule],
    *,
    environment: str = "",
    references: References | None = None,
    module_file: ModuleFile | None = None,
) -> Validation:
    """Return the validation of a split with what the rules found.

    Raises:
        ParameterError: A rule names a slice, a feature or a figure that there isn't.
        UserCodeError: A function failed, or returned something else than what is wrong.
    """
    if validation.no_data:
        return validation
    previous = references.previous if references is not None else None
    for rule in rules:
        if rule.environment and rule.environment != environment:
            continue
        dataset = _dataset(statistics, rule)
        if rule.is_function:
            found = list(_by_function(rule, dataset, module_file))
        else:
            outcome = evaluate(rule.rule, dataset, previous, is_weighted(dataset))
            if outcome.skipped:
                validation = with_finding(validation, "", _unchecked(rule), AnomalyInfo.WARNING)
            found = _by_expression(rule, outcome)
        for feature, finding in found:
            validation = with_finding(validation, feature, finding, AnomalyInfo.Severity.Value(rule.severity))
    return validation


def with_finding(validation: Validation, feature: str, finding: Finding, severity: int) -> Validation:
    """Return the validation with one more finding about a feature, or about the data set where it is ""."""
    if not feature:
        whole = validation.dataset or Anomaly("", (), severity)
        return replace(validation, dataset=_with(whole, finding, severity))
    known = [anomaly.name for anomaly in validation.features]
    if feature not in known:
        return replace(validation, features=(*validation.features, Anomaly(feature, (finding,), severity)))
    features = tuple(
        _with(anomaly, finding, severity) if anomaly.name == feature else anomaly for anomaly in validation.features
    )
    return replace(validation, features=features)


def _with(anomaly: Anomaly, finding: Finding, severity: int) -> Anomaly:
    return replace(anomaly, findings=(*anomaly.findings, finding), severity=max(anomaly.severity, severity))


def _dataset(statistics: DatasetFeatureStatisticsList, rule: CustomRule) -> DatasetFeatureStatistics:
    if not rule.slice:
        return dataset_of(statistics)
    known = [dataset.name for dataset in statistics.datasets]
    if rule.slice not in known:
        raise ParameterError(
            f"CustomRule({rule.rule!r}, slice={rule.slice!r}): the statistics describe no such slice."
            f"{nearest(rule.slice, known)} They describe: {listing(known)}."
        )
    return statistics.datasets[known.index(rule.slice)]


def _by_expression(rule: CustomRule, outcome: Evaluation) -> list[tuple[str, Finding]]:
    if outcome.skipped or outcome.holds:
        return []
    told = _told(rule, f"Query: {rule.rule}", ", ".join(outcome.figures))
    return [(outcome.features[0] if outcome.features else "", told)]


def _unchecked(rule: CustomRule) -> Finding:
    """Return what stands in the anomalies of a first run, or where nothing is wired: silence would look like a pass."""
    told = (
        f"The rule {rule.rule!r} compares with previous statistics, and there are none. Pass them: "
        f"ExampleValidator(previous_statistics=...)."
    )
    return Finding(AnomalyInfo.CUSTOM_VALIDATION, "Rule not checked", told)


def _by_function(
    rule: CustomRule, dataset: DatasetFeatureStatistics, module_file: ModuleFile | None
) -> Iterator[tuple[str, Finding]]:
    if module_file is None:
        return
    try:
        returned = module_file.function(rule.rule.partition(":")[2])(dataset)
    except Exception as error:
        raise UserCodeError(f"The rule {rule.rule!r} failed: {type(error).__name__}: {error}") from error
    if isinstance(returned, str):
        returned = {"": returned} if returned else {}
    if not isinstance(returned, Mapping | None):
        raise UserCodeError(
            f"The rule {rule.rule!r} returned {returned!r:.60}. It returns what is wrong: a text, a dict of texts by "
            f"feature, or nothing."
        )
    for feature, text in (returned or {}).items():
        if text:
            yield str(feature), _told(rule, f"Function: {rule.rule}", str(text))


def _told(rule: CustomRule, source: str, evidence: str) -> Finding:
    place = rule.slice or "default slice"
    told = f"Custom validation triggered anomaly. {source} Test dataset: {place}"
    return Finding(
        AnomalyInfo.CUSTOM_VALIDATION,
        rule.description or rule.rule,
        f"{told}. {evidence}.",
        f"{evidence} ({rule.rule})",
    )

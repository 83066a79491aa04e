"""Hold splits of statistics against splits of a baseline, by thresholds of their own instead of a schema's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.anomalies import Anomaly, Validation
from penstock.components.validation.comparators import References, compare
from penstock.components.validation.dataset_rules import examine_dataset
from penstock.components.validation.distribution_config import DistributionValidatorConfig, FeatureComparator
from penstock.components.validation.draft import Finding
from penstock.components.validation.feature_view import dataset_of, is_weighted, view_of, views
from penstock.pipeline import DataError, ParameterError
from penstock.pipeline.errors import listing, nearest

_UNCOMPARED = (
    "Validation could not be done, which could be due to missing data, use of a comparator that is not suitable for "
    "the feature type, or some other reason."
)

Pair = tuple[str, str]


def split_pairs(
    splits: Sequence[str],
    baseline: Sequence[str],
    wanted: Sequence[Sequence[str]] | None,
    component: str = "DistributionValidator",
) -> list[Pair]:
    """Return the pairs (split, split of the baseline) to compare: by default those of one name.

    Raises:
        DataError: A pair names a split that there isn't, or there is no pair at all.
    """
    if not wanted:
        pairs = [(split, split) for split in splits if split in baseline]
        if not pairs:
            raise DataError(
                f"{component} has no two splits of one name to compare: it has "
                f"{listing(splits)}, the baseline {listing(baseline)}. Set include_split_pairs=[[split, baseline]]."
            )
        return pairs
    for pair in wanted:
        if len(pair) != 2:
            raise DataError(
                f"{component}(include_split_pairs=...) takes pairs [split, split of the baseline], got {list(pair)!r}."
            )
        for name, known, whose in zip(pair, (splits, baseline), ("its input", "the baseline"), strict=True):
            if name not in known:
                raise DataError(
                    f"{component}(include_split_pairs=...) names {name!r}, which is no split of {whose}."
                    f"{nearest(name, known)} It has: {listing(known)}."
                )
    return [(split, other) for split, other in wanted]


def compare_distributions(
    statistics: DatasetFeatureStatisticsList,
    baseline: DatasetFeatureStatisticsList,
    config: DistributionValidatorConfig,
) -> Validation:
    """Compare one split with one of the baseline.

    A feature that could not be compared is an anomaly of its own: nothing that was asked for is passed over.

    Raises:
        ParameterError: The config names a feature that neither side has.
    """
    dataset, reference = dataset_of(statistics), References(previous=dataset_of(baseline))
    _check_names(config, dataset, dataset_of(baseline))
    if not dataset.num_examples:
        return Validation(_schema_of(config), no_data=True)
    anomalies, measured = [], []
    for entry in config.features:
        view = view_of(dataset, entry.feature, is_weighted(dataset))
        before = _feature_of(entry)
        after = _feature_of(entry)
        comparison = compare(view, after, reference) if view is not None and view.present else None
        findings = list(comparison.findings) if comparison else []
        if comparison is None or comparison.notes:
            why = _hint(entry.feature, [view.name for view in views(dataset)])
            why += "".join(f" {note[0].upper()}{note[1:]}" for note in (comparison.notes if comparison else ()))
            findings.append(
                Finding(
                    AnomalyInfo.STATS_NOT_AVAILABLE, "Comparison could not be done.", _UNCOMPARED + why, why.strip()
                )
            )
        if comparison is not None and comparison.measured.ListFields():
            comparison.measured.path.step.append(entry.feature)
            measured.append(comparison.measured)
        if findings:
            anomalies.append(Anomaly(before.name, tuple(findings), AnomalyInfo.ERROR))
    schema = _schema_of(config)
    limits = schema_pb2.DatasetConstraints()
    limits.CopyFrom(schema.dataset_constraints)
    dataset_findings = examine_dataset(dataset, limits, reference)
    whole = Anomaly("", tuple(dataset_findings), AnomalyInfo.ERROR, constraints=limits) if dataset_findings else None
    return Validation(schema, tuple(anomalies), whole, drift_skew=tuple(measured))


def blessed(validations: Mapping[str, Validation]) -> dict[str, int]:
    """Return TFX's verdict by pair: 1 where nothing was found, else 0."""
    return {pair: int(not (each.features or each.dataset or each.no_data)) for pair, each in validations.items()}


def _check_names(
    config: DistributionValidatorConfig, dataset: DatasetFeatureStatistics, baseline: DatasetFeatureStatistics
) -> None:
    known = list(dict.fromkeys(view.name for side in (dataset, baseline) for view in views(side)))
    for entry in config.features:
        if entry.feature not in known:
            raise ParameterError(
                f"DistributionValidatorConfig(features=...) names {entry.feature!r}, which neither the statistics nor "
                f"the baseline have.{nearest(entry.feature, known)} They have: {listing(known)}."
            )


def _hint(name: str, known: Sequence[str]) -> str:
    return "" if name in known else f" The statistics have no feature {name!r}.{nearest(name, known)}"


def _feature_of(entry: FeatureComparator) -> schema_pb2.Feature:
    feature = schema_pb2.Feature(name=entry.feature)
    for name in ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference"):
        threshold = getattr(entry, name)
        if threshold is not None:
            getattr(feature.drift_comparator, name).threshold = threshold
    return feature


def _schema_of(config: DistributionValidatorConfig) -> schema_pb2.Schema:
    schema = schema_pb2.Schema(feature=[_feature_of(entry) for entry in config.features])
    limits = schema.dataset_constraints.num_examples_drift_comparator
    if config.min_num_examples_fraction is not None:
        limits.min_fraction_threshold = config.min_num_examples_fraction
    if config.max_num_examples_fraction is not None:
        limits.max_fraction_threshold = config.max_num_examples_fraction
    if not limits.ListFields():
        schema.ClearField("dataset_constraints")
    return schema

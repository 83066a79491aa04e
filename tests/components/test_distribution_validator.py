"""DistributionValidator: what it compares, when it refuses, and what it leaves behind."""

import os

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.artifacts import ExampleAnomalies, ExampleStatistics
from penstock.components import DistributionValidator, DistributionValidatorConfig, FeatureComparator
from penstock.components.validation.dataset_statistics import describe_table
from penstock.data import protos
from penstock.pipeline import DataError, GateFailed, ParameterError, WiringError

NOW = pa.table({"fare": [5.0, 7.0, 9.0], "payment": ["Cash", "Cash", "Card"]})
BEFORE = pa.table({"fare": [5.0, 7.0, 9.0], "payment": ["Cash", "Card", "Card"]})
CONFIG = DistributionValidatorConfig([FeatureComparator("payment", infinity_norm=0.1)])


@pytest.fixture
def validate(tmp_path):
    """Return a function from tables by split, and those of the baseline, to the anomalies that are published."""

    def run(now, before, config=CONFIG, **arguments):
        for name, tables in (("now", now), ("before", before or {})):
            for split, table in tables.items():
                protos.write_statistics(str(tmp_path / name), split, describe_table(table))
        baseline = ExampleStatistics(str(tmp_path / "before")) if before else None
        anomalies = ExampleAnomalies(str(tmp_path / "anomalies"))
        DistributionValidator(
            statistics=ExampleStatistics(str(tmp_path / "now"), properties={"span": 3}),
            baseline_statistics=baseline,
            anomalies=anomalies,
            config=config,
            **arguments,
        )
        return anomalies

    return run


def test_near_distributions_are_blessed_and_measured(validate):
    anomalies = validate({"train": NOW}, {"train": NOW})

    assert anomalies.properties == {"span": 3, "split_names": ["train_train"], "blessed": {"train_train": 1}}
    (info,) = protos.read_anomalies(anomalies.path, "train_train").drift_skew_info
    assert info.drift_measurements[0].value == 0.0


def test_distributions_too_far_apart_are_refused_and_kept(validate, tmp_path):
    with pytest.raises(GateFailed) as refused:
        validate({"train": NOW}, {"train": BEFORE})

    assert str(refused.value).startswith(
        "The distributions are too far from the baseline in 1 place:\n"
        "- split train_train, column 'payment': High Linfty distance between current and previous: "
    )
    proto = protos.read_anomalies(str(tmp_path / "anomalies"), "train_train")
    assert proto.anomaly_info["payment"].reason[0].type == AnomalyInfo.COMPARATOR_L_INFTY_HIGH


def test_pairs_of_different_splits_are_compared_when_named(validate):
    anomalies = validate({"train": NOW}, {"eval": NOW, "test": NOW}, include_split_pairs=[["train", "eval"]])

    assert anomalies.properties["split_names"] == ["train_eval"]


def test_what_could_not_be_compared_is_an_anomaly(validate):
    config = DistributionValidatorConfig([FeatureComparator("fare", infinity_norm=0.1)])

    anomalies = validate({"train": NOW}, {"train": NOW}, config, fail_on="never")

    reason = protos.read_anomalies(anomalies.path, "train_train").anomaly_info["fare"].reason[0]
    assert (reason.type, reason.short_description) == (
        AnomalyInfo.STATS_NOT_AVAILABLE,
        "Comparison could not be done.",
    )
    assert reason.description.endswith(
        " Feature 'fare': drift_comparator.infinity_norm was not checked: it needs counted values (strings, or "
        "integers that the schema calls categorical) on both sides."
    )
    assert anomalies.properties["blessed"] == {"train_train": 0}


def test_a_feature_that_neither_side_has_is_a_mistake_of_the_config(validate):
    config = DistributionValidatorConfig([FeatureComparator("paymnt", infinity_norm=0.1)])

    with pytest.raises(ParameterError) as refused:
        validate({"train": NOW}, {"train": NOW}, config)

    assert str(refused.value) == (
        "DistributionValidatorConfig(features=...) names 'paymnt', which neither the statistics nor the baseline have. "
        "Did you mean 'payment'? They have: fare, payment."
    )


def test_a_feature_that_is_gone_is_refused_with_the_nearest_name(validate):
    with pytest.raises(GateFailed, match=r"no feature 'payment'. Did you mean 'payments'\? \[STATS_NOT_AVAILABLE\]"):
        validate({"train": NOW.rename_columns(["fare", "payments"])}, {"train": NOW})


def test_the_number_of_examples_is_compared(validate):
    config = DistributionValidatorConfig(min_num_examples_fraction=0.9)

    with pytest.raises(GateFailed, match="the data set: Low num examples in current dataset versus the previous span"):
        validate({"train": NOW.slice(0, 1)}, {"train": NOW}, config)


def test_without_a_baseline_nothing_is_compared_and_the_verdict_says_so(validate, caplog):
    anomalies = validate({"train": NOW}, None)

    assert anomalies.properties["blessed"] == {"train": 2}
    assert "no baseline yet" in caplog.text
    assert os.listdir(anomalies.path) == ["NO_BASELINE"]


def test_splits_that_never_meet_are_refused(validate):
    with pytest.raises(DataError, match=r"no two splits of one name .* has train, the baseline eval"):
        validate({"train": NOW}, {"eval": NOW})


def test_a_pair_with_an_unknown_split_is_refused(validate):
    with pytest.raises(DataError, match=r"names 'trian', which is no split of the baseline. Did you mean 'train'\?"):
        validate({"train": NOW}, {"train": NOW}, include_split_pairs=[["train", "trian"]])


def test_a_comparator_without_threshold_is_refused():
    with pytest.raises(WiringError, match=r"FeatureComparator\('fare'\) compares nothing: set one of infinity_norm"):
        FeatureComparator("fare")


def test_a_threshold_beyond_all_distances_is_refused():
    with pytest.raises(WiringError, match=r"infinity_norm=10\) is outside 0 to 1"):
        FeatureComparator("fare", infinity_norm=10)


PAYMENT = FeatureComparator("payment", infinity_norm=0.1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "DistributionValidatorConfig() compares nothing: name features="),
        ({"features": [PAYMENT, PAYMENT]}, "compares 'payment' 2 times. Write one FeatureComparator with all"),
        ({"min_num_examples_fraction": 2.0, "max_num_examples_fraction": 1.0}, "lets no number of examples pass"),
        ({"min_num_examples_fraction": -1.0}, "(min_num_examples_fraction=-1) is no multiple of the baseline's"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(arguments, told):
    with pytest.raises(WiringError) as refused:
        DistributionValidatorConfig(**arguments)

    assert told in str(refused.value)

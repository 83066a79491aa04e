"""Drift and skew: distances against arithmetic, comparators against statistics, in TFDV's words."""

import math

import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo, DriftSkewInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import Histogram

from penstock.components.validation.anomalies import validate
from penstock.components.validation.comparators import References
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.distribution_distance import (
    jensen_shannon_of_counts,
    jensen_shannon_of_histograms,
    l_infinity,
    normalized_absolute_difference,
)

counts = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 100).map(float), min_size=1)


def _histogram(*buckets, nan=0):
    histogram = Histogram(num_nan=nan)
    for low, high, count in buckets:
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
    return histogram


def _dataset(values):
    return describe_table(pa.table({"x": values}), _schema("type: INT")).datasets[0]


def _schema(feature, rest=""):
    return text_format.Parse(f"feature {{ name: 'x' {feature} }} {rest}", schema_pb2.Schema())


def _validated(now, schema, **references):
    return validate(describe_table(pa.table({"x": now})), schema, references=References(**references))


def test_l_infinity_is_the_greatest_difference_of_shares():
    assert l_infinity({"a": 1.0, "b": 1.0}, {"a": 3.0, "b": 1.0}) == ("b", 0.25)
    assert l_infinity({}, {}) == ("", 0.0)


def test_normalized_absolute_difference_counts_both_sides():
    assert normalized_absolute_difference({"a": 1.0}, {"a": 2.0, "b": 1.0}) == ("b", 0.25)


@given(counts, counts)
def test_divergence_of_counts_is_symmetric_and_between_0_and_1(left, right):
    divergence = jensen_shannon_of_counts(left, right)

    assert divergence == pytest.approx(jensen_shannon_of_counts(right, left))
    assert -1e-12 <= divergence <= 1.0
    assert jensen_shannon_of_counts(left, left) == 0.0


def test_values_that_never_meet_have_the_greatest_divergence():
    assert jensen_shannon_of_counts({"a": 5.0}, {"b": 1.0}) == 1.0


def test_divergence_of_histograms_compares_on_common_buckets():
    left, right = _histogram((0, 2, 4.0)), _histogram((0, 1, 4.0), (1, 2, 0.0))

    expected = (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25) + math.log2(1 / 0.75)) / 2
    assert jensen_shannon_of_histograms(left, right) == pytest.approx(expected)
    assert jensen_shannon_of_histograms(left, _histogram((0, 0.5, 1.0), (0.5, 2, 3.0))) == 0.0


def test_nan_and_infinities_never_match_the_other_side():
    left = _histogram((0, 1, 2.0), (math.inf, math.inf, 2.0), nan=0)

    assert jensen_shannon_of_histograms(left, left) == 0.5
    assert jensen_shannon_of_histograms(_histogram((0, 1, 1.0), nan=1), _histogram((0, 1, 1.0), nan=1)) == 0.5


def test_points_are_buckets_of_their_own():
    assert jensen_shannon_of_histograms(_histogram((3, 3, 9.0)), _histogram((3, 3, 1.0))) == 0.0
    assert jensen_shannon_of_histograms(_histogram((3, 3, 9.0)), _histogram((4, 4, 1.0))) == 1.0


def test_an_empty_histogram_has_no_divergence():
    assert jensen_shannon_of_histograms(_histogram(), _histogram((0, 1, 1.0))) is None


CASES = [
    (
        "drift_comparator { infinity_norm { threshold: 0.1 } }",
        (["a", "a", "b", "b"], ["a", "a", "a", "b"]),
        "previous",
        "COMPARATOR_L_INFTY_HIGH",
        "High Linfty distance between current and previous",
        "The Linfty distance between current and previous is 0.25 (up to six significant digits), above the threshold "
        "0.1. The feature value with maximum difference is: b",
    ),
    (
        "skew_comparator { infinity_norm { threshold: 0.1 } }",
        (["a"], ["b"]),
        "serving",
        "COMPARATOR_L_INFTY_HIGH",
        "High Linfty distance between training and serving",
        "The Linfty distance between training and serving is 1 (up to six significant digits), above the threshold "
        "0.1. The feature value with maximum difference is: b",
    ),
    (
        "drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }",
        (["a"], ["b"]),
        "previous",
        "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        "High approximate Jensen-Shannon divergence between current and previous",
        "The approximate Jensen-Shannon divergence between current and previous is 1 (up to six significant digits), "
        "above the threshold 0.1.",
    ),
    (
        "skew_comparator { jensen_shannon_divergence { threshold: 0.1 source { type: QUANTILES } } }",
        ([1.0, 2.0], [5.0, 6.0]),
        "serving",
        "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        "High approximate Jensen-Shannon divergence between training and serving",
        "The approximate Jensen-Shannon divergence between training and serving is 1 (up to six significant digits), "
        "above the threshold 0.1.",
    ),
    (
        "drift_comparator { normalized_abs_difference { threshold: 0.2 } }",
        (["a"], ["a", "a", "b"]),
        "previous",
        "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
        "High normalized absolute difference between current and previous",
        "The normalized absolute difference between current and previous is 0.25 (up to six significant digits), above "
        "the threshold 0.2. The feature value with maximum difference is: b",
    ),
]


@pytest.mark.parametrize(("comparator", "values", "side", "kind", "short", "long"), CASES, ids=str)
def test_a_passed_threshold_is_an_anomaly_and_measured(comparator, values, side, kind, short, long):
    feature = f"type: {'FLOAT' if isinstance(values[0][0], float) else 'BYTES'} {comparator}"

    proto = _validated(values[0], _schema(feature), **{side: _dataset(values[1])}).proto()

    reason = AnomalyInfo.Reason(type=kind, short_description=short, description=long)
    assert list(proto.anomaly_info["x"].reason) == [reason]
    info = proto.drift_skew_info[0]
    measured = info.drift_measurements if side == "previous" else info.skew_measurements
    assert (list(info.path.step), len(measured)) == (["x"], 1)
    assert measured[0].value > measured[0].threshold


def test_lifting_the_threshold_accepts_the_drift():
    schema = _schema("type: BYTES drift_comparator { infinity_norm { threshold: 0.1 } }")
    previous = _dataset(["a", "a", "b"])

    after = _validated(["a"], schema, previous=previous).features[0].after

    repaired = schema_pb2.Schema(feature=[after.feature])
    assert _validated(["a"], repaired, previous=previous).features == ()


def test_what_holds_is_measured_too():
    schema = _schema("type: BYTES drift_comparator { infinity_norm { threshold: 0.5 } }")

    proto = _validated(["a"], schema, previous=_dataset(["a"])).proto()

    assert not proto.anomaly_info
    assert proto.drift_skew_info[0].drift_measurements[0].type == DriftSkewInfo.Measurement.L_INFTY


def test_a_feature_that_the_reference_lacks_is_an_anomaly():
    schema = _schema("type: BYTES skew_comparator { infinity_norm { threshold: 0.5 } }")
    serving = describe_table(pa.table({"y": ["a"]})).datasets[0]

    (finding,) = _validated(["a"], schema, serving=serving).features[0].findings

    assert (finding.type, finding.long) == (AnomalyInfo.COMPARATOR_CONTROL_DATA_MISSING, "serving data is missing.")


def test_without_a_reference_the_comparator_is_noted_as_unchecked():
    schema = _schema("type: BYTES drift_comparator { infinity_norm { threshold: 0.5 } }")

    validation = _validated(["a"], schema)

    assert validation.features == ()
    assert validation.notes == ("feature 'x': drift_comparator was not checked, without previous_statistics.",)


def test_a_distance_of_counts_on_numbers_is_noted_as_unchecked():
    schema = _schema("type: FLOAT drift_comparator { infinity_norm { threshold: 0.5 } }")

    validation = _validated([1.0], schema, previous=_dataset([1.0]))

    assert validation.drift_skew == ()
    assert "drift_comparator.infinity_norm was not checked: it needs counted values" in validation.notes[0]


@pytest.mark.parametrize(
    ("limits", "earlier", "expected"),
    [
        ("drift_comparator { min_fraction_threshold: 0.9 }", "previous", "COMPARATOR_LOW_NUM_EXAMPLES"),
        ("drift_comparator { max_fraction_threshold: 0.4 }", "previous", "COMPARATOR_HIGH_NUM_EXAMPLES"),
        ("version_comparator { min_fraction_threshold: 0.9 }", "previous_version", "COMPARATOR_LOW_NUM_EXAMPLES"),
    ],
)
def test_number_of_examples_against_an_earlier_one(limits, earlier, expected):
    schema = _schema("type: INT", f"dataset_constraints {{ num_examples_{limits} }}")

    info = _validated([1], schema, **{earlier: _dataset([1, 2])}).proto().dataset_anomaly_info

    words = "previous span" if earlier == "previous" else "previous version"
    assert AnomalyInfo.Type.Name(info.reason[0].type) == expected
    assert f"versus the {words} is 0.5 (up to six significant digits), which is" in info.description


def test_an_earlier_span_without_examples_is_too_few():
    schema = _schema("type: INT", "dataset_constraints { num_examples_drift_comparator { max_fraction_threshold: 2 } }")

    validation = _validated([1], schema, previous=_dataset(pa.array([], pa.int64())))

    assert "The previous span has 0 examples" in validation.dataset.findings[0].long
    assert not validation.dataset.constraints.num_examples_drift_comparator.HasField("max_fraction_threshold")

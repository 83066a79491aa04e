"""The types of anomaly that need custom statistics or two entries of a schema; and that none of TFDV's is missing."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList, NaturalLanguageStatistics

from penstock.components.validation.anomalies import validate
from penstock.components.validation.conformance import DATA_RULES
from penstock.components.validation.draft import Environment, draft_of
from penstock.components.validation.feature_view import views
from penstock.components.validation.schema_patch import patch_lines
from penstock.components.validation.specification_rules import SPECIFICATION_RULES
from tests.components.test_validator_anomalies import CASES

NOT_DETECTED_BY_TFDV = """
    BOOL_TYPE_BYTES_NOT_INT BOOL_TYPE_BYTES_NOT_STRING BOOL_TYPE_FLOAT_NOT_INT BOOL_TYPE_FLOAT_NOT_STRING
    BOOL_TYPE_INT_NOT_STRING BOOL_TYPE_STRING_NOT_INT ENUM_TYPE_BYTES_NOT_STRING ENUM_TYPE_FLOAT_NOT_STRING
    ENUM_TYPE_INT_NOT_STRING FEATURE_TYPE_NO_VALUES FEATURE_TYPE_UNEXPECTED_REPEATED FLOAT_TYPE_NOT_FLOAT
    FLOAT_TYPE_NON_STRING FLOAT_TYPE_UNKNOWN_TYPE_NUMBER INT_TYPE_INT_EXPECTED INT_TYPE_NOT_STRING
    INT_TYPE_STRING_EXPECTED INT_TYPE_UNKNOWN_TYPE_NUMBER SCHEMA_TRAINING_SERVING_SKEW STRING_TYPE_NOW_FLOAT
    STRING_TYPE_NOW_INT COMPARATOR_TREATMENT_DATA_MISSING NO_DATA_IN_SPAN NLP_WRONG_LOCATION EMBEDDING_SHAPE_INVALID
    UNKNOWN_TYPE MULTIPLE_REASONS
"""
"""As TFDV's reference of anomalies has it; the last two stand for no type."""

TESTED_ELSEWHERE = {
    "SCHEMA_MISSING_COLUMN": "test_validator_anomalies",
    "DATASET_LOW_NUM_EXAMPLES": "test_validator_anomalies",
    "DATASET_HIGH_NUM_EXAMPLES": "test_validator_anomalies",
    "COMPARATOR_CONTROL_DATA_MISSING": "test_validator_drift",
    "COMPARATOR_L_INFTY_HIGH": "test_validator_drift",
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": "test_validator_drift",
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH": "test_validator_drift",
    "COMPARATOR_LOW_NUM_EXAMPLES": "test_validator_drift",
    "COMPARATOR_HIGH_NUM_EXAMPLES": "test_validator_drift",
    "CUSTOM_VALIDATION": "test_validator_custom_rules",
}

_NUMBERS = "type: INT num_stats { common_stats { num_non_missing: 4 tot_num_values: 4 } }"
_STRINGS = "type: STRING string_stats { common_stats { num_non_missing: 4 tot_num_values: 4 } }"
_TOKEN = "natural_language_domain {{ token_constraints {{ string_value: 'the' {} }} }}"
_LANGUAGE = "language"
_SPARSE = "sparse_feature { name: 'x' value_feature { name: 'v' } index_feature { name: 'i' } }"
_WEIGHTED = "weighted_feature { name: 'x' feature { step: 'v' } weight_feature { step: 'w' } }"

ROWS = [
    (
        "LOW_SUPPORTED_IMAGE_FRACTION",
        "feature { name: 'x' type: BYTES image_domain { minimum_supported_image_fraction: 0.5 } }",
        _STRINGS + " custom_stats { name: 'image_format_histogram' rank_histogram { "
        "buckets { label: 'png' sample_count: 1 } buckets { label: 'UNKNOWN' sample_count: 3 } } }",
        "Low supported image fraction",
        "Fraction of values containing TensorFlow supported images: 0.250000 is lower than the threshold set in the "
        "Schema: 0.500000.",
    ),
    (
        "SEMANTIC_DOMAIN_UPDATE",
        "feature { name: 'x' type: BYTES }",
        _STRINGS + " custom_stats { name: 'domain_info' str: 'image_domain {}' }",
        "Updated semantic domain",
        "Updated semantic domain for feature: x",
    ),
    (
        "STATS_NOT_AVAILABLE",
        "feature { name: 'x' type: BYTES natural_language_domain { coverage { min_coverage: 0.5 } } }",
        _STRINGS,
        "Natural language stats are not computed.",
        "Constraints specified in natural language domain cannot be verified because natural language stats have not "
        "been computed.",
    ),
    (
        "FEATURE_COVERAGE_TOO_LOW",
        "feature { name: 'x' type: BYTES natural_language_domain { coverage { min_coverage: 0.5 } } }",
        _LANGUAGE,
        "Feature coverage is too low.",
        "Fraction of tokens in the vocabulary: 0.25 is lower than the threshold set in the Schema: 0.5.",
    ),
    (
        "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH",
        "feature { name: 'x' type: BYTES natural_language_domain { coverage { min_avg_token_length: 5 } } }",
        _LANGUAGE,
        "Average token length is too short.",
        "Average token length is: 3.5 which is lower than the threshold set in the Schema: 5.",
    ),
    (
        "SEQUENCE_VALUE_TOO_SMALL_FRACTION",
        f"feature {{ name: 'x' type: BYTES {_TOKEN.format('min_fraction_of_sequences: 0.75')} }}",
        _LANGUAGE,
        "Value occurs in too small a fraction of sequences.",
        "Fraction of sequences with value: the is: 0.5 which is lower than the threshold set in the Schema: 0.75.",
    ),
    (
        "SEQUENCE_VALUE_TOO_LARGE_FRACTION",
        f"feature {{ name: 'x' type: BYTES {_TOKEN.format('max_fraction_of_sequences: 0.25')} }}",
        _LANGUAGE,
        "Value occurs in too large a fraction of sequences.",
        "Fraction of sequences with value: the is: 0.5 which is higher than the threshold set in the Schema: 0.25.",
    ),
    (
        "SEQUENCE_VALUE_TOO_FEW_OCCURRENCES",
        f"feature {{ name: 'x' type: BYTES {_TOKEN.format('min_per_sequence: 2')} }}",
        _LANGUAGE,
        "Value has too few per-sequence occurrences.",
        "Value: the occurs at least: 1 times within a sequence, which is lower than the threshold set in the Schema: "
        "2.",
    ),
    (
        "SEQUENCE_VALUE_TOO_MANY_OCCURRENCES",
        f"feature {{ name: 'x' type: BYTES {_TOKEN.format('max_per_sequence: 2')} }}",
        _LANGUAGE,
        "Value has too many per-sequence occurrences.",
        "Value: the occurs at most: 3 times within a sequence, which is higher than the threshold set in the Schema: "
        "2.",
    ),
    (
        "DERIVED_FEATURE_INVALID_SOURCE",
        "feature { name: 'x' type: INT }",
        _NUMBERS + " validation_derived_source { deriver_name: 'd' }",
        "Derived source not set in schema.",
        "Derived source not set in schema.",
    ),
    (
        "DERIVED_FEATURE_BAD_LIFECYCLE",
        "feature { name: 'x' type: INT lifecycle_stage: BETA validation_derived_source { deriver_name: 'd' } }",
        _NUMBERS + " validation_derived_source { deriver_name: 'd' }",
        "Derived feature has wrong lifecycle.",
        "Derived feature has wrong lifecycle.",
    ),
    (
        "SPARSE_FEATURE_MISSING_VALUE",
        _SPARSE,
        "custom_stats { name: 'missing_value' num: 3 }",
        "Missing value feature",
        "Found 3 examples missing value feature",
    ),
    (
        "SPARSE_FEATURE_MISSING_INDEX",
        _SPARSE,
        "custom_stats { name: 'missing_index' rank_histogram { buckets { label: 'i' sample_count: 2 } } }",
        "Missing index feature",
        "Found 2 examples missing index feature: i",
    ),
    (
        "SPARSE_FEATURE_LENGTH_MISMATCH",
        _SPARSE,
        "custom_stats { name: 'max_length_diff' rank_histogram { buckets { label: 'i' sample_count: 2 } } }",
        "Length mismatch between value and index feature",
        "Mismatch between index feature: i and value column, with max_length_diff = 2",
    ),
    (
        "SPARSE_FEATURE_NAME_COLLISION",
        _SPARSE + " feature { name: 'x' type: INT }",
        _NUMBERS,
        "Sparse feature name collision",
        "Sparse feature name collision.",
    ),
    (
        "WEIGHTED_FEATURE_MISSING_VALUE",
        _WEIGHTED,
        "custom_stats { name: 'missing_value' num: 3 }",
        "Missing value feature",
        "Found 3 examples missing value feature.",
    ),
    (
        "WEIGHTED_FEATURE_MISSING_WEIGHT",
        _WEIGHTED,
        "custom_stats { name: 'missing_weight' num: 3 }",
        "Missing weight feature",
        "Found 3 examples missing weight feature.",
    ),
    (
        "WEIGHTED_FEATURE_LENGTH_MISMATCH",
        _WEIGHTED,
        "custom_stats { name: 'min_weight_length_diff' num: -1 } "
        "custom_stats { name: 'max_weight_length_diff' num: 2 }",
        "Length mismatch between value and weight feature",
        "Mismatch between weight and value feature with min_weight_length_diff = -1 and max_weight_length_diff = 2.",
    ),
    (
        "WEIGHTED_FEATURE_NAME_COLLISION",
        _WEIGHTED + _SPARSE,
        "custom_stats { name: 'missing_value' num: 3 }",
        "Weighted feature name collision",
        "Weighted feature name collision.",
    ),
    (
        "FEATURE_MISSING_NAME",
        "feature { type: INT }",
        _NUMBERS,
        "Missing name",
        "unspecified name (maybe meant to be the empty string): find name rather than deprecating.",
    ),
]


def _statistics(text, name="x"):
    statistics = DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add(num_examples=4)
    feature = text_format.Parse(_STRINGS if text == _LANGUAGE else text, dataset.features.add())
    feature.path.step.append(name)
    if text == _LANGUAGE:
        language = NaturalLanguageStatistics(feature_coverage=0.25, avg_token_length=3.5)
        language.token_statistics.add(
            string_token="the",
            fraction_of_sequences=0.5,
            per_sequence_min_frequency=1.0,
            per_sequence_max_frequency=3.0,
        )
        feature.custom_stats.add(name="nl_statistics").any.Pack(language)
    return statistics


def _schema(text):
    return text_format.Parse(text, schema_pb2.Schema())


@pytest.mark.parametrize(("kind", "schema", "statistics", "short", "long"), ROWS, ids=[row[0] for row in ROWS])
def test_anomaly(kind, schema, statistics, short, long):
    name = "" if kind == "FEATURE_MISSING_NAME" else "x"

    (info,) = validate(_statistics(statistics, name), _schema(schema)).proto().anomaly_info.values()

    expected = AnomalyInfo(severity=AnomalyInfo.ERROR, short_description=short, description=long)
    expected.reason.add(type=kind, short_description=short, description=long)
    if name:
        expected.path.step.append(name)
    assert info == expected


def test_every_type_that_tfdv_emits_has_a_row():
    rows = {case.type for case in CASES} | {row[0] for row in ROWS} | set(TESTED_ELSEWHERE)

    assert {*NOT_DETECTED_BY_TFDV.split(), *rows} == set(AnomalyInfo.Type.keys())
    assert not rows & set(NOT_DETECTED_BY_TFDV.split())


def test_every_rule_has_a_row():
    rules = (*SPECIFICATION_RULES, *DATA_RULES)
    drafts = [(case.schema, case.statistics, case.environment) for case in CASES]
    drafts += [(_schema(row[1]), _statistics(row[2]), "") for row in ROWS if row[1].startswith("feature")]

    fired = set()
    for schema, statistics, environment in drafts:
        place = Environment(environment, tuple(schema.default_environment))
        view = next(views(statistics.datasets[0]))
        fired |= {rule for rule in rules if list(rule(view, draft_of(schema, schema.feature[0], place)))}

    assert {rule.__name__ for rule in rules} == {rule.__name__ for rule in fired}


def test_a_sparse_feature_is_accepted_by_taking_it_out_of_use():
    (anomaly,) = validate(_statistics("custom_stats { name: 'missing_value' num: 3 }"), _schema(_SPARSE)).features

    assert patch_lines(anomaly) == ["in sparse_feature 'x' set lifecycle_stage: DEPRECATED"]


def test_a_sparse_feature_that_is_not_in_use_is_not_checked():
    schema = _schema(_SPARSE + " feature { name: 'x' type: INT }")
    schema.sparse_feature[0].lifecycle_stage = schema_pb2.DEPRECATED

    assert validate(_statistics(_NUMBERS), schema).features == ()


def test_a_sparse_feature_without_statistics_is_noted_as_unchecked():
    schema = _schema(_SPARSE + " feature { name: 'y' type: INT }")

    (note,) = validate(_statistics(_NUMBERS, "y"), schema).notes

    assert note.startswith("'x' was not checked: the statistics don't describe this sparse or weighted feature.")


def test_image_formats_that_were_not_counted_are_noted_as_unchecked():
    schema = _schema("feature { name: 'x' type: BYTES image_domain { minimum_supported_image_fraction: 0.5 } }")

    validation = validate(_statistics(_STRINGS), schema)

    assert validation.features == ()
    assert "StatsOptions(enable_semantic_domain_stats=True)" in validation.notes[0]

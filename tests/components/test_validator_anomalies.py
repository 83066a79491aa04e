"""Each type of anomaly, from statistics and a schema to the anomaly, in TFDV's words."""

from dataclasses import dataclass

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.components.validation.anomalies import validate
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.feature_view import serialized_path
from penstock.components.validation.schema_coverage import unchecked_wishes

AnomalyInfo = anomalies_pb2.AnomalyInfo


@dataclass(frozen=True)
class Case:
    """Values of column `x`, its schema, and the one anomaly that follows; `described_as`, if not by that schema."""

    type: str
    values: pa.Array | list
    feature: str
    short: str
    long: str
    domain: str = ""
    environment: str = ""
    described_as: str = ""

    @property
    def schema(self):
        return _schema(self.feature, self.domain)

    @property
    def statistics(self):
        return describe_table(_table(self.values), _schema(self.described_as) if self.described_as else self.schema)


CASES = [
    Case(
        "FEATURE_TYPE_NOT_PRESENT",
        pa.array([None, None], pa.int64()),
        "type: INT presence { min_count: 1 }",
        "Column dropped",
        "The feature was not present in any examples.",
    ),
    Case(
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        [5, None, None],
        "type: INT presence { min_count: 2 }",
        "Column dropped",
        "The feature was present in fewer examples than expected: minimum count = 2, actual = 1",
    ),
    Case(
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        [5, None, None, 6],
        "type: INT presence { min_fraction: 0.75 }",
        "Column dropped",
        "The feature was present in fewer examples than expected: minimum fraction = 0.750000, actual = 0.500000",
    ),
    Case(
        "FEATURE_TYPE_LOW_NUMBER_VALUES",
        [[1, 2], [3]],
        "type: INT value_count { min: 2 }",
        "Missing values",
        "Some examples have fewer values than expected.",
    ),
    Case(
        "FEATURE_TYPE_HIGH_NUMBER_VALUES",
        [[1, 2], [3]],
        "type: INT value_count { min: 1 max: 1 }",
        "Superfluous values",
        "Some examples have more values than expected.",
    ),
    Case(
        "VALUE_NESTEDNESS_MISMATCH",
        [[1, 2], [3]],
        "type: INT value_counts { value_count { min: 1 } value_count { min: 1 } }",
        "Mismatched value nest level",
        "The values have a different nest level than expected. Value counts will not be checked.",
    ),
    Case(
        "INVALID_FEATURE_SHAPE",
        [1, None],
        "type: INT shape { dim { size: 1 } }",
        "Feature shape dropped",
        "The feature has a shape, but it's not always present (if the feature is nested, then it should always be "
        "present at each nested level) or its value lengths vary.",
    ),
    Case(
        "INVALID_FEATURE_SHAPE",
        [[1, 2], [3, 4]],
        "type: INT shape { dim { size: 3 } }",
        "Feature shape dropped",
        "The feature has fixed value length 2 but it's not compatible with the specified shape.",
    ),
    Case(
        "UNEXPECTED_DATA_TYPE",
        ["a"],
        "type: INT",
        "Unexpected data type",
        "Expected data of type: INT but got STRING",
    ),
    Case(
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        ["a"] * 197 + ["b", "b", "c\n"],
        "type: BYTES domain: 'letters'",
        "Unexpected string values",
        "Examples contain values missing from the schema: b (~1%), c\\n (<1%).",
        domain="name: 'letters' value: 'a'",
    ),
    Case(
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        ["a", "a", "a", "b"],
        "type: BYTES string_domain { value: 'a' } distribution_constraints { min_domain_mass: 0.8 }",
        "Unexpected string values",
        "Examples contain values missing from the schema: b (~25%).",
    ),
    Case(
        "ENUM_TYPE_INVALID_UTF8",
        [b"\xff"],
        "type: BYTES string_domain { value: 'a' }",
        "Invalid UTF8 strings",
        "Found strings that were not valid UTF8 strings.",
    ),
    Case(
        "BOOL_TYPE_SMALL_INT",
        [-3, 1],
        "type: INT bool_domain {}",
        "Non-boolean values",
        "Integers (such as -3) not in {0, 1}: converting to an integer.",
    ),
    Case(
        "BOOL_TYPE_BIG_INT",
        [0, 7],
        "type: INT bool_domain {}",
        "Non-boolean values",
        "Integers (such as 7) not in {0, 1}: converting to an integer.",
    ),
    Case(
        "BOOL_TYPE_UNEXPECTED_FLOAT",
        [0.5, 1.0],
        "type: FLOAT bool_domain {}",
        "Non-boolean values",
        "Floats (such as 0.5) not in {0, 1}: converting to float_domain.",
    ),
    Case(
        "BOOL_TYPE_UNEXPECTED_FLOAT",
        [0.0, 1.0, float("nan")],
        "type: FLOAT bool_domain {}",
        "Non-boolean values",
        "Floats (such as NaN) not in {0, 1}: converting to float_domain.",
    ),
    Case(
        "BOOL_TYPE_UNEXPECTED_FLOAT",
        [0.0, *[0.25, 0.5] * 30, 1.0],
        "type: FLOAT bool_domain {}",
        "Non-boolean values",
        "Float values falling between 0 and 1 not in {0, 1}: converting to float_domain.",
    ),
    Case(
        "BOOL_TYPE_UNEXPECTED_STRING",
        ["yes", "no", "maybe"],
        "type: BYTES bool_domain { true_value: 'yes' false_value: 'no' }",
        "Non-boolean values",
        'Saw unexpected value "maybe" instead of {"no", "yes"}.',
    ),
    Case(
        "BOOL_TYPE_INVALID_CONFIG",
        ["yes"],
        "type: BYTES bool_domain { true_value: 'yes' false_value: 'yes' }",
        "Malformed BoolDomain",
        "True and false value equal for BoolDomain: yes. The suggested change is to clear the false_value, but a "
        "domain expert should review this change.",
    ),
    Case(
        "INT_TYPE_SMALL_INT",
        [-1, 5],
        "type: INT int_domain { min: 0 max: 9 }",
        "Out-of-range values",
        "Unexpectedly small value: -1.",
    ),
    Case(
        "INT_TYPE_BIG_INT",
        ["10", "5"],
        "type: BYTES int_domain { min: 0 max: 9 }",
        "Out-of-range values",
        "Unexpectedly large value: 10.",
    ),
    Case(
        "INT_TYPE_NOT_INT_STRING",
        ["10", "ten"],
        "type: BYTES int_domain {}",
        "Invalid values",
        'String values that were not ints were found, such as "ten".',
    ),
    Case(
        "FLOAT_TYPE_SMALL_FLOAT",
        [-0.5, 0.5],
        "type: FLOAT float_domain { min: 0 }",
        "Out-of-range values",
        "Unexpectedly low values: -0.5<0(upto six significant digits)",
    ),
    Case(
        "FLOAT_TYPE_BIG_FLOAT",
        ["1.5", "0.5"],
        "type: BYTES float_domain { max: 1 }",
        "Out-of-range values",
        "Unexpectedly high value: 1.5>1(upto six significant digits)",
    ),
    Case(
        "FLOAT_TYPE_STRING_NOT_FLOAT",
        ["1.5", "much"],
        "type: BYTES float_domain {}",
        "Invalid values",
        'String values that were not floats were found, such as "much".',
    ),
    Case(
        "FLOAT_TYPE_HAS_NAN",
        [0.5, float("nan")],
        "type: FLOAT float_domain { disallow_nan: true }",
        "Invalid values",
        "Float feature has NaN values.",
    ),
    Case(
        "FLOAT_TYPE_HAS_INF",
        [0.5, float("inf")],
        "type: FLOAT float_domain { disallow_inf: true }",
        "Invalid values",
        "Float feature has Inf values.",
    ),
    Case(
        "MAX_IMAGE_BYTE_SIZE_EXCEEDED",
        [b"\xff" * 9],
        "type: BYTES image_domain { max_image_byte_size: 8 }",
        "Num bytes exceeds the max byte size.",
        "The largest image has bytes: 9. The max allowed byte size is: 8.",
    ),
    Case(
        "FEATURE_TYPE_LOW_UNIQUE",
        ["a", "a"],
        "type: BYTES unique_constraints { min: 2 max: 3 }",
        "Low number of unique values",
        "Expected at least 2 unique values but found only 1.",
    ),
    Case(
        "FEATURE_TYPE_HIGH_UNIQUE",
        ["a", "b"],
        "type: BYTES unique_constraints { min: 1 max: 1 }",
        "High number of unique values",
        "Expected no more than 1 unique values but found 2.",
    ),
    Case(
        "FEATURE_TYPE_NO_UNIQUE",
        [1.0, 2.0],
        "type: FLOAT unique_constraints { min: 1 max: 1 }",
        "No unique values",
        "UniqueConstraints specified for the feature, but unique values were not counted (i.e., feature is not "
        "string or categorical).",
    ),
    Case(
        "SCHEMA_NEW_COLUMN",
        [1],
        "type: INT not_in_environment: 'SERVING'",
        "Column missing in environment",
        "New column x found in data but not in the environment SERVING in the schema.",
        environment="SERVING",
    ),
    Case(
        "FEATURE_MISSING_TYPE",
        [1],
        "presence { min_count: 1 }",
        "Missing type",
        "unspecified type: determine the type and set it, rather than deprecating.",
    ),
    Case(
        "DOMAIN_INVALID_FOR_TYPE",
        [1.5],
        "type: FLOAT int_domain {}",
        "The domain does not match the type",
        'The domain "int_domain" does not match the type: FLOAT',
    ),
    Case(
        "DOMAIN_INVALID_FOR_TYPE",
        [b"\xff"],
        "type: BYTES int_domain {}",
        "Invalid domain type",
        "Data is marked as BYTES with incompatible domain_info: int_domain",
        described_as="type: BYTES image_domain {}",
    ),
    Case(
        "INVALID_DOMAIN_SPECIFICATION",
        ["a"],
        "type: BYTES domain: 'letters'",
        "Malformed schema",
        "missing domain: letters",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [1],
        "type: INT presence { min_fraction: -0.5 }",
        "Malformed schema",
        "min_fraction should not be negative: clear is equal to zero",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [1],
        "type: INT presence { min_fraction: 1.5 }",
        "Malformed schema",
        "min_fraction should not greater than 1",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [1],
        "type: INT value_count { min: -1 }",
        "Malformed schema",
        "ValueCount.min should not be negative",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [[1, 2]],
        "type: INT value_count { min: 2 max: 1 }",
        "Malformed schema",
        "ValueCount.max should not be less than min",
    ),
    Case(
        "INVALID_DOMAIN_SPECIFICATION",
        ["a"],
        "type: BYTES string_domain { value: ['a', 'b', 'a'] }",
        "Malformed StringDomain",
        "Repeated values in StringDomain: a",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [[1, 2]],
        "type: INT value_counts { value_count { min: -1 } }",
        "Malformed schema",
        "ValueCounts.min at level 0 should not be negative.",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [[1, 2]],
        "type: INT value_counts { value_count { min: 2 max: 1 } }",
        "Malformed schema",
        "ValueCounts.max at level 0 should not be less than min.",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [[1, 2]],
        "type: INT shape { dim { size: 0 } }",
        "Malformed schema",
        "Shape.dim.size must be a positive integer",
    ),
    Case(
        "INVALID_SCHEMA_SPECIFICATION",
        [1],
        "type: INT int_domain {} distribution_constraints { min_domain_mass: 0.5 }",
        "Malformed schema",
        "distribution constraints not supported for int_domain.",
    ),
]


def _schema(feature, domain=""):
    return text_format.Parse(
        f"feature {{ name: 'x' {feature} }} {f'string_domain {{ {domain} }}' if domain else ''} "
        f"default_environment: ['TRAINING', 'SERVING']",
        schema_pb2.Schema(),
    )


def _table(values):
    return pa.table({"x": values})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}-{case.feature}")
def test_anomaly(case):
    schema = case.schema
    untouched = schema.SerializeToString()

    anomalies = validate(case.statistics, schema, case.environment).proto()

    expected = AnomalyInfo(
        severity=AnomalyInfo.ERROR,
        short_description=case.short,
        description=case.long,
        reason=[AnomalyInfo.Reason(type=case.type, short_description=case.short, description=case.long)],
    )
    expected.path.step.append("x")
    assert dict(anomalies.anomaly_info) == {"x": expected}
    assert anomalies.baseline.SerializeToString() == untouched


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}-{case.feature}")
def test_the_repair_of_an_anomaly_is_accepted(case):
    schema, statistics = case.schema, case.statistics
    after = validate(statistics, schema, case.environment).features[0].after

    repaired = schema_pb2.Schema(
        feature=[after.feature],
        string_domain=[after.domain] if after.domain else [],
        default_environment=schema.default_environment,
    )

    assert validate(statistics, repaired, case.environment).features == ()


def test_missing_column_is_an_error():
    schema = _schema("type: INT presence { min_count: 1 }")

    info = validate(describe_table(pa.table({"y": [1]})), schema).proto().anomaly_info

    assert sorted(info) == ["x", "y"]
    assert (info["x"].short_description, info["x"].severity) == ("Column dropped", AnomalyInfo.ERROR)
    assert info["x"].reason[0].type == AnomalyInfo.SCHEMA_MISSING_COLUMN
    assert info["x"].description == "Column is completely missing"
    assert info["y"].reason[0].type == AnomalyInfo.SCHEMA_NEW_COLUMN
    assert info["y"].description == "New column (column in data but not in schema)"
    assert info["y"].severity == AnomalyInfo.ERROR


@pytest.mark.parametrize(
    "feature",
    [
        "type: INT",
        "type: INT presence { min_count: 1 } lifecycle_stage: DEPRECATED",
        "type: INT presence { min_count: 1 } lifecycle_stage: PLANNED",
        "type: INT presence { min_count: 1 } deprecated: true",
    ],
)
def test_columns_that_nobody_asks_for_may_be_missing(feature):
    schema = _schema(feature)
    schema.feature.add(name="y", type=schema_pb2.INT)

    assert validate(describe_table(pa.table({"y": [1]})), schema).features == ()


def test_a_label_may_be_missing_in_serving():
    schema = _schema("type: INT presence { min_count: 1 } not_in_environment: 'SERVING'")
    schema.feature.add(name="y", type=schema_pb2.INT)
    statistics = describe_table(pa.table({"y": [1]}))

    assert validate(statistics, schema, "SERVING").features == ()
    assert [anomaly.name for anomaly in validate(statistics, schema, "TRAINING").features] == ["x"]


def test_deprecated_columns_are_not_checked():
    schema = _schema("type: INT lifecycle_stage: DEPRECATED int_domain { max: 1 }")

    assert validate(describe_table(_table([5.5])), schema).features == ()


def test_several_findings_are_one_anomaly():
    schema = _schema("type: INT int_domain { min: 2 max: 3 }")

    info = validate(describe_table(_table([1, 9])), schema).proto().anomaly_info["x"]

    assert info.short_description == "Multiple errors"
    assert info.description == "Unexpectedly small value: 1. Unexpectedly large value: 9."
    assert len(info.reason) == 2


def test_strange_strings_within_the_tolerated_mass_are_fine():
    schema = _schema("type: BYTES string_domain { value: 'a' } distribution_constraints { min_domain_mass: 0.75 }")

    assert validate(describe_table(_table(["a", "a", "a", "b"])), schema).features == ()


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [("min_examples_count: 3", "DATASET_LOW_NUM_EXAMPLES"), ("max_examples_count: 1", "DATASET_HIGH_NUM_EXAMPLES")],
)
def test_number_of_examples_out_of_bounds(constraint, expected):
    schema = text_format.Parse(
        f"feature {{ name: 'x' type: INT }} dataset_constraints {{ {constraint} }}", schema_pb2.Schema()
    )

    info = validate(describe_table(_table([1, 2])), schema).proto().dataset_anomaly_info

    assert (AnomalyInfo.Type.Name(info.reason[0].type), info.severity) == (expected, AnomalyInfo.ERROR)


def test_no_examples_at_all():
    schema = _schema("type: INT presence { min_count: 1 }")

    anomalies = validate(describe_table(_table(pa.array([], pa.int64()))), schema).proto()

    assert anomalies.data_missing
    assert not anomalies.anomaly_info


def test_severities_can_be_overridden():
    severities = {AnomalyInfo.SCHEMA_NEW_COLUMN: AnomalyInfo.WARNING}

    validation = validate(describe_table(_table([1])), schema_pb2.Schema(), severities=severities)

    assert validation.features[0].severity == AnomalyInfo.WARNING
    assert not validation.features[0].is_error


def test_statistics_by_name_are_read_like_those_by_path():
    statistics = describe_table(_table([1]))
    statistics.datasets[0].features[0].ClearField("path")
    statistics.datasets[0].features[0].name = "x"

    assert validate(statistics, _schema("type: INT")).features == ()


def test_statistics_of_slices_are_left_aside():
    statistics = describe_table(_table([1]))
    statistics.datasets.add(name="x_1", num_examples=0)

    assert not validate(statistics, _schema("type: INT")).no_data


def test_statistics_of_slices_only_are_refused():
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    statistics.datasets.add(name="a")
    statistics.datasets.add(name="b")

    with pytest.raises(ValueError, match="these hold: 'a', 'b'"):
        validate(statistics, schema_pb2.Schema())


@pytest.mark.parametrize(("name", "path"), [("a b", "a b"), ("a.b", "'a.b'"), ("it's", "'it''s'"), ("(x)", "(x)")])
def test_anomalies_are_keyed_by_tfdvs_paths(name, path):
    assert serialized_path(name) == path


@pytest.mark.parametrize(
    ("schema", "wish"),
    [
        (
            "feature { name: 'x' type: STRUCT struct_domain { feature { name: 'y' group_presence { } } } }",
            "'x.y': group_presence",
        ),
        ("feature { name: 'x' type: INT group_presence { required: true } }", "'x': group_presence"),
        ("feature { name: 'x' type: INT sequence_metadata { } }", "'x': sequence_metadata"),
        ("feature { name: 'x' type: FLOAT float_domain { is_embedding: true } }", "float_domain.is_embedding"),
        (
            "feature { name: 'x' type: BYTES natural_language_domain { sequence_length_constraints { } } }",
            "natural_language_domain.sequence_length_constraints",
        ),
    ],
)
def test_wishes_that_nothing_checks_are_found(schema, wish):
    wishes = unchecked_wishes(text_format.Parse(schema, schema_pb2.Schema()))

    assert len(wishes) == 1
    assert wish in wishes[0]

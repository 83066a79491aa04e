"""ExampleValidator as a gate: when it refuses, what it says, and what it leaves behind."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import ExampleAnomalies, ExampleStatistics, Schema
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.example_validator import ExampleValidator
from penstock.components.validation.schema_inference import infer_schema
from penstock.data import protos
from penstock.pipeline import DataError, GateFailed, ParameterError, Unsupported

TRIPS = pa.table({"fare": [5.0, 7.5], "tip": [1.0, 0.0], "payment": ["Cash", "Card"]})


@pytest.fixture
def validator(tmp_path):
    """Return a function from tables by split, and a schema, to the anomalies that are published."""

    def run(tables, schema=None, **arguments):
        statistics = ExampleStatistics(str(tmp_path / "statistics"), properties={"span": 2})
        for split, table in tables.items():
            protos.write_statistics(statistics.path, split, describe_table(table))
        curated = schema if schema is not None else infer_schema([describe_table(TRIPS)])
        protos.write_schema(str(tmp_path / "schema"), curated)
        anomalies = ExampleAnomalies(str(tmp_path / "anomalies"))
        ExampleValidator(
            statistics=statistics, schema=Schema(str(tmp_path / "schema")), anomalies=anomalies, **arguments
        )
        return anomalies

    return run


def _refusal(validator, *arguments, **options):
    with pytest.raises(GateFailed) as refused:
        validator(*arguments, **options)
    return str(refused.value)


def test_examples_that_fit_pass(validator):
    anomalies = validator({"train": TRIPS, "eval": TRIPS})

    assert anomalies.properties == {"span": 2, "split_names": ["train", "eval"]}
    assert not protos.read_anomalies(anomalies.path, "eval").anomaly_info


def test_a_renamed_label_is_refused_with_its_new_name(validator):
    renamed = TRIPS.rename_columns(["fare", "tips_renamed", "payment"])

    message = _refusal(validator, {"train": renamed, "eval": renamed})

    assert message == (
        "The examples break the schema in 2 places:\n"
        "- splits train, eval, column 'tips_renamed': New column: New column (column in data but not in schema). "
        "[SCHEMA_NEW_COLUMN]\n"
        '  If it is intended, edit the curated schema: add feature { name: "tips_renamed" type: FLOAT presence { '
        "min_fraction: 1.0 min_count: 1 } shape { dim { size: 1 } } }.\n"
        "- splits train, eval, column 'tip': Column dropped: Column is completely missing. [SCHEMA_MISSING_COLUMN]\n"
        "  New in the data: 'tips_renamed'. Was it renamed?\n"
        "  If it is intended, edit the curated schema: in feature 'tip' set lifecycle_stage: DEPRECATED.\n"
        'All of them are in the output "anomalies" (Split-<name>/SchemaDiff.pb). To record anomalies and go on: '
        'ExampleValidator(..., fail_on="never").'
    )


def test_numbers_that_became_text_are_told_with_the_way_to_the_cell(validator):
    table = TRIPS.set_column(0, "fare", [["5.0", "7,5"]])

    message = _refusal(validator, {"eval": table})

    assert (
        "column 'fare': Unexpected data type: Expected data of type: FLOAT but got STRING. [UNEXPECTED_DATA_TYPE]\n"
        "  One odd cell may do that. To have ingestion name its file and line: "
        'column_types={"fare": "float64"} of CsvExampleGen or JsonlExampleGen.\n'
    ) in message


def test_text_that_became_numbers_has_no_odd_cell(validator):
    message = _refusal(validator, {"eval": TRIPS.set_column(2, "payment", [[1, 2]])})

    assert "Expected data of type: BYTES but got INT. [UNEXPECTED_DATA_TYPE]" in message
    assert "odd cell" not in message


def test_anomalies_are_written_though_the_gate_refuses(validator, tmp_path):
    _refusal(validator, {"train": TRIPS, "eval": TRIPS.drop_columns("tip")})

    path = str(tmp_path / "anomalies")
    assert not protos.read_anomalies(path, "train").anomaly_info
    assert list(protos.read_anomalies(path, "eval").anomaly_info) == ["tip"]


def test_a_strange_string_is_shown_with_its_share_and_the_nearest_value(validator):
    table = TRIPS.set_column(2, "payment", [["Cash", "Crad"]])

    message = _refusal(validator, {"eval": table})

    assert "- split eval, column 'payment': Unexpected string values: 'Crad' (~50%) aren't in the domain." in message
    assert "Did you mean 'Card'?" in message
    assert 'edit the curated schema: in string_domain "payment" add value: "Crad".' in message


def test_strange_strings_are_shown_by_example(validator):
    table = pa.table({"fare": [1.0] * 40, "tip": [1.0] * 40, "payment": [f"{'x' * 50}{i}" for i in range(40)]})

    message = _refusal(validator, {"train": table})

    assert "'" + "x" * 39 + "…' (~2%)" in message
    assert "and 35 more aren't in the domain" in message
    assert all(len(line) < 600 for line in message.splitlines())


def test_a_change_of_type_names_both_types(validator):
    table = TRIPS.set_column(0, "fare", [["5", "seven"]])

    message = _refusal(validator, {"train": table})

    assert "column 'fare': Unexpected data type: Expected data of type: FLOAT but got STRING." in message
    assert "in feature 'fare' set type: BYTES (now FLOAT)." in message


def test_a_lower_fraction_names_what_to_set(validator):
    table = TRIPS.set_column(0, "fare", [[5.0, None]])

    message = _refusal(validator, {"train": table})

    assert "in feature 'fare' set presence.min_fraction: 0.5 (now 1), remove shape." in message


def test_at_most_ten_failures_are_listed(validator):
    table = pa.table({**{name: TRIPS[name] for name in TRIPS.column_names}, **{f"new{i}": [1, 2] for i in range(13)}})

    message = _refusal(validator, {"train": table})

    assert "in 13 places" in message
    assert message.count("\n- split") == 10
    assert "\n- and 3 more." in message


def test_a_split_without_examples_is_refused(validator):
    message = _refusal(validator, {"train": TRIPS, "eval": TRIPS.slice(0, 0)})

    assert "- split eval: no example at all." in message


def test_excluded_split_is_not_checked(validator):
    anomalies = validator({"train": TRIPS, "eval": TRIPS.drop_columns("tip")}, exclude_splits=["eval"])

    assert anomalies.properties["split_names"] == ["train"]


def test_recording_only_publishes_and_goes_on(validator, caplog):
    anomalies = validator({"train": TRIPS.drop_columns("tip")}, fail_on="never")

    assert list(protos.read_anomalies(anomalies.path, "train").anomaly_info) == ["tip"]
    assert "column 'tip': Column dropped" in caplog.text


def test_warnings_do_not_stop(validator, caplog):
    table = TRIPS.append_column("new", [[1, 2]])

    validator({"train": table}, severities={"SCHEMA_NEW_COLUMN": "WARNING"})

    assert "split train, column 'new': New column" in caplog.text


def test_an_anomaly_type_that_does_not_exist_is_refused(validator):
    with pytest.raises(ParameterError, match=r"names 'SCHEMA_NEW_COLUMNS', .* Did you mean 'SCHEMA_NEW_COLUMN'\?"):
        validator({"train": TRIPS}, severities={"SCHEMA_NEW_COLUMNS": "WARNING"})


def test_an_environment_that_the_schema_does_not_name_is_refused(validator):
    schema = infer_schema([describe_table(TRIPS)])
    schema.default_environment.extend(["TRAINING", "SERVING"])

    with pytest.raises(ParameterError, match=r"Did you mean 'SERVING'\? It names: SERVING, TRAINING"):
        validator({"train": TRIPS}, schema, environment="SERVNG")


def test_checks_that_are_not_covered_are_refused(validator):
    schema = text_format.Parse(
        "feature { name: 'tip' type: FLOAT group_presence { required: true } }",
        schema_pb2.Schema(),
    )

    with pytest.raises(Unsupported, match=r"feature 'tip': group_presence\. Take them out of the schema"):
        validator({"train": TRIPS}, schema)


@pytest.fixture
def previous(tmp_path):
    """Return a function from tables by split to the statistics of an earlier span."""

    def write(tables):
        for split, table in tables.items():
            protos.write_statistics(str(tmp_path / "previous"), split, describe_table(table))
        return ExampleStatistics(str(tmp_path / "previous"))

    return write


def _watched():
    schema = infer_schema([describe_table(TRIPS)])
    schema.feature[2].drift_comparator.infinity_norm.threshold = 0.25
    return schema


def test_drift_against_the_previous_span_is_refused(validator, previous):
    earlier = previous({"train": pa.table({"fare": [1.0], "tip": [1.0], "payment": ["Cash"]})})

    message = _refusal(validator, {"train": TRIPS}, _watched(), previous_statistics=earlier)

    assert "column 'payment': High Linfty distance between current and previous: " in message
    assert "set drift_comparator.infinity_norm.threshold: 0.5 (now 0.25)" in message


def test_a_split_is_compared_with_the_only_one_that_there_is(validator, previous):
    validator({"eval": TRIPS}, _watched(), previous_statistics=previous({"serving": TRIPS}))


def test_a_split_without_counterpart_is_refused(validator, previous):
    earlier = previous({"train": TRIPS, "test": TRIPS})

    with pytest.raises(DataError, match=r"previous_statistics=\.\.\.\) has nothing to compare split 'eval' with"):
        validator({"eval": TRIPS}, _watched(), previous_statistics=earlier)


def test_a_comparator_without_statistics_to_compare_with_is_told(validator, caplog):
    validator({"train": TRIPS}, _watched())

    assert "'payment': drift_comparator was not checked, without previous_statistics." in caplog.text


def test_the_gate_is_declared_on_the_examples():
    assert ExampleValidator.spec.gates == "statistics.examples"

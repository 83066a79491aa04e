"""BigQueryExampleGen as far as it goes without a cloud: Beam's connector built for real, rows of every type, errors."""

import datetime
import decimal

import apache_beam
import google.auth
import google.auth.credentials
import pytest
from apache_beam.io.gcp.bigquery import _CustomBigQueryStorageSource
from apache_beam.options.pipeline_options import PipelineOptions

from penstock.artifacts import Examples
from penstock.components.ingestion.bigquery_example_gen import BigQueryExampleGen, check_parameters, reading
from penstock.components.ingestion.example_gen import Choice, ingest_landed
from penstock.data import examples
from penstock.data.bigquery_read import BigQueryRead
from penstock.data.row_filter import RowFilter
from penstock.pipeline import Beam, DataError, ParameterError
from tests.components.conftest import rows_of

NOON = datetime.datetime(2024, 5, 1, 12)
ROW = {
    "INT64": 7,
    "FLOAT64": 0.5,
    "BOOL": True,
    "STRING": "x",
    "BYTES": b"\xff",
    "NUMERIC": decimal.Decimal("1.500000000"),
    "BIGNUMERIC": decimal.Decimal("12345678901234567890123456789012345678.25"),
    "DATE": NOON.date(),
    "TIME": NOON.time(),
    "DATETIME": NOON,
    "TIMESTAMP": NOON.replace(tzinfo=datetime.timezone.utc),
    "GEOGRAPHY": "POINT(1 2)",
    "JSON": '{"a": 1}',
    "REPEATED": [1, 2],
    "STRUCT": {"lat": 1.5, "deep": {"n": 1}},
    "RANGE": {"start": NOON.date(), "end": None},
}


def source_of(read, project="payer"):
    """Applies Beam's connector to a pipeline and returns the source that it made; nothing runs."""
    pipeline = apache_beam.Pipeline("FnApiRunner", PipelineOptions(project=project))
    _ = pipeline | "Read" >> reading(read, project)
    found = []

    class Visitor(apache_beam.pipeline.PipelineVisitor):
        def visit_transform(self, node):
            source = getattr(node.transform, "source", None)
            if isinstance(source, _CustomBigQueryStorageSource):
                found.append(source)

        enter_composite_transform = visit_transform

    pipeline.visit(Visitor())
    return found[0]


def test_beams_connector_reads_the_columns_and_rows_of_a_table_as_arrow():
    read = BigQueryRead("shop.taxi.trips", columns=("fare", "place.lat"), row_filter=RowFilter("fare > 3"))

    source = source_of(read)

    table = source.table_reference
    assert (table.projectId, table.datasetId, table.tableId) == ("shop", "taxi", "trips")
    assert (source.selected_fields, source.row_restriction) == (["fare", "place"], "(`fare` > 3)")
    assert source.use_native_datetime
    assert source._get_parent_project() == "payer"
    assert source.display_data()["output_format"] == "ARROW"


def test_beams_connector_runs_a_query_in_google_sql_without_flattening():
    source = source_of(BigQueryRead(query="SELECT 1 AS a", columns=("a",)))

    assert source.query.get() == "SELECT `a` FROM (\nSELECT 1 AS a\n)"
    assert not source.use_legacy_sql
    assert not source.flatten_results
    assert source._get_project() == "payer"


@pytest.fixture
def landed(tmp_path):
    """Takes rows as Beam's connector gives them, all the way to examples."""

    def run(rows, **choice):
        made = Examples(str(tmp_path / "out"))
        source = apache_beam.Create(rows)
        wanted = Choice.of(splits={"a": 1}, **choice)
        ingest_landed("BigQueryExampleGen", made, wanted, Beam(), transform=source, origin="BigQuery")
        return made

    return run


def test_types_of_bigquery_become_those_of_examples(landed):
    empty = dict.fromkeys(ROW) | {"REPEATED": []}

    made = landed([ROW, empty])

    assert made.properties["columns"] == {
        "BIGNUMERIC": "float64",
        "BOOL": "int64",
        "BYTES": "binary",
        "DATE": "int64",
        "DATETIME": "int64",
        "FLOAT64": "float64",
        "GEOGRAPHY": "string",
        "INT64": "int64",
        "JSON": "string",
        "NUMERIC": "float64",
        "RANGE.end": "string",
        "RANGE.start": "int64",
        "REPEATED": "list<int64>",
        "STRING": "string",
        "STRUCT.deep.n": "int64",
        "STRUCT.lat": "float64",
        "TIME": "int64",
        "TIMESTAMP": "int64",
    }
    full = next(row for row in rows_of(made)["a"] if row["INT64"] is not None)
    assert full["TIMESTAMP"] == full["DATETIME"] == 1_714_564_800_000_000
    assert (full["DATE"], full["TIME"]) == (1_714_521_600_000_000, 43_200_000_000)
    assert (full["BOOL"], full["NUMERIC"], full["BIGNUMERIC"]) == (1, 1.5, 1.2345678901234568e37)
    assert (full["STRUCT.lat"], full["STRUCT.deep.n"], full["REPEATED"]) == (1.5, 1, [1, 2])
    other = next(row for row in rows_of(made)["a"] if row["INT64"] is None)
    assert (other["REPEATED"], other["STRUCT.lat"], other["BYTES"]) == ([], None, None)
    stored = examples.arrow_schema(made.path)
    assert [name for name in stored.names if stored.field(name).metadata == {b"unit": b"us"}] == [
        "DATE",
        "DATETIME",
        "RANGE.start",
        "TIME",
        "TIMESTAMP",
    ]


def test_a_field_of_a_struct_can_be_chosen(landed):
    made = landed([ROW, ROW], columns=["STRUCT.lat"])

    assert rows_of(made)["a"] == [{"STRUCT.lat": 1.5}] * 2


@pytest.mark.parametrize(
    ("value", "type_"),
    [([{"sku": "x"}], "list<item: struct<sku: string>>"), (([[1]]), "list<item: list<item: int64>>")],
)
def test_repeated_records_are_refused_by_name(landed, value, type_):
    with pytest.raises(DataError) as caught:
        landed([{"items": value}])

    assert str(caught.value) == (
        f"BigQueryExampleGen: Column 'items' has the type '{type_}'. Examples hold integers, floats, strings, bytes, "
        "times, and lists of these (one level); nested records become columns. Leave the column out with columns=, or "
        "flatten it at the source."
    )


@pytest.fixture
def no_cloud(monkeypatch, tmp_path):
    """No credentials in the environment, in the home folder or on the machine."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def test_missing_credentials_are_told_before_anything_runs(no_cloud, tmp_path):
    with pytest.raises(DataError) as caught:
        BigQueryExampleGen(examples=Examples(str(tmp_path / "out")), table="p.d.t")

    assert str(caught.value) == (
        "BigQueryExampleGen finds no Google credentials: Your default credentials were not found. To set up "
        "Application Default Credentials, see "
        "https://cloud.google.com/docs/authentication/external/set-up-adc for more information. "
        "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the path "
        "of a service account's key."
    )
    assert not (tmp_path / "out").exists()


def test_a_key_file_that_is_not_there_is_named(no_cloud, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))

    with pytest.raises(DataError, match=r"finds no Google credentials: File .*key\.json was not found\."):
        BigQueryExampleGen(examples=Examples(str(tmp_path / "out")), table="p.d.t")


def test_a_project_that_nobody_names_is_asked_for(monkeypatch, tmp_path):
    anonymous = google.auth.credentials.AnonymousCredentials()
    monkeypatch.setattr(google.auth, "default", lambda: (anonymous, None))

    with pytest.raises(ParameterError) as caught:
        BigQueryExampleGen(examples=Examples(str(tmp_path / "out")), query="SELECT 1")

    assert str(caught.value) == (
        "BigQueryExampleGen: neither project= nor the table nor the credentials name the project that pays. Give "
        "project='my-project'."
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "give table= or query=, one of them"),
        ({"query": "DROP TABLE d.t"}, "query= begins with 'DROP', and must read"),
        ({"table": "trips"}, "table='trips' is no table"),
        ({"table": "d.t", "row_filter": "fare >"}, "row_filter='fare >' can't be read"),
        ({"table": "d.t", "splits": {}}, "splits is empty"),
        ({"table": "d.t", "columns": ["a"], "partition_feature": "b"}, "must be among columns="),
    ],
)
def test_impossible_parameters_are_refused_beforehand(parameters, message):
    with pytest.raises(ParameterError, match=f"BigQueryExampleGen: .*{message}"):
        check_parameters(**parameters)

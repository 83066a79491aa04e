"""BigQueryExampleGen: a table or a query of BigQuery becomes examples."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.artifacts import Examples
from penstock.components.ingestion.example_gen import Choice, check_choice, ingest_landed, reading_parameters
from penstock.data.bigquery_read import BigQueryRead
from penstock.data.row_filter import RowFilter
from penstock.pipeline import Beam, DataError, Output, ParameterError, component

if TYPE_CHECKING:
    import apache_beam


def check_parameters(
    *,
    query: str = "",
    table: str = "",
    span: int | None = None,
    span_column: str | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    **others: Any,
) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("BigQueryExampleGen", {"columns": columns, "row_filter": row_filter, **others})
    _read_of(table, query, columns, row_filter, span=span, span_column=span_column)


@component(
    versions=("pyarrow", "apache-beam"),
    precondition="penstock.components.ingestion.bigquery_example_gen:check_parameters",
    cache=False,
)
def BigQueryExampleGen(
    examples: Output[Examples],
    *,
    query: str = "",
    table: str = "",
    project: str | None = None,
    span: int | None = None,
    span_column: str | None = None,
    splits: dict[str, int] | None = None,
    partition_feature: str | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest a table of BigQuery, or what a query gives, and split the rows by hash.

    BigQuery is asked in every run, as no key can know whether it has changed; where the rows are the same, the steps
    after this one come from the cache. A node with `cache=True` asks once for each query or table, again with a new
    `salt=`.

    Rows come through `beam.io.ReadFromBigQuery` and the Storage Read API. BOOL becomes int64, NUMERIC and BIGNUMERIC
    float64 (cast them to STRING to keep every digit), DATE, DATETIME, TIMESTAMP and TIME int64 microseconds, GEOGRAPHY
    and JSON strings, a STRUCT one column a field ("parent.child"), a REPEATED column lists. INTERVAL and repeated
    STRUCTs have no form here: leave them out, or flatten them in a query. BigQuery's rows have no order, so they are
    stored in one that depends on their values alone.

    Credentials are Google's application default ones: `gcloud auth application-default login`, or the variable
    GOOGLE_APPLICATION_CREDENTIALS with the path of a service account's key.

    Args:
        examples: The rows in splits; one shard a split for about each 32 MiB.
        query: One SELECT of GoogleSQL; with `span`, it may ask for `@span_begin_timestamp`, `@span_end_timestamp`
            (seconds since 1970) and `@span_yyyymmdd_utc`, as in TFX.
        table: "project.dataset.table" or "dataset.table", instead of a query.
        project: The project that pays; by default the table's, else that of the credentials.
        span: A day, counted from 1970-01-01.
        span_column: The DATE, DATETIME or TIMESTAMP column of `table` that says a row's day.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        columns: The columns to take, in this order; no others are read.
        row_filter: Which rows to take, as "fare > 3 and company is not null". BigQuery computes it, on its own types:
            a time is compared with a text ("at >= '2024-05-01'"), a BOOL with True or False.
        beam: Where the data work runs.
    """
    with reading_parameters("BigQueryExampleGen"):
        # The condition is computed by BigQuery and not once more on the stored types.
        choice = Choice.of(splits=splits, partition_feature=partition_feature, columns=columns)
    read = _read_of(table, query, columns, row_filter, span=span, span_column=span_column)
    paying = _paying_project(project or beam.options.get("project") or read.project)
    ingest_landed(
        "BigQueryExampleGen",
        examples,
        choice,
        replace(beam, options={**beam.options, "project": paying}),
        transform=reading(read, paying),
        origin="BigQuery",
        span=span or 0,
        fault=DataError,
    )


def reading(read: BigQueryRead, project: str) -> "apache_beam.PTransform":
    """Returns Beam's connector, told what to read and who pays; its elements are dictionaries, one a row."""
    import apache_beam

    return apache_beam.io.ReadFromBigQuery(project=project, **read.arguments())


def _read_of(table: str, query: str, columns: list[str] | None, row_filter: str | None, **spans: Any) -> BigQueryRead:
    with reading_parameters("BigQueryExampleGen"):
        chosen = None if columns is None else tuple(columns)
        return BigQueryRead(table, query, chosen, None if row_filter is None else RowFilter(row_filter), **spans)


def _paying_project(named: str | None) -> str:
    """Returns the project that pays; by default that of the credentials.

    These are looked for in any case: Beam's connector would go on without any, and wait for the network.

    Raises:
        DataError: There are no credentials.
        ParameterError: Nothing names a project.
    """
    import google.auth
    import google.auth.exceptions

    try:
        _, default = google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError as error:
        said = error.args[0] if error.args else error
        raise DataError(
            f"BigQueryExampleGen finds no Google credentials: {said} Run `gcloud auth application-default login`, or "
            "set GOOGLE_APPLICATION_CREDENTIALS to the path of a service account's key."
        ) from None
    if not (named or default):
        raise ParameterError(
            "BigQueryExampleGen: neither project= nor the table nor the credentials name the project that pays. Give "
            "project='my-project'."
        )
    return str(named or default)

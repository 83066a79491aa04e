"""SqlExampleGen: the rows of a database query become examples."""

import importlib.util
from typing import TYPE_CHECKING, Any

from penstock.artifacts import Examples
from penstock.components.ingestion.example_gen import Choice, check_choice, ingest, reading_parameters, selected
from penstock.data.query_spans import check_span, spanned
from penstock.data.query_text import check_reads
from penstock.pipeline import Beam, Output, ParameterError, Secret, component

if TYPE_CHECKING:
    from penstock.data.query_rows import QueryRows


def check_parameters(
    *,
    connection: str,
    query: str,
    partition_column: str | None = None,
    partitions: int = 8,
    span: int | None = None,
    **others: Any,
) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("SqlExampleGen", others)
    if "://" not in connection and not connection.startswith("sqlite:"):
        raise ParameterError(
            f"SqlExampleGen: connection={connection!r} is no SQLAlchemy URL. Write it as "
            "'postgresql+psycopg://user@host/database' or 'sqlite:////folder/file.db', for an ADBC driver as "
            "'postgresql+adbc://user@host/database' or 'sqlite+adbc:////folder/file.db'."
        )
    authority = connection.partition("://")[2].partition("/")[0]
    if ":" in authority.rpartition("@")[0]:
        raise ParameterError(
            "SqlExampleGen: connection= holds a password, which would stand in plan and store. Take it out and give "
            "password=Secret('NAME')."
        )
    if partitions < 1:
        raise ParameterError(f"SqlExampleGen: partitions must be at least 1, got {partitions}.")
    with reading_parameters("SqlExampleGen"):
        check_reads(query)
        check_span(query, span)


@component(
    versions=("pyarrow",), precondition="penstock.components.ingestion.sql_example_gen:check_parameters", cache=False
)
def SqlExampleGen(
    examples: Output[Examples],
    *,
    connection: str,
    query: str,
    password: Secret | None = None,
    partition_column: str | None = None,
    partitions: int = 8,
    span: int | None = None,
    splits: dict[str, int] | None = None,
    partition_feature: str | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest the rows of a query from any database that SQLAlchemy or an ADBC driver reaches, and split them by hash.

    The database is read in every run: no key can know whether it has changed. Where the rows are the same, so is their
    digest, and the steps after this one come from the cache. A node with `cache=True` reads once for each query; a new
    `salt=` (the name of a snapshot, a date) reads again, `cache="7d"` once a week.

    ADBC hands over Arrow's columns instead of values, which takes a seventh of the CPU time; numbers and times come as
    through SQLAlchemy, JSON comes as text. SQLite's columns have no types of their own: through ADBC each has that of
    its first 8,192 rows, and a number in a column of texts becomes one. Needs the extra `penstock[sql]` and the
    database's driver (`penstock[postgresql]`), or `penstock[adbc]`.

    Args:
        examples: The rows in splits; one shard a split for each partition.
        connection: A URL without a password, as "postgresql+psycopg://user@host/database" or "sqlite:////folder/file.db"
            for SQLAlchemy, "postgresql+adbc://user@host/database" or "sqlite+adbc:////folder/file.db" for ADBC. Three
            slashes before a file's name are for one below the pipeline's folder.
        query: One SELECT; it runs in a transaction that only reads, where the database has such. With `span`, it asks
            for `@span_begin_timestamp`, `@span_end_timestamp` (seconds since 1970) or `@span_yyyymmdd_utc`
            ('20240501'), as in TFX.
        password: The password, as Secret("NAME") of an environment variable.
        partition_column: A column of whole numbers in the result; rows are read in parallel by its value.
        partitions: How many parts between its least and its greatest value.
        span: A day, counted from 1970-01-01.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        columns: The columns to take, in this order.
        row_filter: Which rows to take, as "fare > 3 and company is not null"; a WHERE in the query is faster.
        beam: Where the data work runs.
    """
    with reading_parameters("SqlExampleGen"):
        choice = Choice.of(splits=splits, partition_feature=partition_feature, columns=columns, row_filter=row_filter)
    rows = _source(connection)(connection, spanned(query, span), password, partition_column, partitions)
    ingest("SqlExampleGen", examples, choice, beam, source=selected(rows, choice), span=span or 0)


def _source(connection: str) -> "type[QueryRows]":
    from penstock.data.adbc_source import AdbcRows, is_adbc
    from penstock.data.sql_source import SqlRows

    if is_adbc(connection):
        return AdbcRows
    if importlib.util.find_spec("sqlalchemy") is None:
        raise ParameterError("SqlExampleGen needs SQLAlchemy. Install it with: pip install 'penstock[sql]'.")
    return SqlRows

"""SqlExampleGen: the rows of a database query become examples."""

from typing import Any

from penstock.artifacts import Examples
from penstock.components.ingestion.example_gen import Choice, check_choice, ingest, reading_parameters, selected
from penstock.pipeline import Beam, Output, ParameterError, Secret, component


def check_parameters(
    *,
    connection: str,
    query: str,
    partition_column: str | None = None,
    partitions: int = 8,
    **others: Any,
) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("SqlExampleGen", others)
    if "://" not in connection and not connection.startswith("sqlite:"):
        raise ParameterError(
            f"SqlExampleGen: connection={connection!r} is no SQLAlchemy URL. Write it as "
            "'postgresql+psycopg://user@host/database' or 'sqlite:////folder/file.db'."
        )
    authority = connection.partition("://")[2].partition("/")[0]
    if ":" in authority.rpartition("@")[0]:
        raise ParameterError(
            "SqlExampleGen: connection= holds a password, which would stand in plan and store. Take it out and give "
            "password=Secret('NAME')."
        )
    if not query.strip():
        raise ParameterError("SqlExampleGen: query is empty. Write one SELECT.")
    if partitions < 1:
        raise ParameterError(f"SqlExampleGen: partitions must be at least 1, got {partitions}.")


@component(versions=("pyarrow",), precondition="penstock.components.ingestion.sql_example_gen:check_parameters")
def SqlExampleGen(
    examples: Output[Examples],
    *,
    connection: str,
    query: str,
    password: Secret | None = None,
    partition_column: str | None = None,
    partitions: int = 8,
    splits: dict[str, int] | None = None,
    partition_feature: str | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest the rows of a query from any database that SQLAlchemy reaches, and split them by hash.

    The cache knows the query and not the database: give the node `cache=False` to read it every time, or another
    `salt=` when it has changed. Needs the extra `penstock[sql]`, and the database's driver (`penstock[postgresql]`).

    Args:
        examples: The rows in splits; one shard a split for each partition.
        connection: An SQLAlchemy URL without a password, as "postgresql+psycopg://user@host/database".
        query: One SELECT.
        password: The password, as Secret("NAME") of an environment variable.
        partition_column: A column of whole numbers in the result; rows are read in parallel by its value.
        partitions: How many parts between its least and its greatest value.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        columns: The columns to take, in this order.
        row_filter: Which rows to take, as "fare > 3 and company is not null"; a WHERE in the query is faster.
        beam: Where the data work runs.
    """
    from penstock.data.sql_source import SqlRows

    _check_installed()
    with reading_parameters("SqlExampleGen"):
        choice = Choice.of(splits=splits, partition_feature=partition_feature, columns=columns, row_filter=row_filter)
    secret = None if password is None else password.value
    rows = SqlRows(connection, query, secret, partition_column, partitions)
    ingest("SqlExampleGen", examples, choice, beam, source=selected(rows, choice))


def _check_installed() -> None:
    import importlib.util

    if importlib.util.find_spec("sqlalchemy") is None:
        raise ParameterError("SqlExampleGen needs SQLAlchemy. Install it with: pip install 'penstock[sql]'.")

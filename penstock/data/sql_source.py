"""A database that SQLAlchemy reaches as a source: values become columns, batch by batch."""

from __future__ import annotations

import datetime
import decimal
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.data import query_rows
from penstock.data.errors import CellError, DataFormatError
from penstock.data.query_rows import QueryRows, check_names
from penstock.data.value_columns import ValueConflict, array_of

if TYPE_CHECKING:
    import sqlalchemy

_FIRST_ROWS, _MOST_ROWS = 64, 8192
_BATCH_BYTES = 8 << 20
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
"""What keeps a query from changing the database, by SQLAlchemy's name of it."""


@dataclass(frozen=True)
class SqlRows(QueryRows):
    """The rows of a query, by an SQLAlchemy URL."""

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yields the result; rows with long values come in smaller batches."""
        with self._connected() as connection:
            result = self._executed(connection, query)
            if not result.returns_rows:
                raise self.refused("it returns no rows, so it is no SELECT; what it did is rolled back")
            names = list(result.keys())
            check_names(names)
            done, size = 0, _FIRST_ROWS
            while rows := self._fetched(result, size, done):
                batch = _batch(rows, names, done + 1)
                yield batch
                done += len(rows)
                size = min(max(len(rows) * _BATCH_BYTES // max(batch.nbytes, 1), 1), _MOST_ROWS)

    def quoted(self, column: str) -> str:
        """Returns a column's name as the database's dialect writes it."""
        import sqlalchemy

        dialect = sqlalchemy.make_url(self.url).get_dialect()()
        return str(dialect.identifier_preparer.quote(column))

    def names(self, query: str) -> list[str]:
        """Returns the columns of a query."""
        with self._connected() as connection:
            return list(self._executed(connection, query).keys())

    def _connected(self) -> sqlalchemy.Connection:
        import sqlalchemy
        from sqlalchemy import exc

        try:
            url = sqlalchemy.make_url(self.url)
            if self.password is not None:
                url = url.set(password=self.password.value)
            if url.drivername.startswith("postgresql+psycopg"):
                url = url.update_query_dict({"connect_timeout": str(query_rows.CONNECT_SECONDS), **url.query})
            if url.get_backend_name() == "sqlite":
                self._check_file(url.database)
            connection = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect()
            if (statement := _READ_ONLY.get(connection.dialect.name)) is not None:
                connection.exec_driver_sql(statement)
            return connection
        except (exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise DataFormatError(f"{self.url}: there is no driver for it here: {error}. Install it.") from error
        except exc.ArgumentError as error:
            raise DataFormatError(
                f"connection={self.url!r} is no SQLAlchemy URL. Write it as 'postgresql+psycopg://user@host/database' "
                "or 'sqlite:////folder/file.db'."
            ) from error
        except exc.DBAPIError as error:
            raise self.unreachable(error.orig) from None

    def _check_file(self, path: str | None) -> None:
        """Refuses a file that isn't there, which SQLite would make."""
        if path and path != ":memory:" and not path.startswith("file:") and not os.path.isfile(path):
            raise self.unreachable(f"there is no file {path}")

    def _executed(self, connection: sqlalchemy.Connection, query: str) -> Any:
        import sqlalchemy
        from sqlalchemy import exc

        # A colon of the user's own, as in '12:30' or a cast, is no parameter.
        text = sqlalchemy.text(query.replace(":", r"\:"))
        try:
            return connection.execution_options(stream_results=True).execute(text)
        except exc.DBAPIError as error:
            raise self.refused(error.orig) from None

    def _fetched(self, result: Any, size: int, done: int) -> Sequence[Any]:
        from sqlalchemy import exc

        try:
            rows: Sequence[Any] = result.fetchmany(size)
        except exc.DBAPIError as error:
            raise self.broken_off(done, error.orig) from None
        return rows


def _batch(rows: Sequence[Any], names: Sequence[str], first: int) -> pa.RecordBatch:
    arrays = []
    for position, name in enumerate(names):
        try:
            arrays.append(array_of([_plain(row[position]) for row in rows], name))
        except ValueConflict as error:
            raise CellError(
                f"Row {first + error.row} of the query: column {name!r} {error.problem}. Cast the column in the query.",
                line=first + error.row,
                column=name,
            ) from None
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _plain(value: Any) -> Any:
    """Returns a driver's value as one that Arrow knows; decimals as integers or floats, as Parquet's are stored."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.timezone.utc)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value

"""A database as a source: the rows of a query, whole or in partitions by the bounds of a column."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from penstock.data.errors import CellError, DataFormatError, NoDataError, UnsupportedDataError, shortened
from penstock.data.row_source import Placed, SourceRange, TypedSource
from penstock.data.value_columns import ValueConflict, array_of

if TYPE_CHECKING:
    import sqlalchemy

_BATCH_ROWS = 8192


@dataclass(frozen=True)
class SqlRows(TypedSource):
    """The rows of a query.

    Attributes:
        url: An SQLAlchemy URL without a password.
        query: One SELECT.
        password: Never shown.
        partition_column: A column of whole numbers in the query's result, by whose value rows are partitioned.
        partitions: How many.
    """

    url: str
    query: str
    password: str | None = None
    partition_column: str | None = None
    partitions: int = 1
    unit: ClassVar[str] = "row"

    def __repr__(self) -> str:
        """Show everything but the password."""
        return f"SqlRows({self.url!r}, {self.query!r})"

    def ranges(self) -> list[SourceRange]:
        """Returns the partitions: equal steps between the least and the greatest value of the column.

        Raises:
            NoDataError: The query returns nothing.
            DataFormatError: The database can't be reached, or refuses the query.
        """
        if self.partition_column is None:
            return [SourceRange(0, "", None)]
        least, greatest = self._bounds(self.partition_column)
        count = min(self.partitions, greatest - least + 1)
        edges = [least + (greatest - least + 1) * index // count for index in range(count + 1)]
        # What has no value belongs to no step; it is read with the first.
        return [SourceRange(index, "", (edges[index], edges[index + 1])) for index in range(count)]

    def _bounds(self, column: str) -> tuple[int, int]:
        with self._connected() as connection:
            name = connection.dialect.identifier_preparer.quote(column)
            bounds = f"SELECT min({name}), max({name}) FROM ({self._query()}) AS penstock_rows"  # noqa: S608
            row = self._executed(connection, bounds, {}).one()
        if row[0] is None:
            raise NoDataError(f"The query returns no row with a {column!r}: {shortened(self.query, 80)}.")
        if not all(isinstance(each, int) for each in row):
            raise UnsupportedDataError(
                f"partition_column={column!r} must hold whole numbers, it holds {type(row[0]).__name__}. "
                "Name another column, or leave it out.",
                column=column,
            )
        return int(row[0]), int(row[1])

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of a partition.

        Raises:
            DataFormatError: The database can't be reached or refuses the query, or values can't be stored.
        """
        query, values = self._query(), {}
        with self._connected() as connection:
            if range_.part is not None:
                name = connection.dialect.identifier_preparer.quote(self.partition_column or "")
                within = f"{name} >= :penstock_low AND {name} < :penstock_high"
                within = within if range_.index else f"({within} OR {name} IS NULL)"
                query = f"SELECT * FROM ({query}) AS penstock_rows WHERE {within}"  # noqa: S608
                values = {"penstock_low": range_.part[0], "penstock_high": range_.part[1]}
            result = self._executed(connection, query, values)
            names = list(result.keys())
            _check_names(names)
            number = 1
            while rows := self._fetched(result):
                yield Placed(_batch(rows, names, number), range(number, number + len(rows)))
                number += len(rows)

    def _query(self) -> str:
        # A colon of the user's own, as in '12:30' or a cast, is no parameter.
        return self.query.strip().rstrip(";").replace(":", r"\:")

    def _connected(self) -> sqlalchemy.Connection:
        import sqlalchemy
        from sqlalchemy import exc

        try:
            url = sqlalchemy.make_url(self.url)
            if self.password is not None:
                url = url.set(password=self.password)
            return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect()
        except exc.ArgumentError as error:
            raise DataFormatError(
                f"connection={self.url!r} is no SQLAlchemy URL. Write it as 'postgresql+psycopg://user@host/database' "
                "or 'sqlite:////folder/file.db'."
            ) from error
        except (exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise DataFormatError(f"{self.url}: there is no driver for it here: {error}. Install it.") from error
        except exc.DBAPIError as error:
            raise DataFormatError(
                f"{self.url} can't be reached or refuses the credentials: {self._said(error)}. Check host, database, "
                "user and the password's secret."
            ) from None

    def _executed(self, connection: sqlalchemy.Connection, query: str, values: Mapping[str, Any]) -> Any:
        import sqlalchemy
        from sqlalchemy import exc

        try:
            text = sqlalchemy.text(query)
            return connection.execution_options(stream_results=True).execute(text, dict(values))
        except exc.DBAPIError as error:
            raise DataFormatError(
                f"The database refuses the query {shortened(self.query, 80)}: {self._said(error)}. Correct it."
            ) from None

    def _fetched(self, result: Any) -> Sequence[Any]:
        from sqlalchemy import exc

        try:
            rows: Sequence[Any] = result.fetchmany(_BATCH_ROWS)
        except exc.DBAPIError as error:
            raise DataFormatError(f"{self.url}: reading broke off: {self._said(error)}. Run the step again.") from None
        return rows

    def _said(self, error: Any) -> str:
        """Returns what the database said, without the password."""
        text = " ".join(str(error.orig).split())
        return shortened(text.replace(self.password, "***") if self.password else text, 200)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not name or names.count(name) > 1:
            raise DataFormatError(
                f"The columns of a query must have names of their own; {name!r} is there {names.count(name)} times. "
                "Name them in the query with AS.",
                column=name,
            )


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
    """Returns a driver's value as one that Arrow knows; decimals as floats, as Parquet's are stored."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.timezone.utc)
    return value

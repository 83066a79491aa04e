"""The rows of a database query as a source, whatever reaches the database: partitions, and what is said of queries."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from penstock.data.errors import DataFormatError, NoDataError, UnknownColumnError, UnsupportedDataError, shortened
from penstock.data.row_source import Placed, SourceRange, TypedSource

CONNECT_SECONDS = 15
"""How long PostgreSQL is waited for, where the URL says no `connect_timeout`: libpq itself would wait for ever."""


class Password(Protocol):
    """A word that is looked up where it is needed, and shown nowhere."""

    @property
    def value(self) -> str:
        """The word."""
        ...


@dataclass(frozen=True)
class QueryRows(TypedSource):
    """The rows of a query.

    Attributes:
        url: Where the database is, without a password.
        query: One SELECT.
        password: Its name travels to whoever reads, not the word itself.
        partition_column: A column of whole numbers in the query's result, by whose value rows are partitioned.
        partitions: How many.
    """

    url: str
    query: str
    password: Password | None = None
    partition_column: str | None = None
    partitions: int = 1
    unit: ClassVar[str] = "row"

    @abstractmethod
    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yields the result of a query on a connection of its own.

        Raises:
            DataFormatError: The database can't be reached or refuses the query, or values can't be stored.
        """

    @abstractmethod
    def quoted(self, column: str) -> str:
        """Returns a column's name as the database wants it."""

    @abstractmethod
    def names(self, query: str) -> list[str]:
        """Returns the columns of a query.

        Raises:
            DataFormatError: The database can't be reached or refuses the query.
        """

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
        name = self.quoted(column)
        bounds = f"SELECT min({name}) AS least, max({name}) AS greatest FROM ({self._query}) AS penstock_rows"  # noqa: S608
        try:
            row = next(batch for batch in self.batches(bounds) if batch.num_rows).to_pylist()[0]
        except DataFormatError:
            self._check_column(column)
            raise
        least, greatest = row.values()
        if least is None:
            raise NoDataError(f"The query returns no row with a {column!r}: {shortened(self.query, 80)}.")
        if not all(isinstance(each, int) for each in (least, greatest)):
            self._check_column(column)  # SQLite takes the name of a column that isn't there for a text
            raise UnsupportedDataError(
                f"partition_column={column!r} must hold whole numbers, it holds {type(least).__name__}. "
                "Name another column, or leave it out.",
                column=column,
            )
        return least, greatest

    def _check_column(self, column: str) -> None:
        names = self.names(f"SELECT * FROM ({self._query}) AS penstock_rows WHERE 1 = 0")  # noqa: S608
        if column.casefold() not in map(str.casefold, names):
            near = difflib.get_close_matches(column, names, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnknownColumnError(
                f"partition_column={column!r} is no column of the query.{hint} Its columns: {', '.join(names)}.",
                column=column,
            )

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of a partition.

        Raises:
            DataFormatError: The database can't be reached or refuses the query, or values can't be stored.
        """
        number = 1
        for batch in self.batches(self._query if range_.part is None else self._partition(range_)):
            yield Placed(batch, range(number, number + batch.num_rows))
            number += batch.num_rows

    def _partition(self, range_: SourceRange) -> str:
        name = self.quoted(self.partition_column or "")
        low, high = range_.part
        within = f"{name} >= {low:d} AND {name} < {high:d}"
        within = within if range_.index else f"({within} OR {name} IS NULL)"
        return f"SELECT * FROM ({self._query}) AS penstock_rows WHERE {within}"  # noqa: S608 - numbers of our own

    @property
    def _query(self) -> str:
        return self.query.strip().rstrip(";").rstrip()

    def unreachable(self, said: Any) -> DataFormatError:
        """Returns the error of a connection that failed."""
        return DataFormatError(
            f"{self.url} can't be reached or refuses the credentials: {self._hidden(said)}. Check host, database, "
            "user and the password's secret."
        )

    def refused(self, said: Any) -> DataFormatError:
        """Returns the error of a query that the database won't run."""
        return DataFormatError(
            f"The database refuses the query {shortened(self.query, 80)}: {self._hidden(said)}. Correct it."
        )

    def broken_off(self, rows: int, said: Any, repair: str = "Run the step again") -> DataFormatError:
        """Returns the error of a result that ends before its end."""
        return DataFormatError(f"{self.url}: reading broke off after row {rows}: {self._hidden(said)}. {repair}.")

    def _hidden(self, said: Any) -> str:
        """Returns what the database said, without the password."""
        text = " ".join(str(said).split())
        return shortened(text.replace(self.password.value, "***") if self.password else text, 200)


def check_names(names: Sequence[str]) -> None:
    """Checks that the columns of a result have names of their own.

    Raises:
        DataFormatError: They don't.
    """
    for name in names:
        if not name or names.count(name) > 1:
            raise DataFormatError(
                f"The columns of a query must have names of their own; {name!r} is there {names.count(name)} times. "
                "Name them in the query with AS.",
                column=name,
            )

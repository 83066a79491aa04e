"""A database that an ADBC driver reaches as a source: its Arrow batches are taken as they come, no value is touched."""

from __future__ import annotations

import importlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.compute as pc

from penstock.data import query_rows
from penstock.data.errors import CellError, DataFormatError, UnsupportedDataError, shortened
from penstock.data.query_rows import QueryRows, check_names
from penstock.data.raw_feature import is_list

DRIVERS = ("postgresql", "sqlite")
_BATCH_ROWS = 8192
_TYPES_BY_ROWS = "adbc.sqlite.query.batch_rows"


def is_adbc(url: str) -> bool:
    """Whether a URL asks for an ADBC driver: "postgresql+adbc://..."."""
    return url.partition(":")[0].endswith("+adbc")


@dataclass(frozen=True)
class AdbcRows(QueryRows):
    """The rows of a query, by a URL such as "postgresql+adbc://user@host/database" or "sqlite+adbc:////folder/file.db"."""

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yields the result as the driver gives it; PostgreSQL's NUMERIC and UUID as examples have them."""
        with self._connected() as connection, connection.cursor() as cursor:
            reader = self._executed(connection, cursor, query)
            check_names(reader.schema.names)
            yield from self._read(reader)

    def names(self, query: str) -> list[str]:
        """Returns the columns of a query."""
        with self._connected() as connection, connection.cursor() as cursor:
            return list(self._executed(connection, cursor, query).schema.names)

    def _executed(self, connection: Any, cursor: Any, query: str) -> Any:
        try:
            if self._database == "sqlite":
                cursor.adbc_statement.set_options(**{_TYPES_BY_ROWS: _BATCH_ROWS})
            else:
                cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(query)
            return cursor.fetch_record_batch()
        except connection.Error as error:
            raise self.refused(error) from None

    def quoted(self, column: str) -> str:
        """Returns a column's name in the quotes of standard SQL."""
        return '"' + column.replace('"', '""') + '"'

    @property
    def _database(self) -> str:
        return self.url.partition("+adbc:")[0]

    def _read(self, reader: Any) -> Iterator[pa.RecordBatch]:
        done = 0
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                if "Type mismatch" in str(error):
                    raise self.broken_off(done, error, _TYPE_REPAIR) from None
                raise self.broken_off(done, error) from None
            yield _as_examples(batch, done + 1, typed=self._database != "sqlite")
            done += batch.num_rows

    def _connected(self) -> Any:
        driver = self._driver()
        if self._database == "sqlite":
            path = urlsplit(self.url).path[1:]
            if not os.path.isfile(path):
                raise self.unreachable(f"there is no file {path}")
            uri = f"file:{quote(path)}?mode=ro"
        else:
            uri = self._uri()
        try:
            return driver.connect(uri)
        except driver.Error as error:
            raise self.unreachable(error) from None

    def _driver(self) -> Any:
        if self._database not in DRIVERS:
            raise DataFormatError(
                f"{self.url}: there is no ADBC driver for {self._database!r} here, there are {' and '.join(DRIVERS)}. "
                "Reach other databases by SQLAlchemy: 'mysql+pymysql://user@host/database'."
            )
        try:
            return importlib.import_module(f"adbc_driver_{self._database}.dbapi")
        except ModuleNotFoundError as error:
            raise DataFormatError(
                f"{self.url} needs the ADBC driver for {self._database}: {error}. Install it with: "
                "pip install 'penstock[adbc]'."
            ) from error

    def _uri(self) -> str:
        """Returns what the driver wants, the password within."""
        parts = urlsplit(self.url)
        if "connect_timeout=" not in parts.query:
            waiting = f"connect_timeout={query_rows.CONNECT_SECONDS}"
            parts = parts._replace(query=f"{parts.query}&{waiting}" if parts.query else waiting)
        if self.password is None:
            return urlunsplit(parts._replace(scheme=self._database))
        user, _, host = parts.netloc.rpartition("@")
        secret = quote(self.password.value, safe="")
        return urlunsplit(parts._replace(scheme=self._database, netloc=f"{user}:{secret}@{host}"))


_TYPE_REPAIR = (
    f"SQLite's columns have no types of their own, ADBC takes those of the first {_BATCH_ROWS} rows. Cast the column "
    "in the query, or take SQLAlchemy's URL, 'sqlite:///...'"
)


def _as_examples(batch: pa.RecordBatch, first: int, *, typed: bool) -> pa.RecordBatch:
    """Returns a driver's batch; where columns have no types of their own, one without a value has none."""
    columns = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        try:
            empty = not typed and column.null_count == len(column)
            columns.append(pa.nulls(len(column)) if empty else _column(column, field.name))
        except pa.ArrowInvalid as error:
            raise CellError(
                f"Rows {first} to {first + len(column) - 1} of the query: column {field.name!r} holds a number that "
                f"can't be stored: {shortened(str(error), 120)}. Cast the column in the query.",
                line=first,
                column=field.name,
            ) from None
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _column(column: pa.Array, name: str) -> pa.Array:
    if is_list(column.type) and isinstance(column.type.value_type, pa.BaseExtensionType):
        first, last = (column.offsets[at].as_py() for at in (0, len(column)))
        inner = _column(column.values.slice(first, last - first), name)
        offsets = pc.subtract(column.offsets, column.offsets[0])
        return pa.ListArray.from_arrays(offsets, inner, mask=column.is_null() if column.null_count else None)
    if isinstance(column.type, pa.OpaqueType):
        if column.type.type_name != "numeric":
            raise UnsupportedDataError(
                f"Column {name!r} of the query has the type {column.type.type_name!r} of "
                f"{column.type.vendor_name}, which comes as bytes. Cast it in the query, as to text.",
                column=name,
            )
        return _numbers(column.storage)
    if isinstance(column.type, pa.UuidType):
        return pa.array([None if each is None else str(uuid.UUID(bytes=each)) for each in column.storage.to_pylist()])
    return column


def _numbers(texts: pa.StringArray) -> pa.Array:
    """Returns decimals that come as texts: integers where none has a fraction, else floats."""
    fractions = pc.any(pc.match_substring_regex(texts, r"[^\d-]"), min_count=0).as_py()
    return texts.cast(pa.float64() if fractions else pa.int64())

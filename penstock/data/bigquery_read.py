"""What BigQuery is asked for: a table with its columns and condition, or a query, as the arguments of Beam's connector.

Of a table, columns and condition go to the Storage Read API, which sends only what is asked for and costs no query. A
query is wrapped, so that only the chosen columns of its result are stored and sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from penstock.data.errors import shortened
from penstock.data.query_spans import check_span, day_of, spanned
from penstock.data.query_text import check_reads
from penstock.data.row_filter import RowFilter, columns_needed

_TABLE = re.compile(r"(?:(?P<project>[^`\s]+)[.:])?(?P<dataset>\w+)\.(?P<table>[-\w$]+)")


@dataclass(frozen=True)
class BigQueryRead:
    """Rows of a table or of a query.

    Attributes:
        table: "project.dataset.table" or "dataset.table"; "" where there is a query.
        query: One SELECT of GoogleSQL. `@span_begin_timestamp` and `@span_end_timestamp` become the seconds since 1970
            at which the span begins and ends, `@span_yyyymmdd_utc` its day as '20240501', as in TFX.
        columns: The columns to take; of a nested one ("parent.child") the whole parent is read.
        row_filter: Which rows to take, in BigQuery's own types.
        span: A day, counted from 1970-01-01.
        span_column: The DATE, DATETIME or TIMESTAMP column of a table whose day is the span; UTC.
    """

    table: str = ""
    query: str = ""
    columns: tuple[str, ...] | None = None
    row_filter: RowFilter | None = None
    span: int | None = None
    span_column: str | None = None

    def __post_init__(self) -> None:
        if bool(self.table) == bool(self.query.strip()):
            raise ValueError("give table= or query=, one of them.")
        if self.table:
            self._check_table()
        else:
            check_reads(self.query)
            check_span(self.query, self.span)
        for name in (*(self.columns or ()), self.span_column or ""):
            _quoted(name)

    def _check_table(self) -> None:
        match = _TABLE.fullmatch(self.table)
        if match is None:
            raise ValueError(f"table={self.table!r} is no table. Write 'project.dataset.table' or 'dataset.table'.")
        if "$" in match["table"]:
            raise ValueError(
                f"table={self.table!r} names a partition, which the Storage Read API doesn't know. Give span= and "
                "span_column= instead (for partitions by load time: span_column='_PARTITIONTIME')."
            )
        if (self.span is None) != (self.span_column is None):
            raise ValueError("of a table, span= and span_column= belong together: give both or none.")

    @property
    def project(self) -> str | None:
        """The project that the table says it is in."""
        match = _TABLE.fullmatch(self.table)
        return None if match is None else match["project"]

    def arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `beam.io.ReadFromBigQuery`."""
        read = {"method": "DIRECT_READ", "use_native_datetime": True}
        if self.query:
            return {**read, "query": self._wrapped(), "use_standard_sql": True, "flatten_results": False}
        roots = self._roots()
        condition = self._condition()
        match = _TABLE.fullmatch(self.table)
        assert match is not None
        project = f"{match['project']}:" if match["project"] else ""
        return {
            **read,
            "table": f"{project}{match['dataset']}.{match['table']}",
            **({"selected_fields": roots} if roots is not None else {}),
            **({"row_restriction": condition} if condition else {}),
        }

    def _roots(self) -> list[str] | None:
        """Returns the columns of the first level that are needed: the condition is computed where the data is."""
        needed = columns_needed(self.columns, None)
        return None if needed is None else list(dict.fromkeys(name.split(".")[0] for name in needed))

    def _condition(self) -> str:
        conditions = [] if self.row_filter is None else [self.row_filter.sql(_quoted)]
        if self.span is not None and self.span_column is not None:
            column = _quoted(self.span_column)
            first, last = day_of(self.span), day_of(self.span + 1)
            # A text is a date, a datetime or a timestamp, whichever it is compared with; partitions are pruned by it.
            conditions.append(f"({column} >= '{first}' AND {column} < '{last}')")
        return " AND ".join(conditions)

    def _wrapped(self) -> str:
        query = spanned(self.query.strip().rstrip(";").rstrip(), self.span)
        roots, condition = self._roots(), self._condition()
        if roots is None and not condition:
            return query
        chosen = "*" if roots is None else ", ".join(map(_quoted, roots))
        # The closing bracket stands on a line of its own: the query may end with a comment.
        where = f" WHERE {condition}" if condition else ""
        return f"SELECT {chosen} FROM (\n{query}\n){where}"  # noqa: S608 - the query is the user's own


def _quoted(name: str) -> str:
    """Returns a column as GoogleSQL writes it, "parent.child" as `parent`.`child`.

    Raises:
        ValueError: It can't be the name of a column.
    """
    if any(character in name for character in "`\\\n"):
        raise ValueError(f"{shortened(name)} can't be a column of BigQuery: it has a backtick, backslash or newline.")
    return ".".join(f"`{part}`" for part in name.split("."))

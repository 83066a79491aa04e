"""Choosing columns and rows of any source while it is read, where the format can't do it by itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from penstock.data.bad_rows import BadRow
from penstock.data.errors import DataFormatError, UnknownColumnError, shortened
from penstock.data.row_filter import RowFilter
from penstock.data.row_source import RangeRows, RowSource, SourceRange


@dataclass(frozen=True)
class SelectedRows:
    """A source of which some columns and rows are taken; itself a source."""

    source: RowSource
    columns: tuple[str, ...] | None = None
    row_filter: RowFilter | None = None

    def ranges(self) -> Sequence[SourceRange]:
        """Returns the source's ranges."""
        return self.source.ranges()

    def read(self, range_: SourceRange, types: pa.Schema | None) -> RangeRows:
        """Opens a range."""
        return _SelectedRange(self.source.read(range_, types), self, types is not None)

    def settle(self, learned: Sequence[dict[str, Any]]) -> pa.Schema:
        """Returns the types of all columns that are read.

        Raises:
            DataFormatError: A chosen column isn't there.
        """
        types = self.source.settle(learned)
        if types.names:  # else no range had a row
            check_choice(self.columns, self.row_filter, types.names)
        return types

    def selected(self, schema: pa.Schema) -> pa.Schema:
        """Returns the columns that are kept, in the order chosen."""
        if self.columns is None or not schema.names:
            return schema
        return pa.schema([schema.field(name) for name in self.columns])


def check_choice(
    columns: Sequence[str] | None, row_filter: RowFilter | None, present: Sequence[str], file: str = ""
) -> None:
    """Checks that the columns that are chosen and those of the condition are there.

    Raises:
        UnknownColumnError: One is not.
    """
    check_columns(columns or (), present, "columns=", file)
    if row_filter is not None:
        check_columns(row_filter.columns, present, f"row_filter={row_filter.text!r}", file)


def check_columns(needed: Sequence[str], present: Sequence[str], parameter: str, file: str = "") -> None:
    """Checks that the columns that a parameter names are there.

    Raises:
        UnknownColumnError: One is not.
    """
    for name in needed:
        if name not in present:
            near = difflib.get_close_matches(name, present, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            where = f" of {file}" if file else ""
            raise UnknownColumnError(
                f"{parameter} names {name!r}, which is no column{where}.{hint} The columns: {', '.join(present)}.",
                file=file,
                column=name,
            )


def filtered(batch: pa.RecordBatch, row_filter: RowFilter) -> pa.RecordBatch:
    """Returns the rows for which a condition is true.

    Raises:
        DataFormatError: The condition compares a column with a value of another type.
    """
    try:
        kept = pa.Table.from_batches([batch]).filter(row_filter.expression()).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        types = ", ".join(f"{name} is {batch.schema.field(name).type}" for name in row_filter.columns)
        raise DataFormatError(
            f"row_filter={row_filter.text!r} can't be computed: {shortened(str(error), 120)}. Here {types}; "
            "compare a column with values of its own type."
        ) from error
    batches = kept.to_batches()
    return batches[0] if batches else batch.slice(0, 0)


@dataclass
class _SelectedRange:
    """A range of selected rows."""

    rows: RangeRows
    selection: SelectedRows
    settled: bool
    schema: pa.Schema | None = None
    _failed: bool = False

    @property
    def consistent(self) -> bool:
        return self.rows.consistent and not self._failed

    @property
    def learned(self) -> dict[str, Any]:
        return self.rows.learned

    @property
    def bad(self) -> Sequence[BadRow]:
        return self.rows.bad

    def batches(self) -> Iterator[pa.RecordBatch]:
        columns, row_filter = self.selection.columns, self.selection.row_filter
        for batch in self.rows.batches():
            if self._failed:
                continue
            try:
                check_choice(columns, row_filter, batch.schema.names)
                kept = filtered(batch, row_filter) if row_filter else batch
            except DataFormatError:
                # The range's own types may be narrower than those of all ranges, or lack a column.
                if self.settled:
                    raise
                self._failed = True
                continue
            kept = kept.select(columns) if columns is not None else kept
            self.schema = self.schema or kept.schema
            yield kept

"""Choosing columns and rows of any source while it is read, where the format can't do it by itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from penstock.data.bad_rows import BadRow
from penstock.data.errors import DataFormatError, shortened
from penstock.data.row_filter import RowFilter, columns_needed
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
        needed = [*(self.columns or ()), *(self.row_filter.columns if self.row_filter else ())]
        if types.names:  # else no range had a row
            check_columns(needed, types.names)
        return types

    def selected(self, schema: pa.Schema) -> pa.Schema:
        """Returns the columns that are kept, in the order chosen."""
        if self.columns is None or not schema.names:
            return schema
        return pa.schema([schema.field(name) for name in self.columns])


def check_columns(needed: Sequence[str], present: Sequence[str], file: str = "") -> None:
    """Checks that chosen columns are there.

    Raises:
        DataFormatError: One is not.
    """
    for name in needed:
        if name not in present:
            near = difflib.get_close_matches(name, present, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            where = f" of {file}" if file else ""
            raise DataFormatError(
                f"columns= or row_filter= names {name!r}, which is no column{where}.{hint} "
                f"The columns: {', '.join(present)}.",
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
        needed = columns_needed(self.selection.columns, self.selection.row_filter)
        for batch in self.rows.batches():
            if self._failed:
                continue
            try:
                check_columns(needed or (), batch.schema.names)
                kept = filtered(batch, self.selection.row_filter) if self.selection.row_filter else batch
            except DataFormatError:
                # The range's own types may be narrower than those of all ranges, or lack a column.
                if self.settled:
                    raise
                self._failed = True
                continue
            kept = kept.select(self.selection.columns) if self.selection.columns is not None else kept
            self.schema = self.schema or kept.schema
            yield kept

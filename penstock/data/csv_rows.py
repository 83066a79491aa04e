"""CSV files as a source of rows: ranges of bytes, types by the cells of all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from penstock.data.csv_cells import Kind
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_read import RangeReader, check_column_types, schema_of
from penstock.data.csv_source import plan_ranges
from penstock.data.row_source import RangeRows, SourceRange

_SURPRISE = (
    "Column %r is stored as text, with all its digits, since %s. Declare column_types={%r: 'string'} if that is meant, "
    "'float64' to round, or 'int64' to find the cells."
)


@dataclass(frozen=True)
class CsvRows:
    """The rows of CSV files that have the same columns.

    Attributes:
        paths: The files.
        format: The dialect.
        quarantine: Whether bad rows are set aside; else the first one is an error.
    """

    paths: tuple[str, ...]
    format: CsvFormat = field(default_factory=CsvFormat)
    quarantine: bool = False

    def ranges(self) -> list[SourceRange]:
        """Cuts the files; every range knows the columns in the order of the first file.

        Raises:
            DataFormatError: The data is at fault.
        """
        ranges = plan_ranges(self.paths, self.format)
        first = ranges[0].file
        check_column_types(self.format, first)
        return [SourceRange(each.index, each.file.path, (each, first.names)) for each in ranges]

    def read(self, range_: SourceRange, types: pa.Schema | None) -> RangeRows:
        """Opens a range."""
        part, columns = range_.part
        return RangeReader(part, self.format, columns, types, quarantine=self.quarantine)

    def settle(self, learned: Sequence[dict[str, Any]]) -> pa.Schema:
        """Returns the type of each column: the declared one, else by the kinds of its cells; says which surprise."""
        columns = learned[0]["columns"]
        kinds = {name: Kind.joined(each["kinds"].get(name, Kind.MISSING) for each in learned) for name in columns}
        for name, kind in kinds.items():
            if kind.surprise:
                logging.getLogger(__name__).warning(_SURPRISE, name, kind.surprise, name)
        return schema_of(columns, kinds, self.format)

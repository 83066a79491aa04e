"""Setting aside the bad rows of a CSV range: ragged ones, those that are no text, those that break a declared type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from penstock.data.bad_rows import BadRow
from penstock.data.csv_cells import to_type
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_scan import count_lines, record_starts
from penstock.data.csv_source import CsvFile, TextBlock
from penstock.data.errors import shortened
from penstock.data.raw_feature import in_words


class CsvQuarantine:
    """Collects the bad rows of a range."""

    def __init__(self, file: CsvFile, format_: CsvFormat) -> None:
        self._file = file
        self._format = format_
        self._rows: list[BadRow] = []

    @property
    def rows(self) -> list[BadRow]:
        """The rows set aside, in their order."""
        return sorted(self._rows, key=lambda row: row.line)

    def without_bad_text(self, data: bytes, line: int) -> bytes:
        """Returns text with blank lines in place of the records that are no text, so that lines keep their numbers."""
        codec = "utf-8" if self._file.streamed else self._file.codec
        starts, lines = record_starts(data, self._format.delimiter, self._format.quote)
        ends = [*starts[1:].tolist(), len(data)]
        parts: list[bytes] = []
        position = 0
        while True:
            try:
                data[position:].decode(codec)
            except UnicodeDecodeError as error:
                record = int(np.searchsorted(starts, position + error.start, side="right")) - 1
                raw = data[starts[record] : ends[record]]
                reason = f"byte 0x{raw[position + error.start - starts[record]]:02x} is no {codec} text."
                self._add(line + int(lines[record]), reason, raw, "encoding")
                parts += [data[position : starts[record]], b"\n" * count_lines(raw)]
                position = ends[record]
            else:
                return b"".join([*parts, data[position:]])

    def add_ragged(self, block: TextBlock, ragged: Sequence[pacsv.InvalidRow]) -> None:
        """Adds rows that the parser has left out."""
        lines = records_of(block, self._format)[1] if ragged else ()
        for row in ragged:
            reason = f"expected {row.expected_columns} cells, found {row.actual_columns}."
            self._add(block.line + int(lines[row.number - 1]), reason, row.text.encode(), "cells")

    def without_wrong_cells(
        self,
        cells: pa.RecordBatch,
        declared: dict[str, pa.DataType],
        block: TextBlock,
        ragged: Sequence[pacsv.InvalidRow],
    ) -> pa.RecordBatch:
        """Returns the rows whose cells are values of the types declared for their columns."""
        wrong: dict[int, str] = {}
        for name, type_ in declared.items():
            for row in _wrong_rows(cells.column(name), type_):
                wrong.setdefault(row, name)
        if not wrong:
            return cells
        starts, lines = records_of(block, self._format)
        ends = np.append(starts[1:], len(block.text))
        kept = np.delete(np.arange(len(starts)), [row.number - 1 for row in ragged])
        for row, name in wrong.items():
            record = kept[row]
            held = shortened(cells.column(name)[row].as_py())
            reason = f"column {name!r} was declared {in_words(declared[name])} and holds {held}."
            self._add(block.line + int(lines[record]), reason, block.text[starts[record] : ends[record]], "type", name)
        mask = np.ones(cells.num_rows, dtype=bool)
        mask[list(wrong)] = False
        return cells.filter(pa.array(mask))

    def _add(self, line: int, reason: str, raw: bytes, rule: str, column: str = "") -> None:
        text = raw.decode(errors="backslashreplace").strip("\r\n")
        self._rows.append(BadRow(self._file.path, line, reason, text, column, rule))


def records_of(block: TextBlock, format_: CsvFormat) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns where the records of a block start, and their lines counted from its first; blank ones don't count."""
    starts, lines = record_starts(block.text, format_.delimiter, format_.quote)
    filled = [block.text[start] not in b"\r\n" for start in starts.tolist()]
    return starts[filled], lines[filled]


def _wrong_rows(cells: pa.StringArray, target: pa.DataType) -> list[int]:
    """Returns the positions of the cells that are no values of a type."""
    wrong: list[int] = []
    waiting = [(0, len(cells))]
    while waiting:
        low, high = waiting.pop()
        if low == high or to_type(cells.slice(low, high - low), target) is not None:
            continue
        if high - low == 1:
            wrong.append(low)
        else:
            middle = (low + high) // 2
            waiting += [(low, middle), (middle, high)]
    return wrong

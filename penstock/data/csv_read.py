"""Reading a range of a CSV file as typed record batches, in one parse wherever the range's types are the file's."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from penstock.data.bad_rows import BadRow
from penstock.data.csv_bad_rows import CsvQuarantine, records_of
from penstock.data.csv_cells import Kind, first_wrong, to_type, typed
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_scan import RecordScanner
from penstock.data.csv_source import CsvFile, CsvRange, TextBlock, text_blocks
from penstock.data.errors import CellError, DataFormatError, RaggedRowError, UnknownColumnError, shortened
from penstock.data.raw_feature import in_words

_DECLARED = {"int64": pa.int64(), "float64": pa.float64(), "float32": pa.float32(), "string": pa.string()}


class RangeReader:
    """Reads one range, inferring its types as it goes or taking those that are known.

    A range of a plain file is one block, so that its types are inferred from all of it. Of a streamed file the
    first block decides; when a later one contradicts, `consistent` turns false, `batches` yields nothing more
    and only goes on to learn the kinds. The caller then reads the range again with the types of all ranges.

    Attributes:
        kinds: What was learnt, by column; complete when `batches` is exhausted.
        rows: Rows seen.
        consistent: Whether all batches had one schema.
        schema: Of the batches yielded; None before the first.
    """

    def __init__(
        self,
        range_: CsvRange,
        format_: CsvFormat,
        columns: Sequence[str] | None = None,
        types: pa.Schema | None = None,
        *,
        quarantine: bool = False,
    ) -> None:
        """Prepares reading.

        Args:
            range_: What to read.
            format_: The dialect.
            columns: The order of the columns; by default the file's.
            types: The types of all columns, when they are known.
            quarantine: Whether bad rows are set aside; else the first one is an error.
        """
        self._range = range_
        self._format = format_
        self._types = types
        self._columns = tuple(columns or range_.file.names)
        self.kinds: dict[str, Kind] = {}
        self.rows = 0
        self.consistent = True
        self.schema = types
        self._quarantine = CsvQuarantine(range_.file, format_) if quarantine else None

    @property
    def bad(self) -> list[BadRow]:
        """The rows set aside."""
        return self._quarantine.rows if self._quarantine else []

    @property
    def learned(self) -> dict[str, Any]:
        """The columns, and the kinds of those whose type isn't declared."""
        return {"columns": list(self._columns), "kinds": {name: int(kind) for name, kind in self.kinds.items()}}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields one batch a block.

        Raises:
            RaggedRowError: A row has more or fewer cells than the header.
            CellError: A cell is no value of the type that was declared for its column.
            EncodingError: Bytes are no text.
        """
        repair = self._quarantine.without_bad_text if self._quarantine else None
        for block in text_blocks(self._range, self._format, repair):
            cells = self._parse(block)
            if cells is None:
                continue
            self.rows += cells.num_rows
            batch = self._decode(cells, block)
            self.schema = self.schema or batch.schema
            self.consistent &= batch.schema.equals(self.schema)
            if self.consistent:
                yield batch

    def _parse(self, block: TextBlock) -> pa.RecordBatch | None:
        if self._quarantine is None:
            return parse_block(block, self._range.file, self._columns, self._format)
        ragged: list[pacsv.InvalidRow] = []
        cells = parse_block(block, self._range.file, self._columns, self._format, ragged)
        if cells is None:
            return None
        self._quarantine.add_ragged(block, ragged)
        declared = {name: _DECLARED[type_] for name, type_ in self._format.column_types.items()}
        return self._quarantine.without_wrong_cells(cells, declared, block, ragged)

    def _decode(self, cells: pa.RecordBatch, block: TextBlock) -> pa.RecordBatch:
        values = [
            self._decode_column(name, column, block)
            for name, column in zip(cells.schema.names, cells.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(values, names=self._columns)

    def _decode_column(self, name: str, cells: pa.StringArray, block: TextBlock) -> pa.Array:
        declared = self._declared(name)
        if declared is not None:
            values = to_type(cells, declared)
            if values is None:
                raise self._wrong_cell(name, cells, declared, block)
            return values
        kind, values = typed(cells)
        self.kinds[name] = Kind.joined((kind, self.kinds.get(name, kind)))
        return values

    def _declared(self, name: str) -> pa.DataType | None:
        if self._types is not None:
            return self._types.field(name).type
        type_ = self._format.column_types.get(name)
        return None if type_ is None else _DECLARED[type_]

    def _wrong_cell(self, name: str, cells: pa.StringArray, declared: pa.DataType, block: TextBlock) -> CellError:
        row = first_wrong(cells, declared)
        line = _line_of(block, self._format, row)
        text = cells[row].as_py()
        file = self._range.file.path
        return CellError(
            f"{file}, line {line}: column {name!r} was declared {in_words(declared)} and holds {shortened(text)}. "
            f"Correct the cell, add {shortened(text)} to null_values, or declare the column 'string'.",
            file=file,
            line=line,
            column=name,
        )


def check_column_types(format_: CsvFormat, file: CsvFile) -> None:
    """Checks that every column with a declared type is there.

    Raises:
        UnknownColumnError: One is not.
    """
    for name in format_.column_types:
        if name not in file.names:
            near = difflib.get_close_matches(name, file.names, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnknownColumnError(
                f"column_types names {name!r}, which is no column of {file.path}.{hint} "
                f"Its columns: {', '.join(file.names)}.",
                file=file.path,
                column=name,
            )


def schema_of(columns: Sequence[str], kinds: Mapping[str, Kind], format_: CsvFormat) -> pa.Schema:
    """Returns the types of all columns: the declared one, else the one that stores the column's kind."""
    return pa.schema(
        [
            (name, _DECLARED[format_.column_types[name]] if name in format_.column_types else kinds[name].stored)
            for name in columns
        ]
    )


def parse_block(
    block: TextBlock,
    file: CsvFile,
    columns: Sequence[str],
    format_: CsvFormat,
    skipped: list[pacsv.InvalidRow] | None = None,
) -> pa.RecordBatch | None:
    """Parses whole records to strings; a null is an empty unquoted cell or one of `null_values`.

    Blank lines are no rows. Ragged rows are left out and added to `skipped` where it is given.

    Returns:
        The rows, with the columns in the order of `columns`; None if there are none.

    Raises:
        RaggedRowError: A row has more or fewer cells than the header.
        DataFormatError: A quote is never closed.
    """
    if block.text[:1] in (b"", b"\r", b"\n") and not block.text.strip(b"\r\n"):
        return None
    _check_quotes(block, file, format_)
    ragged = [] if skipped is None else skipped
    try:
        table = pacsv.read_csv(
            pa.py_buffer(block.text),
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=list(file.names), block_size=len(block.text) + 1
            ),
            parse_options=_parse_options(format_, ragged, "error" if skipped is None else "skip"),
            convert_options=_convert_options(format_, columns),
        )
    except pa.ArrowInvalid as error:
        raise _parse_error(error, ragged, block, file, format_) from error
    # The block is parsed as one chunk; combining would copy it.
    arrays = [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _check_quotes(block: TextBlock, file: CsvFile, format_: CsvFormat) -> None:
    """Refuses a quote that is never closed: the parser would take all that follows for one cell."""
    if block.closed or not format_.quote or format_.quote.encode() not in block.text:
        return
    scanner = RecordScanner(format_.delimiter, format_.quote, block.line)
    scanner.feed(block.text)
    if (opened := scanner.open_quote()) is not None:
        line = scanner.line_at(opened)
        raise DataFormatError(
            f"{file.path}, line {line}: a quote opens here and is never closed. Close it, or double it "
            'inside a quoted cell; if quotes are ordinary characters in this file, give quote="".',
            file=file.path,
            line=line,
        )


def _parse_options(format_: CsvFormat, ragged: list[pacsv.InvalidRow], verdict: str) -> pacsv.ParseOptions:
    def refuse(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return verdict

    return pacsv.ParseOptions(
        delimiter=format_.delimiter,
        quote_char=format_.quote or False,
        double_quote=bool(format_.quote),
        newlines_in_values=bool(format_.quote),
        invalid_row_handler=refuse,
    )


def _convert_options(format_: CsvFormat, columns: Sequence[str]) -> pacsv.ConvertOptions:
    return pacsv.ConvertOptions(
        check_utf8=False,  # the source has checked it, and knows the line
        column_types=dict.fromkeys(columns, pa.string()),
        include_columns=list(columns),
        null_values=["", *format_.null_values],
        strings_can_be_null=True,
        quoted_strings_can_be_null="" in format_.null_values,
    )


def _parse_error(
    error: pa.ArrowInvalid,
    ragged: list[pacsv.InvalidRow],
    block: TextBlock,
    file: CsvFile,
    format_: CsvFormat,
) -> DataFormatError:
    if not ragged:
        return DataFormatError(
            f"{file.path} can't be parsed from line {block.line} on: {shortened(str(error), 120)}.",
            file=file.path,
            line=block.line,
        )
    row = ragged[0]
    line = _line_of(block, format_, row.number - 1)
    return RaggedRowError(
        f"{file.path}, line {line}: expected {row.expected_columns} cells, found {row.actual_columns}: "
        f"{shortened(row.text)}. Quote cells that hold the delimiter {format_.delimiter!r} or a newline, "
        "fill up short rows, or check delimiter= and quote=.",
        file=file.path,
        line=line,
    )


def _line_of(block: TextBlock, format_: CsvFormat, record: int) -> int:
    """Returns the line where a record of a block begins; blank ones don't count."""
    _, lines = records_of(block, format_)
    return block.line + int(lines[min(record, len(lines) - 1)])

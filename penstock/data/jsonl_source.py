"""JSON lines as a source: an object a line, plain or gzip; keys become columns, nested objects "parent.child".

A key that stands twice in the first line of a range is refused. The type of a column may be declared; a line that
doesn't hold to it is a bad row, as is one that is no JSON object.
What isn't declared must be of one type: a text after numbers is an error.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar, cast

import msgspec
import pyarrow as pa

from penstock.data.bad_rows import BadRow
from penstock.data.errors import CellError, DataFormatError, HeaderError, NoDataError, shortened
from penstock.data.row_source import RANGE_BYTES, Placed, RangeRows, SourceRange, TypedRows, TypedSource
from penstock.data.value_columns import TooBig, ValueConflict, batch_of

_GZIP_MAGIC = b"\x1f\x8b"
_BATCH_ROWS = 8192
_BATCH_BYTES = 8 << 20
_MOST_DIGITS = 309
"""All integers of more digits are beyond all floats; Python reads none of more than 4,300."""
_GREATEST = sys.float_info.max
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ARROW = {"float32": pa.float32(), "float64": pa.float64(), "int64": pa.int64(), "string": pa.string()}
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class _Part:
    start: int
    end: int | None
    line: int


@dataclass(frozen=True)
class JsonlRows(TypedSource):
    """The rows of JSON lines files.

    Attributes:
        paths: The files.
        column_types: Types by column, instead of those that the values show.
        quarantine: Whether bad rows are set aside; else the first one is an error.
        range_bytes: How many bytes of a plain file are a range; a gzip file is one.
    """

    paths: tuple[str, ...]
    column_types: Mapping[str, str] = field(default_factory=dict)
    quarantine: bool = False
    range_bytes: int = field(default_factory=lambda: RANGE_BYTES)
    unit: ClassVar[str] = "line"

    def ranges(self) -> list[SourceRange]:
        """Cuts the files between lines.

        Raises:
            NoDataError: They are empty.
        """
        parts = [(path, part) for path in self.paths for part in self._cut(path)]
        if not parts:
            raise NoDataError(f"{', '.join(self.paths[:3])}: there are no lines.", file=self.paths[0])
        return [SourceRange(index, path, part) for index, (path, part) in enumerate(parts)]

    def _cut(self, path: str) -> Iterator[_Part]:
        with open(path, "rb") as file:
            if file.read(2) == _GZIP_MAGIC:
                yield _Part(0, None, 1)
                return
            file.seek(0)
            position, line = 0, 1
            while block := file.read(self.range_bytes):
                block += file.readline()
                yield _Part(position, position + len(block), line)
                position += len(block)
                line += block.count(b"\n")

    def read(self, range_: SourceRange, types: pa.Schema | None) -> RangeRows:
        """Opens a range."""
        bad: list[BadRow] = []
        return TypedRows(range_.file, self.unit, self._placed(range_, bad), types, bad)

    def _placed(self, range_: SourceRange, bad: list[BadRow]) -> Iterator[Placed]:
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        held = 0
        for number, line in _lines(range_.file, range_.part):
            if number == range_.part.line:
                _check_keys(line, range_.file, number)
            row = self._row(range_.file, number, line, bad)
            if row is None:
                continue
            rows.append(row)
            numbers.append(number)
            held += len(line)
            if len(rows) == _BATCH_ROWS or held >= _BATCH_BYTES:
                yield from self._batch(rows, numbers, range_.file, bad)
                rows, numbers, held = [], [], 0
        yield from self._batch(rows, numbers, range_.file, bad)
        bad.sort(key=lambda row: row.line)  # a batch tells what no column holds after it has been read

    def _row(self, file: str, number: int, line: bytes, bad: list[BadRow]) -> dict[str, Any] | None:
        """Returns the object of a line; None for a blank or a bad one."""
        try:
            row = _object(line)
            return row and self._declared(row)
        except _BadLine as error:
            if not self.quarantine:
                raise CellError(
                    f"{file}, line {number}: {error}. Correct the line, or set such rows aside with "
                    'on_bad_rows="quarantine".',
                    file=file,
                    line=number,
                    column=error.column,
                ) from None
            raw = line.decode(errors="backslashreplace").strip("\r\n")
            bad.append(BadRow(file, number, f"{error}.", raw, error.column, error.rule))
            return None

    def _declared(self, row: dict[str, Any]) -> dict[str, Any]:
        for name, type_ in self.column_types.items():
            value = row.get(name)
            if value is not None:
                row[name] = _as_declared(name, value, type_)
        return row

    def _batch(self, rows: list[dict[str, Any]], numbers: list[int], file: str, bad: list[BadRow]) -> Iterator[Placed]:
        """Yields rows as columns, without those that hold what no column can where such are set aside."""
        while rows:
            try:
                yield self._typed(batch_of(rows), numbers)
                return
            except TooBig as error:
                if not self.quarantine:
                    raise self._conflict(error, numbers, file) from None
                reason = f"column {error.column!r} {error.problem}."
                bad.append(BadRow(file, numbers[error.row], reason, json.dumps(rows[error.row]), error.column, "type"))
                del rows[error.row], numbers[error.row]
            except ValueConflict as error:
                raise self._conflict(error, numbers, file) from None

    def _conflict(self, error: ValueConflict, numbers: Sequence[int], file: str) -> CellError:
        line = numbers[error.row]
        number = {bool: "int64", int: "int64", float: "float64"}.get(type(error.before))
        repair = f"declare column_types={{{error.column!r}: 'string'}}"
        if self.quarantine and number is not None:
            repair = f"declare the column, as column_types={{{error.column!r}: {number!r}}} to have such rows set aside"
        return CellError(
            f"{file}, line {line}: column {error.column!r} {error.problem}. The values of a column must be of "
            f"one type. Correct the line, or {repair}.",
            file=file,
            line=line,
            column=error.column,
        )

    def _typed(self, batch: pa.RecordBatch, numbers: Sequence[int]) -> Placed:
        for name, type_ in self.column_types.items():
            at = batch.schema.get_field_index(name)
            if at >= 0:
                batch = batch.set_column(at, name, batch.column(at).cast(_ARROW[type_]))
        return Placed(batch, numbers)


def _check_keys(line: bytes, file: str, number: int) -> None:
    """Refuses a first line with a key twice: whoever writes one so writes them all, and one of the values is lost.

    Raises:
        HeaderError: A key stands twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise HeaderError(
                f"{file}, line {number}: the key {twice!r} stands twice in one object. Rename one of them.",
                file=file,
                line=number,
                column=twice,
            )
        return row

    with contextlib.suppress(json.JSONDecodeError, UnicodeDecodeError):  # `_object` says what is wrong
        json.loads(line.decode("utf-8"), object_pairs_hook=unique)


class _BadLine(Exception):
    def __init__(self, problem: str, rule: str, column: str = "") -> None:
        super().__init__(problem)
        self.rule = rule
        self.column = column


def _object(line: bytes) -> dict[str, Any] | None:
    """Returns the object of a line, or None for a blank line."""
    try:
        row = _decode(line)
    except ValueError:  # msgspec's errors, and those of integers of too many digits
        if not line.strip():
            return None
        row = _patiently(line)
    if not isinstance(row, dict):
        raise _BadLine(f"a line must hold a JSON object, this one holds {shortened(str(row))}", "syntax")
    return row


def _patiently(line: bytes) -> Any:
    """Reads what strict JSON refuses and Python writes (NaN, Infinity), or says what is wrong."""
    try:
        row = json.loads(line.decode("utf-8"), parse_float=_finite, parse_int=_storable)
        json.dumps(row, ensure_ascii=False).encode()
        return row
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise _BadLine(
            f"{half!a} is half of a surrogate pair, and no character without the other", "encoding"
        ) from None
    except UnicodeDecodeError as error:
        raise _BadLine(
            f"byte 0x{line[error.start]:02x} at position {error.start + 1} is no UTF-8", "encoding"
        ) from None
    except json.JSONDecodeError as error:
        text = shortened(line.decode(errors="replace").strip())
        raise _BadLine(f"this is no JSON: {error.msg} at character {error.colno}: {text}", "syntax") from None


def _storable(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise _BadLine(f"{shortened(text)} is an integer of more than 64 bits", "type")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _BadLine(f"{shortened(text)} is beyond all float64", "type")
    return value


def _as_declared(name: str, value: Any, type_: str) -> Any:
    if type_ == "string":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    fits = isinstance(value, int) and -(2**63) <= value < 2**63
    if type_ != "int64":
        fits = isinstance(value, float) or (isinstance(value, int) and abs(value) <= _GREATEST)
    if fits:
        return int(value) if type_ == "int64" else float(value)
    raise _BadLine(f"column {name!r} was declared {type_} and holds {shortened(json.dumps(value))}", "type", name)


def _lines(path: str, part: _Part) -> Iterator[tuple[int, bytes]]:
    """Yields the lines of a part with their numbers."""
    number = part.line
    position = part.start
    try:
        with open(path, "rb") as raw:
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if part.end is None else raw
            file.seek(part.start)
            for line in file:
                yield number, line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
                number += 1
                position += len(line)
                if part.end is not None and position >= part.end:
                    return
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataFormatError(
            f"{path} is a damaged gzip file: {error}, after line {number - 1}. Fetch or write it anew.", file=path
        ) from error

"""CSV files as sources: header, encoding, ranges, and the text of a range as UTF-8 blocks of whole records."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa

from penstock.data.csv_format import CsvFormat, detect_encoding, is_single_byte
from penstock.data.csv_mistakes import MAGIC_BYTES, check_delimiter, check_kind
from penstock.data.csv_scan import Cut, RecordScanner, count_lines, find_cuts
from penstock.data.errors import DataFormatError, EncodingError, HeaderError, NoDataError
from penstock.data.row_source import RANGE_BYTES

_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class CsvFile:
    """One source file.

    Attributes:
        path: Where it is.
        codec: Python's name of its encoding.
        mark: Bytes of its byte order mark.
        streamed: Whether it can only be read from the start: gzip, or an encoding of several bytes.
        names: Its columns.
        body: Where the first record behind the header begins; of a streamed file, in its text as UTF-8.
    """

    path: str
    codec: str
    mark: int
    streamed: bool
    names: tuple[str, ...]
    body: Cut


@dataclass(frozen=True)
class CsvRange:
    """A part of a source file that is read at once: whole records, fixed by the data alone.

    Attributes:
        index: Its number among the ranges of all files, in order.
        file: The file.
        start: Where it begins.
        end: Where it ends, in bytes; None for the end of a streamed file.
    """

    index: int
    file: CsvFile
    start: Cut
    end: int | None


@dataclass(frozen=True)
class TextBlock:
    """Whole records as UTF-8.

    Attributes:
        text: The records.
        line: The number of the line where they begin.
        closed: Whether every quote is known to be closed: the scan that cut the file has seen the end of the block
            outside of quotes.
    """

    text: bytes
    line: int
    closed: bool = False


def plan_ranges(paths: Sequence[str], format_: CsvFormat, range_bytes: int = RANGE_BYTES) -> tuple[CsvRange, ...]:
    """Reads the headers of all files and cuts the files into ranges.

    Raises:
        NoDataError: A file is empty, or none has a row.
        HeaderError: Column names are empty or duplicate, or differ between files.
    """
    files = [open_csv(path, format_) for path in paths]
    for file in files[1:]:
        _check_same_names(files[0], file)
    parts = [(file, start, end) for file in files for start, end in _cut(file, format_, range_bytes)]
    if not parts:
        raise no_rows(paths)
    return tuple(CsvRange(index, *part) for index, part in enumerate(parts))


def no_rows(paths: Sequence[str]) -> NoDataError:
    """Returns the error that says that files hold a header and nothing else."""
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    return NoDataError(
        f"There are no data rows in {shown}: a header line only. Check that the export was complete; "
        "if the files have no header line, name the columns with column_names=.",
        file=paths[0],
    )


def _cut(file: CsvFile, format_: CsvFormat, range_bytes: int) -> Iterator[tuple[Cut, int | None]]:
    if file.streamed:
        yield file.body, None
        return
    size = os.path.getsize(file.path)
    with open(file.path, "rb") as stream:
        cuts = find_cuts(
            stream,
            file.body,
            size,
            delimiter=format_.delimiter,
            quote=format_.quote,
            range_bytes=range_bytes,
        )
    ends = [cut.offset for cut in cuts[1:]] + [size]
    yield from zip(cuts, ends, strict=False)


def open_csv(path: str, format_: CsvFormat) -> CsvFile:
    """Reads the encoding and the header of a file.

    Raises:
        NoDataError: The file is empty.
        HeaderError: Column names are empty or duplicate.
        EncodingError: The header is no text in the encoding, or seems to be in another one.
        UnsupportedDataError: It is a file of another kind.
    """
    with _open(path) as stream:
        head = stream.read(MAGIC_BYTES)
    check_kind(head, path)
    codec, mark = detect_encoding(head, format_.encoding, path)
    streamed = _is_gzip(path) or not (codec == "utf-8" or is_single_byte(codec))
    bare = CsvFile(path, codec, mark, streamed, (), Cut(0, 1))
    line, before = _first_record(bare, format_)
    if not before and not line:
        raise NoDataError(f"{path} is empty. Remove it, or write it anew with a header line.", file=path)
    offset = 0 if streamed else mark
    if format_.column_names is not None:
        names, body = format_.column_names, Cut(offset, 1)
    else:
        names = tuple(next(_reader(_utf8(line, bare, count_lines(before) + 1).decode(), format_), []))
        body = Cut(offset + len(before) + len(line), 1 + count_lines(before) + count_lines(line))
        if len(names) == 1:
            check_delimiter(names, next(_chunks(bare)), format_, path)
    _check_names(names, path)
    return CsvFile(path, codec, mark, streamed, names, body)


def _first_record(file: CsvFile, format_: CsvFormat) -> tuple[bytes, bytes]:
    """Returns the first record that is not blank, and the blank lines before it; in the stream's own bytes."""
    head = b""
    for chunk in _chunks(file):
        head += chunk
        body = head.lstrip(b"\r\n")
        scanner = RecordScanner(format_.delimiter, format_.quote)
        scanner.feed(body[:-1] if body.endswith((b"\r", format_.quote.encode() or b"\r")) else body)
        end = scanner.first_record_end(0)
        if end is not None:
            return body[:end], head[: len(head) - len(body)]
    body = head.lstrip(b"\r\n")
    return body, head[: len(head) - len(body)]


def _reader(text: str, format_: CsvFormat) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline="")
    if not format_.quote:
        return csv.reader(lines, delimiter=format_.delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=format_.delimiter, quotechar=format_.quote)


def _check_names(names: Sequence[str], path: str) -> None:
    for number, name in enumerate(names, 1):
        if "\0" in name:
            raise EncodingError(
                f"{path} has zero bytes in its header line: it is UTF-16 without a byte order mark, or no text. Give "
                "encoding='utf-16-le' or 'utf-16-be', or write it anew as UTF-8.",
                file=path,
                line=1,
            )
        if not name.strip():
            raise HeaderError(
                f"Column {number} of {len(names)} in {path} has no name. Name it in the header line, "
                "or give all names with column_names= if the file has no header.",
                file=path,
                line=1,
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        places = [str(number) for number, name in enumerate(names, 1) if name == twice]
        raise HeaderError(
            f"Column names must be unique; {path} has {twice!r} as columns {' and '.join(places)}. Rename one of them.",
            file=path,
            line=1,
            column=twice,
        )


def _check_same_names(first: CsvFile, other: CsvFile) -> None:
    missing = [name for name in first.names if name not in other.names]
    extra = [name for name in other.names if name not in first.names]
    if not missing and not extra:
        return
    parts = [f"lacks {', '.join(map(repr, missing[:5]))}"] if missing else []
    parts += [f"has {', '.join(map(repr, extra[:5]))} besides"] if extra else []
    raise HeaderError(
        f"All files must have the same columns. Compared with {first.path}, {other.path} {' and '.join(parts)}. "
        "Rename the columns, or ingest the files apart.",
        file=other.path,
        line=1,
        column=(missing + extra)[0],
    )


def text_blocks(
    range_: CsvRange, format_: CsvFormat, repair: Callable[[bytes, int], bytes] | None = None
) -> Iterator[TextBlock]:
    """Yields the text of a range: a range of a plain file in one block, a streamed file in blocks like it.

    Args:
        range_: What to read.
        format_: The dialect.
        repair: Makes text of bytes that are none, given them and the number of their first line.

    Raises:
        EncodingError: Bytes are no text in the file's encoding.
    """
    if range_.end is None:
        yield from _streamed_blocks(range_, format_, repair)
        return
    with open(range_.file.path, "rb") as stream:
        closed = range_.end < stream.seek(0, os.SEEK_END)
        stream.seek(range_.start.offset)
        data = stream.read(range_.end - range_.start.offset)
    yield TextBlock(_text(data, range_.file, range_.start.line, repair), range_.start.line, closed)


def _text(data: bytes, file: CsvFile, line: int, repair: Callable[[bytes, int], bytes] | None) -> bytes:
    try:
        return _utf8(data, file, line)
    except EncodingError:
        if repair is None:
            raise
        return _utf8(repair(data, line), file, line)


def _streamed_blocks(
    range_: CsvRange, format_: CsvFormat, repair: Callable[[bytes, int], bytes] | None
) -> Iterator[TextBlock]:
    line, skip = range_.start.line, range_.start.offset
    waiting = bytearray()
    scan_at = RANGE_BYTES
    for chunk in _chunks(range_.file):
        waiting += chunk[skip:]
        skip = max(skip - len(chunk), 0)
        if len(waiting) >= scan_at:
            end = _last_record_end(bytes(waiting), format_)
            scan_at = RANGE_BYTES if end else 2 * len(waiting)
            block = bytes(waiting[:end])
            del waiting[:end]
            if block:
                yield TextBlock(_text(block, range_.file, line, repair), line)
                line += count_lines(block)
    if waiting:
        yield TextBlock(_text(bytes(waiting), range_.file, line, repair), line)


def _last_record_end(text: bytes, format_: CsvFormat) -> int:
    scanner = RecordScanner(format_.delimiter, format_.quote)
    while text and text[-1:] in (b"\r", format_.quote.encode()):
        text = text[:-1]
    scanner.feed(text)
    ends = scanner.record_ends()
    return int(ends[-1]) if len(ends) else 0


def _utf8(data: bytes, file: CsvFile, line: int) -> bytes:
    """Returns text as valid UTF-8; a streamed file's is transcoded already, but not checked if it was UTF-8."""
    if not file.streamed and file.codec != "utf-8":
        try:
            return data if data.isascii() else data.decode(file.codec).encode()
        except UnicodeDecodeError as error:
            raise _encoding_error(file, error, line) from error
    if not data.isascii() and not _is_utf8(data):
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise _encoding_error(file, error, line) from error
    return data


def _is_utf8(data: bytes) -> bool:
    whole = pa.LargeStringArray.from_buffers(1, pa.array([0, len(data)], pa.int64()).buffers()[1], pa.py_buffer(data))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _encoding_error(file: CsvFile, error: UnicodeDecodeError, line: int) -> EncodingError:
    before = error.object[: error.start].decode(file.codec, errors="replace").encode()
    row = before[max(before.rfind(b"\n"), before.rfind(b"\r")) + 1 :].decode()
    line += count_lines(before)
    bad = error.object[error.start : error.start + 1].hex()
    return EncodingError(
        f"{file.path} is not {file.codec} text: byte 0x{bad} in line {line}, character {len(row) + 1}. "
        "Give the file's encoding with encoding=, for example encoding='latin-1' or 'cp1252'.",
        file=file.path,
        line=line,
    )


def _chunks(file: CsvFile) -> Iterator[bytes]:
    """Yields a file's bytes behind the byte order mark; those of a streamed file as UTF-8."""
    with _open(file.path) as stream:
        stream.read(file.mark)
        if not file.streamed or file.codec == "utf-8":
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
            return
        decoder = codecs.getincrementaldecoder(file.codec)()
        line = 1
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, not chunk).encode()
            except UnicodeDecodeError as error:
                raise _encoding_error(file, error, line) from error
            line += count_lines(text)
            yield text
            if not chunk:
                return


@contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    try:
        with cast(BinaryIO, gzip.open(path)) if _is_gzip(path) else open(path, "rb") as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataFormatError(f"{path} is a damaged gzip file: {error}. Fetch or write it anew.", file=path) from error


def _is_gzip(path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == _GZIP_MAGIC

"""Files that are no CSV, or have another delimiter: what their first bytes tell, before a parser makes rows of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from penstock.data.csv_format import CsvFormat
from penstock.data.errors import HeaderError, UnsupportedDataError, shortened

MAGIC_BYTES = 16
"""How many first bytes `check_kind` wants."""
_KINDS = (
    (b"PAR1\x15", "Parquet", "Read it with ParquetExampleGen."),
    (b"Obj\x01", "Avro", "Read it with AvroExampleGen."),
    (b"SQLite format 3\0", "a SQLite database", "Read it with SqlExampleGen."),
    (b"ARROW1\0\0", "an Arrow file", "Write it as Parquet and read it with ParquetExampleGen."),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "Unpack it, or save the sheet as CSV."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Unpack it, or compress it by gzip."),
    (b"\xfd7zXZ\0", "compressed by xz", "Unpack it, or compress it by gzip."),
    (b"\x89HDF\r\n", "HDF5", "Write it as Parquet and read it with ParquetExampleGen."),
)
_DELIMITERS = (",", ";", "\t", "|")
_LINES = 10


def check_kind(head: bytes, path: str) -> None:
    """Refuses what begins as files of another kind do.

    Raises:
        UnsupportedDataError: It does.
    """
    for magic, kind, repair in _KINDS:
        if head.startswith(magic):
            raise UnsupportedDataError(
                f"{path} is no CSV file: it begins with {magic!r}, so it is {kind}. {repair}", file=path
            )


def check_delimiter(names: Sequence[str], head: bytes, format_: CsvFormat, path: str) -> None:
    """Refuses a file of one column where header and first lines fall into as many cells by another delimiter.

    Args:
        names: The columns by the delimiter that was asked for.
        head: The file's beginning.
        format_: The dialect.
        path: For the message.

    Raises:
        HeaderError: They do.
    """
    lines = [line for line in head[: head.rfind(b"\n") + 1].decode(errors="replace").splitlines() if line]
    if len(names) != 1 or len(lines) == 1:
        return
    for delimiter in _DELIMITERS:
        if delimiter in names[0] and (cells := _cells(lines[:_LINES], delimiter, format_.quote)):
            raise HeaderError(
                f"{path} has one column by delimiter={format_.delimiter!r}, named {shortened(names[0])}; by "
                f"{delimiter!r} its lines have {cells} cells each. Give delimiter={delimiter!r}, or rename the column "
                "if it is one.",
                file=path,
                line=1,
            )


def _cells(lines: Sequence[str], delimiter: str, quote: str) -> int:
    """Returns how many cells all lines have; 0 where that is one, or their numbers differ."""
    quoted = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        counts = {len(row) for row in csv.reader(lines, delimiter=delimiter, **quoted)}
    except csv.Error:
        return 0
    return counts.pop() if len(counts) == 1 and 1 not in counts else 0

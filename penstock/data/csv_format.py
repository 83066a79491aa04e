"""How a CSV file is written: its delimiter, quotes, encoding, missing values, and the types it is told to have."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.data.errors import DataFormatError

COLUMN_TYPES = ("int64", "float64", "float32", "string")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class CsvFormat:
    """The dialect of CSV files.

    Attributes:
        delimiter: One ASCII character between cells.
        quote: One ASCII character around cells that hold delimiters, quotes (doubled) or newlines; "" for none.
        encoding: "auto" takes the byte order mark or else UTF-8; or the name of any Python text codec.
        null_values: Texts that mean a missing value besides the empty unquoted cell. They count unquoted only,
            unless "" is among them: then quoted cells count too.
        column_types: Types by column ("int64", "float64", "float32", "string") instead of the inferred ones.
        column_names: Names of the columns where the files have no header line.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "auto"
    null_values: tuple[str, ...] = ()
    column_types: Mapping[str, str] = field(default_factory=dict)
    column_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_character("delimiter", self.delimiter)
        if self.quote:
            _check_character("quote", self.quote)
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote must differ, both are {self.quote!r}.")
        check_types(self.column_types)
        if self.encoding != "auto":
            codec_of(self.encoding)


def _check_character(name: str, value: str) -> None:
    if len(value) != 1 or not value.isascii() or value in "\r\n\0":
        raise ValueError(f"{name} must be one ASCII character other than a newline, got {value!r}.")


def check_types(column_types: Mapping[str, str]) -> dict[str, str]:
    """Returns declared types by column.

    Raises:
        ValueError: One is none that can be declared.
    """
    for column, type_ in column_types.items():
        _check_type(column, type_)
    return dict(column_types)


def _check_type(column: str, type_: str) -> None:
    if type_ not in COLUMN_TYPES:
        near = difflib.get_close_matches(type_, COLUMN_TYPES, 1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        allowed = ", ".join(COLUMN_TYPES)
        raise ValueError(f"column_types[{column!r}] is {type_!r}.{hint} Allowed are: {allowed}.")


def codec_of(encoding: str) -> str:
    """Returns Python's canonical name of a text encoding.

    Raises:
        ValueError: There is no such encoding.
    """
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise ValueError(
            f"There is no text encoding {encoding!r}. Use 'auto', or one as 'utf-8', 'utf-16', 'latin-1', 'cp1252'."
        ) from error


def detect_encoding(head: bytes, encoding: str, file: str) -> tuple[str, int]:
    """Returns the codec of a file and the length of its byte order mark, from its first bytes.

    Raises:
        DataFormatError: The mark contradicts the encoding that was asked for.
    """
    mark, found = next(((m, name) for m, name in _BYTE_ORDER_MARKS if head.startswith(m)), (b"", ""))
    if encoding == "auto":
        return found or "utf-8", len(mark)
    codec = codec_of(encoding)
    if not mark or is_single_byte(codec):
        return codec, 0
    if codec in (found, found[:6], "utf-8-sig"):
        return found, len(mark)
    raise DataFormatError(
        f"{file} begins with the byte order mark of {found}, but encoding={encoding!r} was asked for. "
        "Drop `encoding`, or correct it.",
        file=file,
    )


def is_single_byte(codec: str) -> bool:
    """Whether every byte is one character and ASCII is itself, so that a file can be cut anywhere."""
    return codec == "ascii" or codec.startswith(("iso8859", "cp125", "koi8", "mac-"))

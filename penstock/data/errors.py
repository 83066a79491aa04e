"""The ways in which a user's data can be at fault, each naming the place and the repair."""

from __future__ import annotations


class DataFormatError(ValueError):
    """Data that breaks a rule of its format.

    Attributes:
        file: The file at fault, or "" when no single file is.
        line: Its line, counted from 1 as an editor does; None when unknown.
        column: The name of the column at fault, or "".
        fault: Whose turn it is to act, as messages say it.
    """

    fault = "data"

    def __init__(self, message: str, *, file: str = "", line: int | None = None, column: str = "") -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.column = column

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self),), self.__dict__


class NoDataError(DataFormatError):
    """A file, a folder or a split without a single row."""


class HeaderError(DataFormatError):
    """Column names that are empty, duplicate, or differ between files."""


class RaggedRowError(DataFormatError):
    """A row with more or fewer cells than the header."""


class EncodingError(DataFormatError):
    """Bytes that are no text in the file's encoding."""


class CellError(DataFormatError):
    """A cell that is no value of its column's type."""


class UnknownColumnError(DataFormatError):
    """A parameter that names a column which the data doesn't have."""

    fault = "pipeline author"


class NoRowError(DataFormatError):
    """What a user's function yields is no row."""

    fault = "user code"


class UnsupportedDataError(DataFormatError):
    """Data of a kind that the library does not cover."""


def shortened(text: str, limit: int = 40) -> str:
    """Quotes `text` for a message, cut to `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")

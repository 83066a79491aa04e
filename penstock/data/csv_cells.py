"""From texts to values: the type of a CSV column by its cells.

A column's type is the narrowest that keeps all its cells as they are. Its kind is the union of what its cells are, and
so doesn't depend on how the rows are cut into ranges:

    INT       -?[1-9][0-9]* or 0, within 64 bits
    BIG_INT   the same beyond 64 bits
    FLOAT     decimal numbers, "nan" and "inf" in any case
    INEXACT   besides: an integer that a float would round (9007199254740993), a number beyond all floats (1e400)
    TEXT      everything else

    MISSING, no cell has a value, is stored as string; INT as int64; FLOAT without INEXACT as float64; all others as
    string, with all their digits

Numbers with a leading zero ("007", but not "0.5") or a plus sign are text, as codes and phone numbers are. So are
dates and booleans. Spaces around a number don't count. Decimals are stored as the nearest float64, and so as 0.0 where
they are nearer to it than all floats; the codec rounds to float32 for TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import IntFlag

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_DIGIT_0, _DOT, _LOWER_E, _UPPER_E, _MINUS, _PLUS = (ord(c) for c in "0.eE-+")
_IS_BLANK = np.isin(np.arange(256), [ord(" "), ord("\t")])
_PROBE = 64
_INTEGER = r"^-?[0-9]+$"
_INFINITY = r"(?i)^[-+]?inf(inity)?$"
_EXACT_BELOW = 2**53
"""All integers up to this size are floats."""


class Kind(IntFlag):
    """What the cells of a column are."""

    MISSING = 0
    INT = 1
    BIG_INT = 2
    FLOAT = 4
    INEXACT = 8
    TEXT = 16

    @classmethod
    def joined(cls, kinds: Iterable[int]) -> Kind:
        """Returns the kind of a column from those of its parts."""
        kind = cls.MISSING
        for each in kinds:
            kind |= cls(each)
        if kind & cls.TEXT:
            return cls.TEXT
        return kind & ~(cls.INT | cls.BIG_INT) if kind & cls.FLOAT else kind

    @property
    def stored(self) -> pa.DataType:
        """The column's type in the examples."""
        if self == Kind.FLOAT:
            return pa.float64()
        return pa.int64() if self in (Kind.INT, Kind.INT | Kind.INEXACT) else pa.string()

    @property
    def surprise(self) -> str:
        """Why a column of numbers is stored as text; "" for all others."""
        if self == Kind.FLOAT | Kind.INEXACT:
            return "decimals stand beside integers that a float64 would round, or numbers are beyond all floats"
        return "integers are of more than 64 bits" if self & Kind.BIG_INT else ""


def typed(cells: pa.StringArray) -> tuple[Kind, pa.Array]:
    """Returns the kind of the cells and their values in the type that stores it."""
    if cells.null_count == len(cells):
        return Kind.MISSING, cells
    kind, values = _numbers(cells)
    if kind is Kind.TEXT and (trimmed := _trimmed(cells)) is not cells:
        kind, values = _numbers(trimmed)
    return kind, cells if pa.types.is_string(kind.stored) else values


def _numbers(texts: pa.StringArray) -> tuple[Kind, pa.Array]:
    values = _cast(texts, pa.int64())
    kind = Kind.INT
    if values is None:
        values = _cast(texts, pa.float64())
        kind = Kind.FLOAT
    if values is None or _has_code(texts):
        return Kind.TEXT, texts
    return (kind | _rounded(values) if kind is Kind.INT else _kind_of_floats(texts, values)), values


def _rounded(integers: pa.Int64Array) -> Kind:
    """Whether a float would round one of the integers."""
    bounds = pc.min_max(integers).as_py()
    if max(bounds["max"], -bounds["min"]) <= _EXACT_BELOW:
        return Kind.MISSING
    exact = integers.drop_null().to_numpy()
    floats = exact.astype(np.float64)
    beyond = floats == 2.0**63  # rounded up to what is no int64 any more
    return Kind.INEXACT if beyond.any() or np.any(floats.astype(np.int64) != exact) else Kind.MISSING


def _kind_of_floats(texts: pa.StringArray, floats: pa.DoubleArray) -> Kind:
    large = np.abs(floats.to_numpy(zero_copy_only=False)) >= _EXACT_BELOW
    if not large.any():
        return Kind.FLOAT
    suspects, values = texts.filter(pa.array(large)), floats.filter(pa.array(large))
    kind = Kind.INEXACT if _any_beyond(suspects, values) or _any_rounded(suspects, values) else Kind.MISSING
    if pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py():
        return kind | Kind.INT | Kind.BIG_INT
    return kind | Kind.FLOAT


def _any_beyond(texts: pa.StringArray, floats: pa.FloatingPointArray) -> bool:
    """Whether a float is infinite where its text is not."""
    infinite = np.isinf(floats.to_numpy(zero_copy_only=False))
    written = pc.match_substring_regex(texts.filter(pa.array(infinite)), _INFINITY)
    return not pc.all(written, min_count=0).as_py()


def _any_rounded(texts: pa.StringArray, floats: pa.DoubleArray) -> bool:
    """Whether a float is another number than the integer of its text."""
    integer = pc.match_substring_regex(texts, _INTEGER)
    pairs = zip(texts.filter(integer).to_pylist(), floats.filter(integer).to_pylist(), strict=True)
    return any(math.isfinite(value) and int(value) != int(text) for text, value in pairs)


def to_type(cells: pa.StringArray, target: pa.DataType) -> pa.Array | None:
    """Returns the cells as values of a declared type ("007" is 7 then), or None where one is no such value.

    A float is the one nearest to the text; a number beyond all floats is no value.
    """
    if pa.types.is_string(target):
        return cells
    texts = _trimmed(cells)
    values = _cast(texts, target)
    if values is None or not pa.types.is_floating(target):
        return values
    return None if _any_beyond(texts, values) else values


def first_wrong(cells: pa.StringArray, target: pa.DataType) -> int:
    """Returns the position of the first cell that is no value of `target`; there must be one."""
    low, high = 0, len(cells)
    while high - low > 1:
        middle = (low + high) // 2
        if to_type(cells.slice(low, middle - low), target) is None:
            high = middle
        else:
            low = middle
    return low


def _cast(texts: pa.StringArray, target: pa.DataType) -> pa.Array | None:
    """Returns the texts as numbers, or None where one is none."""
    try:
        # A cast pays 0.3 us for every text that fails before it gives up: most columns show it at once.
        for part in (texts.slice(0, _PROBE), texts):
            values = pc.cast(part, target)
    except pa.ArrowInvalid:
        return None
    return values


def _has_code(texts: pa.StringArray) -> bool:
    """Whether a number is written like a code: with a leading zero, a plus sign, or as hexadecimal."""
    data, starts, ends = _bytes_of(texts)
    first = data[starts]
    if np.any(first == _PLUS):
        return True
    negative = first == _MINUS
    if negative.any():
        starts = starts + negative
        first = data[np.minimum(starts, ends - 1)]
    zeros = np.flatnonzero(first == _DIGIT_0)
    digits = starts[zeros]
    following = data[digits[ends[zeros] - digits > 1] + 1]
    return not np.all((following == _DOT) | (following == _LOWER_E) | (following == _UPPER_E))


def _trimmed(cells: pa.StringArray) -> pa.StringArray:
    data, starts, ends = _bytes_of(cells)
    if _IS_BLANK[data[starts]].any() or _IS_BLANK[data[ends - 1]].any():
        return pc.ascii_trim_whitespace(cells)
    return cells


def _bytes_of(
    texts: pa.StringArray,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Returns the data, and where each text that is not empty starts and ends in it."""
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)
    filled = offsets[1:] > offsets[:-1]
    if filled.all():
        return data, offsets[:-1], offsets[1:]
    return data, offsets[:-1][filled], offsets[1:][filled]

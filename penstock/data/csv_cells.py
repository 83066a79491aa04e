"""From texts to values: the type of a CSV column by its cells.

The kinds are ordered, the kind of a column is the greatest of its cells', and so doesn't depend on how the rows
are cut into ranges:

    MISSING   no cell has a value                                        stored as string
    INT       -?[1-9][0-9]* or 0, within 64 bits                         stored as int64
    BIG_INT   the same beyond 64 bits: a float would lose digits         stored as string
    FLOAT     decimal numbers, "nan" and "inf" in any case               stored as float64
    TEXT      everything else                                            stored as string

Numbers with a leading zero ("007", but not "0.5") or a plus sign are text, as codes and phone numbers are. So are
dates and booleans. Spaces around a number don't count. A float is stored with all the digits that the text has,
as float64; the codec rounds to float32 for TensorFlow.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_DIGIT_0, _DOT, _LOWER_E, _UPPER_E, _MINUS, _PLUS = (ord(c) for c in "0.eE-+")
_MAY_BEGIN_CODE = np.isin(np.arange(256), [_PLUS, _MINUS, _DIGIT_0])
_IS_BLANK = np.isin(np.arange(256), [ord(" "), ord("\t")])
_PROBE = 64
_INTEGER = r"^-?[0-9]+$"
_TWO_63 = float(2**63)


class Kind(IntEnum):
    """What the cells of a column are, from the narrowest to the widest."""

    MISSING = 0
    INT = 1
    BIG_INT = 2
    FLOAT = 3
    TEXT = 4

    @property
    def stored(self) -> pa.DataType:
        """The column's type in the examples."""
        return {Kind.INT: pa.int64(), Kind.FLOAT: pa.float64()}.get(self, pa.string())


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
    if kind is Kind.FLOAT and _may_be_big(values) and pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py():
        kind = Kind.BIG_INT
    return kind, values


def to_type(cells: pa.StringArray, target: pa.DataType) -> pa.Array | None:
    """Returns the cells as values of a declared type ("007" is 7 then), or None where one is no such value."""
    if pa.types.is_string(target):
        return cells
    return _cast(_trimmed(cells), target)


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


def _may_be_big(floats: pa.DoubleArray) -> bool:
    """Whether a value is beyond 64-bit integers; if none is, one of the texts was no integer."""
    sizes = floats.drop_null().to_numpy()
    return bool(np.any((sizes >= _TWO_63) | (sizes < -_TWO_63)))


def _has_code(texts: pa.StringArray) -> bool:
    """Whether a number is written like a code: with a leading zero, a plus sign, or as hexadecimal."""
    data, starts, ends = _bytes_of(texts)
    suspects = np.flatnonzero(_MAY_BEGIN_CODE[data[starts]])
    if not len(suspects):
        return False
    starts, ends = starts[suspects], ends[suspects]
    first = data[starts]
    if np.any(first == _PLUS):
        return True
    digits = starts + (first == _MINUS)
    zero = digits[(data[np.minimum(digits, ends - 1)] == _DIGIT_0) & (ends - digits > 1)]
    following = data[zero + 1]
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

"""From rows as Python values to a record batch: for formats and databases that hand over values, not columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from penstock.data.errors import shortened

_ARROW_ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError)
_INT_RANGE = range(-(2**63), 2**63)


class ValueConflict(Exception):
    """A value that can't stand in its column.

    Attributes:
        row: The position of its row.
        column: Its column.
        problem: What is wrong, to follow a name of the value.
        before: The first value of the column, with which this one disagrees; None where it is wrong by itself.
    """

    def __init__(self, row: int, column: str, problem: str, before: Any = None) -> None:
        super().__init__(problem)
        self.row = row
        self.column = column
        self.problem = problem
        self.before = before


class TooBig(ValueConflict):
    """An integer of more than 64 bits: it can stand in no column, whatever is before it."""


def batch_of(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """Returns rows as columns, in the order in which they appear; an absent key is a missing value.

    Raises:
        ValueConflict: The values of a column are of types that no type holds.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays = [array_of([row.get(name) for row in rows], name) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def weight_of(row: Mapping[str, Any]) -> int:
    """Returns about how many bytes a row's values hold, so that rows with long texts are gathered by fewer."""
    return sum(len(value) if isinstance(value, str | bytes | list) else 8 for value in row.values())


def array_of(values: list[Any], column: str) -> pa.Array:
    """Returns the values of a column in the narrowest type that holds them.

    Raises:
        ValueConflict: There is none.
    """
    try:
        return _checked(pa.array(values), values, column)
    except _ARROW_ERRORS:
        pass
    plain = [int(value) if isinstance(value, bool) else value for value in values]
    if any(isinstance(value, list) for value in plain):
        plain = [value if value is None or isinstance(value, list) else [value] for value in plain]
    try:
        return _checked(pa.array(plain), plain, column)
    except _ARROW_ERRORS as error:
        raise _conflict(plain, column, str(error)) from None


def _checked(array: pa.Array, values: list[Any], column: str) -> pa.Array:
    if pa.types.is_uint64(array.type):  # Arrow's choice for integers that no int64 holds
        raise _conflict(values, column, "")
    return array


def _conflict(values: list[Any], column: str, reason: str) -> ValueConflict:
    """Finds the first value that can't stand beside those before it."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _fails(values[:middle]) else (middle, high)
    value = values[low]
    if isinstance(value, int) and value not in _INT_RANGE:
        return TooBig(low, column, f"holds {shortened(str(value))}, an integer of more than 64 bits")
    if isinstance(value, str) and not _is_text(value):
        return ValueConflict(low, column, f"holds {shortened(value)}, in which half of a surrogate pair stands alone")
    before = next((each for each in values[:low] if each is not None), None)
    kinds = f"{_kind(value)} ({shortened(str(value))}), and {_kind(before)} ({shortened(str(before))}) before"
    problem = f"holds {kinds}" if before is not None else f"can't be stored: {reason}"
    return ValueConflict(low, column, problem, before)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fails(values: list[Any]) -> bool:
    try:
        return bool(pa.types.is_uint64(pa.array(values).type))
    except _ARROW_ERRORS:
        return True


def _kind(value: Any) -> str:
    if isinstance(value, list):
        several = {str: "text", bytes: "bytes", int: "integers", float: "numbers", list: "lists", dict: "records"}
        held = dict.fromkeys(several.get(type(each), type(each).__name__) for each in value if each is not None)
        return " of ".join(filter(None, ("a list", " and ".join(held))))
    names = {str: "text", bytes: "bytes", int: "an integer", float: "a number", dict: "a record"}
    return names.get(type(value), type(value).__name__)

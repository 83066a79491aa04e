"""Slices: which rows of a batch belong to which combination of raw values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.components.evaluation.accumulators import Problem, Scored, TotalsBySlice
from penstock.components.evaluation.metrics import Totals

MAX_SLICES = 1_000
"""Combinations of values up to which a slicing is reported; one with more is named as left out."""

SliceValue = str | bytes | int | float | bool | None
"""One raw value; None stands for a missing feature and for an empty list, "NaN" for a float that is none."""

SliceKey = tuple[SliceValue, ...]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SliceRows:
    """The slices of one batch: row `rows[i]` belongs to slice `keys[codes[i]]`.

    A row of a list column belongs to the slice of each of its distinct values.
    """

    rows: Ints
    codes: Ints
    keys: list[SliceKey]


def slice_rows(batch: pa.RecordBatch, columns: Sequence[str]) -> SliceRows:
    """Return the slices of a batch by the values of `columns`; no columns: one slice of all rows."""
    rows = np.arange(batch.num_rows, dtype=np.int64)
    codes = np.zeros(batch.num_rows, np.int64)
    keys: list[SliceKey] = [()]
    for name in columns:
        offsets, value_codes, values = _encoded(batch.column(name))
        lengths = np.diff(offsets)[rows]
        first = np.repeat(offsets[rows], lengths)
        within = np.arange(len(first)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        combined = np.repeat(codes, lengths) * len(values) + value_codes[first + within]
        rows = np.repeat(rows, lengths)
        rows, combined = _distinct_pairs(rows, combined, len(keys) * len(values))
        occurring, codes = np.unique(combined, return_inverse=True)
        pairs = (divmod(code, len(values)) for code in occurring.tolist())
        keys = [(*keys[before], values[own]) for before, own in pairs]
    return SliceRows(rows, codes, keys)


def _encoded(array: pa.Array) -> tuple[Ints, Ints, list[SliceValue]]:
    """Return CSR offsets (n + 1,), codes of all elements, and the values that the codes mean."""
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        encoded = array.dictionary_encode(null_encoding="encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return np.arange(len(array) + 1), codes, _values(encoded.dictionary)
    flat = array.flatten().dictionary_encode(null_encoding="encode")
    values = [*_values(flat.dictionary), None]
    lengths = np.asarray(array.value_lengths().fill_null(0)).astype(np.int64)
    kept = np.maximum(lengths, 1)
    codes = np.full(int(kept.sum()), len(values) - 1, np.int64)
    codes[np.repeat(lengths > 0, kept)] = flat.indices.to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(kept)]), codes, values


def _values(dictionary: pa.Array) -> list[SliceValue]:
    values = dictionary.to_pylist()
    return ["NaN" if isinstance(value, float) and math.isnan(value) else value for value in values]


def _distinct_pairs(rows: Ints, codes: Ints, size: int) -> tuple[Ints, Ints]:
    if len(rows) == 0 or np.all(np.diff(rows) > 0):
        return rows, codes
    pairs = np.unique(rows * size + codes)
    return pairs // size, pairs % size


class Slicing:
    """Accumulates the totals of all slices by some columns; `overflowed` once there are too many of them."""

    def __init__(self, columns: Sequence[str], problem: Problem) -> None:
        self.columns = tuple(columns)
        self.overflowed = False
        self._numbers: dict[SliceKey, int] = {}
        self._totals = TotalsBySlice(problem)

    def add(self, batch: pa.RecordBatch, scored: Scored) -> None:
        """Add rows; row i of `batch` (raw values) has row i of `scored`."""
        if self.overflowed:
            return
        sliced = slice_rows(batch, self.columns)
        numbers = self._number(sliced.keys)
        if self.overflowed or not len(sliced.rows):
            return
        every_row = not self.columns
        self._totals.add(np.asarray(numbers)[sliced.codes], scored if every_row else scored.take(sliced.rows))

    def merge(self, other: Slicing) -> None:
        """Add what another slicing by the same columns has accumulated."""
        numbers = self._number([*other._numbers])
        self.overflowed = self.overflowed or other.overflowed
        if not self.overflowed:
            self._totals.merge(other._totals, numbers)

    def totals(self) -> dict[SliceKey, Totals]:
        """Return the totals by slice, in the order of the values, missing ones last; none once overflowed."""
        if self.overflowed:
            return {}
        totals = self._totals.totals(len(self._numbers))
        return {key: totals[self._numbers[key]] for key in sorted(self._numbers, key=_order)}

    @property
    def accumulated(self) -> TotalsBySlice:
        """The totals behind the slices; the slicing by no columns has one slice, number 0."""
        return self._totals

    def _number(self, keys: list[SliceKey]) -> list[int]:
        numbers = [self._numbers.setdefault(key, len(self._numbers)) for key in keys]
        if len(self._numbers) > MAX_SLICES:
            self.overflowed = True
            self._numbers, self._totals = {}, TotalsBySlice(self._totals.problem)
        return numbers


def _order(key: SliceKey) -> list[tuple[bool, bool, SliceValue]]:
    return [(value is None, value == "NaN", "" if value is None or value == "NaN" else value) for value in key]

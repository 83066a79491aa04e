"""Tables of values and labels, counted in one pass: how surely a single feature predicts the label.

The tables of two parts of the rows merge to that of the whole, exactly and in any order. Numbers are counted in bins
that are as narrow as their table's bound allows; a bin of one table is a union of bins of a finer one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.components.validation.ordered_bits import Ordered, ordered

MOST_PAIRS = 20_000
"""Strings with more distinct pairs of a value and a label are left out; with over a hundred columns, with fewer."""

_PAIRS_IN_ALL = 2_000_000

MOST_LABELS = 100
"""Labels with more distinct values aren't classes."""

MOST_BINS = 256
"""Numbers with more distinct values are counted in bins, of which there are at most so many."""

ROWS_A_VALUE = 10
"""A value has to occur this often on average: what names each row predicts everything and tells nothing."""

Codes = npt.NDArray[np.int64]


def most_pairs(columns: int) -> int:
    """Return how many distinct pairs of a value and a label are counted of each of some columns."""
    return min(MOST_PAIRS, _PAIRS_IN_ALL // max(columns, 1))


class Labels:
    """The distinct labels, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._codes: dict[object, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def are_classes(self) -> bool:
        """Whether there are few enough to be classes."""
        return len(self._codes) <= MOST_LABELS

    def add(self, labels: pa.Array) -> Codes:
        """Return the code of each label (n,); none of them is null."""
        encoded = labels.dictionary_encode()
        codes = self._coded(encoded.dictionary.to_pylist())
        return codes[encoded.indices.to_numpy(zero_copy_only=False)] if len(codes) else np.zeros(0, np.int64)

    def merge(self, other: Labels) -> Codes:
        """Take in the labels of `other`, and return the new code of each of its codes."""
        return self._coded(other._codes)

    def _coded(self, found: Iterable[object]) -> Codes:
        # One more than is allowed is kept, so that memory is bounded.
        room = MOST_LABELS + 1
        return np.array(
            [
                self._codes.setdefault(label, len(self._codes))
                if label in self._codes or len(self._codes) < room
                else MOST_LABELS
                for label in found
            ],
            np.int64,
        )


class TextTable:
    """How often each string, or none, comes with each label.

    Args:
        most: How many pairs of a string and a label are counted at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: Counter[tuple[str | None, int]] = Counter()
        self.crowded = False

    def add(self, values: pa.Array, codes: Codes, labels: int) -> None:
        """Add strings (n,) with the codes of their labels (n,), of which there are `labels`."""
        if self.crowded or not len(values):
            return
        encoded = values.dictionary_encode()
        named = [*encoded.dictionary.to_pylist(), None]
        rows = encoded.indices.fill_null(len(named) - 1).to_numpy(zero_copy_only=False).astype(np.int64)
        counts = np.bincount(rows * labels + codes)
        self._take(
            {(named[pair // labels], pair % labels): int(counts[pair]) for pair in np.flatnonzero(counts).tolist()}
        )

    def merge(self, other: TextTable, codes: Codes) -> None:
        """Add the counts of `other`; `codes` are the codes here of its labels."""
        self.crowded |= other.crowded
        self._take({(value, int(codes[code])): count for (value, code), count in other._counts.items()})

    def _take(self, found: dict[tuple[str | None, int], int]) -> None:
        for pair, count in found.items():
            self._counts[pair] += count
        self.crowded |= len(self._counts) > self._most
        if self.crowded:
            self._counts.clear()

    def by_value(self, rows: int, labels: int) -> Codes | None:
        """Return the counts of labels by value (values, labels); None where the values are too many to tell."""
        values = {value: number for number, value in enumerate({value for value, _ in self._counts})}
        if self.crowded or len(values) * ROWS_A_VALUE > rows:
            return None
        table = np.zeros((len(values), labels), np.int64)
        for (value, code), count in self._counts.items():
            table[values[value], code] += count
        return table


class NumberTable:
    """How often the numbers of each bin, or none, come with each label."""

    def __init__(self) -> None:
        self._shift = 0
        self._bins: Ordered = np.zeros(0, np.int64)
        self._counts = np.zeros((0, 0), np.int64)
        self._missing = np.zeros(0, np.int64)

    def add(self, values: pa.Array, codes: Codes, labels: int) -> None:
        """Add numbers (n,) with the codes of their labels (n,), of which there are `labels`."""
        keys, there = ordered(values)
        encoded = pa.array(keys[there] >> self._shift).dictionary_encode()
        bins, rows = encoded.dictionary.to_numpy(), encoded.indices.to_numpy().astype(np.int64)
        counts = np.bincount(rows * labels + codes[there], minlength=len(bins) * labels).reshape(len(bins), labels)
        self._take(bins, counts, np.bincount(codes[~there], minlength=labels))

    def merge(self, other: NumberTable, codes: Codes) -> None:
        """Add the counts of `other`; `codes` are the codes here of its labels."""
        labels = int(max(codes.max(initial=-1) + 1, len(self._missing)))
        self._coarsen(max(self._shift, other._shift))
        renamed = [np.zeros((len(each), labels), np.int64) for each in (other._counts, other._missing[None])]
        for after, before in zip(renamed, (other._counts, other._missing[None]), strict=True):
            np.add.at(after.T, codes[: before.shape[1]], before.T)
        self._take(other._bins >> (self._shift - other._shift), renamed[0], renamed[1][0])

    def _take(self, bins: Ordered, counts: Codes, missing: Codes) -> None:
        labels = len(missing)
        self._missing = _widened(self._missing[None], labels)[0] + missing
        self._bins, self._counts = _summed(
            np.concatenate([self._bins, bins]), np.concatenate([_widened(self._counts, labels), counts])
        )
        self._coarsen(_shift_for(self._bins, MOST_BINS) + self._shift)

    def _coarsen(self, shift: int) -> None:
        if shift > self._shift:
            self._bins, self._counts = _summed(self._bins >> (shift - self._shift), self._counts)
            self._shift = shift

    def by_value(self, rows: int, labels: int) -> Codes | None:
        """Return the counts of labels by bin (bins, labels), of fewer bins where there are few rows."""
        most = rows // ROWS_A_VALUE - int(self._missing.any())
        if most < 1:
            return None
        self._coarsen(_shift_for(self._bins, most) + self._shift)
        table = np.concatenate([self._counts, self._missing[None]])
        return _widened(table[table.any(axis=1)], labels)


def avoided_errors(table: Codes) -> float | None:
    """Return the fraction of the errors of always guessing the most frequent label that knowing the value avoids.

    It is Goodman and Kruskal's lambda; None where there is one label only.

    Args:
        table: The counts of labels by value (values, labels).
    """
    by_label = table.sum(axis=0)
    if np.count_nonzero(by_label) < 2:
        return None
    guessed = int(by_label.max())
    return (int(table.max(axis=1).sum()) - guessed) / (int(by_label.sum()) - guessed)


def _shift_for(bins: Ordered, most: int) -> int:
    """Return how many bits sorted, distinct bins have to lose to be at most `most`."""
    low, high = 0, 63
    while low < high:
        middle = (low + high) // 2
        shifted = bins >> middle
        fits = np.count_nonzero(shifted[1:] != shifted[:-1]) + min(len(bins), 1) <= most
        low, high = (low, middle) if fits else (middle + 1, high)
    return low


def _summed(bins: Ordered, counts: Codes) -> tuple[Ordered, Codes]:
    if not len(bins):
        return bins, counts
    order = np.argsort(bins, kind="stable")
    bins, counts = bins[order], counts[order]
    first = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    return bins[first], np.add.reduceat(counts, first, axis=0)


def _widened(counts: Codes, labels: int) -> Codes:
    return np.pad(counts, ((0, 0), (0, labels - counts.shape[1])))

"""Lift: how much more often a label comes with a value of a feature than it comes at all; by TFDV's meaning.

lift(x, y) is P(label = y | feature has x) / P(label = y), over rows without weights: 1 where x tells nothing of y. A
value that a row has several times counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import CrossFeatureStatistics, LiftSeries

from penstock.components.validation.label_tables import MOST_LABELS, most_pairs
from penstock.components.validation.presence_statistics import lengths_of
from penstock.data.raw_feature import is_list

Value = int | str | bytes


class LiftStatistics:
    """Of some categorical features and a label; both counted exactly, in bounded memory.

    Features with more than 20,000 distinct pairs of a value and a label are left out; so are all where the label has
    more than 100 distinct values.

    Args:
        label: The column of the label, one string or integer a row.
        features: The columns of strings or integers, or lists of these.
    """

    def __init__(self, label: str, features: Sequence[str]) -> None:
        self._label = label
        self._most = most_pairs(len(features))
        self._rows = 0
        self._labels: Counter[Value] = Counter()
        self._values: dict[str, Counter[Value]] = {name: Counter() for name in features}
        self._pairs: dict[str, Counter[tuple[Value, Value]]] = {name: Counter() for name in features}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows."""
        self._rows += batch.num_rows
        labels, of_rows = _encoded(batch.column(self._label))
        for label, count in zip(
            labels, np.bincount(of_rows[of_rows >= 0], minlength=len(labels)).tolist(), strict=True
        ):
            self._labels[label] += count
        for name in list(self._pairs):
            values, codes, rows = _distinct_in_rows(batch.column(name))
            for value, count in zip(values, np.bincount(codes, minlength=len(values)).tolist(), strict=True):
                self._values[name][value] += count
            there = of_rows[rows] >= 0
            counts = np.bincount(codes[there] * len(labels) + of_rows[rows][there])
            for pair in np.flatnonzero(counts).tolist():
                self._pairs[name][values[pair // len(labels)], labels[pair % len(labels)]] += int(counts[pair])
        self._bound()

    def merge(self, other: LiftStatistics) -> None:
        """Add the rows of `other`."""
        self._rows += other._rows
        self._labels.update(other._labels)
        for name in [name for name in self._pairs if name not in other._pairs]:
            del self._pairs[name], self._values[name]
        for name in self._pairs:
            self._values[name].update(other._values[name])
            self._pairs[name].update(other._pairs[name])
        self._bound()

    def _bound(self) -> None:
        crowded = len(self._labels) > MOST_LABELS
        for name in list(self._pairs):
            if crowded or max(len(self._pairs[name]), len(self._values[name])) > self._most:
                del self._pairs[name], self._values[name]
        if crowded:
            self._labels = Counter(dict(self._labels.most_common(MOST_LABELS + 1)))

    def protos(self) -> list[CrossFeatureStatistics]:
        """Return the lift of each feature: labels in their order, the values with the greatest lift first."""
        return [self._proto(name) for name in self._pairs if self._values[name]]

    def _proto(self, name: str) -> CrossFeatureStatistics:
        cross = CrossFeatureStatistics()
        cross.path_x.step.append(name)
        cross.path_y.step.append(self._label)
        for label in sorted(self._labels):
            series = cross.categorical_cross_stats.lift.lift_series.add(y_count=self._labels[label])
            if isinstance(label, int):
                series.y_int = label
            else:
                series.y_string = _text(label)
            self._add_values(series, name, label)
        return cross

    def _add_values(self, series: LiftSeries, name: str, label: Value) -> None:
        share = self._labels[label] / self._rows
        found = []
        for value, count in self._values[name].items():
            both = self._pairs[name][value, label]
            found.append((both / count / share, value, count, both))
        for lift, value, count, both in sorted(found, key=lambda each: (-each[0], each[1])):
            entry = series.lift_values.add(lift=lift, x_count=count, x_and_y_count=both)
            if isinstance(value, int):
                entry.x_int = value
            else:
                entry.x_string = _text(value)


def _encoded(column: pa.Array) -> tuple[list[Value], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the distinct values of a column (n,) and the number of each one's value (n,); -1 where it is missing."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return encoded.dictionary.to_pylist(), codes


def _distinct_in_rows(
    column: pa.Array,
) -> tuple[list[Value], np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the distinct values of a column (rows,), and each pair of a value's number and a row once (n,), (n,)."""
    rows = np.arange(len(column))
    if not is_list(column.type):
        values, codes = _encoded(column)
        return values, codes[codes >= 0], rows[codes >= 0]
    rows = np.repeat(rows, lengths_of(column).astype(np.int64))
    values, codes = _encoded(column.flatten())
    pairs = np.unique(rows[codes >= 0] * max(len(values), 1) + codes[codes >= 0])
    return values, pairs % max(len(values), 1), pairs // max(len(values), 1)


def _text(value: Value) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

"""Which single features give the label away: by a table of values and labels, or by correlation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.components.validation.cross_statistics import CrossStatistics
from penstock.components.validation.leakage_config import LeakageChecks
from penstock.components.validation.quantiles import Quantiles

MOST_PAIRS = 20_000
"""Columns with more distinct pairs of a value and a label are left out."""

MOST_LABELS = 100
"""Labels with more distinct values aren't classes."""

ROWS_A_VALUE = 10
"""A value has to occur this often on average: what names each row predicts everything and tells nothing."""

BINS = 32

Batches = Callable[[Sequence[str]], Iterable[pa.RecordBatch]]


def predictive_features(columns: pa.Schema, batches: Batches, checks: LeakageChecks) -> Iterator[tuple[str, str]]:
    """Yield each feature that predicts the label all but surely, with the evidence.

    Args:
        columns: The Arrow schema of the examples.
        batches: Reads the wanted columns from the start.
        checks: Names the label, and how sure is too sure.
    """
    label = checks.label or ""
    left_out = {label, *(checks.ignore_features or ())}
    names = [field.name for field in columns if field.name not in left_out and _is_plain(field.type)]
    if pa.types.is_floating(columns.field(label).type):
        yield from _by_correlation(columns, names, label, batches, checks.max_predictability)
        return
    numeric = [name for name in names if _is_number(columns.field(name).type)]
    edges = _edges(numeric, batches)
    tables = {name: _Table(edges.get(name)) for name in names}
    for batch in batches([*names, label]):
        labels = batch.column(label)
        for name, table in tables.items():
            table.add(batch.column(name), labels)
    for name, table in tables.items():
        avoided = table.avoided_errors()
        if avoided is not None and avoided >= checks.max_predictability:
            yield (
                name,
                f"{name!r} alone predicts the label {label!r}: it avoids {avoided:.2%} of the errors of always "
                f"guessing the most frequent label, in {table.rows} rows; at most "
                f"{checks.max_predictability:.2%} may be.",
            )


class _Table:
    """Counts of (value, label); values of numbers are bins where there are too many."""

    def __init__(self, edges: np.ndarray[tuple[int], np.dtype[np.float64]] | None) -> None:
        self._edges = edges
        self._counts: Counter[tuple[object, object]] = Counter()
        self._crowded = False
        self.rows = 0

    def add(self, values: pa.Array, labels: pa.Array) -> None:
        if self._crowded:
            return
        there = labels.is_valid()
        values, labels = values.filter(there), labels.filter(there)
        self.rows += len(values)
        if self._edges is not None:
            numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            values = pa.array(np.searchsorted(self._edges, numbers), mask=np.isnan(numbers))
        counted = (
            pa.table({"value": values, "label": labels}).group_by(["value", "label"]).aggregate([([], "count_all")])
        )
        for value, label, count in zip(
            *(counted[name].to_pylist() for name in ("value", "label", "count_all")), strict=True
        ):
            self._counts[value, label] += count
        self._crowded = len(self._counts) > MOST_PAIRS

    def avoided_errors(self) -> float | None:
        """Goodman and Kruskal's lambda; None where it tells nothing."""
        by_value: dict[object, list[int]] = {}
        by_label: Counter[object] = Counter()
        for (value, label), count in self._counts.items():
            by_value.setdefault(value, []).append(count)
            by_label[label] += count
        if self._crowded or not 2 <= len(by_label) <= MOST_LABELS or len(by_value) * ROWS_A_VALUE > self.rows:
            return None
        errors = self.rows - max(by_label.values())
        return (sum(max(counts) for counts in by_value.values()) - max(by_label.values())) / errors


def _edges(names: Sequence[str], batches: Batches) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the bounds of bins of about equal count, for columns of numbers with many distinct ones."""
    sketches = {name: Quantiles() for name in names}
    for batch in batches(names) if names else ():
        for name, sketch in sketches.items():
            numbers = pc.drop_null(batch.column(name)).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            sketch.add(numbers[np.isfinite(numbers)])
    found = {}
    for name, sketch in sketches.items():
        try:
            distribution = sketch.distribution()
        except ValueError:
            continue  # no number at all
        if not distribution.exact or len(distribution.values) > BINS:
            at = [distribution.at_rank(distribution.counts[-1] * i / BINS) for i in range(1, BINS)]
            found[name] = np.unique(distribution.values[at])
    return found


def _by_correlation(
    columns: pa.Schema, names: Sequence[str], label: str, batches: Batches, bound: float
) -> Iterator[tuple[str, str]]:
    crosses = {name: CrossStatistics(name, label) for name in names if _is_number(columns.field(name).type)}
    for batch in batches([*crosses, label]):
        for cross in crosses.values():
            cross.add(batch)
    for name, cross in crosses.items():
        found = cross.proto()
        correlation = abs(found.num_cross_stats.correlation)
        if found.count >= ROWS_A_VALUE and correlation >= bound:
            yield (
                name,
                f"{name!r} alone predicts the label {label!r}: their correlation is {correlation:.4f} in {found.count} "
                f"rows; at most {bound:.4f} may be.",
            )


def _is_plain(kind: pa.DataType) -> bool:
    return bool(_is_number(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

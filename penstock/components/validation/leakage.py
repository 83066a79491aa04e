"""What leaks, gathered in the pass that makes the statistics: by range of rows, merged exactly in any order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from penstock.components.validation.cross_statistics import CrossStatistics
from penstock.components.validation.label_tables import Labels, NumberTable, TextTable, most_pairs
from penstock.components.validation.leakage_config import LeakageChecks
from penstock.components.validation.ordered_bits import ordered, unsigned
from penstock.components.validation.sorted_runs import Keys, SortedRuns
from penstock.data.row_hash import hash_rows
from penstock.pipeline import DataError
from penstock.pipeline.errors import listing, nearest


@dataclass(frozen=True)
class LeakageSearch:
    """What is looked for in the examples, and where.

    Attributes:
        checks: What must not leak.
        columns: The Arrow schema of the examples.
        splits: Those that are looked into, in their order.
        folder: Where runs of keys are written while the pass goes on; every worker reaches it.
    """

    checks: LeakageChecks
    columns: pa.Schema
    splits: Sequence[str]
    folder: str

    def columns_beside(self, others: Sequence[str]) -> list[str]:
        """Return the columns that have to be read for the checks, and `others`, in their order."""
        if self.checks.max_duplicate_fraction is not None:
            return list(self.columns.names)
        named = {name for names in self.checks.columns().values() for name in names}
        needed = named.union(self.candidates(), others)
        return [name for name in self.columns.names if name in needed]

    def candidates(self) -> list[str]:
        """Return the columns that might predict the label."""
        label = self.checks.label
        if label is None:
            return []
        left_out = {label, *(self.checks.ignore_features or ())}
        by_correlation = pa.types.is_floating(self.columns.field(label).type)
        fits = _is_number if by_correlation else _is_plain
        return [field.name for field in self.columns if field.name not in left_out and fits(field.type)]


def plan_search(
    checks: LeakageChecks, columns: pa.Schema, splits: Sequence[str], folder: str, only: Sequence[str] | None = None
) -> LeakageSearch:
    """Return what is to be looked for.

    Args:
        checks: What must not leak.
        columns: The Arrow schema of the examples.
        splits: The splits that are described.
        folder: Where runs of keys are written.
        only: The features that are described, where not all are: others can't predict the label.

    Raises:
        DataError: The checks name a column or a split that there isn't, or one that can't be used so.
    """
    for option, names in checks.columns().items():
        for name in names:
            if name not in columns.names:
                raise DataError(
                    f"LeakageChecks({option}=...) names {name!r}, which is no column of the examples."
                    f"{nearest(name, columns.names)} They have: {listing(columns.names)}."
                )
    for option, single, fits, kind in (
        ("time_feature", checks.time_feature, _is_number, "numbers, one a row"),
        ("label", checks.label, _is_plain, "strings or numbers, one a row"),
    ):
        if single is not None and not fits(columns.field(single).type):
            raise DataError(
                f"LeakageChecks({option}={single!r}) takes a column of {kind}; it is of type "
                f"{columns.field(single).type}."
            )
    for name in checks.split_order or ():
        if name not in splits:
            raise DataError(
                f"LeakageChecks(split_order=...) names {name!r}, which is no split that is described."
                f"{nearest(name, splits)} Described are: {listing(splits)}."
            )
    if only is not None:
        ignored = [name for name in columns.names if name not in only and name != checks.label]
        checks = replace(checks, ignore_features=[*(checks.ignore_features or ()), *ignored])
    return LeakageSearch(checks, columns, list(checks.split_order or splits), folder)


class LabelLeakage:
    """How surely each feature predicts the label: tables of values and classes, or correlations with a float.

    Args:
        search: Names the label.
    """

    def __init__(self, search: LeakageSearch) -> None:
        self._label = search.checks.label or ""
        kinds = {name: search.columns.field(name).type for name in search.candidates()}
        self.crosses: dict[str, CrossStatistics] = {}
        self.tables: dict[str, NumberTable | TextTable] = {}
        if pa.types.is_floating(search.columns.field(self._label).type):
            self.crosses = {name: CrossStatistics(name, self._label) for name in kinds}
        else:
            most = most_pairs(len(kinds))
            self.tables = {name: NumberTable() if _is_number(kind) else TextTable(most) for name, kind in kinds.items()}
        self.labels = Labels()
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows; those without a label don't count."""
        for cross in self.crosses.values():
            cross.add(batch)
        if not self.tables or not self.labels.are_classes:
            return
        there = batch.column(self._label).is_valid()
        labelled = batch if there.true_count == len(there) else batch.filter(there)
        if not labelled.num_rows:
            return
        self.rows += labelled.num_rows
        codes = self.labels.add(labelled.column(self._label))
        for name, table in self.tables.items():
            table.add(labelled.column(name), codes, len(self.labels))

    def merge(self, other: LabelLeakage) -> None:
        """Add the rows of `other`."""
        self.rows += other.rows
        for name, cross in self.crosses.items():
            cross.merge(other.crosses[name])
        codes = self.labels.merge(other.labels)
        for name, table in self.tables.items():
            table.merge(other.tables[name], codes)  # type: ignore[arg-type]  # both were made for the same kind


class RangeLeakage:
    """What one range of a split contributes; pickled it is small, for its keys are in files.

    Args:
        search: What is looked for.
        split: The split of the range.
        number: The range's place among the ranges of its split.
    """

    def __init__(self, search: LeakageSearch, split: str, number: int) -> None:
        self._search = search
        checks, folder = search.checks, os.path.join(search.folder, f"Split-{split}")
        wanted = {
            "rows": checks.max_duplicate_fraction is not None,
            "groups": bool(checks.group_features),
            "times": checks.time_feature is not None,
        }
        self._keys = {
            name: SortedRuns(os.path.join(folder, f"{name}-{number:05d}"))
            for name, asked in wanted.items()
            if asked and split in search.splits
        }
        self.times: tuple[int, int] | None = None
        self.label: LabelLeakage | None = None
        if checks.label is not None and split == search.splits[0]:
            self.label = LabelLeakage(search)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows with the needed columns."""
        if "rows" in self._keys:
            self._keys["rows"].add(row_keys(batch.select(self._search.columns.names)))
        if "groups" in self._keys:
            keys, whole = group_keys(batch, self._search.checks.group_features or [])
            self._keys["groups"].add(keys[whole])
        if "times" in self._keys:
            times, there = ordered(batch.column(self._search.checks.time_feature))
            self._add_times(unsigned(times[there]))
        if self.label is not None:
            self.label.add(batch)

    def _add_times(self, keys: Keys) -> None:
        if len(keys):
            self._keys["times"].add(keys)
            self._widen((int(keys.min()), int(keys.max())))

    def _widen(self, seen: tuple[int, int]) -> None:
        known = self.times or seen
        self.times = min(known[0], seen[0]), max(known[1], seen[1])

    def close(self) -> None:
        """Write the keys that are still in memory; to be called when the range's last row was added."""
        for runs in self._keys.values():
            runs.close()

    def merge(self, other: RangeLeakage) -> None:
        """Add the rows of another range of the split; both are closed."""
        for name, runs in self._keys.items():
            runs.merge(other._keys[name])
        if other.times is not None:
            self._widen(other.times)
        if self.label is not None and other.label is not None:
            self.label.merge(other.label)

    def keys(self, name: str) -> SortedRuns:
        """Return the keys of "rows", "groups" or "times"."""
        return self._keys[name]


def row_keys(batch: pa.RecordBatch) -> Keys:
    """Return a key a row (rows,), the same for rows that are equal."""
    first, second = hash_rows(batch)
    keys: Keys = first ^ (second << np.uint64(1))
    return keys


def group_keys(
    batch: pa.RecordBatch, columns: Sequence[str]
) -> tuple[Keys, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the key of each row's group (rows,), and which rows miss none of its columns (rows,)."""
    group = batch.select(list(columns))
    whole = np.ones(batch.num_rows, np.bool_)
    for column in group.columns:
        whole &= column.is_valid().to_numpy(zero_copy_only=False)
    return row_keys(group), whole


def _is_plain(kind: pa.DataType) -> bool:
    return bool(_is_number(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

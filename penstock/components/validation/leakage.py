"""Find what leaks: rows and groups that are in two splits, times that overlap, a feature that gives the label away."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.domain_rules import MAX_EXAMPLES, shortened
from penstock.components.validation.draft import Finding
from penstock.components.validation.label_leakage import predictive_features
from penstock.components.validation.leakage_config import LeakageChecks
from penstock.data.examples import arrow_schema, count_rows, read_batches, split_files
from penstock.data.row_hash import hash_rows
from penstock.pipeline import DataError
from penstock.pipeline.errors import listing, nearest

HASHES_A_PART = 20_000_000
"""About so many hashes are held at a time; with more rows the splits are read once a part."""

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Leak:
    """Something that leaks into a split.

    Attributes:
        split: The later split, or the one in which a feature predicts the label.
        feature: The feature; "" for the data set as a whole.
        finding: What leaks, with its evidence.
    """

    split: str
    feature: str
    finding: Finding


def find_leaks(path: str, splits: Sequence[str], checks: LeakageChecks) -> list[Leak]:
    """Look for leaks among some splits of the examples at `path`.

    Raises:
        DataError: The checks name a column or a split that there isn't, or one that can't be used so.
    """
    columns = arrow_schema(path)
    _check_columns(columns, checks)
    ordered = _in_order(splits, checks)
    leaks: list[Leak] = []
    if checks.max_duplicate_fraction is not None:
        leaks += _shared(path, ordered, _Sharing(columns.names, checks.max_duplicate_fraction, "rows", groups=False))
    if checks.group_features:
        what = f"groups ({', '.join(checks.group_features)})"
        leaks += _shared(path, ordered, _Sharing(checks.group_features, 0.0, what, groups=True))
    if checks.time_feature is not None:
        leaks += _overlapping(path, ordered, checks.time_feature)
    if checks.label is not None:
        batches = partial(read_batches, split_files(path, ordered[0]))
        for feature, told in predictive_features(columns, batches, checks):
            leaks.append(Leak(ordered[0], feature, _finding("A feature predicts the label", told)))
    return leaks


def _check_columns(columns: pa.Schema, checks: LeakageChecks) -> None:
    for option, names in checks.columns().items():
        for name in names:
            if name not in columns.names:
                raise DataError(
                    f"LeakageChecks({option}=...) names {name!r}, which is no column of the examples."
                    f"{nearest(name, columns.names)} They have: {listing(columns.names)}."
                )
    time = checks.time_feature
    if time is not None:
        kind = columns.field(time).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise DataError(f"LeakageChecks(time_feature={time!r}) takes a column of numbers; it is of type {kind}.")


def _in_order(splits: Sequence[str], checks: LeakageChecks) -> list[str]:
    for name in checks.split_order or ():
        if name not in splits:
            raise DataError(
                f"LeakageChecks(split_order=...) names {name!r}, which is no split that is checked."
                f"{nearest(name, splits)} Checked are: {listing(splits)}."
            )
    return list(checks.split_order or splits)


@dataclass(frozen=True)
class _Sharing:
    """What splits must not share: columns that are compared, how much is too much, and what to call it.

    Rows that miss one of the columns of a group belong to no group.
    """

    columns: Sequence[str]
    bound: float
    what: str
    groups: bool


def _shared(path: str, splits: Sequence[str], sharing: _Sharing) -> Iterator[Leak]:
    """Yield a leak for each split that shares too many of its rows with earlier splits."""
    rows = sum(count_rows(path, split) for split in splits)
    parts = max(1, -(-rows // HASHES_A_PART))
    shared, shown = dict.fromkeys(splits, 0), {split: dict[str, None]() for split in splits}
    for part in range(parts):
        earlier = np.zeros(0, np.uint64)
        for split in splits:
            found = [np.zeros(0, np.uint64)]
            for batch, words in _hashed(path, split, sharing, part, parts):
                again = np.isin(words, earlier)
                shared[split] += int(np.count_nonzero(again))
                if sharing.groups and len(shown[split]) < MAX_EXAMPLES and again.any():
                    _show(batch.filter(pa.array(again)), shown[split])
                found.append(np.unique(words))
            earlier = np.union1d(earlier, np.concatenate(found))
    for split in splits:
        total = count_rows(path, split)
        if total and shared[split] > sharing.bound * total:
            examples = f", such as {', '.join(list(shown[split])[:MAX_EXAMPLES])}" if shown[split] else ""
            told = (
                f"{shared[split]} of {total} rows ({shared[split] / total:.2%}) have {sharing.what} that earlier "
                f"splits have too{examples}; at most {sharing.bound:.2%} may."
            )
            yield Leak(split, "", _finding(f"{sharing.what.capitalize()} leak between splits", told))


def _hashed(path: str, split: str, sharing: _Sharing, part: int, parts: int) -> Iterator[tuple[pa.RecordBatch, Words]]:
    for batch in read_batches(split_files(path, split), columns=list(sharing.columns)):
        first, second = hash_rows(batch)
        wanted = first % np.uint64(parts) == part
        for column in batch.columns if sharing.groups else ():
            wanted &= column.is_valid().to_numpy(zero_copy_only=False)
        words: Words = first[wanted] ^ (second[wanted] << np.uint64(1))
        yield batch.filter(pa.array(wanted)), words


def _show(batch: pa.RecordBatch, shown: dict[str, None]) -> None:
    for row in batch.slice(0, 100 * MAX_EXAMPLES).to_pylist():
        if len(shown) < MAX_EXAMPLES:
            shown[" ".join(shortened(repr(value)) for value in row.values())] = None


def _overlapping(path: str, splits: Sequence[str], column: str) -> Iterator[Leak]:
    """Yield a leak for each split that begins before those before it have ended."""
    latest, before = -math.inf, ""
    for split in splits:
        starts, ends, early, rows = math.inf, -math.inf, 0, 0
        for batch in read_batches(split_files(path, split), columns=[column]):
            times = batch.column(0).drop_null()
            rows += len(times)
            early += int(pc.sum(pc.less_equal(times, latest)).as_py() or 0) if len(times) else 0
            bounds = pc.min_max(times).as_py() if len(times) else {"min": math.inf, "max": -math.inf}
            starts, ends = min(starts, bounds["min"]), max(ends, bounds["max"])
        if early:
            told = (
                f"{column!r} begins at {starts} in split {split}, and ends at {latest} in split {before}: {early} of "
                f"{rows} rows ({early / rows:.2%}) aren't later."
            )
            yield Leak(split, column, _finding("Times of splits overlap", told))
        if ends > latest:
            latest, before = ends, split


def _finding(short: str, told: str) -> Finding:
    return Finding(AnomalyInfo.CUSTOM_VALIDATION, short, told)

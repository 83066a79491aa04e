"""Pair the rows of two sets of examples by key, and count by feature how they differ, in bounded memory.

Rows are paired by the hash of their key. Where there are many, the keys are cut into parts by that hash and both sides
are read once a part, so that memory depends on neither side's size. Values are compared by their row hash: null, NaN
and [] are values of their own, -0.0 is 0.0, an integer is no float. A column that a side doesn't have is missing in
each of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.data.examples import arrow_schema, count_rows, record_batches
from penstock.data.row_hash import hash_rows

ROWS_A_PART = 1_000_000
"""About so many rows of each side are held at a time."""

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class FeatureSkew:
    """How the values of one feature differ in rows of the same key.

    Attributes:
        same: Rows in which both sides have the same value, or none.
        only_examples: Rows in which only the examples have a value.
        only_baseline: Rows in which only the baseline has one.
        different: Rows in which both have one, and not the same.
    """

    same: int = 0
    only_examples: int = 0
    only_baseline: int = 0
    different: int = 0

    @property
    def fraction(self) -> float:
        """The fraction of the rows in which the two sides don't agree."""
        rows = self.same + self.only_examples + self.only_baseline + self.different
        return (rows - self.same) / rows if rows else 0.0

    def __add__(self, other: FeatureSkew) -> FeatureSkew:
        return FeatureSkew(
            self.same + other.same,
            self.only_examples + other.only_examples,
            self.only_baseline + other.only_baseline,
            self.different + other.different,
        )


@dataclass(frozen=True)
class Difference:
    """Two rows of one key that differ: the key, and (examples, baseline) by feature that does."""

    key: dict[str, object]
    values: dict[str, tuple[object, object]]


@dataclass(frozen=True)
class PairedSkew:
    """How two sets of examples differ, row by row.

    Attributes:
        pairs: Keys that stand exactly once on each side.
        only_examples: Keys that only the examples have.
        only_baseline: Keys that only the baseline has.
        ambiguous: Keys that a side has several times; they aren't compared.
        keyless: Rows that miss a part of the key; they aren't compared.
        features: Differences by feature.
        samples: Some pairs that differ, by the order of the keys' hashes.
        columns_only_examples: Compared columns that only the examples have.
        columns_only_baseline: Compared columns that only the baseline has.
    """

    pairs: int = 0
    only_examples: int = 0
    only_baseline: int = 0
    ambiguous: int = 0
    keyless: int = 0
    features: dict[str, FeatureSkew] = field(default_factory=dict)
    samples: tuple[Difference, ...] = ()
    columns_only_examples: tuple[str, ...] = ()
    columns_only_baseline: tuple[str, ...] = ()

    @property
    def unpaired(self) -> float:
        """The fraction of the keys that aren't compared; a row that misses a part of its key counts as one."""
        left_out = self.only_examples + self.only_baseline + self.ambiguous + self.keyless
        return left_out / (left_out + self.pairs) if left_out else 0.0


@dataclass(frozen=True)
class Pairing:
    """What is compared, and how.

    Attributes:
        keys: Columns that together name a row.
        features: Columns that are compared.
        float_digits: Digits after the point to which floats are rounded before; None compares them as they are.
        max_samples: The most pairs that are kept as samples.
    """

    keys: Sequence[str]
    features: Sequence[str]
    float_digits: int | None = None
    max_samples: int = 100


def paired_skew(examples: tuple[str, str], baseline: tuple[str, str], pairing: Pairing) -> PairedSkew:
    """Compare a split of the examples with one of the baseline, each as (folder, split)."""
    rows = max(count_rows(*examples), count_rows(*baseline))
    parts = max(1, -(-rows // ROWS_A_PART))
    total = PairedSkew(features={name: FeatureSkew() for name in pairing.features})
    for part in range(parts):
        ours, our_keyless = _side(examples, pairing, part, parts)
        theirs, their_keyless = _side(baseline, pairing, part, parts)
        keyless = our_keyless + their_keyless
        total = replace(_plus(total, _compare(ours, theirs, pairing)), keyless=total.keyless + keyless)
    left, right = (arrow_schema(path).names for path, _ in (examples, baseline))
    return replace(
        total,
        samples=total.samples[: pairing.max_samples],
        columns_only_examples=tuple(name for name in pairing.features if name not in right),
        columns_only_baseline=tuple(name for name in pairing.features if name not in left),
    )


@dataclass(frozen=True)
class _Side:
    keys: Words  # (rows,), ascending
    rows: pa.Table
    ambiguous: Words  # keys that stand several times; in `keys` they don't


def _side(source: tuple[str, str], pairing: Pairing, part: int, parts: int) -> tuple[_Side, int]:
    stored = arrow_schema(source[0])
    names = [name for name in dict.fromkeys([*pairing.keys, *pairing.features]) if name in stored.names]
    kept, hashes, keyless = [], [], 0
    for batch in record_batches(*source, columns=names):
        complete = np.logical_and.reduce(
            [batch.column(name).is_valid().to_numpy(zero_copy_only=False) for name in pairing.keys]
        )
        first, second = hash_rows(batch.select(list(pairing.keys)))
        keyless += int(np.count_nonzero(~complete)) if part == 0 else 0
        wanted = complete & (first % np.uint64(parts) == part)
        hashes.append(first[wanted] ^ (second[wanted] << np.uint64(1)))
        kept.append(batch.filter(pa.array(wanted)))
    schema = pa.schema([stored.field(name) for name in names])
    table = pa.Table.from_batches(kept, schema) if kept else schema.empty_table()
    words = np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)
    found, start, count = np.unique(words, return_index=True, return_counts=True)
    return _Side(found[count == 1], table.take(pa.array(start[count == 1])), found[count > 1]), keyless


def _compare(ours: _Side, theirs: _Side, pairing: Pairing) -> PairedSkew:
    ambiguous = np.union1d(ours.ambiguous, theirs.ambiguous)
    both, left, right = np.intersect1d(ours.keys, theirs.keys, assume_unique=True, return_indices=True)
    alone = [np.setdiff1d(np.setdiff1d(side, other), ambiguous) for side, other in _both_ways(ours.keys, theirs.keys)]
    mine, base = _alike(ours.rows.take(pa.array(left)), theirs.rows.take(pa.array(right)))
    features, unequal = {}, {}
    for name in pairing.features:
        features[name], unequal[name] = _feature(mine[name], base[name], pairing.float_digits)
    differing = np.flatnonzero(np.logical_or.reduce(list(unequal.values())))[: pairing.max_samples]
    samples = tuple(_sample(row, mine, base, unequal, pairing) for row in differing.tolist())
    return PairedSkew(len(both), len(alone[0]), len(alone[1]), len(ambiguous), 0, features, samples)


def _alike(left: pa.Table, right: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return two tables of one length with what only one of them has, missing in the other."""
    mine, base = left, right
    for name in left.column_names:
        if name not in right.column_names:
            base = base.append_column(name, pa.nulls(left.num_rows, left.schema.field(name).type))
    for name in right.column_names:
        if name not in left.column_names:
            mine = mine.append_column(name, pa.nulls(right.num_rows, right.schema.field(name).type))
    return mine, base


def _both_ways(left: Words, right: Words) -> Iterator[tuple[Words, Words]]:
    yield left, right
    yield right, left


def _feature(
    ours: pa.ChunkedArray, theirs: pa.ChunkedArray, digits: int | None
) -> tuple[FeatureSkew, npt.NDArray[np.bool_]]:
    words = [_words(column, digits) for column in (ours, theirs)]
    there = [column.is_valid().to_numpy() for column in (ours, theirs)]
    same = (words[0][0] == words[1][0]) & (words[0][1] == words[1][1]) | (~there[0] & ~there[1])
    counts = [same, there[0] & ~there[1], ~there[0] & there[1], there[0] & there[1] & ~same]
    return FeatureSkew(*(int(np.count_nonzero(each)) for each in counts)), ~same


def _words(column: pa.ChunkedArray, digits: int | None) -> tuple[Words, Words]:
    if digits is not None and pa.types.is_floating(column.type):
        column = pc.round(column, digits)
    return hash_rows(pa.RecordBatch.from_arrays([pa.array(column.combine_chunks())], ["value"]))


def _sample(
    row: int, mine: pa.Table, base: pa.Table, unequal: dict[str, npt.NDArray[np.bool_]], pairing: Pairing
) -> Difference:
    values = {
        name: (mine[name][row].as_py(), base[name][row].as_py()) for name in pairing.features if unequal[name][row]
    }
    return Difference({name: mine[name][row].as_py() for name in pairing.keys}, values)


def _plus(left: PairedSkew, right: PairedSkew) -> PairedSkew:
    return PairedSkew(
        left.pairs + right.pairs,
        left.only_examples + right.only_examples,
        left.only_baseline + right.only_baseline,
        left.ambiguous + right.ambiguous,
        left.keyless,
        {name: skew + right.features.get(name, FeatureSkew()) for name, skew in left.features.items()},
        (*left.samples, *right.samples),
    )

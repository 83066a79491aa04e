"""Keys of any number, held as sorted runs on disk: counted exactly across splits in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

RUN_KEYS = 1 << 19
"""A range holds about twice so many distinct keys in memory before it writes a run (8 MB)."""

PART_KEYS = 1 << 21
"""Runs are compared in parts of about so many keys, so that memory doesn't grow with the rows."""

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


@dataclass
class SortedRuns:
    """The keys of one range of rows: 64-bit hashes, each with how often it came.

    Attributes:
        prefix: How the files' paths begin; two writers never share one.
        files: The runs written: arrays (2, n) of uint64, distinct ascending keys over their counts.
        total: How many keys were added, with repetitions.
        stored: How many distinct keys the runs hold together, one that is in two runs counted twice.
    """

    prefix: str
    files: list[str] = field(default_factory=list)
    total: int = 0
    stored: int = 0
    _held: list[tuple[Keys, Counts]] = field(default_factory=list)
    _in_memory: int = 0

    def add(self, keys: Keys) -> None:
        """Add keys (n,)."""
        self.total += len(keys)
        self._held.append((keys, np.ones(len(keys), np.int64)))
        self._in_memory += len(keys)
        if self._in_memory >= 2 * RUN_KEYS:
            held = counted(self._held)
            self._held, self._in_memory = [held], len(held[0])
            if self._in_memory >= RUN_KEYS:
                self.close()

    def close(self) -> None:
        """Write what is held; to be called once all keys were added."""
        if not self._in_memory:
            return
        keys, counts = counted(self._held)
        file = f"{self.prefix}-{len(self.files):05d}.npy"
        os.makedirs(os.path.dirname(file), exist_ok=True)
        # A runner may work on a range twice at once; both write the same.
        part = f"{file}.{os.getpid()}-{id(self):x}.part"
        with open(part, "wb") as stream:
            np.save(stream, np.stack([keys, counts.astype(np.uint64)]))
        os.replace(part, file)
        self.files.append(file)
        self.stored += len(keys)
        self._held, self._in_memory = [], 0

    def merge(self, other: SortedRuns) -> None:
        """Add the runs of `other`; both are closed."""
        self.files += other.files
        self.total += other.total
        self.stored += other.stored


def counted(parts: Sequence[tuple[Keys, Counts]]) -> tuple[Keys, Counts]:
    """Return the distinct keys of several parts, ascending, and how often each came (n,)."""
    keys = np.concatenate([part for part, _ in parts] or [np.zeros(0, np.uint64)])
    counts = np.concatenate([part for _, part in parts] or [np.zeros(0, np.int64)])
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]) if len(keys) else np.zeros(0, bool))
    return keys[first], np.add.reduceat(counts, first) if len(first) else counts


@dataclass(frozen=True)
class Overlap:
    """How much of a split earlier splits have too.

    Attributes:
        total: How many keys the split has, with repetitions.
        shared: How many of these an earlier split has.
        keys: Some of the shared keys, the least ones.
    """

    total: int
    shared: int
    keys: tuple[int, ...] = ()


def overlaps(splits: Mapping[str, SortedRuns], examples: int) -> dict[str, Overlap]:
    """Count exactly, for each split after the first, the keys that an earlier one has too.

    Args:
        splits: The closed runs of each split, in the order of the splits.
        examples: How many shared keys are named.
    """
    parts = max(1, -(-sum(runs.stored for runs in splits.values()) // PART_KEYS))
    bounds = [(part << 64) // parts for part in range(parts)]
    shared, shown = dict.fromkeys(splits, 0), {split: list[int]() for split in splits}
    for low, high in zip(bounds, [*bounds[1:], None], strict=True):
        earlier = np.zeros(0, np.uint64)
        for split, runs in splits.items():
            keys, counts = counted(list(_between(runs.files, low, high)))
            again = _in_sorted(keys, earlier)
            shared[split] += int(counts[again].sum())
            shown[split] += keys[again][: examples - len(shown[split])].tolist()
            earlier = counted([(earlier, np.zeros(len(earlier), np.int64)), (keys, counts)])[0]
    return {split: Overlap(runs.total, shared[split], tuple(shown[split])) for split, runs in list(splits.items())[1:]}


def _between(files: Sequence[str], low: int, high: int | None) -> Iterator[tuple[Keys, Counts]]:
    for file in files:
        run = np.load(file, mmap_mode="r")
        start = int(np.searchsorted(run[0], np.uint64(low)))
        end = run.shape[1] if high is None else int(np.searchsorted(run[0], np.uint64(high)))
        yield np.array(run[0, start:end]), np.array(run[1, start:end]).astype(np.int64)


def _in_sorted(keys: Keys, ascending: Keys) -> npt.NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(keys), np.bool_)
    at = np.searchsorted(ascending, keys)
    found: npt.NDArray[np.bool_] = ascending[np.minimum(at, len(ascending) - 1)] == keys
    return found


def count_up_to(files: Sequence[str], key: int) -> int:
    """Return how many of the keys in some runs are at most `key`, with repetitions."""
    return sum(int(counts.sum()) for _, counts in _between(files, 0, key + 1 if key + 1 < 1 << 64 else None))

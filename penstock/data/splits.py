"""Which split a row belongs to: by its hash, by that of one column, or by the file it comes from.

Imports nothing heavy, so that splits can be checked before a step runs.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.data.row_hash import Words

DEFAULT_SPLITS: Mapping[str, int] = {"train": 2, "eval": 1}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Splits:
    """How rows fall into splits.

    Attributes:
        weights: Parts by name, for the splits that the hash decides; 1 each where files decide.
        partition_feature: The column whose value alone decides, so that rows with one value stay together (rows
            without a value do too); None for the whole row.
        patterns: Where files decide: patterns of file names, relative to the base, by split.
    """

    weights: Mapping[str, int]
    partition_feature: str | None = None
    patterns: Mapping[str, str] | None = None

    @classmethod
    def of(
        cls,
        splits: Mapping[str, int] | None = None,
        partition_feature: str | None = None,
        input_splits: Mapping[str, str] | None = None,
    ) -> Splits:
        """Reads what a component was given.

        Raises:
            ValueError: Names, weights or patterns can't be right, or contradict each other.
        """
        if input_splits is None:
            chosen = DEFAULT_SPLITS if splits is None else splits
            check_splits(chosen)
            return cls(dict(chosen), partition_feature)
        if splits is not None or partition_feature is not None:
            raise ValueError(
                "input_splits= takes the splits from the files, splits= and partition_feature= make them by hash. "
                "Give one or the other."
            )
        check_splits(dict.fromkeys(input_splits, 1))
        return cls(dict.fromkeys(input_splits, 1), None, dict(input_splits))

    def of_files(self, names: Sequence[str], base: str) -> list[str]:
        """Returns the split of each file.

        Args:
            names: Relative to the base, with "/".
            base: For messages.

        Raises:
            ValueError: A file fits no pattern or two, or a pattern fits no file.
        """
        if self.patterns is None:
            return [""] * len(names)
        fitting = {name: [split for split, pattern in self.patterns.items() if _fits(name, pattern)] for name in names}
        for name, found in fitting.items():
            if len(found) > 1:
                raise ValueError(
                    f"input_splits= must give a file one split; {name} fits the patterns of {' and '.join(found)}."
                )
        taken = {split for found in fitting.values() for split in found}
        for split, pattern in self.patterns.items():
            if split not in taken:
                raise ValueError(
                    f"input_splits[{split!r}] is {pattern!r}, which fits no file in {base}. "
                    f"Patterns are relative to that folder; its files: {', '.join(names[:5])}."
                )
        return ["".join(fitting[name]) for name in names]


def _fits(name: str, pattern: str) -> bool:
    """Whether a relative name fits a pattern; `*` stays within a folder, `**` doesn't."""
    parts, wanted = name.split("/"), pattern.removeprefix("./").split("/")
    return _parts_fit(parts, wanted)


def _parts_fit(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return (len(wanted) == 1 and bool(parts)) or any(_parts_fit(parts[i:], wanted[1:]) for i in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _parts_fit(parts[1:], wanted[1:])


def check_splits(splits: Mapping[str, int]) -> None:
    """Checks names and weights of splits.

    Raises:
        ValueError: There are none, a name can't be a folder's, or a weight isn't a positive whole number.
    """
    if not splits:
        raise ValueError("splits is empty. Name at least one, for example {'train': 2, 'eval': 1}.")
    for name, weight in splits.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"A split's name is of letters, digits, '_', '-' and '.', got {name!r}.")
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 1:
            raise ValueError(f"splits[{name!r}] must be a whole number of at least 1, got {weight!r}.")


def split_rows(
    batch: pa.RecordBatch, hashes: tuple[Words, Words], splits: Mapping[str, int], deciding: Words | None = None
) -> Iterator[tuple[str, pa.RecordBatch, tuple[Words, Words]]]:
    """Yields for each split its name, its rows in their order, and their hashes.

    The deciding hash, by default the second word of the row's, modulo the sum of the weights is the row's bucket; the
    splits take as many buckets as their weights say, in the order given. Equal rows fall into one split.
    """
    if len(splits) == 1:
        yield next(iter(splits)), batch, hashes
        return
    first, second = hashes
    bucket = (second if deciding is None else deciding) % sum(splits.values())
    start = 0
    for name, weight in splits.items():
        inside = (bucket >= start) & (bucket < start + weight)
        yield name, batch.filter(inside), (first[inside], second[inside])
        start += weight

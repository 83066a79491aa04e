"""Which split a row belongs to: by its hash, so that it depends on the row's content and nothing else.

Imports nothing heavy, so that splits can be checked before a step runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.data.row_hash import Words

DEFAULT_SPLITS: Mapping[str, int] = {"train": 2, "eval": 1}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


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
    batch: pa.RecordBatch, hashes: tuple[Words, Words], splits: Mapping[str, int]
) -> Iterator[tuple[str, pa.RecordBatch, tuple[Words, Words]]]:
    """Yields for each split its name, its rows in their order, and their hashes.

    The second word of the row's hash, modulo the sum of the weights, is the row's bucket; the splits take as many
    buckets as their weights say, in the order given. Equal rows fall into one split.
    """
    if len(splits) == 1:
        yield next(iter(splits)), batch, hashes
        return
    first, second = hashes
    bucket = second % sum(splits.values())
    start = 0
    for name, weight in splits.items():
        inside = (bucket >= start) & (bucket < start + weight)
        yield name, batch.filter(inside), (first[inside], second[inside])
        start += weight

"""Which splits a component works on: all that there are, less those that it is told to leave out."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.pipeline import DataError
from penstock.pipeline.errors import listing, nearest


def kept_splits(component: str, known: Sequence[str], excluded: Sequence[str] | None) -> list[str]:
    """Return `known` without `excluded`, in the order of `known`.

    Raises:
        DataError: A name in `excluded` is no split, or no split is left.
    """
    for name in excluded or ():
        if name not in known:
            raise DataError(
                f"{component}(exclude_splits=...) names {name!r}, which is no split of its input."
                f"{nearest(name, known)} It has: {listing(known)}."
            )
    kept = [name for name in known if name not in (excluded or ())]
    if not kept:
        raise DataError(
            f"{component}(exclude_splits=...) leaves no split to work on; its input has: {listing(known)}. "
            f"Exclude fewer."
        )
    return kept

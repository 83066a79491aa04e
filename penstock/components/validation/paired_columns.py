"""Which columns of two sets of examples are compared, after checking that they are there to be."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.data.examples import arrow_schema
from penstock.pipeline import DataError
from penstock.pipeline.errors import listing, nearest


def compared_columns(examples: str, baseline: str, keys: Sequence[str], ignored: Sequence[str]) -> list[str]:
    """Return the columns that both sides have, less keys and ignored ones, in the order of the examples.

    Raises:
        DataError: There is no key, a side misses a part of it, an ignored column is on neither side, or nothing is
            left to compare.
    """
    sides = {"examples": arrow_schema(examples).names, "baseline_examples": arrow_schema(baseline).names}
    if not keys:
        raise DataError("ExampleDiff(identifier_features=[]) names no column; rows are paired by at least one.")
    for side, names in sides.items():
        for key in keys:
            if key not in names:
                raise DataError(
                    f"ExampleDiff(identifier_features=...) names {key!r}, which is no column of {side}."
                    f"{nearest(key, names)} It has: {listing(names)}."
                )
    for name in ignored:
        known = sorted({*sides["examples"], *sides["baseline_examples"]})
        if name not in known:
            raise DataError(
                f"ExampleDiff(ignore_features=...) names {name!r}, which is a column of neither side."
                f"{nearest(name, known)} They have: {listing(known)}."
            )
    both = [name for name in sides["examples"] if name in sides["baseline_examples"]]
    compared = [name for name in both if name not in (*keys, *ignored)]
    if not compared:
        raise DataError(
            f"ExampleDiff has no column left to compare: both sides have {listing(both)}, and all of them are keys or "
            f"ignored."
        )
    return compared

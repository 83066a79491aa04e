"""Which columns of two sets of examples are compared, after checking that they are there to be."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from penstock.data.examples import arrow_schema
from penstock.pipeline import DataError
from penstock.pipeline.errors import listing, nearest


def compared_columns(examples: str, baseline: str, keys: Sequence[str], ignored: Sequence[str]) -> list[str]:
    """Return the columns of either side, less keys and ignored ones: in the order of the examples, then the others.

    Raises:
        DataError: There is no key, a side misses a part of it or has another type of it, an ignored column is on
            neither side, or nothing is left to compare.
    """
    schemas = {"examples": arrow_schema(examples), "baseline_examples": arrow_schema(baseline)}
    sides = {side: schema.names for side, schema in schemas.items()}
    if not keys:
        raise DataError("ExampleDiff(identifier_features=[]) names no column; rows are paired by at least one.")
    for side, names in sides.items():
        for key in keys:
            if key not in names:
                raise DataError(
                    f"ExampleDiff(identifier_features=...) names {key!r}, which is no column of {side}."
                    f"{nearest(key, names)} It has: {listing(names)}."
                )
    _check_types(keys, *schemas.values())
    for name in ignored:
        known = sorted({*sides["examples"], *sides["baseline_examples"]})
        if name not in known:
            raise DataError(
                f"ExampleDiff(ignore_features=...) names {name!r}, which is a column of neither side."
                f"{nearest(name, known)} They have: {listing(known)}."
            )
    either = list(dict.fromkeys([*sides["examples"], *sides["baseline_examples"]]))
    compared = [name for name in either if name not in (*keys, *ignored)]
    if not compared:
        raise DataError(
            f"ExampleDiff has no column left to compare: the sides have {listing(either)}, and all of them are keys "
            f"or ignored."
        )
    return compared


def _check_types(keys: Sequence[str], examples: pa.Schema, baseline: pa.Schema) -> None:
    for key in keys:
        ours, theirs = examples.field(key).type, baseline.field(key).type
        if ours != theirs:
            raise DataError(
                f"ExampleDiff(identifier_features=...) names {key!r}, which is {ours} in examples and {theirs} in "
                f"baseline_examples: no row would have a counterpart. Ingest both sides with one type, such as "
                f'column_types={{"{key}": "string"}} of CsvExampleGen.'
            )

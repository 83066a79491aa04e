"""Which rows statistics are made of: a sample by content, slices by values, a weight a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.components.validation.stats_options import StatsOptions
from penstock.data.errors import DataFormatError, UnsupportedDataError
from penstock.data.row_hash import hash_rows

MAX_SLICES = 100
"""The most slices that are described; each takes the memory of a data set of its own."""

_ODD = np.uint64(0x9FB21C651E98DF25)
_SHIFT = np.uint64(28)


def sampled(batch: pa.RecordBatch, rate: float | None) -> pa.RecordBatch:
    """Return the rows of `batch` that belong to a sample of this rate."""
    if rate is None or rate >= 1.0:
        return batch
    first, second = hash_rows(batch)
    # Splits are made by the row hash too: mixing both words anew keeps the sample independent of the split.
    words = (first ^ (second * _ODD)) * _ODD
    words ^= words >> _SHIFT
    words *= _ODD
    return batch.filter(pa.array(words < np.uint64(int(rate * 2.0**64))))


def weights_of(batch: pa.RecordBatch, column: str | None) -> npt.NDArray[np.float64] | None:
    """Return a weight a row (rows,); None without a column of weights.

    Raises:
        DataFormatError: A weight is missing, negative or not finite.
    """
    if column is None:
        return None
    values = batch.column(column)
    if values.null_count:
        raise DataFormatError(
            f"Column {column!r} is the weight_feature, and {values.null_count} of {len(values)} rows in a batch have "
            f"none. Every row needs a weight; 0 leaves a row out of the weighted statistics.",
            column=column,
        )
    weights: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0.0).any():
        wrong = weights[~(np.isfinite(weights) & (weights >= 0.0))][0]
        raise DataFormatError(
            f"Column {column!r} is the weight_feature, and a row has the weight {wrong:g}. Weights are finite and not "
            f"negative.",
            column=column,
        )
    return weights


def slices_of(
    batch: pa.RecordBatch, groups: Sequence[Sequence[str]] | None
) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Yield the slices in a batch: a name such as "company_Flash_payment_type_Cash", and the rows in it.

    A row that misses one of the values is in no slice of that group.
    """
    for group in groups or ():
        names = [
            pc.binary_join_element_wise(f"{name}", batch.column(name).cast(pa.string()), "_") for name in sorted(group)
        ]
        keys = (pc.binary_join_element_wise(*names, "_") if len(names) > 1 else names[0]).dictionary_encode()
        codes = keys.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-2))
        for rows in np.split(order, starts[1:]) if len(order) else ():
            if codes[rows[0]] >= 0:
                yield keys.dictionary[int(codes[rows[0]])].as_py(), rows


def check_selection(columns: pa.Schema, options: StatsOptions) -> None:
    """Check that weights are numbers, and that slices and the label are of columns with one value a row.

    Raises:
        UnsupportedDataError: One isn't.
    """
    kinds = {field.name: field.type for field in columns}
    weights = {options.weight_feature: f"weight_feature={options.weight_feature!r}"}
    weights |= {
        column: f"per_feature_weight_override={{{name!r}: {column!r}}}"
        for name, column in options.weights_by_feature.items()
    }
    for weight, asked in weights.items():
        if weight is not None and not (pa.types.is_integer(kinds[weight]) or pa.types.is_floating(kinds[weight])):
            raise UnsupportedDataError(
                f"StatsOptions({asked}) takes a column of numbers, one a row; it is of type {kinds[weight]}.",
                column=weight,
            )
    named = [("slice_features", name) for group in options.slice_features or () for name in group]
    if options.label_feature is not None:
        named.append(("label_feature", options.label_feature))
    for option, name in named:
        kind = kinds[name]
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise UnsupportedDataError(
                f"StatsOptions({option}=...) takes columns of strings or integers, one value a row; {name!r} is of "
                f"type {kind}.",
                column=name,
            )


def too_many_slices(number: int) -> DataFormatError:
    """Return the error of slices beyond the most that are described."""
    return DataFormatError(
        f"StatsOptions(slice_features=...) makes {number} slices or more; at most {MAX_SLICES} are described. Slice by "
        f"columns with fewer values."
    )

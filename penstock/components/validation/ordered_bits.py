"""Numbers as 64-bit integers in the same order: keys that sort as the numbers do, and bins that nest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ordered = npt.NDArray[np.int64]

_SIGN = np.int64(63)
_REST = np.int64(0x7FFFFFFFFFFFFFFF)


def ordered(values: pa.Array) -> tuple[Ordered, npt.NDArray[np.bool_]]:
    """Return integers (n,) that are in the order of some numbers, and which of the numbers there are (n,).

    Null and NaN are no numbers; their integers mean nothing. -0.0 and 0.0 are one number. Integers stand for
    themselves, floats for their bits, so that dropping the last k bits makes bins, and dropping k + 1 makes unions of
    these.
    """
    there = values.is_valid().to_numpy(zero_copy_only=False)
    if not pa.types.is_floating(values.type):
        return values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), there
    floats = values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False) + 0.0
    bits = floats.view(np.int64)
    return bits ^ ((bits >> _SIGN) & _REST), there & ~np.isnan(floats)


def unsigned(keys: Ordered) -> npt.NDArray[np.uint64]:
    """Return the keys in the same order, without sign."""
    shifted: npt.NDArray[np.uint64] = keys.view(np.uint64) ^ np.uint64(1 << 63)
    return shifted


def number_of(key: int, *, floating: bool) -> int | float:
    """Return the number that an unsigned key stands for."""
    signed = key - (1 << 63)
    if not floating:
        return signed
    bits = np.int64(signed)
    return float((bits ^ ((bits >> _SIGN) & _REST)).view(np.float64))

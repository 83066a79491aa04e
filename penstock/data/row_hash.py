"""The row hash "rows-1": 128 bits a row that mean the same for ever, on any machine, in any physical layout.

Stored digests and the assignment of rows to splits rest on it, so it is specified here and never changes; a
change would be "rows-2". All arithmetic is on unsigned 64-bit words, modulo 2**64, bytes little-endian.

    mix(x):   x ^= x >> 32;  x *= 0xD6E8FEB86659FD93;  x ^= x >> 32;  x *= 0xD6E8FEB86659FD93;  x ^= x >> 32
    twin(x):  x *= 0x9E3779B97F4A7C15;  x ^= x >> 29;  x *= 0xBF58476D1CE4E5B9;  x ^= x >> 32
    G = 0x9E3779B97F4A7C15

1. *Kind.* Every column has one: `int` (integers, bools, timestamps as microseconds), `float`, `string`, `bytes`,
   or `list<kind>` of these. Widths, dictionaries, large offsets, views and chunks don't count: int32 5 and
   int64 5 hash alike; int 5, float 5.0 and string "5" don't.
2. *Column key.* BLAKE2b (32 bytes, person "penstock.rows-1") of the UTF-8 text `<kind> <name>` gives four words
   k1, k2, n1, n2. So the name counts, the order of the columns doesn't.
3. *Cell.* Two words:
   - null: (n1, n2);
   - int: v as two's complement, a = mix(v ^ k1): (a, twin(a));
   - float: the value as IEEE 754 binary64, -0.0 as 0.0, every NaN as 0x7FF8000000000000; then as int;
   - string, bytes: the bytes are followed by zeros up to the next multiple of 8 (8 zeros when already there), cut
     into words w0, w1, ...; h_j = mix(w_j ^ ((j + 1) * G)); p = sum of h_j, q = sum of twin(h_j), both plus
     length * G; the cell is (mix(p ^ k1), mix(q ^ k2));
   - list: with (a_i, b_i) the cells of its elements; p = sum of mix(a_i + (i + 1) * G), q = sum of
     mix(b_i + (i + 1) * G), both plus (count + 1) * G; the cell is (mix(p ^ k2), mix(q ^ k1)).
4. *Row.* With A, B the sums of the cells' words over the columns, the row is (mix(A), mix(B ^ mix(A))).
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.data.errors import UnsupportedDataError
from penstock.data.raw_feature import is_bytes, is_list

Words: TypeAlias = npt.NDArray[np.uint64]

_G = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_TWIN = np.uint64(0xBF58476D1CE4E5B9)
_S29, _S32 = np.uint64(29), np.uint64(32)
_NAN = np.uint64(0x7FF8000000000000)
_TAIL_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(8)], dtype=np.uint64)
# Temporaries of this many rows stay in the processor's cache.
_ROWS_AT_ONCE = 8192


def hash_rows(batch: pa.RecordBatch) -> tuple[Words, Words]:
    """Hashes every row.

    Returns:
        The two words of each row, as arrays of shape (rows,).

    Raises:
        UnsupportedDataError: A column has a type without a kind.
    """
    keys = [_column_key(field.name, kind_of(field.type, field.name)) for field in batch.schema]
    columns = [(_plain(column), key) for column, key in zip(batch.columns, keys, strict=True)]
    first = np.zeros(batch.num_rows, dtype=np.uint64)
    second = np.zeros(batch.num_rows, dtype=np.uint64)
    repeating = {index for index, (column, _) in enumerate(columns) if is_bytes(column.type)}
    for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
        piece = slice(start, min(start + _ROWS_AT_ONCE, batch.num_rows))
        a, b = first[piece], second[piece]
        for index, (column, key) in enumerate(columns):
            values = column.slice(start, len(a))
            repeated = _repeated_cells(values, key) if index in repeating else None
            if repeated is None:
                repeating.discard(index)
            cell_a, cell_b = repeated or _cells(values, key)
            a += cell_a
            b += cell_b
        _mix(a)
        b ^= a
        _mix(b)
    return first, second


def kind_of(type_: pa.DataType, name: str = "") -> str:
    """Returns the kind of a column's type: "int", "float", "string", "bytes" or "list<...>".

    Raises:
        UnsupportedDataError: There is none.
    """
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type, name)
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_) or pa.types.is_timestamp(type_):
        return "int"
    if pa.types.is_floating(type_):
        return "float"
    if is_bytes(type_):
        binary = pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_)
        return "bytes" if binary else "string"
    if pa.types.is_null(type_):
        return "string"
    if is_list(type_) and not is_list(type_.value_type):
        return f"list<{kind_of(type_.value_type, name)}>"
    raise UnsupportedDataError(
        f"Column {name!r} has the type {type_}. Rows hold integers, floats, strings, bytes, and lists of these.",
        column=name,
    )


def _column_key(name: str, kind: str) -> Words:
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=32, person=b"penstock.rows-1")
    return np.frombuffer(digest.digest(), dtype="<u8").astype(np.uint64)


def _plain(values: pa.Array) -> pa.Array:
    """Brings an array to the one physical type of its kind."""
    type_ = values.type
    if is_list(type_):
        return values.cast(pa.large_list(_plain_type(type_.value_type)))
    if pa.types.is_timestamp(type_):
        values = values.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_dictionary(type_):
        values = values.dictionary_decode()
    target = _plain_type(values.type)
    return values if values.type == target else pc.cast(values, target)


def _plain_type(type_: pa.DataType) -> pa.DataType:
    kind = kind_of(type_)
    if kind == "int":
        return pa.int64()
    if kind == "float":
        return pa.float64()
    return pa.large_string() if kind == "string" else pa.large_binary()


def _cells(values: pa.Array, key: Words) -> tuple[Words, Words]:
    """Returns the two words of each cell; `values` are of a plain type."""
    if is_list(values.type):
        a, b = _list_cells(values, key)
    elif is_bytes(values.type):
        a, b = _bytes_cells(values, key)
    else:
        a = _number_words(values) ^ key[0]
        _mix(a)
        b = _twin(a)
    if values.null_count:
        missing = values.is_null().to_numpy(zero_copy_only=False)
        a[missing], b[missing] = key[2], key[3]
    return a, b


def _repeated_cells(values: pa.Array, key: Words) -> tuple[Words, Words] | None:
    """Returns the words of texts, hashing each distinct one once; None where most of them are distinct."""
    encoded = values.dictionary_encode()
    distinct = len(encoded.dictionary)
    if 2 * distinct > len(values):
        return None
    a, b = np.full((2, distinct + 1), key[2:, None])
    a[:distinct], b[:distinct] = _bytes_cells(encoded.dictionary, key)
    indices = encoded.indices.fill_null(distinct).to_numpy().astype(np.intp)
    return a.take(indices), b.take(indices)


def _number_words(values: pa.Array) -> Words:
    numbers = _buffer_of(values, 1, np.dtype(np.int64))[values.offset : values.offset + len(values)]
    if not pa.types.is_floating(values.type):
        integers: Words = numbers.view(np.uint64)
        return integers
    floats = numbers.view(np.float64) + 0.0  # turns -0.0 into 0.0
    words: Words = floats.view(np.uint64)
    nan = np.isnan(floats)
    if nan.any():
        words[nan] = _NAN
    return words


def _bytes_cells(values: pa.Array, key: Words) -> tuple[Words, Words]:
    offsets = _offsets_of(values)
    data = _buffer_of(values, 2, np.dtype(np.uint8))
    lengths = offsets[1:] - offsets[:-1]
    counts = (lengths >> 3) + 1
    ends = np.cumsum(counts)
    starts = ends - counts
    index = np.arange(ends[-1] if len(ends) else 0) - np.repeat(starts, counts)
    words = _words_at(data, np.repeat(offsets[:-1], counts) + (index << 3))
    words[ends - 1] &= _TAIL_MASKS[lengths & 7]
    words ^= (index.astype(np.uint64) + np.uint64(1)) * _G
    _mix(words)
    tail = lengths.astype(np.uint64) * _G
    a = _segment_sums(words, starts, ends) + tail
    b = _segment_sums(_twin(words), starts, ends) + tail
    a ^= key[0]
    b ^= key[1]
    return _mix(a), _mix(b)


def _words_at(data: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64]) -> Words:
    """Loads 8 bytes from each position; bytes past the end of `data` read as zeros."""
    if not len(positions):
        return np.empty(0, dtype=np.uint64)
    low, high = int(positions.min()), int(positions.max()) + 8
    window = data[low:high]
    if len(window) < high - low:
        window = np.concatenate([window, np.zeros(high - low - len(window), dtype=np.uint8)])
    unaligned = np.ndarray((len(window) - 7,), dtype="<u8", buffer=window, strides=(1,))
    words: Words = unaligned[positions - low].astype(np.uint64, copy=False)
    return words


def _list_cells(values: pa.Array, key: Words) -> tuple[Words, Words]:
    offsets = _offsets_of(values)
    base = int(offsets[0])
    a, b = _cells(values.values.slice(base, int(offsets[-1]) - base), key)
    starts, ends = offsets[:-1] - base, offsets[1:] - base
    lengths = ends - starts
    index = np.arange(len(a)) - np.repeat(starts, lengths)
    position = (index.astype(np.uint64) + np.uint64(1)) * _G
    tail = (lengths.astype(np.uint64) + np.uint64(1)) * _G
    a = _segment_sums(_mix(a + position), starts, ends) + tail
    b = _segment_sums(_mix(b + position), starts, ends) + tail
    a ^= key[1]
    b ^= key[0]
    return _mix(a), _mix(b)


def _offsets_of(values: pa.Array) -> npt.NDArray[np.int64]:
    return _buffer_of(values, 1, np.dtype(np.int64))[values.offset : values.offset + len(values) + 1]


def _buffer_of(values: pa.Array, index: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    buffer = values.buffers()[index]
    if buffer is None or not buffer.size:
        return np.zeros(1 if dtype.itemsize == 8 else 0, dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype, count=buffer.size // dtype.itemsize)


def _segment_sums(words: Words, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Words:
    running = np.zeros(len(words) + 1, dtype=np.uint64)
    np.cumsum(words, out=running[1:])
    sums: Words = running[ends] - running[starts]
    return sums


def _mix(words: Words) -> Words:
    """Mixes in place."""
    words ^= words >> _S32
    words *= _MIX
    words ^= words >> _S32
    words *= _MIX
    words ^= words >> _S32
    return words


def _twin(words: Words) -> Words:
    """Returns a second, independent mix of already mixed words."""
    twins: Words = words * _G
    twins ^= twins >> _S29
    twins *= _TWIN
    twins ^= twins >> _S32
    return twins

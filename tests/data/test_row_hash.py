"""The row hash "rows-1": what it depends on, and that it never changes."""

import hashlib
import math
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from penstock.data.errors import UnsupportedDataError
from penstock.data.row_hash import hash_rows, kind_of
from tests.data.strategies import batches

MASK = (1 << 64) - 1


def words(batch):
    return list(zip(*(part.tolist() for part in hash_rows(batch)), strict=True))


def one(value, type_=None, name="x"):
    return words(pa.RecordBatch.from_pydict({name: pa.array([value], type_)}))[0]


def test_hash_is_fixed():
    batch = pa.RecordBatch.from_pydict(
        {
            "i": pa.array([1, -5, None], pa.int64()),
            "f": pa.array([0.5, float("nan"), None], pa.float64()),
            "s": pa.array(["", "a longer text than one word", None]),
            "b": pa.array([b"\xff", b"12345678", None]),
            "l": pa.array([[], [1, None], None], pa.list_(pa.int64())),
            "t": pa.array([["x"], ["", "yy"], None], pa.list_(pa.string())),
        }
    )

    assert words(batch) == [
        (0xC2048ECFEF5DDCED, 0xE8ADAF1DBE9DB61A),
        (0x37B6EEC98DCE27A8, 0x3798281F00B24841),
        (0x25FCCEF215C14D36, 0x33D9DECC82A14232),
    ]


def mix(x):
    for _ in range(2):
        x ^= x >> 32
        x = x * 0xD6E8FEB86659FD93 & MASK
    return x ^ x >> 32


def twin(x):
    x = x * 0x9E3779B97F4A7C15 & MASK
    x ^= x >> 29
    x = x * 0xBF58476D1CE4E5B9 & MASK
    return x ^ x >> 32


def slow_hash(row):
    """The specification, word by word, for rows of ints, floats, strings, lists of ints, and None."""
    g = 0x9E3779B97F4A7C15
    total_a = total_b = 0
    for name, kind, value in row:
        key = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=32, person=b"penstock.rows-1").digest()
        k1, k2, n1, n2 = struct.unpack("<4Q", key)

        def number(bits, k1=k1):
            a = mix(bits ^ k1)
            return a, twin(a)

        if value is None:
            a, b = n1, n2
        elif kind == "int":
            a, b = number(value & MASK)
        elif kind == "float":
            canonical = float("nan") if math.isnan(value) else value + 0.0
            a, b = number(struct.unpack("<Q", struct.pack("<d", canonical))[0])
        elif kind == "string":
            data = value.encode()
            padded = data + bytes(8 - len(data) % 8)
            p = q = len(data) * g
            for j, (word,) in enumerate(struct.iter_unpack("<Q", padded), 1):
                h = mix(word ^ (j * g & MASK))
                p, q = p + h, q + twin(h)
            a, b = mix(p & MASK ^ k1), mix(q & MASK ^ k2)
        else:
            p = q = (len(value) + 1) * g
            for j, element in enumerate(value, 1):
                x, y = number(element & MASK)
                p, q = p + mix(x + j * g & MASK), q + mix(y + j * g & MASK)
            a, b = mix(p & MASK ^ k2), mix(q & MASK ^ k1)
        total_a, total_b = total_a + a, total_b + b
    first = mix(total_a & MASK)
    return first, mix(total_b & MASK ^ first)


@given(batches(min_rows=1))
def test_hash_follows_its_specification(batch):
    kinds = [kind_of(field.type) for field in batch.schema]

    expected = [slow_hash(list(zip(batch.schema.names, kinds, row.values(), strict=True))) for row in batch.to_pylist()]

    assert words(batch) == expected


@given(batches(min_rows=1), st.data())
def test_order_of_rows_and_columns_and_slices_do_not_matter(batch, data):
    rows = data.draw(st.permutations(range(batch.num_rows)))
    columns = data.draw(st.permutations(batch.schema.names))
    expected = words(batch)

    shuffled = words(batch.take(pa.array(rows)).select(columns))
    sliced = [row for i in range(batch.num_rows) for row in words(batch.slice(i, 1))]

    assert shuffled == [expected[row] for row in rows]
    assert sliced == expected


@given(batches(min_rows=1), st.data())
def test_one_other_cell_changes_its_row_only(batch, data):
    row = data.draw(st.integers(0, batch.num_rows - 1))
    name = data.draw(st.sampled_from(batch.schema.names))
    index = batch.schema.get_field_index(name)
    cells = batch.column(index).to_pylist()
    other = data.draw(st.sampled_from([None, *cells]))
    assume(repr(other) != repr(cells[row]) and other != cells[row])
    cells[row] = other
    changed = batch.set_column(index, batch.schema.field(index), pa.array(cells, batch.schema.field(index).type))

    before, after = words(batch), words(changed)

    assert [i for i in range(batch.num_rows) if before[i] != after[i]] == [row]


@pytest.mark.parametrize(
    ("values", "types"),
    [
        ([1, None, -3], [pa.int8(), pa.int32(), pa.int64()]),
        ([1, 0, None], [pa.uint8(), pa.int64(), pa.bool_()]),
        ([0.5, None, -2.0], [pa.float16(), pa.float32(), pa.float64()]),
        (
            ["a", None, "bcdefghijk"],
            [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
        ),
        ([b"a", None], [pa.binary(), pa.large_binary(), pa.binary_view()]),
        ([[1, 2], [3, 4], None], [pa.list_(pa.int64()), pa.large_list(pa.int32()), pa.list_(pa.int64(), 2)]),
    ],
)
def test_physical_types_do_not_matter(values, types):
    hashes = [words(pa.RecordBatch.from_pydict({"x": pa.array(values).cast(type_)})) for type_ in types]

    assert all(each == hashes[0] for each in hashes)


def test_values_that_differ_in_meaning_hash_differently():
    texts = pa.list_(pa.string())
    hashes = [
        one(None, pa.string()),
        one("", pa.string()),
        one("\0", pa.string()),
        one("5", pa.string()),
        one(b"5", pa.binary()),
        one(5, pa.int64()),
        one(5.0, pa.float64()),
        one(None, pa.float64()),
        one(float("nan"), pa.float64()),
        one(None, texts),
        one([], texts),
        one([None], texts),
        one([""], texts),
        one(["", ""], texts),
        one(["ab", "c"], texts),
        one(["a", "bc"], texts),
        one("5", pa.string(), name="y"),
    ]

    assert len(set(hashes)) == len(hashes)


def test_all_nans_are_one_value_and_so_are_both_zeros():
    nans = np.array([0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)

    assert len(set(words(pa.RecordBatch.from_pydict({"x": pa.array(nans)})))) == 1
    assert one(0.0) == one(-0.0)


def test_cells_swapped_between_rows_change_the_sum():
    straight = pa.RecordBatch.from_pydict({"a": [1, 2], "b": [3, 4]})
    crossed = pa.RecordBatch.from_pydict({"a": [1, 2], "b": [4, 3]})

    assert sum(first for first, _ in words(straight)) != sum(first for first, _ in words(crossed))


def test_type_without_a_kind_is_refused_by_name():
    batch = pa.RecordBatch.from_pydict({"when": pa.array([[[1]]])})

    with pytest.raises(UnsupportedDataError, match=r"Column 'when' has the type list<.* Rows hold"):
        hash_rows(batch)


def test_both_words_spread_evenly():
    first, second = hash_rows(pa.RecordBatch.from_pydict({"x": pa.array(range(30_000))}))

    assert len(np.unique(first)) == len(np.unique(second)) == 30_000
    for lane in (first, second):
        counts = np.bincount((lane % np.uint64(3)).astype(int))
        assert abs(counts - 10_000).max() < 400
        bits = [(lane >> np.uint64(bit) & np.uint64(1)).mean() for bit in range(64)]
        assert 0.48 < min(bits) <= max(bits) < 0.52


def test_texts_that_repeat_hash_as_those_that_do_not():
    texts = ["a", None, "", "a long text of more than eight bytes"]
    once = hash_rows(pa.RecordBatch.from_pydict({"s": pa.array(texts)}))

    often = hash_rows(pa.RecordBatch.from_pydict({"s": pa.array(texts * 5000 + [str(i) for i in range(20_000)])}))

    for word, words in zip(once, often, strict=True):
        assert (words[:20_000].reshape(-1, 4) == word).all()
        assert len(set(words[20_000:].tolist())) == 20_000

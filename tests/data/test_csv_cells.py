"""Types of CSV columns by their cells."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.csv_cells import Kind, first_wrong, to_type, typed

NUMBERS = ["0", "7", "-3", " 4", "1.5", "0.5", "-0.5", "1e5", "1e400", "nan", "inf"]
LARGE = ["9223372036854775807", "9223372036854775808", "123456789012345678901"]
WORDS = ["007", "-01", "+5", "0x1F", "2020-01-02", "true", "a", ""]
CELLS = st.sampled_from([*NUMBERS, *LARGE, *WORDS])


def kind(*cells):
    return typed(pa.array(cells, pa.string()))[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0", Kind.INT),
        ("-0", Kind.INT),
        ("-12", Kind.INT),
        (" 12 ", Kind.INT),
        ("9007199254740992", Kind.INT),
        ("9007199254740993", Kind.INT | Kind.INEXACT),
        ("9223372036854775807", Kind.INT | Kind.INEXACT),
        ("-9223372036854775808", Kind.INT),
        ("-9223372036854775809", Kind.INT | Kind.BIG_INT | Kind.INEXACT),
        ("9223372036854775808", Kind.INT | Kind.BIG_INT),
        ("1.0", Kind.FLOAT),
        ("0.5", Kind.FLOAT),
        ("-0.5", Kind.FLOAT),
        (".5", Kind.FLOAT),
        ("1e-3", Kind.FLOAT),
        ("0e3", Kind.FLOAT),
        ("NaN", Kind.FLOAT),
        ("-inf", Kind.FLOAT),
        ("1e30", Kind.FLOAT),
        ("1e308", Kind.FLOAT),
        ("1e400", Kind.FLOAT | Kind.INEXACT),
        ("-1e400", Kind.FLOAT | Kind.INEXACT),
        ("1e-400", Kind.FLOAT),
        ("007", Kind.TEXT),
        ("-007", Kind.TEXT),
        ("00.5", Kind.TEXT),
        ("+5", Kind.TEXT),
        ("+5.5", Kind.TEXT),
        ("0x1F", Kind.TEXT),
        ("1_000", Kind.TEXT),
        ("1,5", Kind.TEXT),
        ("2020-01-02", Kind.TEXT),
        ("12:30", Kind.TEXT),
        ("true", Kind.TEXT),
        ("", Kind.TEXT),
        (" ", Kind.TEXT),
        ("x", Kind.TEXT),
    ],
)
def test_kind_of_a_cell(cell, expected):
    assert kind(cell) is expected
    assert kind(None, cell, None) is expected


def test_column_without_values_is_missing_and_stored_as_string():
    assert kind(None, None) is Kind.MISSING
    assert Kind.MISSING.stored == pa.string()


@pytest.mark.parametrize(
    ("cells", "stored"),
    [
        (["1", "9223372036854775807"], pa.int64()),
        (["1", "9223372036854775808"], pa.string()),
        (["-9223372036854775808", "-9223372036854775809"], pa.string()),
        (["1", "9" * 5000], pa.string()),
        (["1.5", "9007199254740992"], pa.float64()),
        (["1.5", "9007199254740993"], pa.string()),
        (["1.5", "9223372036854775807"], pa.string()),
        (["1.5", "100000000000000000000"], pa.float64()),
        (["1.5", "123456789012345678901"], pa.string()),
        (["1.5", "123456789012345678901", "0012"], pa.string()),
        (["1.5", "1e400"], pa.string()),
        (["1.5", "inf", "-Infinity"], pa.float64()),
        (["nan", "1e22", None], pa.float64()),
    ],
)
def test_a_column_keeps_all_digits_or_is_text(cells, stored):
    found, values = typed(pa.array(cells))

    assert found.stored == values.type == stored
    assert Kind.joined(kind(cell) for cell in cells).stored == stored


@given(st.lists(st.integers(-(2**70), 2**70), min_size=1), st.booleans())
def test_integers_never_become_another_number(numbers, beside_a_decimal):
    texts = [str(number) for number in numbers] + ["0.5"] * beside_a_decimal
    _, values = typed(pa.array(texts))

    assert [int(value) for value in values.to_pylist()[: len(numbers)]] == numbers


def test_why_numbers_are_text_is_said():
    assert kind("1.5", "9007199254740993").surprise.startswith("decimals stand beside integers")
    assert kind("1", "9223372036854775808").surprise == "integers are of more than 64 bits"
    assert not kind("1.5", "x").surprise
    assert not kind("9007199254740993").surprise


@given(st.lists(st.none() | CELLS, min_size=1, max_size=8), st.data())
def test_kind_of_a_column_is_that_of_its_parts_together(cells, data):
    cut = data.draw(st.integers(0, len(cells)))
    parts = [kind(*part) for part in (cells[:cut], cells[cut:]) if part]
    whole = kind(*cells)

    assert whole == Kind.joined(parts)


@given(st.lists(st.none() | CELLS, min_size=1, max_size=8))
def test_values_are_of_the_stored_type_and_keep_nulls(cells):
    found, values = typed(pa.array(cells, pa.string()))

    assert values.type == found.stored
    assert [value is None for value in values.to_pylist()] == [cell is None for cell in cells]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_are_exact(numbers):
    assert typed(pa.array([str(n) for n in numbers]))[1].to_pylist() == numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_are_exact(numbers):
    _, values = typed(pa.array([repr(n) for n in numbers]))

    assert [float(value) for value in values.to_pylist()] == numbers


def test_part_of_an_array_is_typed_by_itself():
    cells = pa.array(["x", "1", "2", "y"])

    assert typed(cells.slice(1, 2))[1].to_pylist() == [1, 2]


def test_a_declared_float_rounds_and_refuses_what_is_beyond_all_floats():
    assert to_type(pa.array(["9007199254740993", "inf", None]), pa.float64()).to_pylist() == [2.0**53, math.inf, None]
    assert to_type(pa.array(["1", "1e400"]), pa.float64()) is None
    assert to_type(pa.array(["1", "1e39"]), pa.float32()) is None
    assert to_type(pa.array(["1", "1e39"]), pa.float64()).to_pylist() == [1.0, 1e39]


def test_declared_types_take_codes_as_numbers():
    assert to_type(pa.array(["007", None, " 8"]), pa.int64()).to_pylist() == [7, None, 8]
    assert math.isclose(to_type(pa.array(["0.1"]), pa.float32())[0].as_py(), 0.1, rel_tol=1e-6)


@given(st.integers(0, 40), st.integers(0, 40))
def test_first_wrong_cell_is_found(before, after):
    cells = pa.array(["1"] * before + ["x"] + ["2"] * after + ["y"])

    assert first_wrong(cells, pa.int64()) == before

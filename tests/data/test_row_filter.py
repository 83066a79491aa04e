"""Conditions on rows mean what SQL means by them."""

import contextlib
import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.row_filter import RowFilter
from penstock.data.selected_rows import filtered

ROWS = pa.RecordBatch.from_pydict({"n": [1, 2, None, 4], "s": ["a", None, "c", "d"], "a b": [1.5, 2.5, -1.0, None]})


def kept(text):
    return [
        index for index, n in enumerate(["a", None, "c", "d"]) if n in filtered(ROWS, RowFilter(text))["s"].to_pylist()
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("n > 1", [1, 3]),
        ("not n > 1", [0]),
        ("1 < n <= 2", [1]),
        ("n == 1 or s == 'd'", [0, 3]),
        ("n is null", [2]),
        ("s is not None and n is not null", [0, 3]),
        ("s in ['a', 'c']", [0, 2]),
        ("s not in ['a', 'c']", [3]),
        ("not (s in ['a', 'c'])", [3]),
        ("col('a b') > -1", [0, 1]),
        ("n >= -3 and not (n == 4)", [0, 1]),
        ("n != 1", [1, 3]),
    ],
)
def test_rows_for_which_the_condition_is_true_are_kept(text, rows):
    assert kept(text) == rows


def test_columns_of_a_condition_are_known():
    assert RowFilter("a > 1 and (b.c is null or col('d e') in [1])").columns == ("a", "b.c", "d e")


def test_a_condition_pickles():
    again = pickle.loads(pickle.dumps(RowFilter("n > 1")))

    assert again.text == "n > 1"
    assert filtered(ROWS, again).num_rows == 2


@pytest.mark.parametrize(
    "text", ["", "n", "n > None", "n == null", "f(n) > 1", "n in []", "n in s", "1 < 2", "n > 1; x", "lambda: 1"]
)
def test_what_is_no_condition_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="fare > 3 and company is not null"):
        RowFilter(text)


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_refused(text):
    with contextlib.suppress(ValueError):
        assert RowFilter(text).columns

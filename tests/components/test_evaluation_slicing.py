"""Slices by raw columns of any type, and what becomes of too many of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.components.evaluation import slicing
from penstock.components.evaluation.accumulators import Problem
from penstock.components.evaluation.evaluation import Evaluation
from penstock.components.evaluation.slicing import slice_rows

REGRESSION = Problem("regression")
islands = st.one_of(st.none(), st.sampled_from(["Biscoe", "Dream", ""]))
sexes = st.one_of(st.none(), st.lists(st.integers(0, 2), max_size=3))


def counts_by_slice(batch, columns):
    evaluation = Evaluation(REGRESSION, [columns])
    evaluation.add(batch, np.ones(batch.num_rows), np.ones(batch.num_rows))
    return {found.key: found.totals.count for found in evaluation.slices()}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["b", None, "a", "b"], {("a",): 1, ("b",): 2, (None,): 1}),
        ([3, 1, None, 3], {(1,): 1, (3,): 2, (None,): 1}),
        ([0.5, float("nan"), float("nan"), None], {(0.5,): 1, ("NaN",): 2, (None,): 1}),
        ([b"\xff", b"", None], {(b"",): 1, (b"\xff",): 1, (None,): 1}),
        ([True, False, True], {(False,): 1, (True,): 2}),
    ],
)
def test_values_of_any_type_and_missing_ones_are_slices(values, expected):
    batch = pa.record_batch({"column": pa.array(values)})

    found = counts_by_slice(batch, ["column"])

    assert found == expected
    assert list(found) == list(expected)


def test_a_row_belongs_once_to_the_slice_of_each_value_of_its_list():
    batch = pa.record_batch({"tags": pa.array([["a", "b", "a"], ["b"], [], None, [None]])})

    assert counts_by_slice(batch, ["tags"]) == {("a",): 1, ("b",): 2, (None,): 3}


def test_large_lists_and_sliced_arrays_count_alike():
    tags = pa.array([["z"], ["a", "b"], None, ["b"]], pa.large_list(pa.large_string())).slice(1)

    assert counts_by_slice(pa.record_batch({"tags": tags}), ["tags"]) == {("a",): 1, ("b",): 2, (None,): 1}


@settings(deadline=None)
@given(st.lists(st.tuples(islands, sexes), max_size=40))
def test_crossed_columns_count_what_python_counts(drawn):
    batch = pa.record_batch(
        {
            "island": pa.array([island for island, _ in drawn], pa.string()),
            "tags": pa.array([tags for _, tags in drawn], pa.list_(pa.int64())),
        }
    )
    expected = Counter((island, tag) for island, tags in drawn for tag in set(tags or [None]))

    sliced = slice_rows(batch, ["island", "tags"])

    assert Counter(sliced.keys[code] for code in sliced.codes.tolist()) == expected


def test_slices_of_several_batches_are_one():
    evaluation = Evaluation(REGRESSION, [["island"]])
    for names in (["b", "a"], ["c", "a"], []):
        batch = pa.record_batch({"island": pa.array(names, pa.string())})
        evaluation.add(batch, np.full(len(names), 2.0), np.full(len(names), 1.0))

    assert [(found.key, found.totals.count) for found in evaluation.slices()] == [
        (("a",), 2),
        (("b",), 1),
        (("c",), 1),
    ]


def test_too_many_slices_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr(slicing, "MAX_SLICES", 3)
    evaluation = Evaluation(REGRESSION, [["id"], ["island"]])
    batch = pa.record_batch({"id": pa.array(range(4)), "island": pa.array(["a"] * 4)})

    evaluation.add(batch, np.ones(4), np.ones(4))

    assert evaluation.overflowed() == [("id",)]
    assert [found.columns for found in evaluation.slices()] == [("island",)]


def test_overflow_is_found_when_parts_are_merged(monkeypatch):
    monkeypatch.setattr(slicing, "MAX_SLICES", 3)
    parts = [Evaluation(REGRESSION, [["id"]]) for _ in range(2)]
    for part, ids in zip(parts, ([0, 1], [2, 3]), strict=True):
        part.add(pa.record_batch({"id": pa.array(ids)}), np.ones(2), np.ones(2))

    parts[0].merge(parts[1])

    assert parts[0].overflowed() == [("id",)]
    assert parts[0].overall().count == 4


def test_rows_without_a_label_are_counted_and_left_out():
    evaluation = Evaluation(REGRESSION, [["island"]])
    batch = pa.record_batch({"island": pa.array(["a", "b", "a"])})

    evaluation.add(batch, np.array([1.0, np.nan, 3.0]), np.ones(3), np.array([True, False, True]))

    assert evaluation.unlabelled == 1
    assert evaluation.overall().count == 2
    assert [found.key for found in evaluation.slices()] == [("a",)]

"""Patterns of spans and versions: which files they stand for."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.spans import SpanChoice, SpanError, base_of, has_spans, resolve


@pytest.fixture
def places(tmp_path):
    """Makes empty files, and resolves a pattern below the same folder."""

    def run(files, pattern, **choice):
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        found = resolve(str(tmp_path / pattern), SpanChoice.of(choice))
        return [os.path.relpath(path, tmp_path) for path in found.paths], found.span, found.version

    return run


SPANS = ["span-1/a.csv", "span-2/a.csv", "span-10/a.csv", "span-3/a.csv", "span-x/a.csv", "spam-99/a.csv"]


@pytest.mark.parametrize(
    ("choice", "paths", "span"),
    [
        ({}, ["span-10/*"], 10),
        ({"span": 2}, ["span-2/*"], 2),
        ({"span_range": [1, 3]}, ["span-1/*", "span-2/*", "span-3/*"], 3),
        ({"last_spans": 1}, ["span-10/*"], 10),
    ],
)
def test_the_latest_span_is_taken_or_those_asked_for(places, choice, paths, span):
    assert places(SPANS, "span-{SPAN}/*", **choice) == (paths, span, 0)


def test_last_spans_end_with_the_latest(places):
    assert places(SPANS[:2] + SPANS[3:4], "span-{SPAN}", last_spans=2) == (["span-2", "span-3"], 3, 0)


def test_days_are_spans(places):
    files = ["2024/02/28/a.csv", "2024/02/29/a.csv", "2024/03/01/a.csv", "2023/12/31/a.csv"]

    found, span, _ = places(files, "{YYYY}/{MM}/{DD}/*.csv", last_spans=3)

    assert found == ["2024/02/28/*.csv", "2024/02/29/*.csv", "2024/03/01/*.csv"]
    assert span == 19_783


def test_latest_version_of_each_span_is_taken(places):
    files = ["1/v1/a", "1/v2/a", "2/v1/a", "2/v11/a", "2/v9/a"]

    assert places(files, "{SPAN}/v{VERSION}/*", span_range=[1, 2]) == (["1/v2/*", "2/v11/*"], 2, 11)
    assert places(files, "{SPAN}/v{VERSION}/*", version=1) == (["2/v1/*"], 2, 1)


def test_width_is_that_of_the_number_written(places):
    files = ["s-0001.csv", "s-0012.csv", "s-13.csv", "s-12345.csv"]

    assert places(files, "s-{SPAN:04}.csv") == (["s-12345.csv"], 12345, 0)
    assert places(files, "s-{SPAN:04}.csv", span=12) == (["s-0012.csv"], 12, 0)


def test_one_span_named_twice_is_one_span(places):
    assert places(["1/part-1.csv", "2/part-1.csv"], "{SPAN}/part-{SPAN}.csv") == (["1/part-1.csv"], 1, 0)


def test_wildcards_before_the_span_find_it_in_several_folders(places):
    files = ["train/span-1/a", "train/span-2/a", "eval/span-2/a"]

    assert places(files, "*/span-{SPAN}/*") == (["eval/span-2/*", "train/span-2/*"], 2, 0)


@pytest.mark.parametrize(
    ("pattern", "choice", "message"),
    [
        ("span-{SPAN}", {"span": 4}, r"span 4 is missing \(1 of 1\)\. There are 1, 2, 3, 10\. Bring it"),
        ("span-{SPAN}", {"span_range": [2, 6]}, r"span 4, 5, 6 is missing \(3 of 5\)"),
        ("span-{SPAN}", {"last_spans": 3}, r"span 8, 9 is missing"),
        ("other-{SPAN}", {}, r"there is no span\. Put the data there"),
        ("{YYYY}-{MM}", {}, "a date takes all of {YYYY}, {MM} and {DD}"),
        ("v{VERSION}", {}, "is the version of a span"),
        ("{SPAN}-{YYYY}{MM}{DD}", {}, "counted by {SPAN} or by date, not both"),
        ("{SPAN}/{SPLIT}", {}, r"{SPLIT} is no placeholder\."),
        ("{SPAN}/{SPAM}", {}, r"{SPAM} is no placeholder\. Did you mean {SPAN}\? There are {SPAN}, {SPAN:04}, "),
        ("{SPAN}/{version}", {}, r"{version} is no placeholder\. Did you mean {VERSION}\?"),
        ("span-{SPAN}", {"last_spans": 11}, r"at most 10, 1 to 10\. Ask for so many, or bring earlier ones\."),
        ("span-{SPAN}/v{VERSION}", {}, "there is no span"),
    ],
)
def test_missing_spans_and_odd_patterns_are_named(places, pattern, choice, message):
    with pytest.raises(SpanError, match=message):
        places(SPANS, pattern, **choice)


def test_a_folder_that_is_no_date_is_named(places):
    with pytest.raises(SpanError, match="20240231 fits the pattern, but is no date"):
        places(["20240231/a"], "{YYYY}{MM}{DD}/*")


def test_missing_day_is_named_as_a_day(places):
    with pytest.raises(SpanError, match=r"span 2024-03-02 \(19784\) is missing"):
        places(["20240301/a", "20240303/a"], "{YYYY}{MM}{DD}/*", last_spans=3)


def test_missing_version_names_those_that_are_there(places):
    with pytest.raises(SpanError, match=r"span 1 has no version 7; it has 1, 2\."):
        places(["1/v1/a", "1/v2/a"], "{SPAN}/v{VERSION}/*", version=7)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"span": 1, "last_spans": 2}, "span= and last_spans= contradict each other"),
        ({"span": -1}, "span= must be a whole number of at least 0, got -1"),
        ({"last_spans": 0}, "last_spans= must be a whole number of at least 1"),
        ({"span_range": [3, 1]}, r"span_range= must be the first and the last span, as \[3, 7\]"),
        ({"span_range": [3]}, "span_range= must be"),
        ({"version": True}, "version= must be"),
    ],
)
def test_impossible_choices_are_refused(choice, message):
    with pytest.raises(SpanError, match=message):
        SpanChoice.of(choice)


def test_names_are_relative_to_the_folder_before_the_first_placeholder():
    assert base_of("/data/taxi/span-{SPAN}/*.csv") == "/data/taxi"
    assert base_of("/data/*/span-{SPAN}") == "/data"
    assert has_spans("/data/{SPAN:04}")
    assert not has_spans("/data/{name}/x*")


@given(spans=st.sets(st.integers(0, 99999), min_size=1, max_size=8))
def test_any_span_written_with_zeros_is_found(tmp_path_factory, spans):
    folder = tmp_path_factory.mktemp("spans")
    for span in spans:
        (folder / f"s{span:03d}").touch()

    for span in spans:
        assert resolve(f"{folder}/s{{SPAN:03}}", SpanChoice(span=span)).paths == (f"{folder}/s{span:03d}",)
    assert resolve(f"{folder}/s{{SPAN:03}}", SpanChoice()).span == max(spans)

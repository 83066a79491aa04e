"""Cuts of CSV files: ranges are exact whatever stands in quotes."""

import io
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.data import csv_scan
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_read import parse_block
from penstock.data.csv_scan import Cut, RecordScanner, count_lines, find_cuts, record_starts
from penstock.data.csv_source import plan_ranges, text_blocks
from tests.data.strategies import csv_rows, csv_text

FORMAT = CsvFormat()


def cells_by_ranges(path, range_bytes, format_=FORMAT):
    """All rows, read range by range; null reads as ''."""
    ranges = plan_ranges([str(path)], format_, range_bytes)
    blocks = [block for range_ in ranges for block in text_blocks(range_, format_)]
    parsed = [parse_block(block, ranges[0].file, ranges[0].file.names, format_) for block in blocks]
    rows = [list(row.values()) for batch in parsed if batch for row in batch.to_pylist()]
    return [["" if cell is None else cell for cell in row] for row in rows], ranges


def cuts(text, range_bytes, start=0):
    return find_cuts(io.BytesIO(text), Cut(start, 1), len(text), delimiter=",", quote='"', range_bytes=range_bytes)


@settings(max_examples=300)
@given(csv_rows(), st.integers(1, 60), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_reading_by_tiny_ranges_equals_reading_whole(tmp_path_factory, rows, range_bytes, newline, quote_all):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(csv_text(rows, newline, quote_all))

    by_ranges, _ = cells_by_ranges(path, range_bytes)
    whole, _ = cells_by_ranges(path, 1 << 20)

    assert by_ranges == whole == rows


@settings(max_examples=500)
@given(st.text('a,"\n', max_size=60), st.integers(1, 20))
@example('a"\n"b\n"c"d"\n', 3)
def test_stray_quotes_are_taken_as_the_parser_takes_them(tmp_path_factory, text, range_bytes):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    body = "".join(line.ljust(1, "a") + "\n" for line in text.split("\n"))
    path.write_text("only\n" + body.replace(",", "b"), newline="")

    try:
        whole, _ = cells_by_ranges(path, 1 << 20)
    except ValueError:
        return
    by_ranges, _ = cells_by_ranges(path, range_bytes)

    assert by_ranges == whole


@given(csv_rows(), st.integers(1, 60))
def test_ranges_know_their_true_line(tmp_path_factory, rows, range_bytes):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(csv_text(rows, "\n"))
    text = path.read_bytes()

    _, ranges = cells_by_ranges(path, range_bytes)

    for range_ in ranges:
        assert range_.start.line == 1 + count_lines(text[: range_.start.offset])


@given(csv_rows(), st.integers(1, 60))
def test_ranges_cover_the_file_without_overlap(tmp_path_factory, rows, range_bytes):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(csv_text(rows))

    _, ranges = cells_by_ranges(path, range_bytes)

    assert [r.end for r in ranges] == [r.start.offset for r in ranges[1:]] + [path.stat().st_size]
    assert all(r.start.offset < r.end for r in ranges)


@settings(max_examples=200)
@given(csv_rows(min_rows=5), st.integers(1, 8), st.integers(1, 30))
def test_block_size_of_the_scan_does_not_matter(rows, block_bytes, range_bytes):
    text = csv_text(rows, "\r\n")
    expected = cuts(text, range_bytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_scan, "_BLOCK_BYTES", block_bytes)
        found = cuts(text, range_bytes)

    assert found == expected


def test_ranges_of_a_large_file_are_between_half_and_whole_the_size():
    text = b"some,cells\n" * 10_000

    found = cuts(text, 40_000)

    sizes = [b - a for a, b in pairwise([*(cut.offset for cut in found), len(text)])]
    assert len(found) == 3
    assert all(20_000 < size <= 40_000 for size in sizes)


def test_one_record_longer_than_a_range_is_not_cut():
    text = b'"' + b"x\n" * 500 + b'",1\n2,3\n'

    assert cuts(text, 100) == [Cut(0, 1), Cut(len(text) - 4, 502)]


def test_empty_part_has_no_ranges():
    assert cuts(b"a,b\n", 10, start=4) == []


def test_record_starts_count_blank_lines():
    starts, lines = record_starts(b'a,b\n\n"x\ny",2\r\n3,4\r5,6', ",", '"')

    assert starts.tolist() == [0, 4, 5, 14, 18]
    assert lines.tolist() == [0, 1, 2, 4, 5]


def test_without_quotes_a_quote_is_a_character():
    scanner = RecordScanner(",", "")
    scanner.feed(b'a,"b\nc,d"\n')

    assert scanner.record_ends().tolist() == [5, 10]


def test_quotes_within_cells_are_characters_to_the_parser_too(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('x,y\na"b,"c""d"\n"e"f"g,h\n')

    rows, ranges = cells_by_ranges(path, 8)

    assert rows == [['a"b', 'c"d'], ['ef"g', "h"]]
    assert len(ranges) == 2

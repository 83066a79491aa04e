"""Reading CSV: headers, encodings, missing values, and what is said of bad input."""

import gzip

import pyarrow as pa
import pytest

from penstock.data import csv_source
from penstock.data.csv_cells import Kind
from penstock.data.csv_format import CsvFormat
from penstock.data.csv_read import RangeReader, check_column_types
from penstock.data.csv_source import open_csv, plan_ranges
from penstock.data.errors import (
    CellError,
    DataFormatError,
    EncodingError,
    HeaderError,
    NoDataError,
    RaggedRowError,
)


@pytest.fixture
def csv_file(tmp_path):
    def write(content, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def read(*paths, **format_):
    chosen = CsvFormat(**format_)
    ranges = plan_ranges(paths, chosen)
    tables = [pa.Table.from_batches(RangeReader(range_, chosen, ranges[0].file.names).batches()) for range_ in ranges]
    return pa.concat_tables(tables).to_pydict()


def test_only_an_empty_unquoted_cell_is_missing(csv_file):
    path = csv_file('a,b\n,""\nNA,null\nN/A,nan\n')

    assert read(path) == {"a": [None, "NA", "N/A"], "b": ["", "null", "nan"]}


def test_null_values_say_more_but_not_of_quoted_cells(csv_file):
    path = csv_file('a,b\nNA,"NA"\n1,x\n,\n')

    assert read(path, null_values=("NA",)) == {"a": [None, 1, None], "b": ["NA", "x", None]}


def test_empty_text_among_null_values_makes_quoted_cells_count(csv_file):
    path = csv_file('a,b\n"1",""\n"","NA"\n')

    assert read(path, null_values=("", "NA")) == {"a": [1, None], "b": [None, None]}


def test_codes_dates_and_booleans_stay_text(csv_file):
    path = csv_file("zip,day,flag\n01234,2020-01-02,true\n99999,2020-01-03,false\n")

    assert read(path) == {
        "zip": ["01234", "99999"],
        "day": ["2020-01-02", "2020-01-03"],
        "flag": ["true", "false"],
    }


def test_newlines_quotes_and_delimiters_in_quotes(csv_file):
    path = csv_file('a,b\r\n"x\r\ny","1,5"\r\n"say ""hi""",\r\n')

    assert read(path) == {"a": ["x\r\ny", 'say "hi"'], "b": ["1,5", None]}


def test_other_delimiter_and_quote(csv_file):
    path = csv_file("a;b\n'x;y';1,5\n")

    assert read(path, delimiter=";", quote="'") == {"a": ["x;y"], "b": ["1,5"]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_mark_tells_the_encoding(csv_file, encoding):
    path = csv_file("naïve,b\né,€\n".encode(encoding))

    assert read(path) == {"naïve": ["é"], "b": ["€"]}
    assert read(path, encoding=encoding.removesuffix("-sig")) == {"naïve": ["é"], "b": ["€"]}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "shift-jis", "utf-16-le"])
def test_encoding_by_name(csv_file, encoding):
    text = "a,b\nテスト,x\n" if encoding == "shift-jis" else "ä,b\né,x\n"
    path = csv_file(text.encode(encoding))

    table = read(path, encoding=encoding)

    assert [list(table), *zip(*table.values(), strict=True)][1][0] in ("テスト", "é")


def test_latin_1_is_cut_into_ranges(csv_file):
    path = csv_file(("name,n\n" + "".join(f"é{i},{i}\n" for i in range(50))).encode("latin-1"))
    format_ = CsvFormat(encoding="latin-1")

    ranges = plan_ranges([path], format_, range_bytes=100)
    names = [name for r in ranges for b in RangeReader(r, format_).batches() for name in b.column(0).to_pylist()]

    assert len(ranges) > 3
    assert names == [f"é{i}" for i in range(50)]


def test_gzip_is_one_range_read_in_blocks(csv_file, monkeypatch):
    monkeypatch.setattr(csv_source, "RANGE_BYTES", 64)
    monkeypatch.setattr(csv_source, "_CHUNK_BYTES", 16)
    rows = "".join(f'{i},"line\n{i}"\n' for i in range(40))
    path = csv_file(gzip.compress(f"n,text\n{rows}".encode()), "rows.csv.gz")
    ranges = plan_ranges([path], CsvFormat())

    reader = RangeReader(ranges[0], CsvFormat())
    batches = list(reader.batches())

    assert len(ranges) == 1
    assert len(batches) > 3
    assert pa.Table.from_batches(batches).to_pydict() == {
        "n": list(range(40)),
        "text": [f"line\n{i}" for i in range(40)],
    }


def test_stream_that_contradicts_its_first_block_is_known_whole(csv_file, monkeypatch):
    monkeypatch.setattr(csv_source, "RANGE_BYTES", 16)
    monkeypatch.setattr(csv_source, "_CHUNK_BYTES", 8)
    path = csv_file(gzip.compress(b"n\n" + b"1\n" * 50 + b"1.5\n" + b"x\n"), "rows.csv.gz")
    reader = RangeReader(plan_ranges([path], CsvFormat())[0], CsvFormat())

    seen = sum(batch.num_rows for batch in reader.batches())

    assert not reader.consistent
    assert reader.kinds == {"n": Kind.TEXT}
    assert reader.rows == 52 > seen


def test_columns_of_a_second_file_may_stand_in_another_order(csv_file):
    first = csv_file("a,b\n1,x\n", "1.csv")
    second = csv_file("b,a\ny,2\n", "2.csv")

    assert read(first, second) == {"a": [1, 2], "b": ["x", "y"]}


def test_names_for_files_without_a_header(csv_file):
    assert read(csv_file("1,x\n2,y\n"), column_names=("n", "s")) == {"n": [1, 2], "s": ["x", "y"]}


def test_last_line_needs_no_newline_and_blank_lines_are_no_rows(csv_file):
    assert read(csv_file("\n\na,b\n\n1,2\n\n\n3,4")) == {"a": [1, 3], "b": [2, 4]}


def test_declared_types_win(csv_file):
    path = csv_file("zip,n\n01234,5\n")

    assert read(path, column_types={"zip": "int64", "n": "string"}) == {"zip": [1234], "n": ["5"]}


def raises(error, *paths, **format_):
    with pytest.raises(error) as caught:
        read(*paths, **format_)
    return caught.value


def test_empty_file(csv_file):
    error = raises(NoDataError, csv_file(""))

    assert "rows.csv is empty. Remove it, or write it anew with a header line." in str(error)


def test_header_only(csv_file):
    error = raises(NoDataError, csv_file("a,b\n"))

    assert "There are no data rows in" in str(error)
    assert "column_names=" in str(error)


def test_ragged_row_names_the_true_line_and_both_counts(csv_file):
    path = csv_file('a,b\n"x\n\ny",1\n\n2,3,4\n')

    error = raises(RaggedRowError, path)

    assert f"{path}, line 6: expected 2 cells, found 3: '2,3,4'. Quote cells that hold" in str(error)
    assert (error.file, error.line) == (path, 6)


def test_ragged_row_in_a_later_range_names_the_true_line(csv_file):
    path = csv_file("a,b\n" + '"x\ny",1\n' * 100 + "short\n")
    ranges = plan_ranges([path], CsvFormat(), range_bytes=200)

    with pytest.raises(RaggedRowError) as caught:
        list(RangeReader(ranges[-1], CsvFormat()).batches())

    assert len(ranges) > 3
    assert caught.value.line == 202


def test_different_headers_name_both_files_and_the_columns(csv_file):
    first, second = csv_file("a,b\n1,2\n", "1.csv"), csv_file("a,c\n1,2\n", "2.csv")

    error = raises(HeaderError, first, second)

    assert f"Compared with {first}, {second} lacks 'b' and has 'c' besides." in str(error)


def test_duplicate_and_empty_names(csv_file):
    assert "has 'a' as columns 1 and 3" in str(raises(HeaderError, csv_file("a,b,a\n1,2,3\n")))
    assert "Column 2 of 3 in" in str(raises(HeaderError, csv_file("a,,c\n1,2,3\n")))


def test_bytes_that_are_not_utf8_name_line_and_character(csv_file):
    path = csv_file(b'a,b\n"1\n2",3\n4,caf\xe9\n')

    error = raises(EncodingError, path)

    assert f"{path} is not utf-8 text: byte 0xe9 in line 4, character 6." in str(error)
    assert "encoding='latin-1'" in str(error)
    assert error.line == 4


def test_bad_bytes_in_header_and_in_transcoded_text(csv_file):
    assert raises(EncodingError, csv_file(b"caf\xe9,b\n1,2\n")).line == 1
    assert raises(EncodingError, csv_file("\ufeffa,b\n1,2\n".encode("utf-16-le") + b"\x00\xd8")).line == 3


def test_text_in_a_declared_number_names_line_column_and_value(csv_file):
    path = csv_file('n,s\n1,"x\ny"\n\nmany,z\n')

    error = raises(CellError, path, column_types={"n": "float64"})

    assert f"{path}, line 5: column 'n' was declared float64 and holds 'many'." in str(error)
    assert (error.line, error.column) == (5, "n")


def test_declared_type_of_an_unknown_column_names_the_nearest(csv_file):
    format_ = CsvFormat(column_types={"fair": "float64"})
    file = open_csv(csv_file("fare,tip\n1,2\n"), format_)

    with pytest.raises(DataFormatError, match=r"no column of .* Did you mean 'fare'\? Its columns: fare, tip"):
        check_column_types(format_, file)


def test_unclosed_quote_is_an_error_that_says_so(csv_file):
    error = raises(DataFormatError, csv_file('a,b\n1,"2\n3,4\n5,6\n'))

    assert "line 2: a quote opens here and is never closed. Close it, or double it" in str(error)
    assert error.line == 2


def test_damaged_gzip(csv_file):
    error = raises(DataFormatError, csv_file(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:40], "rows.csv.gz"))

    assert "is a damaged gzip file" in str(error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delimiter": ",,"}, "delimiter must be one ASCII character"),
        ({"quote": ","}, "must differ"),
        ({"encoding": "utf-99"}, "There is no text encoding 'utf-99'"),
        ({"column_types": {"a": "float"}}, r"column_types\['a'\] is 'float'. Did you mean 'float64'\?"),
    ],
)
def test_impossible_formats(arguments, message):
    with pytest.raises(ValueError, match=message):
        CsvFormat(**arguments)


def test_mark_against_the_asked_encoding(csv_file):
    error = raises(DataFormatError, csv_file("a,b\n1,2\n".encode("utf-16")), encoding="utf-8")

    assert "byte order mark of utf-16-le, but encoding='utf-8' was asked for" in str(error)

"""CsvExampleGen: CSV files become examples."""

from typing import Any, Literal

from penstock.artifacts import Examples, QuarantinedRows
from penstock.components.ingestion.example_gen import (
    Choice,
    check_choice,
    check_on_bad_rows,
    ingest_files,
    reading_parameters,
    selected,
    write_bad_rows,
)
from penstock.data.csv_format import CsvFormat
from penstock.pipeline import Beam, Files, Output, component


def check_parameters(
    *,
    null_values: list[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    encoding: str = "auto",
    column_types: dict[str, str] | None = None,
    column_names: list[str] | None = None,
    on_bad_rows: str = "fail",
    **others: Any,
) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("CsvExampleGen", others)
    check_on_bad_rows("CsvExampleGen", on_bad_rows)
    with reading_parameters("CsvExampleGen"):
        _format(null_values, column_types, column_names, delimiter=delimiter, quote=quote, encoding=encoding)


@component(versions=("pyarrow",), precondition="penstock.components.ingestion.csv_example_gen:check_parameters")
def CsvExampleGen(
    examples: Output[Examples],
    quarantined: Output[QuarantinedRows],
    *,
    input_base: Files,
    span: int | None = None,
    version: int | None = None,
    span_range: list[int] | None = None,
    last_spans: int | None = None,
    splits: dict[str, int] | None = None,
    partition_feature: str | None = None,
    input_splits: dict[str, str] | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    null_values: list[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    encoding: str = "auto",
    column_types: dict[str, str] | None = None,
    column_names: list[str] | None = None,
    on_bad_rows: Literal["fail", "quarantine"] = "fail",
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest CSV files (plain or gzip) and split their rows by hash.

    A column is int64 where all its cells are integers of 64 bits, float64 where all are numbers, else string; numbers
    with leading zeros, dates and booleans are strings, and so are numbers that would lose digits: integers of more than
    64 bits, and beside decimals those that a float64 would round (the log says so). A cell is missing when it is empty
    and not quoted. Blank lines are no rows, also where there is one column: write a missing value there as one of
    `null_values`.

    Args:
        examples: The rows in splits; one shard a split for each range of the files.
        quarantined: The bad rows, as JSON lines with file, line, reason and text; none with on_bad_rows="fail".
        input_base: A file, a folder or a glob. Of a folder with files of other kinds, those named `.csv` and
            `.csv.gz` are read. All files have the same columns, in any order.
            The path may be a pattern of spans and versions: "data/span-{SPAN}/v{VERSION}/*", "data/{YYYY}-{MM}-{DD}".
        span: The span to read; by default the latest.
        version: The version to read; by default the latest of each span.
        span_range: The first and the last span to read, as [3, 7]; none may be missing.
        last_spans: How many spans to read up to the latest; none may be missing.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        input_splits: Splits by the files instead: patterns of names below `input_base`, by split, as
            `{"train": "train/*", "eval": "eval/*"}`.
        columns: The columns to take, in this order.
        row_filter: Which rows to take, as "fare > 3 and company is not null".
        null_values: Texts that mean a missing value too, such as "NA". They count unquoted; with "" in the list,
            quoted cells count as well.
        delimiter: The character between cells.
        quote: The character around cells; "" for none.
        encoding: "auto" for UTF-8 and what has a byte order mark, or any text encoding of Python, as "latin-1".
        column_types: Types by column, instead of the inferred ones: int64, float64, float32, string. A declared float
            is the nearest one, also to an integer; a number beyond all floats breaks the type.
        column_names: Names of the columns, for files without a header line.
        on_bad_rows: "fail" ends the step with the first bad row, "quarantine" sets such rows aside: ragged ones,
            those that are no text, and those that break a declared type.
        beam: Where the data work runs.
    """
    from penstock.data.csv_rows import CsvRows

    with reading_parameters("CsvExampleGen"):
        choice = Choice.of(
            splits=splits,
            partition_feature=partition_feature,
            input_splits=input_splits,
            columns=columns,
            row_filter=row_filter,
            span=span,
            version=version,
            span_range=span_range,
            last_spans=last_spans,
        )
        format_ = _format(null_values, column_types, column_names, delimiter=delimiter, quote=quote, encoding=encoding)
    quarantine = check_on_bad_rows("CsvExampleGen", on_bad_rows)
    ingested = ingest_files(
        "CsvExampleGen",
        examples,
        input_base,
        choice,
        beam,
        endings=(".csv", ".csv.gz"),
        source=lambda paths: selected(CsvRows(paths, format_, quarantine=quarantine), choice),
    )
    write_bad_rows(quarantined, ingested.bad)


def _format(
    null_values: list[str] | None,
    column_types: dict[str, str] | None,
    column_names: list[str] | None,
    **dialect: str,
) -> CsvFormat:
    return CsvFormat(
        **dialect,
        null_values=tuple(null_values or ()),
        column_types=dict(column_types or {}),
        column_names=None if column_names is None else tuple(column_names),
    )

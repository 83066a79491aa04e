"""CsvExampleGen: CSV files become examples."""

import logging
from typing import Any

from penstock.artifacts import Examples
from penstock.data.csv_format import CsvFormat
from penstock.data.errors import DataFormatError
from penstock.data.splits import DEFAULT_SPLITS, check_splits
from penstock.pipeline import Beam, DataError, Files, Output, ParameterError, component

_ENDINGS = (".csv", ".csv.gz")


def check_parameters(
    *,
    splits: dict[str, int] | None = None,
    null_values: list[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    encoding: str = "auto",
    column_types: dict[str, str] | None = None,
    column_names: list[str] | None = None,
    **_: Any,
) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    try:
        check_splits(DEFAULT_SPLITS if splits is None else splits)
        _format(null_values, column_types, column_names, delimiter=delimiter, quote=quote, encoding=encoding)
    except ValueError as error:
        raise ParameterError(f"CsvExampleGen: {error}") from error


@component(versions=("pyarrow",), precondition="penstock.components.ingestion.csv_example_gen:check_parameters")
def CsvExampleGen(
    examples: Output[Examples],
    *,
    input_base: Files,
    splits: dict[str, int] | None = None,
    null_values: list[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    encoding: str = "auto",
    column_types: dict[str, str] | None = None,
    column_names: list[str] | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest CSV files (plain or gzip) and split their rows by hash.

    A column is int64 where all its cells are integers of 64 bits, float64 where all are numbers, else string;
    numbers with leading zeros, dates and booleans are strings. A cell is missing when it is empty and not quoted.

    Args:
        examples: The rows in splits; one shard a split for each range of the files.
        input_base: A file, a folder or a glob. Of a folder with files of other kinds, those named `.csv` and
            `.csv.gz` are read. All files have the same columns, in any order.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        null_values: Texts that mean a missing value too, such as "NA". They count unquoted; with "" in the list,
            quoted cells count as well.
        delimiter: The character between cells.
        quote: The character around cells; "" for none.
        encoding: "auto" for UTF-8 and what has a byte order mark, or any text encoding of Python, as "latin-1".
        column_types: Types by column, instead of the inferred ones: int64, float64, float32, string.
        column_names: Names of the columns, for files without a header line.
        beam: Where the data work runs.
    """
    from penstock.components.ingestion import csv_beam
    from penstock.data.examples import column_types as types_in_words

    chosen = dict(DEFAULT_SPLITS if splits is None else splits)
    try:
        format_ = _format(null_values, column_types, column_names, delimiter=delimiter, quote=quote, encoding=encoding)
        ingested = csv_beam.ingest(beam, _csv_files(input_base), format_, chosen, examples.path)
    except DataFormatError as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise ParameterError(f"CsvExampleGen: {error}") from error
    examples.properties |= {
        "span": 0,
        "version": 0,
        "split_names": list(chosen),
        "columns": types_in_words(ingested.types),
        "rows": ingested.rows,
    }


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


def _csv_files(input_base: Files) -> list[str]:
    """Returns the files to read, and logs those that are left out."""
    named = [entry for entry in input_base.files if entry.name.lower().endswith(_ENDINGS)]
    chosen = named or input_base.files
    ignored = [entry.name for entry in input_base.files if entry not in chosen]
    if ignored:
        logging.getLogger(__name__).info(
            "Read %d CSV files of %s, ignored: %s", len(chosen), input_base.base, ", ".join(ignored[:10])
        )
    return [entry.path for entry in chosen]

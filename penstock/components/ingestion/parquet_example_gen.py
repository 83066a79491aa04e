"""ParquetExampleGen: Parquet files become examples."""

from typing import Any

from penstock.artifacts import Examples
from penstock.components.ingestion.example_gen import Choice, check_choice, ingest_files, reading_parameters
from penstock.pipeline import Beam, Files, Output, component


def check_parameters(**parameters: Any) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("ParquetExampleGen", parameters)


@component(versions=("pyarrow",), precondition="penstock.components.ingestion.parquet_example_gen:check_parameters")
def ParquetExampleGen(
    examples: Output[Examples],
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
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest Parquet files and split their rows by hash.

    Booleans and small integers become int64, decimals float64, dates and times int64 microseconds, nested records
    one column a field ("parent.child"). Only the columns and row groups that are asked for are read.

    Args:
        examples: The rows in splits; one shard a split for each run of row groups.
        input_base: A file, a folder or a glob. Of a folder with files of other kinds, those named `.parquet` are
            read. All files have the same schema.
            The path may be a pattern of spans and versions: "data/span-{SPAN}/v{VERSION}/*", "data/{YYYY}-{MM}-{DD}".
        span: The span to read; by default the latest.
        version: The version to read; by default the latest of each span.
        span_range: The first and the last span to read, as [3, 7]; none may be missing.
        last_spans: How many spans to read up to the latest; none may be missing.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        input_splits: Splits by the files instead: patterns of names below `input_base`, by split.
        columns: The columns to take, in this order.
        row_filter: Which rows to take, as "fare > 3 and company is not null".
        beam: Where the data work runs.
    """
    from penstock.data.parquet_source import ParquetRows

    with reading_parameters("ParquetExampleGen"):
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
    ingest_files(
        "ParquetExampleGen",
        examples,
        input_base,
        choice,
        beam,
        endings=(".parquet", ".pq"),
        source=lambda paths: ParquetRows(paths, choice.columns, choice.row_filter),
    )

"""JsonlExampleGen: files of JSON lines become examples."""

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
from penstock.data.csv_format import check_types
from penstock.pipeline import Beam, Files, Output, component


def check_parameters(*, column_types: dict[str, str] | None = None, on_bad_rows: str = "fail", **others: Any) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("JsonlExampleGen", others)
    check_on_bad_rows("JsonlExampleGen", on_bad_rows)
    with reading_parameters("JsonlExampleGen"):
        check_types(column_types or {})


@component(versions=("pyarrow",), precondition="penstock.components.ingestion.jsonl_example_gen:check_parameters")
def JsonlExampleGen(
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
    column_types: dict[str, str] | None = None,
    on_bad_rows: Literal["fail", "quarantine"] = "fail",
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest files of JSON lines (plain or gzip), an object a line, and split their rows by hash.

    Keys become columns, in the order of their first appearance; a nested object becomes one column a key
    ("parent.child"), an absent key is a missing value.

    Args:
        examples: The rows in splits; one shard a split for each range of the files.
        quarantined: The bad rows, as JSON lines with file, line, reason and text; none with on_bad_rows="fail".
        input_base: A file, a folder or a glob. Of a folder with files of other kinds, those whose names end in
            `.jsonl`, `.ndjson` or `.json`, with or without `.gz`, are read.
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
        column_types: Types by column, instead of those that the values show: int64, float64, float32, string.
        on_bad_rows: "fail" ends the step with the first bad row, "quarantine" sets such rows aside: lines that
            are no JSON object, those that break a declared type, and those with integers of more than 64 bits.
        beam: Where the data work runs.
    """
    from penstock.data.jsonl_source import JsonlRows

    with reading_parameters("JsonlExampleGen"):
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
        declared = check_types(column_types or {})
    quarantine = check_on_bad_rows("JsonlExampleGen", on_bad_rows)
    ingested = ingest_files(
        "JsonlExampleGen",
        examples,
        input_base,
        choice,
        beam,
        endings=(".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"),
        source=lambda paths: selected(JsonlRows(paths, declared, quarantine=quarantine), choice),
    )
    write_bad_rows(quarantined, ingested.bad)

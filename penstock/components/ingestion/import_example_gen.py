"""ImportExampleGen: TFRecord files of tf.Example become examples."""

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
from penstock.pipeline import Beam, Files, Output, component


def check_parameters(*, on_bad_rows: str = "fail", **others: Any) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("ImportExampleGen", others)
    check_on_bad_rows("ImportExampleGen", on_bad_rows)


@component(
    versions=("pyarrow", "tfx-bsl"), precondition="penstock.components.ingestion.import_example_gen:check_parameters"
)
def ImportExampleGen(
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
    on_bad_rows: Literal["fail", "quarantine"] = "fail",
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest TFRecord files of tf.Example or tf.SequenceExample (plain or gzip) and split their rows by hash.

    A feature that holds at most one value in every record is a column of values, any other one of lists. Bytes are
    strings where all of them are UTF-8. The sequences of a tf.SequenceExample are columns "sequence.<name>".

    Args:
        examples: The rows in splits; one shard a split for each range of the files.
        quarantined: The bad records, as JSON lines with file, number, reason and bytes (hexadecimal); none with
            on_bad_rows="fail".
        input_base: A file, a folder or a glob. Of a folder with files of other kinds, those whose names end in
            `.tfrecord`, `.tfrecords`, with or without `.gz`, are read.
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
        on_bad_rows: "fail" ends the step with the first bad record, "quarantine" sets such records aside: those whose
            checksum doesn't hold, and those that are no examples or of other types than the ones before them. A
            damaged length or a file that is cut off ends the step in any case.
        beam: Where the data work runs.
    """
    from penstock.data.tfrecord_source import TfRecordRows

    with reading_parameters("ImportExampleGen"):
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
    quarantine = check_on_bad_rows("ImportExampleGen", on_bad_rows)
    ingested = ingest_files(
        "ImportExampleGen",
        examples,
        input_base,
        choice,
        beam,
        endings=(".tfrecord", ".tfrecords", ".tfrecord.gz", ".tfrecords.gz"),
        source=lambda paths: selected(TfRecordRows(paths, quarantine), choice),
    )
    write_bad_rows(quarantined, ingested.bad)

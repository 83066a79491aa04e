"""ExamplesExporter: examples become TFRecord files of tf.Example, for tools that read those."""

from penstock.artifacts import Examples, TFRecords
from penstock.pipeline import Beam, DataError, Input, Output, component


@component(versions=("tfx-bsl",))
def ExamplesExporter(
    examples: Input[Examples],
    records: Output[TFRecords],
    *,
    splits: list[str] | None = None,
    columns: list[str] | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Write examples as gzip TFRecord files of tf.Example, as TFX has them.

    A missing value is an absent feature; floats are written with 32 bits, as tf.Example has them.

    Args:
        examples: The rows.
        records: `Split-<name>/data_tfrecord-00000-of-00003.gz`, a file a shard, rows in their order.
        splits: The splits to write; by default all.
        columns: The columns to write; by default all.
        beam: Where the data work runs.
    """
    from penstock.components.ingestion import export_ranges
    from penstock.data.errors import DataFormatError

    try:
        rows = export_ranges.export(beam, examples.path, records.path, splits, columns)
    except DataFormatError as error:
        raise DataError(f"ExamplesExporter: {error}") from error
    records.properties |= {"span": examples.properties.get("span", 0), "split_names": list(rows), "rows": rows}

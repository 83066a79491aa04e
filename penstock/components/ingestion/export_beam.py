"""The Beam side of `ExamplesExporter`: a shard is a TFRecord file."""

from __future__ import annotations

import os
from collections.abc import Sequence

import apache_beam as beam

from penstock.data import examples
from penstock.data.codec import encode_examples
from penstock.data.example_bytes import canonical
from penstock.data.tfrecord import RecordWriter
from penstock.pipeline.beam import ROWS_COUNTER, Beam

_BATCH_ROWS = 4096


class ExportShards(beam.DoFn):  # type: ignore[misc]
    """Writes shards of examples as TFRecord files."""

    def __init__(self, columns: Sequence[str] | None) -> None:
        self._columns = columns
        self._rows = beam.metrics.Metrics.counter(*ROWS_COUNTER)

    def process(self, shard: tuple[str, str]) -> None:
        """Reads a shard and writes its file."""
        source, destination = shard
        with RecordWriter(destination) as writer:
            for batch in examples.read_batches(source, self._columns, _BATCH_ROWS):
                for record in encode_examples(batch):
                    writer.write(canonical(record))
        self._rows.inc(writer.records)


def export(
    runner: Beam, path: str, destination: str, splits: Sequence[str] | None, columns: Sequence[str] | None
) -> dict[str, int]:
    """Writes splits of examples.

    Returns:
        The number of rows of each split.

    Raises:
        DataFormatError: There is no such split or column.
    """
    chosen = examples.split_names(path) if splits is None else list(splits)
    shards: list[tuple[str, str]] = []
    for split in chosen:
        files = examples.split_files(path, split)
        examples.check_columns(columns or (), files[0])
        folder = os.path.join(destination, f"Split-{split}")
        os.makedirs(folder)
        names = [f"data_tfrecord-{index:05d}-of-{len(files):05d}.gz" for index in range(len(files))]
        shards += [(file, os.path.join(folder, name)) for file, name in zip(files, names, strict=True)]
    with runner.pipeline("ExamplesExporter: write") as pipeline:
        elements = pipeline | "Shards" >> beam.Create(shards, reshuffle=len(shards) > 1)
        _ = elements | "Write" >> beam.ParDo(ExportShards(columns))
    return {split: examples.count_rows(path, split) for split in chosen}

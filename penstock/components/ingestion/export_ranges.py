"""The parallel side of `ExamplesExporter`: a shard becomes a TFRecord file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.data import examples
from penstock.data.codec import encode_examples
from penstock.data.example_bytes import canonical
from penstock.data.tfrecord import RecordWriter
from penstock.pipeline import Beam

_BATCH_ROWS = 4096


@dataclass(frozen=True)
class ExportShard:
    """Writes a shard of examples as a TFRecord file, wherever it runs."""

    columns: Sequence[str] | None

    def __call__(self, shard: tuple[str, str]) -> tuple[int, None]:
        """Reads a shard, writes its file, and returns its rows."""
        source, destination = shard
        with RecordWriter(destination) as writer:
            for batch in examples.read_batches(source, self.columns, _BATCH_ROWS):
                for record in encode_examples(batch):
                    writer.write(canonical(record))
        return writer.records, None


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
    for _ in runner.map_ranges("ExamplesExporter: write", ExportShard(columns), shards, staging=destination):
        pass
    return {split: examples.count_rows(path, split) for split in chosen}

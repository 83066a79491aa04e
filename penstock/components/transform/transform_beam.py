"""The parallel side of Transform: applying a graph range by range, and TFT's own analysis for other runners."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import tensorflow_transform.beam as tft_beam
from tfx_bsl.public.tfxio import TensorAdapterConfig

from penstock.components.transform.apply import Application
from penstock.data import codec
from penstock.data.examples import read_batches
from penstock.data.raw_feature import RawFeature, columns_of
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import Beam

ANALYSIS_ROWS = 16384
TENSORFLOW_START_S = 5.0
"""What another process takes until it applies a graph."""


@dataclass(frozen=True)
class Range:
    """One unit of the second pass: a shard of the raw examples, and the shard that it becomes."""

    split: str
    source: str
    destination: str


def ranges(files: dict[str, list[str]], destination: str) -> list[Range]:
    """Returns one range a shard; `files` holds the shards of every split to transform."""
    return [
        Range(split, file, shard_path(destination, split, index, len(shards)))
        for split, shards in files.items()
        for index, file in enumerate(shards)
    ]


class ApplyTransform:
    """Transforms one range, wherever it runs; the graph is loaded once a process, when it is needed."""

    def __init__(self, graph: str) -> None:
        self._graph = graph
        self._application: Application | None = None

    def __reduce__(self) -> tuple[type[ApplyTransform], tuple[str]]:
        return type(self), (self._graph,)

    def __call__(self, range_: Range) -> tuple[int, None]:
        """Reads a raw shard, writes the transformed one, and returns its rows."""
        if self._application is None:
            self._application = Application(self._graph)
        with ShardWriter(range_.destination, self._application.schema) as shard:
            for batch in read_batches(range_.source, self._application.columns):
                shard.write(self._application(batch))
        return shard.digest.rows, None


def apply_ranges(runner: Beam, graph: str, work: Sequence[Range]) -> None:
    """Transforms all ranges and waits for them.

    Raises:
        UserCodeError: An output of the graph doesn't have one value a row.
        DataFormatError: A value can't be what the schema says.
    """
    staging = os.path.dirname(os.path.dirname(work[0].destination))
    for _ in runner.map_ranges("Transform", ApplyTransform(graph), work, staging=staging, patience=TENSORFLOW_START_S):
        pass


class ReadRawBatches(beam.DoFn):  # type: ignore[misc]
    """Reads shards as the list columns that TFT takes."""

    def __init__(self, features: Sequence[RawFeature]) -> None:
        self._features = tuple(features)

    def process(self, element: str) -> Iterator[pa.RecordBatch]:
        """Yields the batches of one shard."""
        for batch in read_batches(element, columns_of(self._features), ANALYSIS_ROWS):
            yield codec.to_list_columns(batch, self._features)


def analyze(
    runner: Beam,
    preprocessing_fn: Callable[..., object],
    features: Sequence[RawFeature],
    files: Sequence[str],
    destination: str,
) -> None:
    """Writes the transform graph by TFT's `AnalyzeDataset`, on any Beam runner.

    Args:
        runner: Where it runs.
        preprocessing_fn: The function.
        features: Its inputs.
        files: The shards to analyze.
        destination: Folder of the TransformGraph artifact, reachable from the workers.
    """
    config = TensorAdapterConfig(codec.list_schema(features), codec.tensor_representations(features))
    staging = os.path.dirname(os.path.abspath(destination))
    with (
        tempfile.TemporaryDirectory(prefix=".tft-", dir=staging) as folder,
        tft_beam.Context(temp_dir=folder),
        runner.pipeline("Transform: analyze") as pipeline,
    ):
        rows = (
            pipeline
            | "Shards" >> beam.Create(list(files))
            | "Read" >> beam.ParDo(ReadRawBatches(features)).with_output_types(pa.RecordBatch)
        )
        fitted = (rows, config) | "Analyze" >> tft_beam.AnalyzeDataset(preprocessing_fn)
        _ = fitted | "Write" >> tft_beam.WriteTransformFn(destination)

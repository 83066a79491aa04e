"""Fits a `preprocessing_fn` to data: the first pass of Transform, by the shortest way that can do it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.transform import local_analysis, transform_beam
from penstock.components.transform.preprocessing import Preprocessing, origin_of
from penstock.components.transform_graph import RAW_SCHEMA
from penstock.data.errors import DataFormatError
from penstock.data.examples import read_batches
from penstock.data.protos import write_schema
from penstock.data.raw_feature import RawFeature, flat_features, raw_features
from penstock.pipeline.beam import Beam
from penstock.pipeline.errors import UserCodeError, listing

log = logging.getLogger(__name__)


def fit(
    function: Callable[..., Any],
    schema: schema_pb2.Schema,
    files: Sequence[str],
    destination: str,
    *,
    runner: Beam,
    custom_config: Mapping[str, Any] | None = None,
) -> None:
    """Writes the transform graph of a `preprocessing_fn` for the rows of `files`.

    On the direct profile the analysis runs in this process; on another runner, or for an analyzer that only Beam
    can evaluate, by TFT's Beam pipeline. Both give the same graph, up to the rounding of float sums.

    Args:
        function: The user's function.
        schema: What the rows hold; its features are the function's inputs.
        files: Shards to analyze.
        destination: Folder of the TransformGraph artifact.
        runner: The Beam profile.
        custom_config: Passed to a function that takes `custom_config`.

    Raises:
        UserCodeError: The function raised, or what it returns can't be used.
    """
    features = raw_features(schema)
    guarded = Preprocessing(function, origin_of(function), custom_config)
    try:
        _analyze(guarded, features, files, destination, runner)
    except Exception as error:
        if guarded.error is not None:
            cause = guarded.error.__cause__
            raise (UserCodeError(f"{guarded.error}{_about_empty(schema)}") if cause else guarded.error) from cause
        if isinstance(error, DataFormatError | OSError):
            raise
        raise UserCodeError(f"{origin_of(function)} can't be analyzed: {error}") from error
    write_schema(os.path.join(destination, RAW_SCHEMA), schema)


def _about_empty(schema: schema_pb2.Schema) -> str:
    """Name the columns that were inferred from no value at all: nothing else tells why they are strings."""
    empty = [
        each.name
        for each in flat_features(schema)
        if each.presence.HasField("min_count") and not each.presence.min_count
    ]
    if not empty:
        return ""
    return (
        f". Columns without a single value, which count as strings: {listing(empty)}. Bring the values, or declare the "
        f"type where the data comes in (column_types=)."
    )


def _analyze(
    guarded: Preprocessing,
    features: Sequence[RawFeature],
    files: Sequence[str],
    destination: str,
    runner: Beam,
) -> None:
    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return read_batches(files, columns, transform_beam.ANALYSIS_ROWS)

    with tempfile.TemporaryDirectory(prefix="penstock-tft-") as folder:
        traced = local_analysis.trace(guarded, features, folder)
        if runner.profile == "direct":
            try:
                local_analysis.analyze(traced, batches, destination)
                return
            except local_analysis.NeedsBeam as need:
                log.info("Analyzed by a Beam pipeline: %s", need)
                shutil.rmtree(os.path.join(destination, "transform_fn"), ignore_errors=True)
    transform_beam.analyze(runner, guarded, features, files, destination)

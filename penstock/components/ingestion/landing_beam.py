"""The Beam side of sources that are PTransforms: their elements are landed where they are made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from penstock.data.landed_rows import LandedRows, Run, RunWriter
from penstock.pipeline import Beam

_MANIFEST = "runs.json"


class LandRows(beam.DoFn):  # type: ignore[misc]
    """Writes the rows of a bundle; yields its runs once the bundle is done.

    A bundle that a runner tries again leaves files that nothing names.
    """

    def __init__(self, folder: str, origin: str) -> None:
        self._folder = folder
        self._origin = origin

    def start_bundle(self) -> None:
        """Prepares for a bundle."""
        self._writer = RunWriter(self._folder, self._origin)

    def process(self, element: Any) -> None:
        """Takes one row, or the rows of a batch."""
        self._writer.add(element)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Writes what waits, and tells the runs of the bundle."""
        self._writer.close()
        for run in self._writer.runs:
            yield WindowedValue(tuple(run), GlobalWindow().max_timestamp(), [GlobalWindow()])


class WriteManifest(beam.DoFn):  # type: ignore[misc]
    """Writes the list of all runs, in one step."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, runs: Iterable[tuple[str, int]]) -> None:
        """Writes it beside them."""
        part = os.path.join(self._folder, f"{_MANIFEST}.{os.getpid()}.part")
        with open(part, "w", encoding="utf-8") as file:
            json.dump(sorted(runs), file)
        os.replace(part, os.path.join(self._folder, _MANIFEST))


def land(runner: Beam, transform: beam.PTransform, folder: str, *, label: str, origin: str) -> LandedRows:
    """Runs a PTransform and lands what it makes.

    Args:
        runner: Where it runs.
        transform: Makes a PCollection of dictionaries, record batches or tables from the root of a pipeline.
        folder: Takes the runs; reachable from the workers.
        label: The component, for the name of the Beam pipeline.
        origin: Who made the rows, for messages.

    Raises:
        DataFormatError: An element is no row, or values can't be stored.
    """
    os.makedirs(folder)
    with runner.pipeline(f"{label}: land") as pipeline:
        _ = (
            pipeline
            | "Source" >> transform
            | "Land" >> beam.ParDo(LandRows(folder, origin))
            | "Runs" >> beam.combiners.ToList()
            | "Manifest" >> beam.ParDo(WriteManifest(folder))
        )
    with open(os.path.join(folder, _MANIFEST), encoding="utf-8") as file:
        return LandedRows.of([Run(*entry) for entry in json.load(file)], origin)

"""Work over ranges on a Beam runner: a range is an element, what is made of it a small file that the step reads."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import apache_beam as beam

from penstock.data.errors import DataFormatError
from penstock.pipeline.beam import ROWS_COUNTER
from penstock.pipeline.errors import PenstockError

_FOLDER = ".ranges"

R = TypeVar("R")
S = TypeVar("S")


class WorkOnRange(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Works on (number, range).

    What comes of it is a file and no element, so that nothing crosses a barrier. Where the data or the user's code is
    at fault the file is empty: a runner would try again in vain and flatten the error to text.
    """

    def __init__(self, work: Callable[[Any], tuple[int, Any]], folder: str) -> None:
        super().__init__()
        self._work, self._folder = work, folder
        self._rows = beam.metrics.Metrics.counter(*ROWS_COUNTER)

    def process(self, element: tuple[int, Any]) -> None:
        """Work on one range."""
        number, range_ = element
        try:
            result = self._work(range_)
        except (DataFormatError, PenstockError):
            content = b""
        else:
            content = pickle.dumps(result)
            self._rows.inc(result[0])
        part = f"{_file(self._folder, number)}.{os.getpid()}-{id(self):x}.part"
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, _file(self._folder, number))


def map_ranges(
    pipeline: AbstractContextManager[beam.Pipeline],
    work: Callable[[R], tuple[int, S]],
    ranges: Sequence[R],
    staging: str,
) -> Iterator[S]:
    """Yield what `work` makes of each range, in the order of the ranges, once all are done.

    Args:
        pipeline: Runs when its block ends.
        work: Returns a number of rows and anything else; pickles, and so do the ranges and what is made of them.
        ranges: What is worked on.
        staging: A folder that this process and the runner's workers reach, for files that don't stay.
    """
    folder = os.path.join(staging, _FOLDER)
    os.makedirs(folder)
    try:
        with pipeline as opened:
            elements = opened | "Ranges" >> beam.Create(list(enumerate(ranges)), reshuffle=len(ranges) > 1)
            _ = elements | "Work" >> beam.ParDo(WorkOnRange(work, folder))
        for number, range_ in enumerate(ranges):
            with open(_file(folder, number), "rb") as file:
                content = file.read()
            # Where it failed, the step meets the error at first hand.
            _, result = pickle.loads(content) if content else work(range_)  # noqa: S301 - made above
            yield result
    finally:
        shutil.rmtree(folder)


def _file(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number:06d}.pickle")

"""The Beam profile that a component receives: where and how its data work runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.pipeline import step

if TYPE_CHECKING:
    import apache_beam

ROWS_COUNTER = ("penstock", "rows")
MOST_WORKERS = 4

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True)
class Beam:
    """One way to run data work; a component asks for it by a parameter `beam: Beam`.

    Attributes:
        profile: The profile's name, as given to `--beam`.
        runner: Beam's name of the runner. `direct` names the in-process one itself: Beam's `DirectRunner` would
            first try to download another.
        workers: How many ranges, or bundles of a pipeline, the direct profile works on at once; 0 means one a core,
            `MOST_WORKERS` at most, since each holds some 300 MB and several steps may run at once.
        options: Pipeline options by Beam's names.
    """

    profile: str = "direct"
    runner: str = "FnApiRunner"
    workers: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def map_ranges(
        self,
        label: str,
        work: Callable[[R], tuple[int, S]],
        ranges: Sequence[R],
        *,
        staging: str,
        patience: float | None = None,
    ) -> Iterator[S]:
        """Yield what `work` makes of each range, in the order of the ranges, on any runner and any number of workers.

        Ranges are fixed by the data and small (a file, a place in it); so are results (counts, an accumulator). What
        is large is read and written by the work itself. On the direct profile no Beam takes part: this process works,
        and others beside it as soon as that pays. Elsewhere it is a Beam pipeline.

        Args:
            label: The component, for messages and the name of the pipeline.
            work: Returns a number of rows, which becomes the step's progress, and the result. It stands at module
                level or is an instance of such a class, so that it pickles, as ranges and results do.
            ranges: What is worked on.
            staging: A folder that the runner's workers reach as this process does, such as that of an output.
            patience: On the direct profile, seconds until other processes are started: what starting one costs.

        Raises:
            PlatformError: A worker was killed.
        """
        # Every pipeline file imports this module: what runs the work is imported when there is work.
        if self.profile != "direct":
            from penstock.pipeline import range_beam

            yield from range_beam.map_ranges(self.pipeline(label), work, ranges, staging)
            return
        from penstock.pipeline import range_pool

        done = 0
        workers = self.workers or min(_cores(), MOST_WORKERS)
        results = range_pool.map_ranges(label, work, ranges, workers=workers, patience=patience)
        for number, (rows, result) in enumerate(results, 1):
            done += rows
            step.progress(done, unit="rows", ranges=f"{number} of {len(ranges)}")
            yield result

    @contextmanager
    def pipeline(self, label: str) -> Iterator[apache_beam.Pipeline]:
        """Open a Beam pipeline that runs, and is waited for, when the block ends.

        Rows counted under `ROWS_COUNTER` become the step's progress.
        """
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        options: dict[str, Any] = dict(self.options)
        if self.profile == "direct" and self.workers > 1:
            options |= {"direct_num_workers": self.workers, "direct_running_mode": "multi_threading"}
        logging.getLogger(__name__).info("Beam pipeline %r on %s", label, self.runner)
        opened = beam.Pipeline(runner=self.runner, options=PipelineOptions.from_dictionary(options))
        yield opened
        result = opened.run()
        result.wait_until_finish()
        rows = beam.metrics.MetricsFilter().with_namespace(ROWS_COUNTER[0]).with_name(ROWS_COUNTER[1])
        counted = sum(counter.result for counter in result.metrics().query(rows)["counters"])
        if counted:
            step.progress(counted, counted, unit="rows")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""The Beam profile that a component receives: where and how its data work runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.pipeline import step

if TYPE_CHECKING:
    import apache_beam

ROWS_COUNTER = ("penstock", "rows")


@dataclass(frozen=True)
class Beam:
    """One way to run Beam pipelines; a component asks for it by a parameter `beam: Beam`.

    Attributes:
        profile: The profile's name, as given to `--beam`.
        runner: Beam's name of the runner. `direct` names the in-process one itself: Beam's `DirectRunner` would
            first try to download another.
        workers: How many bundles the direct profile works on at once.
        options: Pipeline options by Beam's names.
    """

    profile: str = "direct"
    runner: str = "FnApiRunner"
    workers: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

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

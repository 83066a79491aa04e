"""What a step costs: the CPU seconds of all its processes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from penstock.pipeline import range_pool, step
from tests.pipeline.range_work import squared

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_a_timed_part_counts_the_processes_that_it_waited_for() -> None:
    context = step.StepContext("execution", "run", "step", ignored)
    step.enter(context)

    try:
        with step.timed("elsewhere"):
            subprocess.run([sys.executable, "-c", BURN], check=True)
    finally:
        step.enter(None)

    assert context.parts["elsewhere"] >= 0.3


def test_the_memory_of_data_workers_is_told() -> None:
    context = step.StepContext("execution", "run", "step", ignored)
    step.enter(context)

    try:
        list(range_pool.map_ranges("Trips", squared, range(40), workers=3, patience=0.0))
    finally:
        step.enter(None)

    assert 2 * 5_000_000 < context.helped[0] < 2 * 500_000_000


def ignored(_: dict[str, Any]) -> None:
    """Take what a step says."""

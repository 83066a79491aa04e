"""What a step costs: the CPU seconds of all its processes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from penstock.pipeline import step

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


def ignored(_: dict[str, Any]) -> None:
    """Take what a step says."""

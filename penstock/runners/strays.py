"""Processes that a worker has left behind: found by the mark in their environment, whatever session they went to."""

from __future__ import annotations

import logging
import os

WORKER_VARIABLE = "PENSTOCK_WORKER"
"""In the environment of each worker, and so of all that it starts: "<run>/<number of the worker>"."""


def kill_strays(mark: str) -> list[int]:
    """Kill the processes whose environment holds a mark that begins so.

    Some milliseconds, so it is called only where a worker was killed in the middle of a step.

    Returns:
        Their ids.
    """
    import psutil

    killed: list[int] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(WORKER_VARIABLE, "").startswith(mark) and process.pid != os.getpid():
                process.kill()
                killed.append(process.pid)
        except psutil.Error:  # it has ended, or is somebody else's
            continue
    if killed:
        logging.getLogger(__name__).warning("Killed what a step had left running: processes %s.", killed)
    return killed

"""Work over ranges for the tests of pool and Beam: it pickles by name, so it stands in a module of its own."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from penstock.data.errors import CellError

SECONDS = 0.02
"""Long enough for another process to get its share."""


def squared(number: int) -> tuple[int, int]:
    """Return one row, and the square."""
    time.sleep(SECONDS)
    return 1, number * number


def worked_on_by(_: int) -> int:
    """Return the process that works."""
    time.sleep(SECONDS)
    return os.getpid()


@dataclass(frozen=True)
class FailsFrom:
    """Finds fault with the data of every range from one on, sooner in later ones."""

    first: int

    def __call__(self, number: int) -> tuple[int, int]:
        time.sleep(SECONDS)
        if number >= self.first:
            time.sleep(max(0.0, 0.2 - 0.1 * (number - self.first)))
            raise CellError(f"trips.csv, line {number}: no number.", file="trips.csv", line=number, column="fare")
        return 1, number


@dataclass(frozen=True)
class DiesElsewhere:
    """Kills every process that works, but for one."""

    survivor: int

    def __call__(self, number: int) -> int:
        time.sleep(SECONDS)
        if os.getpid() != self.survivor:
            os.kill(os.getpid(), signal.SIGKILL)
        return number


@dataclass(frozen=True)
class FailsElsewhere:
    """Fails in every process but one."""

    survivor: int

    def __call__(self, number: int) -> int:
        time.sleep(SECONDS)
        if os.getpid() != self.survivor:
            raise OSError("the network is down")
        return number


@dataclass(frozen=True)
class Lingers:
    """Leaves its process id in a folder and works on for a minute; one process only waits until it isn't alone."""

    folder: str
    quick: int

    def __call__(self, number: int) -> int:
        time.sleep(SECONDS)
        Path(self.folder, str(os.getpid())).touch()
        if os.getpid() != self.quick:
            time.sleep(60)
        while len(os.listdir(self.folder)) < 2:
            time.sleep(SECONDS)
        return number


def speaks(number: int) -> int:
    """Say something in every way."""
    time.sleep(SECONDS)
    print(f"printed by {os.getpid()}", flush=True)
    logging.getLogger("trips").info("logged by %d", os.getpid())
    return number

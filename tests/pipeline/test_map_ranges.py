"""Work over ranges: the same results and errors in one process, in several, and on a Beam runner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from penstock.data.errors import CellError
from penstock.pipeline import Beam, PlatformError, range_pool, step
from tests.pipeline.range_work import (
    DiesElsewhere,
    FailsElsewhere,
    FailsFrom,
    Lingers,
    squared,
    worked_on_by,
)

RANGES = range(40)
BEAM = Beam(profile="portable")
RUNNERS = {"one worker": Beam(workers=1), "two workers": Beam(workers=2), "four workers": Beam(workers=4), "Beam": BEAM}


@pytest.fixture(params=RUNNERS.values(), ids=RUNNERS.keys())
def beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Beam:
    monkeypatch.setattr(range_pool, "PATIENCE_S", 0.0)
    return request.param


def in_two(work: Any, ranges: Any = RANGES) -> list[Any]:
    return list(range_pool.map_ranges("Trips", work, ranges, workers=2, patience=0.0))


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_results_come_in_the_order_of_the_ranges(beam: Beam, tmp_path: Path) -> None:
    results = list(beam.map_ranges("Trips", squared, RANGES, staging=str(tmp_path)))

    assert results == [number * number for number in RANGES]


def test_no_range_is_no_result(beam: Beam, tmp_path: Path) -> None:
    assert list(beam.map_ranges("Trips", squared, [], staging=str(tmp_path))) == []


def test_of_several_errors_the_first_in_order_is_raised_and_keeps_its_place(beam: Beam, tmp_path: Path) -> None:
    with pytest.raises(CellError) as raised:
        list(beam.map_ranges("Trips", FailsFrom(7), RANGES, staging=str(tmp_path)))

    error = raised.value
    assert (str(error), error.file, error.line, error.column) == (
        "trips.csv, line 7: no number.",
        "trips.csv",
        7,
        "fare",
    )
    assert raised.traceback[-1].name == "__call__"


def test_nothing_is_left_behind(beam: Beam, tmp_path: Path) -> None:
    list(beam.map_ranges("Trips", squared, RANGES, staging=str(tmp_path)))

    with pytest.raises(CellError):
        list(beam.map_ranges("Trips", FailsFrom(3), RANGES, staging=str(tmp_path)))

    assert list(tmp_path.iterdir()) == []
    assert children() == []


def test_rows_become_the_steps_progress(beam: Beam, tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    step.enter(step.StepContext("execution", "run", "step", said.append))

    try:
        list(beam.map_ranges("Trips", squared, RANGES, staging=str(tmp_path)))
    finally:
        step.enter(None)

    assert said[-1]["done"] == len(RANGES)
    assert said[-1]["metrics"]["unit"] == "rows"


def test_several_processes_share_the_work() -> None:
    processes = in_two(worked_on_by)

    assert len(set(processes)) == 2
    assert os.getpid() in processes


def test_work_that_is_done_at_once_starts_no_process() -> None:
    processes = list(range_pool.map_ranges("Trips", worked_on_by, range(3), workers=4, patience=30.0))

    assert set(processes) == {os.getpid()}


def test_what_fails_in_a_worker_only_is_done_by_the_step_itself() -> None:
    assert in_two(FailsElsewhere(os.getpid())) == list(RANGES)


def test_a_killed_worker_is_told_with_what_to_do() -> None:
    with pytest.raises(PlatformError) as raised:
        in_two(DiesElsewhere(os.getpid()))

    said = str(raised.value)
    assert said.startswith(
        "Trips: a data worker was killed by signal 9 (SIGKILL), probably for lack of memory, at range "
    )
    assert said.endswith(
        "of 40. The step's log holds what it said. Run again with fewer data workers (--beam-workers), or give the "
        "machine more memory."
    )


def test_work_that_does_not_pickle_fails_in_the_step_itself() -> None:
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        in_two(lambda number: number)


def test_a_range_that_does_not_pickle_fails_as_such() -> None:
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        in_two(worked_on_by, [lambda: None] * 40)


def test_giving_up_half_way_ends_the_workers(tmp_path: Path) -> None:
    results = range_pool.map_ranges("Trips", Lingers(str(tmp_path), os.getpid()), RANGES, workers=2, patience=0.0)
    next(results)

    results.close()

    assert children() == []


SCRIPT = """
import os, sys
from penstock.pipeline import range_pool
from tests.pipeline import range_work
work = eval(sys.argv[1], vars(range_work) | {"pid": os.getpid()})
list(range_pool.map_ranges("Trips", work, range(40), workers=2, patience=0.0))
"""


def test_workers_die_with_a_killed_step(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, f"Lingers({str(tmp_path)!r}, 0)"])
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.01)

    process.kill()
    process.wait()

    _, alive = psutil.wait_procs(
        [psutil.Process(int(file.name)) for file in tmp_path.iterdir() if psutil.pid_exists(int(file.name))], 5
    )
    assert alive == []


def test_work_that_others_cannot_import_is_done_by_the_step_alone() -> None:
    script = """
import os, time
from penstock.pipeline import range_pool
def work(number):
    time.sleep(0.02)
    return os.getpid()
print(set(range_pool.map_ranges("Trips", work, range(40), workers=3, patience=0.0)) == {os.getpid()})
"""

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout == "True\n"
    assert "A data worker could not begin; the step goes on without it." in said.stderr


def test_what_workers_say_stands_in_the_steps_log() -> None:
    script = "import logging; logging.basicConfig(level=logging.INFO)\n" + SCRIPT

    said = subprocess.run(
        [sys.executable, "-c", script, "speaks"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )

    speakers = {line.split()[-1] for line in said.stdout.splitlines() if "printed by" in line}
    assert len(speakers) == 2
    assert {line.split()[-1] for line in said.stdout.splitlines() if "trips: logged by" in line} <= speakers
    assert said.stdout.count("logged by") == 40


def test_no_beam_is_imported_on_the_direct_profile(tmp_path: Path) -> None:
    script = (
        "import sys; from penstock.pipeline import Beam; from tests.pipeline.range_work import squared\n"
        f"list(Beam(workers=2).map_ranges('Trips', squared, range(40), staging={str(tmp_path)!r}))\n"
        "print('apache_beam' in sys.modules)"
    )

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout == "False\n"

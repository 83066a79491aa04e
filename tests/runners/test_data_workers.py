"""Data workers of a step in a real run: the user's code, its log, its errors, and its end."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Said, Shell

PIPELINE = """
from penstock.components import CustomExampleGen
from penstock.pipeline import pipeline


@pipeline
def trips(slow: float = 0.05, bad: int = -1):
    CustomExampleGen(
        module_file="source.py", function="read", parts=list(range(20)), custom_config={"slow": slow, "bad": bad}
    )


@pipeline
def claimed():
    CustomExampleGen(
        module_file="source.py", function="read", parts=list(range(20)), custom_config={"slow": 0.05, "bad": -1}, cpus=1
    )
"""
SOURCE = """
import os, time

import fares


def read(part, slow, bad):
    print(f"part {part} is read by process {os.getpid()}", flush=True)
    time.sleep(slow)
    for row in range(100):
        yield {"trip": part * 100 + row, "fare": fares.fare(part, row, bad)}
"""
FARES = """
def fare(part, row, bad):
    if part == bad:
        raise ZeroDivisionError("no fare")
    return row / 4
"""


@pytest.fixture
def project(tmp_path: Path) -> Shell:
    """A shell in a project whose trips come from a function, in twenty parts of a second in all."""
    for name, text in {"pipeline.py": PIPELINE, "source.py": SOURCE, "fares.py": FARES}.items():
        (tmp_path / name).write_text(text)
    return Shell(tmp_path)


def readers(said: Said) -> set[int]:
    return {int(found) for found in re.findall(r"is read by process (\d+)", said.out)}


def test_the_users_code_runs_in_them_and_speaks_in_the_steps_log(project: Shell) -> None:
    ran = project("run", "pipeline.py:trips", "--beam-workers", "2")

    log = project("logs", "CustomExampleGen")
    assert ran.code == 0, ran.err
    assert len(readers(log)) == 2
    assert log.out.count("is read by process") == 20
    step = project("runs", "--json").json()[0]["steps"][0]
    assert step["state"] == "COMPLETE"


def test_a_step_that_claims_one_cpu_has_one(project: Shell) -> None:
    ran = project("run", "pipeline.py:claimed")

    assert ran.code == 0, ran.err
    assert len(readers(project("logs", "CustomExampleGen"))) == 1


def test_an_error_in_them_is_told_as_by_one_worker(project: Shell) -> None:
    told = {}
    for workers in ("1", "2"):
        said = project("run", "pipeline.py:trips", "-p", "bad=13", "--beam-workers", workers)
        told[workers] = re.findall(r"UserCodeError.*|\w+\.py:\d+|ZeroDivisionError.*", said.out + said.err)

    assert told["1"] == told["2"]
    assert "fares.py:4" in told["2"]


def test_they_end_with_a_killed_run(project: Shell) -> None:
    run = project.start("run", "pipeline.py:trips", "-p", "slow=0.5", "--beam-workers", "2")
    log = None
    while log is None or len(readers(Said(0, log.read_text(), ""))) < 2:
        time.sleep(0.05)
        log = next((each for each in project.folder.rglob("*.log") if "CustomExampleGen" in str(each)), None)
        assert run.poll() is None
    processes = [psutil.Process(pid) for pid in readers(Said(0, log.read_text(), ""))]

    os.kill(run.pid, signal.SIGKILL)
    run.communicate()

    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []

"""A run that is stopped in the middle leaves nothing half-made, and the next one goes on where it was."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Ran
from tests.end_to_end.project import Project

pytestmark = pytest.mark.pipeline

PATIENCE_SECONDS = 60.0
INTO_THE_STEP = 1.5


@pytest.fixture
def changed(penguins: Ran, tmp_path: Path) -> Project:
    """The penguins with another transform: all from there on has to run again."""
    project = penguins.project.copy(tmp_path / "penguins")
    project.edit("features.py", 'default_value="unknown"', 'default_value="missing"')
    return project


def test_runs_that_are_interrupted_and_killed_are_gone_on_with(changed: Project) -> None:
    interrupted = stopped_in(changed, "Transform", signal.SIGINT)

    assert interrupted.returncode == 130
    assert "is canceled. Go on where it stopped" in interrupted.stderr.read()
    assert changed.states()["Transform"] == "CANCELED"
    assert changed.damage() == []
    assert changed.workers() == []

    killed = stopped_in(changed, "Trainer", signal.SIGKILL)

    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: not changed.workers())
    assert [told for told in changed.damage() if "left over" not in told] == []

    said = changed.run()

    assert said.code == 0, said.out + said.err
    states = changed.states()
    assert (states["Transform"], states["Trainer"]) == ("CACHED", "COMPLETE")
    assert changed.damage() == []
    assert [run["state"] for run in changed.ask("runs")][:3] == ["COMPLETE", "FAILED", "CANCELED"]


def stopped_in(project: Project, step: str, number: signal.Signals):
    """Start a run, stop it by a signal in the middle of a step, and wait for its end."""
    before = set(project.root.glob("runs/*"))
    process = project.shell.start("run", "pipeline.py")
    wait_until(lambda: step in steps_started(set(project.root.glob("runs/*")) - before))
    time.sleep(INTO_THE_STEP)
    process.send_signal(number)
    process.wait(PATIENCE_SECONDS)
    return process


def steps_started(runs: set[Path]) -> list[str]:
    events = [json.loads(line) for run in runs for line in (run / "events.jsonl").read_text().splitlines()]
    return [event["step"] for event in events if event["event"] == "step_started"]


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)

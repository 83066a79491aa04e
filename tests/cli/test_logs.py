"""`penstock logs`: of a step that ran, that was reused, that never ran, and of one under way."""

from __future__ import annotations

import signal
import subprocess
import time

from tests.cli.conftest import COMMAND, Shell, environment


def test_log_of_a_reused_step_is_that_of_what_made_its_outputs(ran: Shell):
    said = ran("logs", "train")

    assert said.code == 0
    assert "training on" in said.out


def test_step_without_a_worker_has_no_log(toy: Shell):
    toy("run", "pipeline.py", "-p", "accept=false")

    said = toy("logs", "train")

    assert said.code == 6
    assert "has no log: no worker ran it (SKIPPED: gate inspect refused what it uses)" in said.err


def test_unknown_step_is_not_found(ran: Shell):
    assert ran("logs", "tran").code == 6


def test_followed_log_ends_with_its_step(toy: Shell):
    run = toy.start("run", "pipeline.py", "-p", "behave=slowly")
    until = time.monotonic() + 60
    while "training" not in "".join(path.read_text() for path in toy.folder.glob(".penstock/runs/*/logs/train.log")):
        assert time.monotonic() < until, "the step didn't start"
        time.sleep(0.05)
    follower = subprocess.Popen(
        [COMMAND, "logs", "train", "-f"], cwd=toy.folder, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None

    first = follower.stdout.readline()
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    follower.communicate(timeout=30)

    assert "training on" in first
    assert follower.returncode == 0

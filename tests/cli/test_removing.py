"""`runs rm` and `runs cancel`."""

from __future__ import annotations

import time

from tests.cli.conftest import Shell


def test_a_removed_run_takes_along_what_only_it_used(toy: Shell):
    toy("run", "pipeline.py")
    run = toy("runs", "--json").json()[0]["id"]

    said = toy("runs", "rm", run, "--yes")

    assert said.code == 0
    assert "4 artifacts" in said.out
    assert toy("runs", "--json").json() == []
    assert [each["type"] for each in toy("artifacts", "--json").json()] == ["ExternalFiles"]
    assert not list((toy.folder / ".penstock" / "artifacts").glob("*/*/*"))
    assert (toy.folder / "rows.csv").exists()
    assert "4 ran" in toy("run", "pipeline.py").out


def test_what_another_run_uses_stays_until_that_is_removed(toy: Shell):
    toy("run", "pipeline.py")
    toy("run", "pipeline.py")
    newer, older = (run["id"] for run in toy("runs", "--json").json())

    first = toy("runs", "rm", older, "--yes")
    between = toy("run", "pipeline.py")
    newest = toy("runs", "--json").json()[0]["id"]
    toy("runs", "rm", newest, "--yes")
    last = toy("runs", "rm", newer, "--yes")

    assert "4 artifacts stay, other runs use them" in first.out
    assert "4 cached" in between.out
    assert "4 artifacts (" in last.out
    assert not list((toy.folder / ".penstock" / "artifacts").glob("*/*/*"))


def test_removing_asks_when_nobody_said_yes(toy: Shell):
    toy("run", "pipeline.py")
    run = toy("runs", "--json").json()[0]["id"]

    said = toy("runs", "rm", run)

    assert said.code == 64
    assert "Pass --yes" in said.err
    assert len(toy("runs", "--json").json()) == 1


def test_a_live_run_is_cancelled_but_not_removed(toy: Shell):
    process = toy.start("run", "pipeline.py", "-p", "behave=slowly")
    run = _live_run(toy)

    refused = toy("runs", "rm", run, "--yes")
    cancelled = toy("runs", "cancel", run[-8:])
    process.communicate(timeout=60)

    assert refused.code == 64
    assert "is under way. Cancel it first: penstock runs cancel" in refused.err
    assert cancelled.code == 0
    assert "is over: CANCELED" in cancelled.out
    assert process.returncode == 130


def test_a_run_that_is_over_can_not_be_cancelled(toy: Shell):
    toy("run", "pipeline.py")
    run = toy("runs", "--json").json()[0]["id"]

    said = toy("runs", "cancel", run)

    assert said.code == 64
    assert "is not under way (it is COMPLETE)" in said.err


def _live_run(shell: Shell) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        said = shell("runs", "--json")
        if said.code == 0 and any(run["live"] and len(run["steps"]) > 2 for run in said.json()):
            return str(said.json()[0]["id"])
        time.sleep(0.1)
    raise AssertionError("the run didn't start")

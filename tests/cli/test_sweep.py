"""A pipeline with a loop on the command line: its plan, its run, and each of its items by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import PROJECTS, Shell


@pytest.fixture
def sweep(tmp_path: Path) -> Shell:
    shutil.copytree(PROJECTS / "sweep", tmp_path / "sweep")
    return Shell(tmp_path / "sweep")


def test_check_shows_the_steps_of_a_loop_behind_it(sweep: Shell):
    said = sweep("check", "pipeline.py")

    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert ["for_each-1", "loop", "each", "of", "rates"] in lines
    assert ["train", "train", "Note,", "Float"] in lines
    assert any(line[:2] == ["pick", "pick"] and "every" in line for line in lines)


def test_plan_names_every_item_and_a_new_one_alone_would_run(sweep: Shell):
    before = sweep("plan", "pipeline.py")
    sweep("run", "pipeline.py")
    after = sweep("plan", "pipeline.py", "-p", "rates=[0.1, 0.2, 0.3]", "--json")

    assert (before.code, after.code) == (2, 2)
    assert "train[1]" in before.out
    actions = {step["id"]: step["action"] for step in after.json()["steps"]}
    assert [actions[f"train[{number}]"] for number in range(3)] == ["reuse", "reuse", "run"]


def test_an_item_has_its_own_log_record_and_reason(sweep: Shell):
    sweep("run", "pipeline.py")
    sweep("run", "pipeline.py", "-p", "rates=[0.1, 0.4]")

    log, shown, why = (sweep(command, "train[1]") for command in ("logs", "show", "why"))

    assert "training with 0.4" in log.out
    assert "train[1]" in shown.out
    assert "parameter rate: 0.2 -> 0.4" in why.out


def test_items_of_a_loop_are_shown_with_it(sweep: Shell):
    sweep("run", "pipeline.py")

    said = sweep("show", "for_each-1")

    assert "[0] 0.1" in said.out
    assert "[1] 0.2" in said.out


def test_a_push_under_a_condition_that_does_not_hold_is_no_withheld_push(sweep: Shell):
    said = sweep("run", "pipeline.py", "-p", "least=5")

    assert said.code == 0
    assert "not pushed" not in said.out
    assert "pick.value > 5.0 does not hold" in said.out or "pick.value > least does not hold" in said.out


def test_a_name_without_its_number_offers_the_items(sweep: Shell):
    sweep("run", "pipeline.py")

    said = sweep("logs", "train")

    assert said.code == 6
    assert "train[0]" in said.err


def test_an_item_that_is_not_there_is_refused_before_anything_runs(sweep: Shell):
    said = sweep("run", "pipeline.py", "--refresh", "train[2]")

    assert said.code == 64
    assert "has no item 2; it has 2, numbered from 0 to 1." in said.err
    assert not (sweep.folder / ".penstock").exists()

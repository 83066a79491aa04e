"""`penstock plan`, `run --dry-run`, and the options that choose what runs."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Shell


def test_pending_work_has_its_own_code_and_nothing_is_made(toy: Shell):
    said = toy("plan", "pipeline.py")

    assert said.code == 2
    assert re.search(r"^read +run +no earlier result$", said.out, re.MULTILINE)
    assert "4 would run; 4 steps never measured" in said.out
    assert not (toy.folder / ".penstock").exists()


def test_no_pending_work_is_done(ran: Shell):
    said = ran("plan", "pipeline.py")

    assert said.code == 0
    assert "4 reused; nothing is to be done" in said.out


def test_dry_run_is_the_same_report(ran: Shell):
    planned = ran("plan", "pipeline.py", "-p", "behave=other")
    dry = ran("run", "pipeline.py", "-p", "behave=other", "--dry-run")

    assert dry.out == planned.out
    assert dry.code == planned.code == 2
    assert len(ran("runs", "--json").json()) == 2


def test_json_and_markdown(ran: Shell):
    document = ran("plan", "pipeline.py", "-p", "behave=other", "--json").json()
    markdown = ran("plan", "pipeline.py", "-p", "behave=other", "--markdown").out

    assert {step["id"]: step["action"] for step in document["steps"]} == {
        "read": "reuse",
        "inspect": "reuse",
        "train": "run",
        "push": "unknown",
    }
    assert document["pending"] is True
    assert document["seconds"] <= document["seconds_at_most"]
    assert markdown.startswith("**toy**: 1 would run, 2 reused, 1 unknown until then")
    assert "| train | run | " in markdown


def test_only_one_step_runs_and_the_others_are_taken(toy: Shell):
    toy("run", "pipeline.py")

    said = toy("run", "pipeline.py", "--only", "train", "--refresh", "train")

    assert said.code == 0
    assert re.search(r"read +CACHED .* outside --only train, unchanged since run", said.out)
    assert re.search(r"push +SKIPPED +left out by --only train", said.out)


@pytest.mark.parametrize("option", ["--from", "--to", "--only", "--skip", "--refresh"])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_unknown_step_is_refused_with_the_nearest_name(toy: Shell, command: str, option: str):
    said = toy(command, "pipeline.py", option, "trian")

    assert said.code == 64
    assert f"{option} trian: pipeline 'toy' has no step 'trian'. Did you mean 'train'?" in said.err


def test_resume_goes_on_with_the_latest_run_and_its_parameters(toy: Shell):
    toy("run", "pipeline.py", "-p", "behave=badly")

    said = toy("run", "pipeline.py", "--resume", "--json")

    result = said.json()
    assert said.code == 1
    assert result["steps"][0]["state"] == "CACHED"
    assert "which is resumed" in result["steps"][0]["reason"]
    assert "bad luck" in said.err


def test_resume_of_another_pipelines_run_is_refused(toy: Shell):
    toy("run", "pipeline.py")
    file = toy.folder / "other.py"
    file.write_text((toy.folder / "pipeline.py").read_text().replace("def toy(", "def other("))
    run = toy("runs", "--json").json()[0]["id"]

    said = toy("run", "other.py", "--resume", run)

    assert said.code == 64
    assert "is a run of pipeline 'toy', not of 'other'" in said.err


def test_resume_takes_no_parameters(toy: Shell):
    toy("run", "pipeline.py")

    said = toy("run", "pipeline.py", "--resume", "-p", "behave=well")

    assert said.code == 64
    assert "--resume runs with the parameters of the run that it resumes" in said.err


def test_unknown_run_to_resume_is_not_found(toy: Shell):
    toy("run", "pipeline.py")

    assert toy("run", "pipeline.py", "--resume", "ZZZZZZZZ").code == 6

"""What gc deletes: what no kept run, no pushed model and no live run holds on to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.metadata.store import MlmdStore
from penstock.runners.retention import Collection, Policy, collect, plan_collection
from tests.runners.conftest import Project

CHAIN = """
@pipeline
def wired(text: str = "a", mark: str = "."):
    follow(note=make(text=text).note, mark=mark)
"""
PUSHING = """
from penstock.artifacts import PushedModel


def stands(outputs):
    return os.path.exists(get(outputs["pushed"]))


@component(effects=True, still_true="steps:stands")
def push(note: Input[Note], pushed: Output[PushedModel], *, place: str) -> None:
    with open(place, "w") as file:
        file.write(get(note))
    put(pushed, place)


@pipeline
def wired(text: str, place: str):
    more = follow(note=make(text=text).note)
    push(note=more.more, place=place)
"""


def doomed(project: Project, policy: Policy, *, now: float | None = None, do: bool = False) -> Collection:
    with MlmdStore.open(project.layout.database, create=False) as store:
        found = plan_collection(store, project.layout, policy, now)
        if do:
            collect(store, project.layout, found)
        return found


def texts(found: Collection, project: Project) -> set[str]:
    return {Path(project.layout.absolute(each.uri), "note.txt").read_text() for each in found.artifacts}


def bytes_of_runs(project: Project) -> int:
    folders = (project.root / "artifacts", project.root / "runs")
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def test_what_only_older_runs_used_is_deleted(project: Project) -> None:
    project.write(CHAIN)
    old = project.run(text="old")
    new = project.run(text="new")

    found = doomed(project, Policy(keep_runs=1))
    assert texts(found, project) == {"old", "old."}
    before = bytes_of_runs(project)
    doomed(project, Policy(keep_runs=1), do=True)

    after = bytes_of_runs(project)
    assert before - after == found.size > 0
    assert not Path(old["make"].outputs["note"][0]).exists()
    assert project.text(new, "follow", "more") == "new."
    assert not doomed(project, Policy(keep_runs=1)).folders


def test_deleted_result_is_made_again(project: Project) -> None:
    project.write(CHAIN)
    project.run(text="old")
    project.run(text="new")
    doomed(project, Policy(keep_runs=1), do=True)

    result = project.run(text="old")

    assert project.states(result) == {"make": "COMPLETE", "follow": "COMPLETE"}


def test_what_a_kept_run_reused_stays(project: Project) -> None:
    project.write(CHAIN)
    project.run(text="a", mark=".")
    project.run(text="a", mark="!")

    found = doomed(project, Policy(keep_runs=1))

    assert texts(found, project) == {"a."}


def test_young_runs_are_kept_by_age(project: Project) -> None:
    project.write(CHAIN)
    project.run(text="old")
    project.run(text="new")

    young = doomed(project, Policy(keep_runs=0, older_than=3600))
    later = doomed(project, Policy(keep_runs=0, older_than=3600), now=time.time() + 7200)

    assert not young.artifacts
    assert texts(later, project) == {"old", "old."}


def test_latest_complete_run_is_always_kept(project: Project) -> None:
    project.write(CHAIN)
    project.run(text="good")

    assert not doomed(project, Policy(keep_runs=0)).artifacts


def test_pushed_model_that_still_stands_keeps_its_ancestry(project: Project, tmp_path: Path) -> None:
    project.write(PUSHING)
    project.run(text="standing", place=str(tmp_path / "one"))
    project.run(text="gone", place=str(tmp_path / "two"))
    project.run(text="last", place=str(tmp_path / "three"))
    os.unlink(tmp_path / "two")

    found = doomed(project, Policy(keep_runs=1))

    assert texts(found, project) == {"gone", "gone.", str(tmp_path / "two")}
    assert len(found.pushed) == 2


def test_staging_of_dead_runs_goes(project: Project) -> None:
    project.write(CHAIN)
    project.run()
    left = Path(project.layout.staging("01DEAD"), "x-1")
    left.mkdir(parents=True)
    (left / "half").write_text("half")

    found = doomed(project, Policy(), do=True)

    assert found.size == 4
    assert not left.parent.exists()


@pytest.fixture
def waiting(project: Project) -> Iterator[Path]:
    """A run in another process that has made a note, and waits in its second step for a file."""
    go = project.folder / "go"
    project.write(
        f"""
        @component
        def wait(note: Input[Note], more: Output[Note]) -> None:
            while not os.path.exists({str(go)!r}):
                time.sleep(0.05)
            put(more, get(note))

        @pipeline
        def wired():
            wait(note=make(text="live").note)
        """
    )
    process = project.start()
    until = time.monotonic() + 60
    while not list(project.root.glob("artifacts/wired/make/*/outcome.json")) or not list(
        project.root.glob(".staging/*/*/more")
    ):
        assert time.monotonic() < until, "the run didn't get there"
        time.sleep(0.05)
    yield go
    go.write_text("")
    assert process.communicate(timeout=60)[0].strip() == b"COMPLETE"


def test_live_run_is_left_alone(project: Project, waiting: Path) -> None:
    found = doomed(project, Policy(keep_runs=0), do=True)

    assert not found.folders
    assert list(project.root.glob(".staging/*/*/more"))


def test_earlier_version_that_still_stands_is_live(project: Project, tmp_path: Path) -> None:
    project.write(
        """
        import json
        from penstock.artifacts import PushedModel

        def stands(outputs):
            return False

        @component(effects=True, still_true="steps:stands")
        def push(note: Input[Note], pushed: Output[PushedModel], *, place: str) -> None:
            os.makedirs(place)
            with open(os.path.join(place, "_penstock.json"), "w") as file:
                json.dump({"execution": os.path.basename(os.path.dirname(pushed.uri))}, file)
            put(pushed, place)
            pushed.properties["pushed_destination"] = place

        @pipeline
        def wired(text: str, place: str):
            push(note=make(text=text).note, place=place)
        """
    )
    for version in ("1", "2", "3"):
        project.run(text=version, place=str(tmp_path / "serving" / version))
    (tmp_path / "serving" / "2" / "_penstock.json").unlink()

    found = doomed(project, Policy(keep_runs=1))

    assert texts(found, project) == {"2", str(tmp_path / "serving" / "2")}


def run_folders(project: Project) -> set[str]:
    return {path.name for path in (project.root / "runs").iterdir()}


def test_logs_and_events_of_runs_that_are_not_kept_go_with_their_bytes_counted(project: Project) -> None:
    project.write(CHAIN)
    old = project.run(text="old")
    new = project.run(text="new")
    size = sum(path.stat().st_size for path in (project.root / "runs" / old.id).rglob("*") if path.is_file())

    planned = doomed(project, Policy(keep_runs=1))
    before = run_folders(project)
    done = doomed(project, Policy(keep_runs=1), do=True)

    assert planned.logs == done.logs == (str(project.root / "runs" / old.id),)
    assert planned.size > size > 0
    assert before == {old.id, new.id}
    assert run_folders(project) == {new.id}


def test_logs_of_a_run_that_made_what_a_kept_run_uses_stay(project: Project) -> None:
    project.write(CHAIN)
    maker = project.run(text="a")
    idle = project.run(text="a")
    user = project.run(text="a")

    doomed(project, Policy(keep_runs=1), do=True)

    assert run_folders(project) == {maker.id, user.id}
    assert idle.id not in run_folders(project)
    assert set(project.states(project.run(text="a")).values()) == {"CACHED"}

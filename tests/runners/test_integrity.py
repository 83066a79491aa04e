"""What fsck finds and repairs: missing and damaged files, orphans, leftovers, executions without a process."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.metadata.records import RunRecord
from penstock.metadata.store import MlmdStore
from penstock.pipeline.runner import RunResult
from penstock.runners.integrity import Finding, check, repair
from tests.runners.conftest import Project

CHAIN = """
@pipeline
def wired(text: str = "a"):
    follow(note=make(text=text).note)
"""


def found(project: Project, *, deep: bool = False, mend: bool = False) -> list[Finding]:
    with MlmdStore.open(project.layout.database, create=False) as store:
        findings = check(store, project.layout, deep=deep)
        if mend:
            repair(store, project.layout, findings)
        return findings


def note(result: RunResult) -> Path:
    return Path(result["make"].note.path)


def remove_all(result: RunResult, project: Project) -> None:
    shutil.rmtree(note(result).parent)


def truncate(result: RunResult, project: Project) -> None:
    (note(result) / "note.txt").write_text("")


def alter(result: RunResult, project: Project) -> None:
    (note(result) / "note.txt").write_text("b")


def add_file(result: RunResult, project: Project) -> None:
    (note(result) / "more.txt").write_text("b")


def add_folder(result: RunResult, project: Project) -> None:
    (project.root / "artifacts" / "wired" / "make" / "01UNKNOWN" / "note").mkdir(parents=True)


def leave_staging(result: RunResult, project: Project) -> None:
    Path(project.layout.staging("01DEAD"), "x-1").mkdir(parents=True)


def test_sound_root_has_no_findings(project: Project) -> None:
    project.write(CHAIN)
    project.run()
    project.run()

    assert found(project, deep=True) == []


@pytest.mark.parametrize(
    ("damage", "deep", "kind", "what"),
    [
        (remove_all, False, "missing", "of make: Its files are gone."),
        (truncate, False, "damaged", "note.txt has 0 bytes, the manifest says 1."),
        (alter, True, "damaged", "note.txt has another content than the manifest says."),
        (add_file, False, "damaged", "more.txt is not in the manifest."),
        (add_folder, False, "orphan", "No execution in the store stands for this folder."),
        (leave_staging, False, "leftover", "Staging of a run whose process is gone."),
    ],
)
def test_damage_is_found_and_repaired_and_the_next_run_is_whole(
    damage: Callable[[RunResult, Project], None], deep: bool, kind: str, what: str, project: Project
) -> None:
    project.write(CHAIN)
    damage(project.run(), project)

    (finding,) = found(project, deep=deep, mend=True)

    assert finding.kind == kind
    assert what in finding.what
    assert found(project, deep=deep) == []
    again = project.run()
    assert project.states(again)["make"] == ("COMPLETE" if kind in ("missing", "damaged") else "CACHED")
    assert project.text(again, "follow", "more") == "a."


def test_same_size_damage_is_found_by_its_time_of_change(project: Project) -> None:
    project.write(CHAIN)
    result = project.run()
    file = note(result) / "note.txt"
    before = file.stat()
    alter(result, project)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    (finding,) = found(project)

    assert "note.txt has another content than the manifest says." in finding.what


@pytest.mark.parametrize("place", ["", "wired", "wired/make", "EXECUTION"])
def test_file_beside_what_executions_made_is_set_aside(place: str, project: Project) -> None:
    project.write(CHAIN)
    made = note(project.run())
    folder = made.parent if place == "EXECUTION" else project.root / "artifacts" / place
    (folder / "model.ckpt").write_text("mine")

    (finding,) = found(project, mend=True)

    assert (finding.kind, finding.where) == ("stray", str(folder / "model.ckpt"))
    assert finding.what == "It is nobody's output."
    assert found(project) == []
    (kept,) = (project.root / "lost+found").iterdir()
    assert kept.read_text() == "mine"
    assert kept.name.endswith("-model.ckpt")


def test_bit_that_rotted_on_the_disk_needs_a_deep_look(project: Project) -> None:
    project.write(CHAIN)
    result = project.run()
    alter(result, project)
    os.utime(note(result).parent / "outcome.json")  # as if the file system had seen no change since

    assert found(project) == []
    assert [each.kind for each in found(project, deep=True)] == ["damaged"]


def test_execution_without_a_process_is_stuck_until_repaired(project: Project) -> None:
    project.write(
        """
        @component
        def wait(note: Output[Note]) -> None:
            put(note)
            time.sleep(60)

        @pipeline
        def wired():
            wait()
        """
    )
    process = project.start()
    until = time.monotonic() + 60
    while not list(project.root.glob(".staging/*/*/note/note.txt")):
        assert time.monotonic() < until, "the run didn't get there"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    kinds = [finding.kind for finding in found(project, mend=True)]

    assert kinds == ["stuck", "leftover"]
    assert found(project) == []
    project.assert_clean()


def test_run_without_a_lock_is_closed(project: Project) -> None:
    project.write(CHAIN)
    project.run()
    with MlmdStore.open(project.layout.database, create=False) as store:
        store.begin_run(RunRecord("01LOST", "wired", started=time.time()))

    (finding,) = found(project, mend=True)

    assert (finding.kind, finding.where) == ("stuck", "01LOST")
    with MlmdStore.open(project.layout.database, create=False) as store:
        lost = store.run("01LOST")
    assert lost is not None
    assert lost.state == "FAILED"

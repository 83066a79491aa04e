"""Steps that do what no step may: each is found, named and told with the repair, and the next run is good."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import penstock
from penstock.metadata.store import MlmdStore
from penstock.pipeline.runner import RunResult
from penstock.runners.integrity import Finding, check
from tests.runners.conftest import Project

BAD_STEP = """
@component
def bad(note: Input[Note], out: Output[Note]) -> None:
    put(out, "mine")
    {deed}


@pipeline
def wired():
    made = make()
    bad(note=made.note)
    make(id="beside", text="beside")
"""
GOOD = BAD_STEP.format(deed="pass")


def found(project: Project) -> list[Finding]:
    with MlmdStore.open(project.layout.database, create=False) as store:
        return check(store, project.layout)


def message(result: RunResult, step: str = "bad") -> str:
    failure = result[step].failure
    assert failure is not None, result
    return failure.message


def assert_next_run_is_good(project: Project) -> None:
    project.write(GOOD)
    result = project.run()
    assert result.state == "COMPLETE"
    assert project.text(result, "make", "note") == "text"
    assert project.text(result, "bad", "out") == "mine"
    assert [each for each in found(project) if each.kind not in ("damaged", "missing")] == []


ALTER = "Inputs are read only: copy what is to be changed into an output or a temporary folder. What was altered is "


@pytest.mark.parametrize(
    ("deed", "what"),
    [
        ("put(note, 'other')", "note.txt was changed"),
        ("put(note, 'TEXT')", "note.txt was changed"),  # the same size
        ("os.utime(note.path + '/note.txt', (1, 1))", "note.txt was changed"),
        ("os.unlink(note.path + '/note.txt')", "note.txt was deleted"),
        ("open(note.path + '/more', 'w').close()", "more was added"),
        ("os.rename(note.path + '/note.txt', note.path + '/b')", "b was added, note.txt was deleted"),
        ("__import__('shutil').rmtree(note.path)", "_files.json was deleted, note.txt was deleted"),
    ],
)
def test_step_that_alters_its_input_fails_and_the_input_is_made_again(deed: str, what: str, project: Project) -> None:
    project.write(BAD_STEP.format(deed=deed))

    result = project.run(workers=1)

    assert message(result) == f"bad altered its input 'note': {what}. {ALTER}made again by the next run."
    assert project.states(result) == {"make": "COMPLETE", "bad": "FAILED", "beside": "COMPLETE"}
    assert result["bad"].failure.fault == "user code"
    assert_next_run_is_good(project)


def test_step_that_alters_its_input_and_raises_is_told_of_both(project: Project) -> None:
    project.write(BAD_STEP.format(deed="put(note, 'other'); raise ValueError('no such column')"))

    result = project.run()

    assert message(result) == (
        f"no such column. bad altered its input 'note': note.txt was changed. {ALTER}made again by the next run."
    )
    assert result["bad"].failure.type == "ValueError"


def test_input_altered_by_another_step_is_not_used(project: Project) -> None:
    project.write(
        """
        @component
        def late(note: Input[Note], other: Input[Note], out: Output[Note]) -> None:
            put(out, get(note))


        @component
        def spoil(note: Input[Note], out: Output[Note]) -> None:
            put(out)
            victim = note.path.replace("/second/", "/first/").rsplit("/", 2)[0]
            folder = os.path.join(victim, os.listdir(victim)[0], "note")
            with open(folder + "/note.txt", "w") as file:
                file.write("evil")


        @pipeline
        def wired():
            first = make(id="first")
            second = make(id="second", text="b", after=[first])
            spoiled = spoil(note=second.note)
            late(note=first.note, other=spoiled.out)
        """
    )

    result = project.run()

    place = result["first"].note.path
    assert message(result, "late") == (
        f"late can't use its input 'note', which was altered after it was published: note.txt has another content than "
        f"the manifest says. It lies at {place}. What was altered is made again by the next run."
    )


@pytest.mark.parametrize(
    ("deed", "left"),
    [
        ("open(os.path.dirname(out.path) + '/scratch.txt', 'w').close()", "scratch.txt"),
        ("os.mkdir(os.path.dirname(out.path) + '/logs'); open(out.path + '/../b', 'w').close()", "b, logs"),
    ],
)
def test_step_that_leaves_files_beside_its_outputs_fails(deed: str, left: str, project: Project) -> None:
    project.write(BAD_STEP.format(deed=deed))

    result = project.run()

    assert message(result) == (
        f"bad left {left} beside its outputs. Write into out.path, a folder made for it, or into a temporary folder: "
        f"tempfile.mkdtemp()."
    )
    assert_next_run_is_good(project)
    project.assert_clean()


def test_step_that_writes_to_the_final_place_fails_and_nothing_stays_there(project: Project) -> None:
    project.write(BAD_STEP.format(deed="os.makedirs(out.uri); open(out.uri + '/a', 'w').close()"))

    result = project.run()

    assert message(result) == (
        "bad wrote to the final place of its outputs, out.uri. Write into out.path: it is moved there when the step "
        "has ended."
    )
    assert_next_run_is_good(project)
    project.assert_clean()


def test_files_left_in_the_working_directory_are_named_in_the_log(project: Project) -> None:
    project.write(BAD_STEP.format(deed="open('model.ckpt', 'w').close()"))

    result = project.run()

    assert result.state == "COMPLETE"
    assert (
        f"While the step ran, model.ckpt appeared in the working directory {project.folder}; files there are neither "
        "kept nor recorded."
    ) in project.log(result, "bad")


def test_step_may_write_in_the_working_directory_where_it_was_told_to(project: Project) -> None:
    project.write(
        """
        from pathlib import Path


        @component
        def save(out: Output[Note], *, place: Path = Path("kept/here")) -> None:
            os.makedirs(place)
            put(out)


        @pipeline
        def wired():
            save()
        """
    )

    result = project.run()

    assert (project.folder / "kept" / "here").is_dir()
    assert "appeared in the working directory" not in project.log(result, "save")


RETURNS = """
from typing import NamedTuple


class Counts(NamedTuple):
    rows: int
    share: float


@component
def bad{signature}:
    return {returned}


@pipeline
def wired():
    bad()
    make()
"""


@pytest.mark.parametrize(
    ("signature", "returned", "said"),
    [
        ("() -> int", "'many'", "bad() declares that it returns value: int, and returned 'many' "),
        ("() -> int", "None", "bad() declares that it returns value: int, and returned None "),
        ("() -> float", "float('nan')", "bad() declares that it returns value: float, and returned nan "),
        ("() -> Counts", "(1, 0.5)", "bad() declares that it returns a NamedTuple of rows, share, "
         "and returned (1, 0.5)."),
        ("() -> Counts", "Counts('a', 0.5)", "bad() declares that it returns rows: int, and returned 'a' "),
        ("() -> None", "{'loss': 1}", "bad() returned {'loss': 1} and declares no value, so it would be lost. Annotate "
         "what it returns (-> dict), or return nothing."),
    ],
)  # fmt: skip
def test_step_that_returns_the_wrong_type_fails(signature: str, returned: str, said: str, project: Project) -> None:
    project.write(RETURNS.format(signature=signature, returned=returned))

    result = project.run()

    assert message(result).startswith(said)
    assert project.states(result) == {"bad": "FAILED", "make": "COMPLETE"}
    project.assert_clean()


SPOILING = """
@component
def spoil(other: Input[Note], out: Output[Note]) -> None:
    put(out)
    makers = os.path.dirname(os.path.dirname(os.path.dirname(other.path)))
    folder = os.path.join(makers, "first", os.listdir(os.path.join(makers, "first"))[0], "note")
    time.sleep(0.02)
    {deed}
    time.sleep(0.02)


@pipeline
def wired():
    first = make(id="first")
    second = make(id="second", text="b", after=[first])
    spoiled = spoil(other=second.note)
    make(id="later", text="c", after=[spoiled])
"""


@pytest.mark.parametrize(
    ("deed", "what"),
    [
        ("open(folder + '/note.txt', 'w').write('evil')", "note.txt has another content than the manifest says."),
        ("open(folder + '/note.txt', 'w').close()", "note.txt has 0 bytes, the manifest says 4."),
        ("os.unlink(folder + '/note.txt')", "note.txt is missing."),
        ("open(folder + '/more', 'w').close()", "more is not in the manifest."),
        ("__import__('shutil').rmtree(folder)", "It is gone."),
    ],
)
def test_step_that_alters_what_it_was_not_given_is_named_when_the_run_ends(
    deed: str, what: str, project: Project
) -> None:
    project.write(SPOILING.format(deed=deed))

    result = project.run(workers=1)

    place = result["first"].note.path
    (problem,) = result.problems
    assert re.fullmatch(
        r"Output 'note' of step 'first' was altered after it was published, at \d\d:\d\d:\d\d while 'spoil' ran: "
        + re.escape(f"{what} It lies at {place}. What was altered is made again by the next run."),
        problem,
    )
    assert result.state == "FAILED"
    assert penstock.runs(root=project.root)[0].problems == result.problems
    project.write(SPOILING.format(deed="pass"))
    good = project.run()
    assert (good.state, good.problems) == ("COMPLETE", ())
    assert project.text(good, "first", "note") == "text"


def test_problems_of_a_run_are_printed_and_make_it_fail(project: Project) -> None:
    project.write(SPOILING.format(deed="os.unlink(folder + '/note.txt')"))
    command = [
        os.path.join(os.path.dirname(sys.executable), "penstock"),
        "run",
        "steps.py",
        "--root",
        str(project.root),
    ]

    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "while 'spoil' ran: note.txt is missing. It lies at " in done.stdout
    assert "of wired: FAILED in " in done.stdout


def other_artifact(result: RunResult) -> Path:
    return Path(result["make"].note.path, "note.txt")


def same_size(path: Path) -> None:
    path.write_text("evil")
    os.utime(path, (1, 1))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("evil")
    os.replace(other, path)


@pytest.mark.parametrize("deed", [same_size, replaced, Path.unlink])
def test_artifact_altered_by_anybody_is_found_at_the_next_use_without_reading_all(
    deed: Callable[[Path], None], project: Project
) -> None:
    project.write(GOOD)
    deed(other_artifact(project.run()))

    (finding,) = found(project)
    again = project.run()

    assert finding.kind == "damaged"
    assert "note.txt" in finding.what
    assert project.states(again) == {"make": "COMPLETE", "bad": "CACHED", "beside": "CACHED"}
    assert project.executions(again.id)["make"].reason.startswith("its output note is damaged: note.txt ")


def test_copied_root_is_sound_and_read_once_only(project: Project, tmp_path: Path) -> None:
    project.write(GOOD)
    project.run()
    copied = tmp_path / "copied"
    for path in sorted(project.root.rglob("*")):  # outcome.json comes before what it seals, as it may in a clone
        target = copied / path.relative_to(project.root)
        target.mkdir(parents=True) if path.is_dir() else target.write_bytes(path.read_bytes())
    for seal in copied.glob("artifacts/*/*/*/outcome.json"):
        note = next(seal.parent.glob("*/note.txt"))
        note.touch()
        assert seal.stat().st_ctime_ns < note.stat().st_ctime_ns

    again = project.run(root=copied)

    assert set(project.states(again).values()) == {"CACHED"}
    for seal in copied.glob("artifacts/*/*/*/outcome.json"):
        assert seal.stat().st_ctime_ns > next(seal.parent.glob("*/note.txt")).stat().st_ctime_ns

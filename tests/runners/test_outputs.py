"""What a step may leave in its outputs: files, folders, inner links, values and properties of some size; all else is
refused by name.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from penstock.pipeline.runner import RunResult
from tests.runners.conftest import Project

STEP = """
import socket
import sys


@component
def bad{signature}:
{deed}


@pipeline
def wired():
    bad()
    make()
"""
RULE = (
    " An output holds files, folders and links to what is inside it, so that it lasts when all else is gone. Copy what "
    "a link leads to: shutil.copy(...), shutil.copytree(...)."
)


def written(project: Project, deed: str, signature: str = "(out: Output[Note]) -> None") -> None:
    project.write(STEP.format(signature=signature, deed="\n".join(f"    {line}" for line in deed.splitlines())))


def message(result: RunResult) -> str:
    failure = result["bad"].failure
    assert failure is not None, result
    assert failure.fault == "user code"
    return failure.message


@pytest.mark.parametrize(
    ("deed", "left"),
    [
        ("os.mkfifo(out.path + '/a.csv')", "a.csv, a named pipe"),
        (
            "os.chdir(out.path)\nopened = socket.socket(socket.AF_UNIX)\nopened.bind('s')\nos.mkdir('d')\nput(out)",
            "s, a socket",
        ),
        ("os.mkdir(out.path + '/d')\nos.symlink('no', out.path + '/d/no')", "d/no, a link to 'no', which isn't there"),
        ("os.symlink('/usr', out.path + '/usr')", "usr, a link to '/usr', outside of it"),
        ("os.symlink('/etc/passwd', out.path + '/p')", "p, a link to '/etc/passwd', outside of it"),
        ("os.symlink('../..', out.path + '/up')", "up, a link to '../..', a folder above it"),
        ("os.mkdir(out.path + '/d')\nos.symlink('.', out.path + '/d/up')", "d/up, a link to '.', a folder above it"),
        ("os.rmdir(out.path)\nos.symlink('/usr', out.path)", "out, a link to '/usr', outside of it"),
        ("os.rmdir(out.path)\nos.mkfifo(out.path)", "out, a named pipe"),
        (
            "put(out)\nos.mkfifo(out.path + '/a')\nos.symlink('/usr', out.path + '/b')",
            "a, a named pipe; b, a link to '/usr', outside of it",
        ),
    ],
)  # fmt: skip
def test_output_that_does_not_last_by_itself_is_refused_by_name(deed: str, left: str, project: Project) -> None:
    written(project, deed)

    result = project.run(workers=1)

    assert message(result) == f"bad left in its output 'out': {left}.{RULE}"
    assert project.states(result) == {"bad": "FAILED", "make": "COMPLETE"}
    project.assert_clean()


LINKS = """
@component
def saves(out: Output[Note], *, text: str) -> None:
    os.makedirs(os.path.join(out.path, "step-1"))
    with open(os.path.join(out.path, "step-1", "note.txt"), "w") as file:
        file.write(text)
    os.symlink(os.path.join(out.path, "step-1"), os.path.join(out.path, "latest"))  # absolute, as tools write it
    os.symlink("latest/note.txt", os.path.join(out.path, "note.txt"))


@component
def reads(note: Input[Note], more: Output[Note]) -> None:
    with open(os.path.join(note.path, "latest", "note.txt")) as file:
        put(more, file.read() + get(note))


@pipeline
def wired(text: str = "a"):
    reads(note=saves(text=text).out)
"""


def test_links_inside_of_an_output_move_with_it_and_count_with_what_they_lead_to(project: Project) -> None:
    project.write(LINKS)

    first, second = project.run(), project.run(text="b")

    assert project.text(first, "reads", "more") == "aa"
    assert project.text(second, "reads", "more") == "bb"
    assert project.states(second) == {"saves": "COMPLETE", "reads": "COMPLETE"}
    folder = Path(second["saves"].out.path)
    assert os.readlink(folder / "latest") == "step-1"
    assert os.readlink(folder / "note.txt") == "step-1/note.txt"
    project.assert_clean()


def test_copied_root_keeps_inner_links_whole(project: Project, tmp_path: Path) -> None:
    project.write(LINKS)
    project.run()
    shutil.copytree(project.root, tmp_path / "moved", symlinks=True)

    result = project.run(root=tmp_path / "moved", verify=True)

    assert project.states(result) == {"saves": "CACHED", "reads": "CACHED"}


@pytest.mark.parametrize(
    ("signature", "deed", "said"),
    [
        (
            "() -> str",
            "return 'x' * 3_000_000",
            "bad() returned 3.0 MB as value: a value is kept in the metadata store, so it takes 1 MB at most. Write it "
            "to a file instead: declare an output (data: Output[Artifact]) and write into data.path.",
        ),
        (
            "(*, data: int = 0) -> list",
            "return [0.125] * 300_000",
            "bad() returned 2.1 MB as value: a value is kept in the metadata store, so it takes 1 MB at most. Write it "
            "to a file instead: declare an output (result: Output[Artifact]) and write into result.path.",
        ),
        (
            "() -> str",
            "return '\\ud800'",
            "bad() declares that it returns value: str, and returned '\\ud800' ('utf-8' codec can't encode character "
            "'\\ud800' in position 1: surrogates not allowed).",
        ),
        (
            "(out: Output[Note]) -> None",
            "put(out)\nout.properties['log'] = 'x' * 2_000_000\nout.properties['short'] = 1",
            "bad sets out.properties['log'] to 2.0 MB: a property is kept in the metadata store, so it takes 1 MB at "
            "most. Write it into out.path instead.",
        ),
        (
            "(out: Output[Note]) -> None",
            "put(out)\nout.properties['log'] = '\\ud800'",
            "bad sets out.properties to what JSON can't carry: 'utf-8' codec can't encode character '\\ud800' in "
            "position 1: surrogates not allowed. Use numbers, text, lists and dicts.",
        ),
    ],
)
def test_value_that_the_store_can_not_hold_is_refused(signature: str, deed: str, said: str, project: Project) -> None:
    written(project, deed, signature)

    result = project.run(workers=1)

    assert message(result) == said
    assert project.states(result) == {"bad": "FAILED", "make": "COMPLETE"}


def test_value_of_the_largest_size_is_recorded(project: Project) -> None:
    written(project, "return 'x' * 999_998", "() -> str")

    result = project.run(workers=1)

    assert result["bad"].values == {"value": "x" * 999_998}


def test_property_that_json_can_not_carry_is_none_with_a_word_in_the_log(project: Project) -> None:
    written(project, "put(out)\nout.properties['loss'] = float('nan')")

    result = project.run(workers=1)

    assert result["bad"].out.properties["loss"] is None
    assert "out.properties['loss'] holds nan, which JSON can't carry: None is recorded in its place." in project.log(
        result, "bad"
    )


def test_two_complaints_about_a_step_read_as_two_sentences(project: Project) -> None:
    written(project, "open(os.path.dirname(out.path) + '/left', 'w').close()")

    result = project.run(workers=1)

    assert message(result) == (
        "bad left its output 'out' empty. Write files into out.path, a folder made for it. bad left left beside its "
        "outputs. Write into out.path, a folder made for it, or into a temporary folder: tempfile.mkdtemp()."
    )

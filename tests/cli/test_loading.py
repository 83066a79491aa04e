"""Files on the command line: which of them are pipelines, and what is said of those that aren't."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Shell

PIPELINE = "from penstock.pipeline import pipeline\n"
STEP = "from penstock.pipeline import component\n@component\ndef step() -> int:\n    return 1\n\n"
TWO = PIPELINE + STEP + "@pipeline\ndef one():\n    step()\n\n@pipeline\ndef two():\n    step()\n"


def test_check_shows_steps_gates_and_parameters(toy: Shell):
    said = toy("check", "pipeline.py")

    assert said.code == 0
    assert "inspect (gate)" in said.out
    assert [line.split()[-1] for line in said.out.splitlines() if line.startswith("train")] == ["inspect"]
    assert 'string (path)  "rows.csv"' in said.out


def test_a_folder_stands_for_its_pipeline_file(toy: Shell):
    assert toy("check", ".").out == toy("check", "pipeline.py").out


def test_one_of_several_pipelines_is_picked_by_name(write: Any):
    shell = write("both.py", TWO)

    assert shell("check", "both.py:two").out.startswith("two:")
    assert "Say which: both.py:one." in shell("check", "both.py").err
    assert "has no pipeline 'tow'. Did you mean 'two'?" in shell("check", "both.py:tow").err


@pytest.mark.parametrize(
    ("name", "text", "target", "messages"),
    [
        ("mine.py", "x = 1\n", "mine.py", ["mine.py defines no pipeline", "@pipeline"]),
        ("mine.py", "", "mien.py", ["There is no file mien.py. Did you mean 'mine.py'?"]),
        ("mine.py", "", "absent/mine.py", ["There is no folder absent"]),
        ("notes.txt", "", "notes.txt", ["notes.txt is no Python file"]),
        ("a-b.py", "", "a-b.py", ["can't be imported as 'a-b'"]),
        ("json.py", TWO, "json.py", ["the name of Python's own module 'json'"]),
        (
            "mine.py",
            "def broken(:\n",
            "mine.py",
            ["SyntaxError: invalid syntax", "SyntaxError in mine.py:1 (your code)"],
        ),
        ("mine.py", "import absent_module\n", "mine.py", ["ModuleNotFoundError in mine.py:1 (your code)"]),
    ],
)
def test_a_file_that_is_no_pipeline_is_named_with_the_repair(
    write: Any, name: str, text: str, target: str, messages: list[str]
):
    shell = write(name, text)

    said = shell("check", target)

    assert said.code == 64
    for message in messages:
        assert message in said.err


def test_an_error_in_a_pipeline_function_is_the_users(write: Any):
    write("counting.py", "def count():\n    return 1 / 0\n")
    shell = write("mine.py", PIPELINE + "import counting\n@pipeline\ndef mine():\n    counting.count()\n")

    said = shell("check", "mine.py")

    assert said.code == 64
    assert said.err.startswith("Traceback (most recent call last):\n")
    assert "penstock/" not in said.err
    assert "ZeroDivisionError in counting.py:2 (your code)" in said.err


def test_compile_writes_a_plan(toy: Shell):
    said = toy("compile", "pipeline.py", "-o", "plan.json")

    assert said.code == 0
    assert said.out == ""
    assert (toy.folder / "plan.json").read_text() == toy("compile", "pipeline.py").out


def test_a_target_of_a_later_version_is_refused(toy: Shell):
    said = toy("compile", "pipeline.py", "--to", "kubeflow")

    assert said.code == 64
    assert "--to kubeflow is not compiled to by this version. It takes: plan." in said.err

"""Results as Python objects: what `Pipeline.run` and `penstock.runs` give, and what a notebook shows."""

from __future__ import annotations

from pathlib import Path

import pytest

import penstock
from penstock.metadata.errors import StoreError
from tests.runners.conftest import Project

STEPS = """
@component
def count(note: Input[Note]) -> int:
    return len(get(note).split())


@component
def fail(note: Input[Note]) -> None:
    raise ValueError("<bad>")


@pipeline
def wired(text: str = "one two"):
    made = make(text=text)
    count(note=made.note)
    fail(note=made.note)
"""


def test_outputs_and_values_of_a_step_are_attributes_of_its_result(project: Project):
    project.write(STEPS)

    run = project.run()

    assert (Path(run["make"].note.path) / "note.txt").read_text() == "one two"
    assert run["make"].note.properties == {"words": 2}
    assert run["make"].note.digest.startswith("tree-1:")
    assert run["count"].values == {"value": 2}


def test_result_of_a_run_is_a_line_and_yields_its_steps(project: Project):
    project.write(STEPS)

    run = project.run()

    assert [step.id for step in run] == list(run.steps)
    assert repr(run).startswith(f"<run {run.id} of 'wired': FAILED, {len(run.steps)} steps in ")


def test_unknown_steps_and_outputs_name_the_nearest(project: Project):
    project.write(STEPS)
    run = project.run()

    with pytest.raises(KeyError, match="Did you mean 'make'"):
        run["mak"]
    with pytest.raises(AttributeError, match="Did you mean 'note'"):
        run["make"].notes  # noqa: B018


def test_recorded_runs_are_the_same_objects_newest_first(project: Project):
    project.write(STEPS)
    first, second = project.run(), project.run(text="three")

    recorded = penstock.runs(pipeline="wired", root=project.root)

    assert [run.id for run in recorded] == [second.id, first.id]
    assert recorded[0]["make"].note.digest == second["make"].note.digest
    assert {name: step.state for name, step in recorded[0].steps.items()} == project.states(second)
    assert penstock.runs(pipeline="other", root=project.root) == []


def test_a_root_without_runs_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match="Run a pipeline first"):
        penstock.runs(root=tmp_path)


def test_a_notebook_shows_a_table_of_steps(project: Project):
    project.write(STEPS)

    shown = project.run()._repr_html_()

    assert "<td>make</td><td>COMPLETE</td>" in shown
    assert "ValueError: &lt;bad&gt;" in shown


def test_an_output_of_a_standard_type_shows_its_picture_in_a_notebook(project: Project):
    project.write("""
from penstock.artifacts import Schema


@component
def imported(schema: Output[Schema], note: Output[Note]) -> None:
    put(note, "one")
    with open(f"{schema.path}/schema.pbtxt", "w") as file:
        file.write('feature { name: "fare" type: FLOAT }')


@pipeline
def wired():
    imported()
""")

    run = project.run()

    assert "fare" in run["imported"].schema._repr_html_()
    assert run["imported"].note._repr_html_() is None

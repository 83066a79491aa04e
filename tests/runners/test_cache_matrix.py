"""The cache matrix: each kind of change against its right answer, in a copy of one project that ran."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.pipeline import syntax
from penstock.runners import cache, driver
from tests.runners.conftest import HEADER, Project

LIBRARY = "matrix-library"
STEPS = '''
from penstock.artifacts import ModelBlessing
from penstock.pipeline import Resolver, latest_blessed
from helpers import cleaning

RATE = 2


def traced(function):
    return function


@traced
def polish(text):
    return text.strip()


class Base:
    size = 100


class Cutter(Base):
    def cut(self, text):
        return text[: self.size]


@component
def read(note: Output[Note], *, source: Files, spread: int = 1) -> None:
    put(note, "".join(open(file.path).read() for file in source.files))


@component(versions=("matrix-library",))
def clean(note: Input[Note], more: Output[Note], *, mark: str = ".", beam: Beam = Beam()) -> None:
    """Clean a note."""
    # A remark.
    put(more, Cutter().cut(cleaning.shorten(polish(get(note)))) + mark * RATE)


@component
def shape(note: Input[Note], more: Output[Note], *, module_file: ModuleFile) -> None:
    put(more, module_file.function("transform")(get(note)))


@component
def count(note: Input[Note]) -> int:
    return len(get(note))


@component
def bless(
    model: Input[Note], blessing: Output[ModelBlessing], *, baseline: Input[Note] | None = None, least: int = 1
) -> None:
    put(blessing, "blessed" if len(get(model)) >= least else "")
    blessing.properties["blessed"] = int(len(get(model)) >= least)


@component(effects=True, still_true="steps:stands")
def push(note: Input[Note], blessing: Input[ModelBlessing], pushed: Output[Note], *, place: str = "pushed.txt") -> None:
    put(pushed, get(note) + get(blessing))


def stands(outputs):
    return bool(get(outputs["pushed"]))


@pipeline
def wired(spread: int = 1):
    note = read(source="data", spread=spread)
    cleaned = clean(note=note.note)
    shaped = shape(note=cleaned.more, module_file="features.py")
    count(note=shaped.more)
    baseline = Resolver(strategy=latest_blessed(), note=Note)
    blessed = bless(model=shaped.more, baseline=baseline.note)
    push(note=shaped.more, blessing=blessed.blessing)
'''
FEATURES = """
from helpers.numbers.wide import widen


def transform(text):
    return widen(text)


def unused(text):
    return text
"""
FILES = {
    "features.py": FEATURES,
    "sibling.py": "VALUE = 1\n",
    "helpers/__init__.py": "",
    "helpers/cleaning.py": "def shorten(text):\n    return text[:50]\n",
    "helpers/numbers/__init__.py": "",
    "helpers/numbers/wide.py": "def widen(text):\n    return text + text\n",
    "data/rows.csv": "a,b\n1,2\n",
    "matrix_library-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {LIBRARY}\nVersion: 1.0\n",
}
ALL = ("read", "clean", "shape", "count", "bless", "push")


@dataclass(frozen=True)
class Row:
    """One kind of change.

    Attributes:
        change: Makes it, in the project's folder.
        misses: The steps that run, each with what its reason says; all others are reused.
        options: Of the second run.
    """

    change: Callable[[Project], None]
    misses: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def edit(name: str, *changes: str) -> Callable[[Project], None]:
    """Return the change of one text into another in a file."""

    def change(project: Project) -> None:
        path = project.folder / name
        text = path.read_text()
        for before, after in zip(changes[::2], changes[1::2], strict=True):
            assert before in text
            text = text.replace(before, after)
        path.write_text(text)

    return change


def nothing(project: Project) -> None:
    """Change nothing: the copy has another path and new times already."""


def change_data_keeping_size_and_time(project: Project) -> None:
    path = project.folder / "data" / "rows.csv"
    stat = path.stat()
    path.write_text("a,b\n1,3\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def upgrade_the_library(project: Project) -> None:
    folder = project.folder / "matrix_library-1.0.dist-info"
    metadata = (folder / "METADATA").read_text()
    (folder / "METADATA").write_text(metadata.replace("Version: 1.0", "Version: 1.1"))
    folder.rename(project.folder / "matrix_library-1.1.dist-info")
    importlib.invalidate_caches()
    cache.version.cache_clear()


def empty_the_artifact(project: Project) -> None:
    (note,) = project.root.glob("artifacts/wired/clean/*/more")
    for path in note.iterdir():
        path.unlink()


DATA_CHANGED = {
    "read": "input source changed",
    "clean": "input note changed",
    "shape": "input note changed",
    "bless": "input baseline is new and 1 more",  # what was blessed before
    "count": "input note changed",
    "push": "input note changed",
}
MATRIX: dict[str, Row] = {
    "body of a component's function": Row(
        edit("steps.py", "mark * RATE", "mark * RATE * 1"), {"clean": "code steps:clean changed"}
    ),
    "helper in a sub-package": Row(
        edit("helpers/numbers/wide.py", "text + text", "(text + text)[:]"),
        {"shape": "code helpers.numbers.wide:widen changed"},
    ),
    "helper of a component in another file": Row(
        edit("helpers/cleaning.py", "[:50]", "[:60]"), {"clean": "code helpers.cleaning:shorten changed"}
    ),
    "unrelated sibling file": Row(edit("sibling.py", "1", "2")),
    "another function in a component's file": Row(
        edit("steps.py", "return len(get(note))", "return int(len(get(note)))"), {"count": "code steps:count changed"}
    ),
    "another function in a module file": Row(
        edit("features.py", "def unused(text):\n    return text", "def unused(text):\n    return text * 2"),
        {"shape": "code features:unused changed"},
    ),
    "module constant": Row(edit("steps.py", "RATE = 2", "RATE = 1 + 1"), {"clean": "code steps:RATE changed"}),
    "decorator": Row(
        edit("steps.py", "    return function\n", "    return function or None\n"),
        {"clean": "code steps:traced changed"},
    ),
    "base class": Row(edit("steps.py", "size = 100", "size = 101"), {"clean": "code steps:Base changed"}),
    "comment and docstring": Row(
        edit("steps.py", "# A remark.", "# Another.", '"""Clean a note."""', '"""Clean it well."""')
    ),
    "fresh clone in another path, all times new": Row(nothing),
    "data with the same size and time": Row(change_data_keeping_size_and_time, DATA_CHANGED),
    "upstream made the same bytes again": Row(nothing, {"read": "parameter spread changed from 1 to 2"}, {"spread": 2}),
    "name of the pipeline": Row(edit("steps.py", "def wired(", "def renamed("), options={"pipeline": "renamed"}),
    "number of workers": Row(nothing, options={"workers": 4, "beam_workers": 3}),
    "version of a declared package": Row(
        upgrade_the_library, {"clean": 'version matrix-library changed from "1.0" to "1.1"'}
    ),
    "emptied artifact folder": Row(
        empty_the_artifact, {"clean": "its output more is damaged: The manifest can't be read"}
    ),
    "parameter default made explicit": Row(
        edit("steps.py", "clean(note=note.note)", 'clean(note=note.note, mark=".")')
    ),
    "another Beam runner": Row(nothing, options={"beam": "other"}),
    "unchanged, though a blessed and pushed note exists now": Row(nothing),
}


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of all rows, after its first run."""
    project = Project(tmp_path_factory.mktemp("matrix"))
    for name, text in FILES.items():
        project.write(text, name, header=False)
    (project.folder / "steps.py").write_text(HEADER + STEPS)
    sys.path.insert(0, str(project.folder))
    result = project.run()
    assert set(project.states(result).values()) == {"COMPLETE"}
    leave(project)
    return project


def leave(project: Project) -> None:
    """Forget all that was imported from a project."""
    project.forget()
    sys.path.remove(str(project.folder))
    cache.version.cache_clear()


@pytest.fixture
def copy(ran: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A fresh copy: another path, new times, the same root's content."""
    made = Project(tmp_path)
    shutil.copytree(ran.folder, made.folder, dirs_exist_ok=True, copy_function=shutil.copy)
    shutil.copytree(ran.root, made.root)
    sys.path.insert(0, str(made.folder))
    monkeypatch.setitem(driver.BEAM_PROFILES, "other", "DirectRunner")
    yield made
    leave(made)


@pytest.mark.parametrize("what", MATRIX)
def test_change_has_its_right_answer(what: str, copy: Project) -> None:
    row = MATRIX[what]
    row.change(copy)

    result = copy.run(**row.options)

    records = copy.executions(result.id)
    states = {name: state for name, state in copy.states(result).items() if name != "Resolver"}  # no worker runs it
    ran = {name: records[name].reason for name, state in states.items() if state == "COMPLETE"}
    assert set(ran) == set(row.misses), ran
    assert {name: said for name, said in ran.items() if row.misses[name] not in said} == {}
    assert {state for name, state in states.items() if name not in row.misses} <= {"CACHED"}
    assert set(states) == set(ALL)


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
def test_another_python_gives_the_same_ingredients(version: str, ran: Project) -> None:
    python = shutil.which(f"python{version}")
    if python is None:
        pytest.skip(f"no other python{version} on the PATH")
    (kept,) = ran.root.glob("artifacts/wired/clean/*/_key.json")
    ingredients = msgspec.json.decode(kept.read_bytes())["ingredients"]
    source = (ran.folder / "steps.py").read_text()
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    script = (
        "import ast, importlib.util, json, sys\n"
        "spec = importlib.util.spec_from_file_location('syntax', sys.argv[1])\n"
        "syntax = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(syntax)\n"
        "body = [node for node in ast.parse(open(sys.argv[2]).read()).body if hasattr(node, 'name')]\n"
        "print(json.dumps({node.name: syntax.digest(syntax.serialise(node)) for node in body}))\n"
    )
    process = subprocess.run(
        [python, "-c", script, syntax.__file__, str(ran.folder / "steps.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    if "command not found" in process.stderr:
        pytest.skip(f"python{version} on the PATH is a shim without a Python behind it")

    elsewhere = msgspec.json.decode(process.stdout)

    here = {name: ingredients[f"code:steps:{name}"] for name in names if f"code:steps:{name}" in ingredients}
    assert {"clean", "polish", "traced", "Base", "Cutter"} <= set(here)
    assert {name: elsewhere[name] for name in here} == here


SERVING = """
from penstock.artifacts import Model


@component
def train(model: Output[Model], *, factor: float) -> None:
    import tensorflow as tf

    class Serving(tf.Module):
        def __init__(self):
            self.weight = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def serve(self, x):
            return {"y": self.weight * x * factor}

    made = Serving()
    tf.saved_model.save(made, model.path, signatures={"serving_default": made.serve})


@component
def evaluate(model: Input[Model], result: Output[Note]) -> None:
    put(result)


@pipeline
def wired(factor: float = 1.0):
    evaluate(model=train(factor=factor, cache=False).model)
"""


@pytest.mark.pipeline
def test_serving_function_changed_with_equal_weights_misses_after_the_trainer(project: Project) -> None:
    project.write(SERVING)
    project.run(factor=1.0, workers=1)

    same = project.run(factor=1.0, workers=1)
    changed = project.run(factor=3.0, workers=1)

    assert project.states(same) == {"train": "COMPLETE", "evaluate": "CACHED"}
    assert project.states(changed) == {"train": "COMPLETE", "evaluate": "COMPLETE"}
    assert project.executions(changed.id)["evaluate"].reason == "input model changed"

"""Projects of real files, run by real workers into a real store."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from penstock.metadata.records import ExecutionRecord
from penstock.metadata.store import MlmdStore
from penstock.pipeline.parameters import RunParameters
from penstock.pipeline.runner import RunRequest, RunResult
from penstock.runners.layout import Layout
from penstock.runners.local import LocalRunner

HEADER = """\
import os
import time
from penstock.artifacts import Artifact
from penstock.pipeline import (
    Beam, DataError, Files, GateFailed, Importer, Input, ModuleFile, Output, Secret, Skip, component, pipeline, step
)


class Note(Artifact):
    PROPERTIES = {"words": int}


def put(note, text="text"):
    with open(os.path.join(note.path, "note.txt"), "w") as file:
        file.write(text)


def get(note):
    with open(os.path.join(note.path, "note.txt")) as file:
        return file.read()


@component
def make(note: Output[Note], *, text: str = "text", rate: float = 1.0) -> None:
    put(note, text)
    note.properties["words"] = len(text.split())


@component
def follow(note: Input[Note], more: Output[Note], *, mark: str = ".") -> None:
    put(more, get(note) + mark)


"""


@dataclass
class Recorder:
    """Keeps the events of runs."""

    events: list[Mapping[str, Any]] = field(default_factory=list)

    def event(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)

    def of(self, kind: str, step: str | None = None) -> list[Mapping[str, Any]]:
        return [each for each in self.events if each["event"] == kind and step in (None, each.get("step"))]


class Project:
    """A folder of user code, its root, and ways to run what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.root = folder / "root"
        self.layout = Layout(str(self.root))

    def write(self, source: str, name: str = "steps.py", header: bool = True) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((HEADER if header else "") + textwrap.dedent(source))

    def load(self, module: str = "steps") -> ModuleType:
        self.forget()
        return importlib.import_module(module)

    def forget(self) -> None:
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(str(self.folder)):
                del sys.modules[name]
        importlib.invalidate_caches()

    def run(
        self, pipeline: str = "wired", *, module: str = "steps", root: Path | None = None, **options: Any
    ) -> RunResult:
        """Run a pipeline of the project's; what isn't an option of the request is a run parameter."""
        made = getattr(self.load(module), pipeline)
        plan = made.compile()
        request = {name: options.pop(name) for name in RunRequest.__dataclass_fields__ if name in options}
        values = RunParameters(plan.name, plan.parameters).resolve(options, str(self.folder))
        asked = RunRequest(
            parameters=values, root=str(root or self.root), code_root=str(self.folder), **{"workers": 2, **request}
        )
        return LocalRunner().run(plan, asked)

    def start(self, pipeline: str = "wired", module: str = "steps") -> subprocess.Popen[bytes]:
        """Run a pipeline in a process of its own."""
        script = f"from {module} import {pipeline} as p; r = p.run(root={str(self.root)!r}); print(r.state)"
        return subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self.folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]),
            },
            start_new_session=True,
        )

    def executions(self, run: str) -> dict[str, ExecutionRecord]:
        with MlmdStore.open(self.layout.database, create=False) as store:
            return {each.step: each for each in store.executions(run)}

    def text(self, result: RunResult, step: str, output: str) -> str:
        (made,) = result[step].outputs[output]
        return (Path(made.path) / "note.txt").read_text()

    def log(self, result: RunResult, step: str) -> str:
        return Path(result[step].log).read_text()

    def states(self, result: RunResult) -> dict[str, str]:
        return {name: step.state for name, step in result.steps.items()}

    def execution_folders(self) -> set[str]:
        """Return the ULIDs of all that is visible below the root's artifacts."""
        return {path.name for path in (self.root / "artifacts").glob("*/*/*")}

    def assert_clean(self) -> None:
        """Nothing half-made is visible and nothing is stuck."""
        with MlmdStore.open(self.layout.database, create=False) as store:
            runs = [run.id for run in store.runs()]
            executions = [each for run in runs for each in store.executions(run)]
        published = {each.ulid for each in executions if each.outputs and not each.cached_from}
        assert {each.state for each in executions} <= {"COMPLETE", "CACHED", "FAILED", "CANCELED", "SKIPPED"}
        assert self.execution_folders() == published
        assert not [name for name in os.listdir(self.root / ".staging") if not name.startswith(".")]
        assert os.listdir(self.layout.locks) == []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path)
    monkeypatch.syspath_prepend(str(made.folder))
    yield made
    made.forget()

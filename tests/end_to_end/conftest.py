"""Projects that have run once, each shared by all tests that only look at it or copy it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Said
from tests.end_to_end.project import Project

CHECKOUT = Path(__file__).parents[2]
PROJECTS = Path(__file__).parent / "projects"


@dataclass(frozen=True)
class Ran:
    """A project after two runs, what they printed, and the artifacts that there are; not to be changed."""

    project: Project
    first: Said
    second: Said
    artifacts: list[dict[str, Any]]


def _run_twice(source: Path, folder: Path) -> Ran:
    project = Project(source).copy(folder / source.name)
    first = project.run()
    assert first.code == 0, first.out + first.err
    return Ran(project, first, project.run(), project.ask("artifacts"))


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`examples/penguins`."""
    return _run_twice(CHECKOUT / "examples" / "penguins", tmp_path_factory.mktemp("end_to_end"))


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A project without TensorFlow."""
    return _run_twice(PROJECTS / "table", tmp_path_factory.mktemp("end_to_end"))


@pytest.fixture
def pushed(penguins: Ran, tmp_path: Path) -> Project:
    """A copy of the penguins that has pushed its model to a folder of its own; all else is as it was."""
    project = penguins.project.copy(tmp_path / "penguins")
    assert project.run().code == 0
    return project

"""Projects that have run once, each shared by all tests that only look at it or copy it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Said
from tests.end_to_end.project import Project

CHECKOUT = Path(__file__).parents[2]
PROJECTS = Path(__file__).parent / "projects"


@dataclass(frozen=True)
class Ran:
    """A project after two runs, and what they printed; not to be changed."""

    project: Project
    first: Said
    second: Said


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`examples/penguins`, run twice."""
    project = Project(CHECKOUT / "examples" / "penguins").copy(tmp_path_factory.mktemp("end_to_end") / "penguins")
    return Ran(project, project.run(), project.run())


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project without TensorFlow, run once; not to be changed."""
    project = Project(PROJECTS / "table").copy(tmp_path_factory.mktemp("end_to_end") / "table")
    assert project.run().code == 0
    return project


@pytest.fixture
def pushed(penguins: Ran, tmp_path: Path) -> Project:
    """A copy of the penguins that has pushed its model to a folder of its own; all else is as it was."""
    project = penguins.project.copy(tmp_path / "penguins")
    assert project.run().code == 0
    return project

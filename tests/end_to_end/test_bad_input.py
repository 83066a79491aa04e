"""Bad input is named with its repair, has its exit code, and harms nothing that was there before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.bad_input import BAD_INPUTS, BadInput, own_disk
from tests.end_to_end.conftest import Ran
from tests.end_to_end.project import Project


@pytest.fixture
def good(bad: BadInput, request: pytest.FixtureRequest) -> Ran:
    """The project that the bad input spoils a copy of."""
    ran: Ran = request.getfixturevalue("penguins" if bad.with_model else "table")
    return ran


@pytest.fixture
def project(bad: BadInput, good: Ran, tmp_path: Path) -> Iterator[Project]:
    """The copy, its root on a disk of its own where the bad input takes one."""
    copied = good.project.copy(tmp_path / "project")
    with ExitStack() as stack:
        if bad.disk:
            try:
                stack.enter_context(own_disk(copied.root, bad.disk))
            except OSError as error:
                pytest.skip(f"a small disk can't be mounted here: {error}")
        yield copied


@pytest.mark.pipeline
@pytest.mark.parametrize("bad", BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_bad_input_is_named_with_its_repair_and_harms_nothing(bad: BadInput, good: Ran, project: Project) -> None:
    with bad.spoil(project):
        said = project.run(*bad.arguments)

    told = said.out + said.err
    assert said.code == bad.code, told
    assert [each for each in bad.says if each.format(folder=project.folder) not in told] == [], told
    assert "Internal error" not in told
    recorded = project.ask("artifacts")
    assert {each["id"] for each in good.artifacts} <= {each["id"] for each in recorded}
    assert project.damage(recorded) == []
    again = project.run("--json")
    assert again.code == 0, again.err
    states = {step["id"]: step["state"] for step in again.json()["steps"]}
    assert {states[step] for step in states.keys() - {"Pusher"}} == {"CACHED"}
    assert project.workers() == []

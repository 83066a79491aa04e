"""Many runs at once on one root, each in a process of its own: all complete, none is told of a locked database."""

from __future__ import annotations

import pytest

from penstock.metadata.store import MlmdStore
from penstock.runners import integrity
from tests.runners.conftest import Project

CHAIN = "\n".join(f'    node = follow(note=node, id="n{number}", mark=tag).more' for number in range(4))
PIPELINES = 16


def ended(project: Project, names: list[str]) -> None:
    """Run pipelines, each in a process, all at once, and see to it that they are complete and said nothing of locks."""
    processes = [project.start(name, name) for name in names]
    said = [process.communicate(timeout=180) for process in processes]
    assert [out for out, _ in said] == [b"COMPLETE\n"] * len(names), said
    assert not [told for _, told in said if b"locked" in told]
    with MlmdStore.open(project.layout.database, create=False) as store:
        assert integrity.check(store, project.layout, deep=True) == []
    project.assert_clean()


@pytest.mark.pipeline
def test_sixteen_different_pipelines_at_once_all_complete(project: Project) -> None:
    names = [f"p{number}" for number in range(PIPELINES)]
    for name in names:
        project.write(
            f'@pipeline\ndef {name}():\n    tag = "{name}"\n    node = make(text=tag).note\n{CHAIN}\n', f"{name}.py"
        )

    ended(project, names)

    with MlmdStore.open(project.layout.database, create=False) as store:
        runs = store.runs()
        states = {run.pipeline: {each.state for each in store.executions(run.id)} for run in runs}
    assert sorted(run.pipeline for run in runs) == sorted(names)
    assert set(map(frozenset, states.values())) == {frozenset({"COMPLETE"})}


def test_two_runs_of_one_pipeline_at_once_make_the_same(project: Project) -> None:
    project.write(f'@pipeline\ndef one():\n    tag = "."\n    node = make().note\n{CHAIN}\n', "one.py")

    ended(project, ["one", "one"])

    with MlmdStore.open(project.layout.database, create=False) as store:
        digests = [{each.step: each.outputs for each in store.executions(run.id)} for run in store.runs()]
    first, second = ({step: made.popitem()[1][0].digest for step, made in run.items()} for run in digests)
    assert first == second
    assert len(first) == 5
    assert set(project.states(project.run("one", module="one")).values()) == {"CACHED"}

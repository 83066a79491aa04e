"""Stores of every kind, and short ways to fill them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.metadata.records import ExecutionRecord, NewArtifact, NewExecution, RunRecord
from penstock.metadata.store import MetadataStore, MlmdStore

_ulids = itertools.count(1)


def ulid() -> str:
    return f"01TEST{next(_ulids):020d}"


def a_run(store: MetadataStore, pipeline: str = "penguins", **changes: Any) -> RunRecord:
    run = RunRecord(ulid(), pipeline, **{"started": 1000.5, **changes})
    store.begin_run(run)
    return run


def an_execution(run: RunRecord, step: str = "Gen", **changes: Any) -> NewExecution:
    given: dict[str, Any] = {"component": f"steps:{step}", "started": 1001.25, **changes}
    return NewExecution(ulid=ulid(), pipeline=run.pipeline, run=run.id, step=step, **given)


def complete(
    store: MetadataStore, run: RunRecord, step: str = "Gen", *, inputs: Any = None, outputs: Any = None, key: str = ""
) -> ExecutionRecord:
    """Begin and publish a step that makes one Examples, ``outputs`` instead where given."""
    new = an_execution(run, step, inputs=inputs or {}, cache_key=key)
    store.begin(new)
    made = {"examples": [NewArtifact("Examples", f"artifacts/{new.ulid}")]} if outputs is None else outputs
    store.publish(new.ulid, "COMPLETE", made, ended=1002.75)
    record = store.execution(new.ulid)
    assert record is not None
    return record


@pytest.fixture(params=["memory", "file", "reopened file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MetadataStore]:
    if request.param == "memory":
        opened = MlmdStore.in_memory()
    else:
        opened = MlmdStore.open(tmp_path / "metadata.db")
    if request.param == "reopened file":
        complete(opened, a_run(opened, "another"))
        opened.close()
        opened = MlmdStore.open(tmp_path / "metadata.db", create=False)
    with opened:
        yield opened


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], MlmdStore]]:
    """Open the same file again and again."""
    opened: list[MlmdStore] = []

    def again() -> MlmdStore:
        opened.append(MlmdStore.open(tmp_path / "metadata.db"))
        return opened[-1]

    yield again
    for each in opened:
        each.close()

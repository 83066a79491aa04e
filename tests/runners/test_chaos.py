"""Runs whose scheduler or worker is killed at random instants, run again: the same artifacts as undisturbed, nothing
complete runs twice, and `penstock fsck` finds nothing after any of them.

20 runs by default; `make chaos` sets PENSTOCK_CHAOS to 200. PENSTOCK_CHAOS_SEED repeats the instants of a failure.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from penstock.metadata.store import MlmdStore
from penstock.runners import integrity
from tests.runners.conftest import Project

RUNS = int(os.environ.get("PENSTOCK_CHAOS", "20"))
SEED = int(os.environ.get("PENSTOCK_CHAOS_SEED", "7"))
STEPS = 12
PIPELINE = """
from penstock.pipeline import collect, for_each


@component
def work(notes: Input[list[Note]], out: Output[Note], *, name: str, text: str) -> None:
    time.sleep(0.02)
    put(out, f"{name}<{text}>({','.join(get(note) for note in notes)})")


@pipeline
def wired(text: str):
    made = [make(text=text).note]
    for number in range(7):
        needed = sorted({len(made) - 1, len(made) // 2, 0})
        made.append(work(notes=[made[each] for each in needed], name=str(number), text=text, id=f"w{number}").out)
    with for_each(["a", "b", "c"]) as name:
        item = work(notes=[made[3]], name=name, text=text, id="item")
    work(notes=[made[-1], collect(item.out)], name="last", text=text, id="last")
"""


def disturb(project: Project, text: str, choose: random.Random) -> None:
    """Start a run in a process of its own and kill it, or one of its workers, at a random instant."""
    before = len(list((project.root / "runs").glob("*")))
    script = f"from steps import wired; wired.run(root={str(project.root)!r}, text={text!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{project.folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    patience = time.monotonic() + 60
    while len(list((project.root / "runs").glob("*"))) == before and time.monotonic() < patience:
        time.sleep(0.005)
    time.sleep(choose.uniform(0.0, 0.9))
    workers = psutil.Process(process.pid).children() if process.poll() is None else []
    victim = choose.choice(workers).pid if workers and choose.random() < 0.4 else process.pid
    with suppress(ProcessLookupError):  # it was faster
        os.kill(victim, signal.SIGKILL)
    process.wait(timeout=60)


def fsck(project: Project) -> tuple[int, str]:
    """Return what the command itself says of the root, every file read."""
    command = [os.path.join(os.path.dirname(sys.executable), "penstock"), "fsck", "--deep", "--root", str(project.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.timeout(60 + 15 * RUNS)
def test_killed_runs_end_with_the_same_artifacts_and_nothing_complete_runs_twice(project: Project) -> None:
    project.write(PIPELINE)
    choose = random.Random(SEED)
    undisturbed = project.run(text="T", root=project.folder.parent / "quiet")
    expected = project.text(undisturbed, "last", "out")

    for number in range(RUNS):
        text = f"T{number}"
        disturb(project, text, choose)
        result = project.run(text=text)

        assert result.state == "COMPLETE"
        assert project.text(result, "last", "out") == expected.replace("T", text)
        with MlmdStore.open(project.layout.database, create=False) as store:
            assert integrity.check(store, project.layout, deep=number % 20 == 0) == []

    project.assert_clean()
    assert fsck(project) == (0, "Nothing is wrong.\n")
    with MlmdStore.open(project.layout.database, create=False) as store:
        executions = [each for run in store.runs() for each in store.executions(run.id)]
    done = Counter(each.cache_key for each in executions if each.state == "COMPLETE" and each.component != "Loop")
    assert len(done) == STEPS * RUNS
    assert set(done.values()) == {1}

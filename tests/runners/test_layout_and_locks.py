"""Where things lie, what ids look like, and who holds a run's lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from penstock.runners.layout import Layout, acquire_lock, dead_runs, lock_holder, new_id, prepare_root

HOLD = """
import sys, time
from penstock.runners.layout import acquire_lock
from penstock.runners.layout import dead_runs
from penstock.runners.layout import lock_holder
from penstock.runners.layout import Layout
lock = acquire_lock(Layout(sys.argv[1]), sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "root"))


def hold(layout: Layout, run: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, layout.root, run], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_ids_are_ulids() -> None:
    made = new_id()

    assert len(made) == 26
    assert set(made) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert made[0] in "01234567"


def test_ids_sort_by_the_time_they_were_made() -> None:
    early = new_id()
    time.sleep(0.002)

    assert early < new_id()


def test_time_in_an_id_is_the_time_it_was_made() -> None:
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    milliseconds = 0
    for letter in new_id()[:10]:
        milliseconds = milliseconds * 32 + digits.index(letter)

    assert abs(milliseconds / 1000 - time.time()) < 5


def test_ids_are_unique() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_recorded_uri_is_relative_below_the_root_only(layout: Layout) -> None:
    inside = layout.execution("p", "n", "E")

    assert layout.relative(inside) == "artifacts/p/n/E"
    assert layout.absolute("artifacts/p/n/E") == inside
    assert layout.relative(f"{layout.root}2/x") == f"{layout.root}2/x"
    assert layout.absolute("/elsewhere/x") == "/elsewhere/x"
    assert layout.absolute("gs://bucket/x") == "gs://bucket/x"


def test_live_run_is_held_and_not_dead(layout: Layout) -> None:
    process = hold(layout, "RUN")
    try:
        assert lock_holder(layout, "RUN") == process.pid
        assert list(dead_runs(layout)) == []
    finally:
        process.kill()
        process.wait()


def test_killed_run_is_dead(layout: Layout) -> None:
    process = hold(layout, "RUN")
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert lock_holder(layout, "RUN") is None
    assert [run for run, _ in dead_runs(layout)] == ["RUN"]


def test_released_run_is_neither_held_nor_dead(layout: Layout) -> None:
    acquire_lock(layout, "RUN").release()

    assert lock_holder(layout, "RUN") is None
    assert list(dead_runs(layout)) == []
    assert os.listdir(layout.locks) == []


def test_dropped_run_is_dead(layout: Layout) -> None:
    lock = acquire_lock(layout, "RUN")
    lock.drop()
    lock.drop()

    assert [run for run, _ in dead_runs(layout)] == ["RUN"]


def test_one_recoverer_gets_a_dead_run(layout: Layout) -> None:
    acquire_lock(layout, "RUN").drop()

    first = list(dead_runs(layout))
    second = list(dead_runs(layout))

    assert ([run for run, _ in first], second) == (["RUN"], [])


def test_folder_of_locks_that_is_missing_holds_no_dead_runs(layout: Layout) -> None:
    assert list(dead_runs(layout)) == []


def test_new_locks_are_never_taken_for_dead_ones(layout: Layout) -> None:
    stop = threading.Event()
    stolen: list[str] = []

    def recover() -> None:
        while not stop.is_set():
            for run, lock in dead_runs(layout):
                stolen.append(run)
                lock.release()

    recoverer = threading.Thread(target=recover)
    recoverer.start()
    for _ in range(300):
        acquire_lock(layout, new_id()).release()
    stop.set()
    recoverer.join()

    assert stolen == []


def test_new_root_is_told_of_when_only_the_working_directory_has_chosen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Layout(str(tmp_path / ".penstock"))

    prepare_root(root, str(tmp_path / "pipelines"))
    prepare_root(root, "/elsewhere")
    Path(root.database).touch()
    prepare_root(root, "/elsewhere")

    assert caplog.messages == [
        f"New root {root.root}, where you stand; the pipeline is in /elsewhere, and nothing that ran in another root "
        f'is reused. To use one root wherever you stand, name it: --root DIR, $PENSTOCK_ROOT, or root = "DIR" in a '
        f"penstock.toml there."
    ]

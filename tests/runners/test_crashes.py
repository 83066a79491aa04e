"""Crashes, full disks and roots that can't be used: nothing half-made is visible, and the next run is well."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from penstock.metadata.records import NewExecution, RunRecord
from penstock.metadata.store import MlmdStore
from penstock.pipeline import PenstockError, PlatformError
from penstock.pipeline.task import Outcome, OutputInfo, encode
from penstock.runners.layout import acquire_lock, new_id
from penstock.runners.recovery import recover
from tests.runners.conftest import Project

CHAIN = """
@pipeline
def wired():
    node = make(text="start").note
    for number in range(6):
        node = follow(note=node, id=f"n{number}").more
    make(id="beside", text="beside")
"""
CHAIN_STEPS = {"make", "beside", *(f"n{number}" for number in range(6))}


def stop(project: Project, process: subprocess.Popen[bytes], how: signal.Signals, instants: random.Random) -> None:
    """Send a signal to a run in the middle of it: after so many events, and some milliseconds more."""
    known = set(project.root.glob("runs/*/events.jsonl"))
    events, end = instants.randrange(14), time.time() + 30
    while process.poll() is None and time.time() < end:
        new = set(project.root.glob("runs/*/events.jsonl")) - known
        if new and new.pop().read_bytes().count(b"\n") >= events:
            break
    time.sleep(instants.random() * 0.01)
    process.send_signal(how)
    process.communicate(timeout=30)


def test_run_killed_at_any_instant_is_recovered_by_the_next(project: Project) -> None:
    instants = random.Random(7)
    for attempt in range(6):
        project.write(CHAIN.replace("beside", f"beside{attempt}").replace("start", f"start{attempt}"))
        stop(project, project.start(), signal.SIGKILL, instants)
    project.write(CHAIN)

    result = project.run()

    assert result.state == "COMPLETE"
    assert project.states(result).keys() == CHAIN_STEPS
    assert project.text(result, "n5", "more") == "start......"
    project.assert_clean()
    assert set(project.states(project.run()).values()) == {"CACHED"}


def test_run_interrupted_at_any_instant_is_recovered_by_the_next(project: Project) -> None:
    instants = random.Random(8)
    for attempt in range(4):
        project.write(CHAIN.replace("start", f"start{attempt}"))
        stop(project, project.start(), signal.SIGINT, instants)
    project.write(CHAIN)

    result = project.run()

    assert project.text(result, "n5", "more") == "start......"
    project.assert_clean()


INTERRUPTED = """
from penstock.pipeline import on_exit, run_status


@component
def slow(out: Output[Note], *, sign: str) -> None:
    with open(sign, "a") as file:
        file.write("slow\\n")
    time.sleep(300)


@component
def tell(*, sign: str, state: str, failed: list[str], wait: int) -> None:
    with open(sign, "a") as file:
        file.write(f"{{state}} {{failed}}\\n")
    time.sleep(wait)


@component
def fail() -> None:
    raise ValueError("early")


@pipeline
def wired():
    fail()
    follow(note=slow(sign={sign!r}).out)
    on_exit(tell(sign={sign!r}, state=run_status.state, failed=run_status.failed, wait={wait}))
"""


def wait_for_line(sign: Path, number: int) -> None:
    end = time.monotonic() + 60
    while not (sign.exists() and sign.read_text().count("\n") >= number):
        assert time.monotonic() < end, f"line {number} isn't told"
        time.sleep(0.02)


def test_first_ctrl_c_lets_exit_handlers_run_and_tells_them(project: Project, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    project.write(INTERRUPTED.format(sign=str(sign), wait=0))
    process = project.start()
    wait_for_line(sign, 1)
    (events,) = project.root.glob("runs/*/events.jsonl")
    while '"step_finished"' not in events.read_text():
        time.sleep(0.02)

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert said.decode().endswith("KeyboardInterrupt\n")
    assert sign.read_text() == "slow\nCANCELED ['fail']\n"
    (run,) = [path.name for path in (project.root / "runs").iterdir()]
    states = {name: each.state for name, each in project.executions(run).items()}
    assert states == {"fail": "FAILED", "slow": "CANCELED", "follow": "SKIPPED", "tell": "COMPLETE"}
    assert project.execution_folders() == set()


def test_second_ctrl_c_leaves_an_exit_handler_that_takes_long(project: Project, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    project.write(INTERRUPTED.format(sign=str(sign), wait=300))
    process = project.start()
    for line in (1, 2):
        wait_for_line(sign, line)
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    (run,) = [path.name for path in (project.root / "runs").iterdir()]
    assert project.executions(run)["tell"].state == "CANCELED"
    with MlmdStore.open(project.layout.database, create=False) as store:
        found = store.run(run)
    assert found is not None
    assert found.state == "CANCELED"


def left_behind(
    project: Project, *, outcome: bytes | None, properties: dict[str, object] | None = None
) -> tuple[str, str]:
    """Make what a scheduler leaves that dies between the rename and the store; give the run and the execution."""
    run, ulid = new_id(), new_id()
    project.root.mkdir(exist_ok=True)
    with MlmdStore.open(project.layout.database) as store:
        store.begin_run(RunRecord(id=run, pipeline="wired", started=1.0))
        store.begin(NewExecution(ulid, "steps:make", "wired", run, "make", started=1.0))
    folder = Path(project.layout.execution("wired", "make", ulid))
    (folder / "note").mkdir(parents=True)
    (folder / "note" / "note.txt").write_text("made")
    info = OutputInfo(type="Note", digest="tree-1:x", bytes_digest="y", properties=properties or {})
    made = Outcome(execution=ulid, state="COMPLETE", outputs={"note": info})
    (folder / "outcome.json").write_bytes(encode(made) if outcome is None else outcome)
    Path(project.layout.attempt(run, new_id(), 1)).mkdir(parents=True)
    acquire_lock(project.layout, run).drop()
    return run, ulid


def recovered(project: Project, run: str, ulid: str) -> tuple[str, str, list[str]]:
    """Recover, and give the run's state, the execution's state and the names of its outputs."""
    with MlmdStore.open(project.layout.database) as store:
        assert recover(store, project.layout) == [run]
        assert recover(store, project.layout) == []
        found, execution = store.run(run), store.execution(ulid)
    assert found is not None
    assert execution is not None
    return found.state, execution.state, sorted(execution.outputs)


def test_execution_that_was_renamed_but_not_recorded_is_published(project: Project) -> None:
    run, ulid = left_behind(project, outcome=None)

    assert recovered(project, run, ulid) == ("FAILED", "COMPLETE", ["note"])
    project.assert_clean()


@pytest.mark.parametrize("damaged", [b"", b'{"execution": '])
def test_execution_whose_outcome_is_damaged_is_removed(damaged: bytes, project: Project) -> None:
    run, ulid = left_behind(project, outcome=damaged)

    assert recovered(project, run, ulid) == ("FAILED", "CANCELED", [])
    project.assert_clean()


def test_execution_that_the_store_refuses_is_removed(project: Project) -> None:
    run, ulid = left_behind(project, outcome=None, properties={"penstock:mine": 1})

    assert recovered(project, run, ulid) == ("FAILED", "CANCELED", [])
    project.assert_clean()


def test_run_that_lives_is_left_alone(project: Project) -> None:
    run, ulid = left_behind(project, outcome=None)
    os.unlink(project.layout.lock(run))
    lock = acquire_lock(project.layout, run)

    with MlmdStore.open(project.layout.database) as store:
        assert recover(store, project.layout) == []
        execution = store.execution(ulid)

    assert execution is not None
    assert execution.state == "RUNNING"
    lock.release()


def test_run_that_died_before_it_was_recorded_is_forgotten(project: Project) -> None:
    project.root.mkdir()
    acquire_lock(project.layout, new_id()).drop()
    project.write(CHAIN)

    assert project.run().state == "COMPLETE"
    project.assert_clean()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


FILLING = """
@component
def fill(out: Output[Note], *, megabytes: int) -> None:
    with open(os.path.join(out.path, "big"), "wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1 << 20))


@pipeline
def wired(megabytes: int = 1):
    made = make()
    fill(megabytes=megabytes)
    follow(note=made.note, id="after")
"""


def test_full_disk_fails_the_step_and_spares_what_was_made(project: Project, small_disk: Path) -> None:
    project.write(FILLING)
    root = small_disk / "root"
    first = project.run(root=root)

    full = project.run(root=root, megabytes=30)

    assert project.states(first)["fill"] == "COMPLETE"
    assert project.states(full) == {"make": "CACHED", "after": "CACHED", "fill": "FAILED"}
    failure = full["fill"].failure
    assert failure is not None
    assert failure.fault == "platform"
    assert "No space left on device" in failure.message
    assert str(root) in failure.message
    assert Path(first["fill"].outputs["out"][0], "big").stat().st_size == 1 << 20
    good = project.run(root=root, megabytes=2)
    assert project.states(good)["fill"] == "COMPLETE"


def test_disk_that_is_full_from_the_start_is_told_with_the_repair(project: Project, small_disk: Path) -> None:
    project.write(FILLING)
    root = small_disk / "root"
    project.run(root=root)
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))

    with pytest.raises(PlatformError, match=r"The disk of the root .* is full: .*--root DIR"):
        project.run(root=root)
    ballast.unlink()

    assert set(project.states(project.run(root=root)).values()) == {"CACHED"}


def test_disk_that_fills_up_while_steps_are_started_ends_in_no_half_artifact(
    project: Project, small_disk: Path
) -> None:
    project.write(
        """
        @component
        def hog(note: Input[Note], out: Output[Note], *, place: str) -> None:
            put(out)
            with open(place, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(1 << 12))
                except OSError:
                    pass


        @pipeline
        def wired(place: str):
            full = hog(note=make().note, place=place)
            node = full.out
            for number in range(3):
                node = follow(note=node, id=f"n{number}").more
        """
    )
    root, ballast = small_disk / "root", small_disk / "ballast"

    try:
        failed = project.run(root=root, place=str(ballast))
        assert failed.state == "FAILED"
    except PenstockError as error:
        assert "full" in str(error) or "space" in str(error)  # noqa: PT017 - both endings are right
    ballast.unlink(missing_ok=True)

    project.write("@pipeline\ndef wired():\n    follow(note=make().note)\n")
    assert project.run(root=root).state == "COMPLETE"
    with MlmdStore.open(root / "metadata.db") as store:
        executions = [each for run in store.runs() for each in store.executions(run.id)]
    published = {each.ulid for each in executions if each.outputs and not each.cached_from}
    assert {path.name for path in (root / "artifacts").glob("*/*/*")} == published
    assert "RUNNING" not in {each.state for each in executions}


def test_root_that_can_not_be_written_is_told_with_the_repair(project: Project, small_disk: Path) -> None:
    project.write(CHAIN)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(PlatformError) as raised:
        project.run(root=small_disk / "root")

    assert str(raised.value) == (
        f"The root {small_disk}/root can't be written: Read-only file system. Choose another with --root DIR, or "
        f"repair its permissions."
    )


def test_root_that_is_a_file_is_told_with_the_repair(project: Project) -> None:
    project.write(CHAIN)
    project.root.write_text("a file")

    with pytest.raises(PlatformError, match=r"The root .*/root can't be written: .* Choose another with --root DIR"):
        project.run()

    assert project.root.read_text() == "a file"


def test_metadata_file_that_is_no_database_is_left_untouched(project: Project) -> None:
    project.write(CHAIN)
    project.root.mkdir()
    database = project.root / "metadata.db"
    database.write_bytes(b"these are my notes, not a database\n" * 40)
    before = (database.read_bytes(), database.stat().st_mtime_ns)

    with pytest.raises(PlatformError, match=r"metadata\.db is not a metadata store: .*left as it is"):
        project.run()

    assert (database.read_bytes(), database.stat().st_mtime_ns) == before
    database.unlink()
    assert project.run().state == "COMPLETE"


def test_metadata_file_that_a_step_deletes_ends_the_run(project: Project) -> None:
    project.write(
        """
        @component
        def tidy(note: Output[Note], *, place: str) -> None:
            put(note)
            os.remove(os.path.join(place, "metadata.db"))


        @pipeline
        def wired(place: str):
            follow(note=tidy(place=place).note)
        """
    )

    with pytest.raises(PlatformError, match=r"metadata\.db was deleted or moved while it was in use: what is recorded"):
        project.run(place=str(project.root))

    assert not (project.root / "metadata.db").exists()
    assert project.run(place="/nonexistent").state == "FAILED", "the root can be used again"


def test_damaged_key_of_an_earlier_execution_stops_no_run(project: Project) -> None:
    project.write(CHAIN)
    first = project.run()
    for key in project.root.glob("artifacts/*/*/*/_key.json"):
        key.write_bytes(b"{")
    shutil.rmtree(Path(first["make"].outputs["note"][0]).parent / "note")
    project.write(CHAIN.replace('"start"', '"other"'))

    result = project.run()

    assert result.state == "COMPLETE"
    assert project.executions(result.id)["make"].reason == "its earlier key can't be read"

"""The store as a file: what is refused, what is left untouched, and many processes at once."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.metadata.errors import StoreError
from penstock.metadata.store import MlmdStore

from .conftest import a_run, complete

WRITER = """
import sys, time
from penstock.metadata.records import NewArtifact, NewExecution, RunRecord
from penstock.metadata.store import MlmdStore

path, name, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
worst = 0.0
with MlmdStore.open(path) as store:
    store.begin_run(RunRecord("RUN" + name, "pipeline " + name))
    previous = [NewArtifact("ExternalFiles", "/data/shared.csv", digest="same for all")]
    for number in range(steps):
        start = time.monotonic()
        ulid = f"{name}-{number}"
        new = NewExecution(ulid, "steps:S", "pipeline " + name, "RUN" + name, f"S{number}", inputs={"x": previous})
        store.begin(new)
        made = store.publish(ulid, "COMPLETE", {"y": [NewArtifact("Own" + name, ulid)]}, ended=1.0)
        previous = [made["y"][0].id]
        worst = max(worst, time.monotonic() - start)
    store.end_run("RUN" + name, "COMPLETE", 2.0)
print(worst)
"""

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

VISITOR = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT name FROM Type").fetchall()
connection.close()
"""

KILLED = """
import os, signal, sys
from penstock.metadata.records import NewExecution, RunRecord
from penstock.metadata.store import MlmdStore

store = MlmdStore.open(sys.argv[1])
store.begin_run(RunRecord("DEAD", "penguins"))
store.begin(NewExecution("E1", "steps:S", "penguins", "DEAD", "S"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_file_is_in_wal_mode(tmp_path: Path) -> None:
    MlmdStore.open(tmp_path / "metadata.db").close()

    connection = sqlite3.connect(tmp_path / "metadata.db")
    mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()

    assert mode == ("wal",)


def test_what_one_connection_publishes_the_other_reads(reopen: Callable[[], MlmdStore]) -> None:
    writer, reader = reopen(), reopen()

    record = complete(writer, a_run(writer), key="k")

    assert reader.find_cached("k") == record


def test_missing_store_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"No metadata store at .*metadata\.db\. Run a pipeline first"):
        MlmdStore.open(tmp_path / "metadata.db", create=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ruin", "told"),
    [
        (lambda path: path.unlink(), "deleted or moved"),
        (lambda path: path.rename(path.with_name("old.db")), "deleted or moved"),
        (lambda path: shutil.copy(path, path.with_name("new")) and path.with_name("new").replace(path),
         "replaced by another file"),
    ],
)  # fmt: skip
def test_file_that_is_lost_while_it_is_open_is_told(tmp_path: Path, ruin: Callable[[Path], Any], told: str) -> None:
    path = tmp_path / "metadata.db"
    with MlmdStore.open(path) as store:
        run = a_run(store)
        ruin(path)

        with pytest.raises(StoreError) as raised:
            store.end_run(run.id, "COMPLETE", 2.0)

    assert str(raised.value) == (
        f"The metadata store {path} was {told} while it was in use: what is recorded now would be lost. See that no "
        f"step and nobody else touches it. Put the file back and run again; without it a new store is made, and every "
        f"step runs anew."
    )


def test_file_that_is_no_database_is_left_untouched(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    file.write_text("species,island\nAdelie,Torgersen\n" * 100)
    before = (file.read_bytes(), file.stat().st_mtime_ns)

    with pytest.raises(StoreError, match=r"metadata\.db is not a metadata store: file is not a database \(3,200 bytes"):
        MlmdStore.open(file)

    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [file]


def test_truncated_database_is_left_untouched(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    MlmdStore.open(file).close()
    file.write_bytes(file.read_bytes()[:5000])
    before = file.read_bytes()

    with pytest.raises(StoreError, match=r"is not a metadata store.*left as it is"):
        MlmdStore.open(file)

    assert file.read_bytes() == before


def test_somebody_elses_database_is_left_untouched(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    before = file.read_bytes()

    with pytest.raises(StoreError, match=r"not a metadata store \(its tables: customers\)"):
        MlmdStore.open(file)

    assert file.read_bytes() == before


@pytest.mark.parametrize(("schema", "advice"), [(99, "newer ml-metadata: upgrade"), (6, "older ml-metadata: migrate")])
def test_other_schema_is_named(tmp_path: Path, schema: int, advice: str) -> None:
    file = tmp_path / "metadata.db"
    MlmdStore.open(file).close()
    connection = sqlite3.connect(file)
    connection.execute("UPDATE MLMDEnv SET schema_version = ?", (schema,))
    connection.commit()
    connection.close()

    with pytest.raises(StoreError, match=rf"has schema {schema}, the installed ml-metadata reads 10.*{advice}"):
        MlmdStore.open(file)


def test_empty_file_becomes_a_store(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    file.touch()

    with MlmdStore.open(file) as store:
        assert store.runs() == []


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its folder does not exist"):
        MlmdStore.open(tmp_path / "nowhere" / "metadata.db")


def test_folder_in_the_file_s_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        MlmdStore.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o500)

    with pytest.raises(StoreError, match=r"can't be written.*choose another root"):
        MlmdStore.open(folder / "metadata.db")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no files")
def test_folder_without_file_creation_is_named() -> None:
    with pytest.raises(StoreError, match=r"metadata store /proc/metadata\.db can't be opened"):
        MlmdStore.open("/proc/metadata.db")


def test_lasting_lock_is_named(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    with MlmdStore.open(file, patience=0.2) as store:
        holder = start(HOLDER, file)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"

        with pytest.raises(StoreError, match=r"was locked by other processes for over 0.2 s.*run again"):
            a_run(store)

        assert store.runs() == []
        holder.communicate("")
        a_run(store)
        assert len(store.runs()) == 1


def test_killed_process_leaves_its_execution_to_recover(tmp_path: Path) -> None:
    start(KILLED, tmp_path / "metadata.db").communicate()

    with MlmdStore.open(tmp_path / "metadata.db") as store:
        stuck = store.running("DEAD")
        store.abandon("DEAD", 3.0)

        assert [each.ulid for each in stuck] == ["E1"]
        assert store.running() == []


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    writers = [start(WRITER, tmp_path / "metadata.db", name, 30) for name in "ABCDEF"]

    worst = [float(each.communicate()[0]) for each in writers]

    assert [each.returncode for each in writers] == [0] * 6
    assert max(worst) < 10.0
    with MlmdStore.open(tmp_path / "metadata.db") as store:
        assert {each.state for each in store.runs()} == {"COMPLETE"}
        assert [len(store.executions(f"RUN{name}")) for name in "ABCDEF"] == [30] * 6
        assert len(store.artifacts("ExternalFiles")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="locks are looked at through /proc")
def test_second_connection_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    """Closing any descriptor of the file would drop them, and another process would then delete the log in use."""
    file = tmp_path / "metadata.db"
    with MlmdStore.open(file) as store:
        complete(store, a_run(store))

        MlmdStore.open(file).close()
        start(VISITOR, file).communicate()

        assert Path(f"{file}-wal").exists()
        complete(store, a_run(store))
    with MlmdStore.open(file) as again:
        assert len(again.runs()) == 2


OPENER = """
import sys, time
from penstock.metadata.store import MlmdStore

for number in range(20):
    while time.time() < float(sys.argv[2]) + number / 20:
        pass
    with MlmdStore.open(f"{sys.argv[1]}/{number}.db") as store:
        store.runs()
"""


def test_processes_that_make_a_store_at_the_same_moment_all_get_it(tmp_path: Path) -> None:
    start = str(time.time() + 1.5)

    processes = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(tmp_path), start], stderr=subprocess.PIPE) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], said

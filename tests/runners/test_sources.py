"""Source files: resolved, hashed once per content, told apart however their times are set."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.pipeline import DataError, Unsupported
from penstock.runners import sources
from penstock.runners.sources import HashMemo, resolve


@pytest.fixture
def memo(tmp_path: Path) -> Iterator[HashMemo]:
    opened = HashMemo(str(tmp_path / ".cache" / "hashes.db"))
    yield opened
    opened.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("b.csv", "a.csv", ".hidden"):
        (folder / name).write_text(name)
    return folder


def test_folder_stands_for_its_files_in_order(data: Path, memo: HashMemo) -> None:
    found = resolve("Gen(data=...)", "data", str(data.parent), memo)

    assert found.base == str(data)
    assert [(file.name, file.path, file.size) for file in found.files] == [
        ("a.csv", str(data / "a.csv"), 5),
        ("b.csv", str(data / "b.csv"), 5),
    ]


def test_glob_and_file_stand_for_themselves(data: Path, memo: HashMemo) -> None:
    globbed = resolve("Gen(data=...)", "data/b*", str(data.parent), memo)
    single = resolve("Gen(data=...)", str(data / "b.csv"), "/elsewhere", memo)

    assert [file.name for file in globbed.files] == ["b.csv"]
    assert globbed.files == single.files


def no_file(kind: str, path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
    else:
        path.symlink_to("/nowhere.csv")


@pytest.mark.parametrize("given", ["data", "data/c.csv", "data/*.csv"])
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("pipe", "It is a named pipe, no regular file"),
        ("socket", "It is a socket, no regular file"),
        ("broken link", "No such file or directory"),
    ],
)
def test_what_is_no_file_is_named_and_never_read(
    kind: str, problem: str, given: str, data: Path, memo: HashMemo
) -> None:
    no_file(kind, data / "c.csv")

    with pytest.raises(DataError) as caught:
        resolve("Gen(data=...)", given, str(data.parent), memo)

    assert str(caught.value) == (
        f"Gen(data=...): {data}/c.csv can't be read: {problem}. Put a file there, or pass a path that leaves it out."
    )


def test_linked_folder_below_the_path_is_read_too(data: Path, memo: HashMemo, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "d.csv").write_text("d")
    (data / "part2").symlink_to("../real")

    found = resolve("Gen(data=...)", "data", str(data.parent), memo)

    assert [file.name for file in found.files] == ["a.csv", "b.csv", "part2/d.csv"]


def test_same_size_and_mtime_but_other_content_is_another_hash(data: Path, memo: HashMemo) -> None:
    path = data / "a.csv"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    before = memo.sha256(str(path))

    path.write_text("A.CSV")
    os.utime(path, ns=times)

    assert path.stat().st_mtime_ns == times[1]
    assert memo.sha256(str(path)) != before
    assert memo.sha256(str(path))[0] == before[0]


def test_memoised_file_changed_under_its_old_times_is_hashed_anew(
    data: Path, memo: HashMemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SETTLED_NS", -1)  # so that a new file is memoised at once
    path = data / "a.csv"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    before = memo.sha256(str(path))
    time.sleep(0.02)

    replacement = data / "new"
    replacement.write_text("A.CSV")
    os.utime(replacement, ns=times)
    os.replace(replacement, path)

    assert memo.sha256(str(path)) != before


def test_settled_file_is_not_read_twice(tmp_path: Path, memo: HashMemo) -> None:
    path = os.__file__  # has lain there for longer than a clock tick
    memo.sha256(path)
    with sqlite3.connect(tmp_path / ".cache" / "hashes.db") as db:
        db.execute("UPDATE hashes SET sha256 = 'as remembered'")

    assert memo.sha256(path) == (os.path.getsize(path), "as remembered")


def test_file_that_just_changed_is_not_memoised(data: Path, tmp_path: Path, memo: HashMemo) -> None:
    memo.sha256(str(data / "a.csv"))

    with sqlite3.connect(tmp_path / ".cache" / "hashes.db") as db:
        assert db.execute("SELECT count(*) FROM hashes").fetchone() == (0,)


def test_damaged_memo_costs_time_and_nothing_else(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "hashes.db"
    path.write_bytes(b"no database at all" * 100)

    memo = HashMemo(str(path))

    assert memo.sha256(str(data / "a.csv"))[0] == 5
    memo.close()


MESSAGES = [
    ("missing.csv", DataError, "Gen(data=...): there is no file at {base}/missing.csv. The folder {base} holds: "
     ".cache, data, empty. Pass another path."),
    ("no/such/x.csv", DataError, "Gen(data=...): there is no file at {base}/no/such/x.csv. The folder {base} holds: "
     ".cache, data, empty. Pass another path."),
    ("empty", DataError, "Gen(data=...): the folder {base}/empty holds no files. Put the data there, or pass "
     "another path."),
    ("data/*.tsv", DataError, "Gen(data=...): there is no file at {base}/data/*.tsv. The folder {base}/data holds: "
     ".hidden, a.csv, b.csv. Pass another path."),
    ("data/{{span}}/x", DataError, "Gen(data=...): there is no file at {base}/data/{{span}}/x. The folder {base}/data "
     "holds: .hidden, a.csv, b.csv. {{span}} is no placeholder. Did you mean {{SPAN}}? There are {{SPAN}}, "
     "{{SPAN:04}}, {{VERSION}}, {{YYYY}}, {{MM}} and {{DD}}. Pass another path."),
    ("gs://bucket/x", Unsupported, "Gen(data=...) got the URL 'gs://bucket/x'; this version reads local files."),
    ("data/{{SPAN}}/x", DataError, "Gen(data=...): {base}/data/{{SPAN}}/x: there is no span. Put the data there, or "
     "correct the pattern."),
    (["a", "b"], Unsupported, "Gen(data=...) takes one path, folder or glob as text, got ['a', 'b']."),
]  # fmt: skip


@pytest.mark.parametrize(("value", "error", "message"), MESSAGES)
def test_message_names_the_place_and_what_is_there(
    value: object, error: type[Exception], message: str, data: Path, memo: HashMemo
) -> None:
    (data.parent / "empty").mkdir()
    given = value.replace("{{", "{").replace("}}", "}") if isinstance(value, str) else value

    with pytest.raises(error) as raised:
        resolve("Gen(data=...)", given, str(data.parent), memo)

    assert str(raised.value) == message.format(base=data.parent)

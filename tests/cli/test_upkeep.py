"""`penstock gc` and `penstock fsck`: what they say, their exit codes and their JSON."""

from __future__ import annotations

import shutil

from tests.cli.conftest import Shell


def twice(toy: Shell) -> None:
    toy("run", "pipeline.py")
    toy("run", "pipeline.py", "-p", "source=other.csv", "-p", "serving=serving/toy")


def test_gc_says_first_and_deletes_with_yes(toy: Shell):
    (toy.folder / "other.csv").write_text("other\n")
    twice(toy)
    shutil.rmtree(toy.folder / "serving")

    said = toy("gc", "--keep-runs", "1")
    done = toy("gc", "--keep-runs", "1", "--yes", "--json")

    assert said.code == done.code == 0
    assert "Would delete 4 artifacts, logs of 1 run: " in said.out
    assert "Nothing was deleted. Do it with: --yes" in said.out
    assert done.json()["deleted"] is True
    assert done.json()["bytes"] > 0
    assert "Nothing is to be deleted. All there is belongs to 1 kept run." in toy("gc", "--keep-runs", "1").out
    assert toy("fsck", "--deep").code == 0


def test_push_that_still_stands_or_cannot_be_checked_is_kept(toy: Shell):
    (toy.folder / "other.csv").write_text("other\n")
    twice(toy)

    document = toy("gc", "--keep-runs", "1", "--json").json()

    assert [artifact["step"] for artifact in document["artifacts"]] == ["inspect"]
    assert len(document["kept_pushed"]) == 2


def test_gc_refuses_an_age_that_is_none(ran: Shell):
    said = ran("gc", "--older-than", "long")

    assert said.code == 64
    assert "--older-than: 'long' is no span of time" in said.err


def test_fsck_finds_nothing_in_a_sound_root(ran: Shell):
    said = ran("fsck", "--deep")

    assert (said.code, said.out) == (0, "Nothing is wrong.\n")


def test_fsck_has_its_own_code_until_repaired(toy: Shell):
    toy("run", "pipeline.py")
    (made,) = toy.folder.glob(".penstock/artifacts/toy/train/*")
    shutil.rmtree(made)

    said = toy("fsck")
    listed = toy("fsck", "--json")
    repaired = toy("fsck", "--repair")

    assert said.code == listed.code == 7
    assert "1 problem. Repair with: --repair" in said.out
    assert listed.json()[0]["kind"] == "missing"
    assert repaired.code == 0
    assert toy("fsck").code == 0
    assert "1 ran, 3 cached" in toy("run", "pipeline.py").out


def test_without_a_root_there_is_nothing_to_look_at(toy: Shell):
    assert toy("gc").code == toy("fsck").code == 5

"""`penstock why`: lines for people, JSON for programs."""

from __future__ import annotations

from tests.cli.conftest import Shell


def test_changed_data_is_followed_upstream(toy: Shell):
    toy("run", "pipeline.py")
    (toy.folder / "rows.csv").write_text("changed\n")
    toy("run", "pipeline.py")

    said = toy("why", "train")

    assert said.code == 0
    lines = [line.strip() for line in said.out.splitlines()]
    assert lines[0].startswith("train in run ")
    assert "input rows changed" in lines
    assert any(line.startswith("read ran anew in run ") for line in lines)
    assert any(line.startswith("rows.csv changed: sha256 ") for line in lines)


def test_changed_code_is_shown_as_a_diff_and_as_json(toy: Shell):
    toy("run", "pipeline.py")
    file = toy.folder / "pipeline.py"
    file.write_text(file.read_text().replace(".upper()", ".lower()"))
    toy("run", "pipeline.py")

    said = toy("why", "train")
    document = toy("why", "train", "--json").json()

    assert "code pipeline:train changed" in said.out
    assert ".lower()" in said.out
    (difference,) = document["nearest"]["differences"]
    assert difference["kind"] == "code"
    assert difference["name"] == "pipeline:train"
    assert "+" in difference["diff"]


def test_reused_step_has_a_reason_and_nothing_nearest(ran: Shell):
    document = ran("why", "train", "--json").json()

    assert document["state"] == "CACHED"
    assert document["reason"].startswith("unchanged since run ")
    assert document["nearest"] is None


def test_unknown_step_is_not_found_and_the_nearest_is_offered(ran: Shell):
    said = ran("why", "tran")

    assert said.code == 6
    assert "'train'" in said.err


def test_step_of_an_earlier_run_is_explained(ran: Shell):
    first = ran("runs", "--json").json()[-1]["id"]

    said = ran("why", "train", "--run", first)

    assert "reason: no earlier result" in said.out

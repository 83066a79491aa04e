"""Whole runs on this machine: real workers, a real store; what runs, what is skipped and what it leaves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from penstock.pipeline.plan import Plan
from tests.runners.conftest import Project

PIPELINE = """
@pipeline
def wired(text: str = "text", fail: bool = False):
    made = make(text=text)
    follow(note=made.note, mark="!")
"""
GATED = """
class Result(Artifact):
    pass


@component(gates="note")
def refuse(note: Input[Note], report: Output[Note]) -> None:
    put(report, "2 anomalies in words")
    raise GateFailed("2 anomalies")


@pipeline
def wired():
    made = make()
    refuse(note=made.note)
    first = follow(note=made.note, id="first")
    follow(note=first.more, id="second")
    follow(note=made.note, id="free", gate=False)
    make(id="other", text="other")
"""
EFFECT = """
import json


@component(effects=True, still_true="steps:holds")
def push(note: Input[Note], pushed: Output[Note], *, place: str, blessed: bool = True) -> None:
    if not blessed:
        raise Skip("the note is not blessed")
    with open(place, "a") as file:
        file.write(get(note))
    put(pushed, place)


def holds(outputs):
    return os.path.exists(get(outputs["pushed"]))


@pipeline
def wired(place: str, blessed: bool = True):
    made = make()
    pushed = push(note=made.note, place=place, blessed=blessed)
    follow(note=pushed.pushed, id="after")
"""


def test_outputs_are_published_with_their_properties_and_lineage(project: Project) -> None:
    project.write(PIPELINE)

    result = project.run(text="two words")

    assert project.states(result) == {"make": "COMPLETE", "follow": "COMPLETE"}
    assert result.state == "COMPLETE"
    assert project.text(result, "follow", "more") == "two words!"
    records = project.executions(result.id)
    (note,) = records["make"].outputs["note"]
    assert note.uri == f"artifacts/wired/make/{records['make'].ulid}/note"
    assert (note.type, note.properties, note.run, note.step) == ("Note", {"words": 2}, result.id, "make")
    assert records["follow"].inputs == {"note": [note]}
    assert records["make"].facts["wall_s"] > 0
    project.assert_clean()


def test_execution_folder_holds_outputs_key_and_outcome(project: Project) -> None:
    project.write(PIPELINE)

    result = project.run()

    folder = Path(result["make"].note.path).parent
    assert sorted(os.listdir(folder)) == ["_key.json", "note", "outcome.json"]
    assert sorted(os.listdir(folder / "note")) == ["_files.json", "note.txt"]


def test_run_leaves_its_plan_events_and_logs(project: Project) -> None:
    project.write(PIPELINE)

    result = project.run()

    folder = project.root / "runs" / result.id
    assert Plan.from_json((folder / "plan.json").read_bytes()).name == "wired"
    assert (folder / "events.jsonl").read_text().count("\n") == 6
    assert sorted(os.listdir(folder / "logs")) == ["follow.log", "make.log"]


def test_second_run_is_all_cached_with_equal_outputs(project: Project) -> None:
    project.write(PIPELINE)
    first = project.run()

    second = project.run()

    assert project.states(second) == {"make": "CACHED", "follow": "CACHED"}
    assert second["follow"].more.path == first["follow"].more.path
    assert second["make"].reason == f"unchanged since run {first.id}"
    records = project.executions(second.id)
    assert records["follow"].cached_from == project.executions(first.id)["follow"].ulid
    assert records["follow"].inputs["note"] == records["make"].outputs["note"]
    project.assert_clean()


def test_changed_parameter_runs_the_step_and_stops_where_content_is_equal(project: Project) -> None:
    project.write(
        """
        @pipeline
        def wired(rate: float = 1.0):
            follow(note=make(rate=rate).note)
        """
    )
    project.run()

    result = project.run(rate=2.0)

    assert project.states(result) == {"make": "COMPLETE", "follow": "CACHED"}
    assert project.executions(result.id)["make"].reason == "parameter rate changed from 1.0 to 2.0"


def test_failing_gate_publishes_its_outputs_and_skips_what_it_gates(project: Project) -> None:
    project.write(GATED)

    result = project.run()

    assert project.states(result) == {
        "make": "COMPLETE",
        "other": "COMPLETE",
        "refuse": "FAILED",
        "first": "SKIPPED",
        "second": "SKIPPED",
        "free": "COMPLETE",
    }
    assert result.state == "FAILED"
    assert project.text(result, "refuse", "report") == "2 anomalies in words"
    assert (result["refuse"].gate, result["refuse"].reason) == (True, "2 anomalies")
    assert result["first"].reason == "gate refuse refused what it uses"
    assert result["second"].reason == "first was skipped"
    assert project.executions(result.id)["refuse"].outputs["report"]
    project.assert_clean()


def test_refusing_gate_is_asked_again_in_the_next_run(project: Project) -> None:
    project.write(GATED)
    project.run()

    again = project.run()

    assert project.states(again)["refuse"] == "FAILED"
    assert project.states(again)["make"] == "CACHED"


def test_withheld_effect_is_skipped_and_so_is_what_follows(project: Project, tmp_path: Path) -> None:
    project.write(EFFECT)

    result = project.run(place=str(tmp_path / "pushed"), blessed=False)

    assert project.states(result) == {"make": "COMPLETE", "push": "SKIPPED", "after": "SKIPPED"}
    assert result.state == "COMPLETE"
    assert (result["push"].withheld, result["push"].reason) == (True, "the note is not blessed")
    assert (result["after"].withheld, result["after"].reason) == (False, "push was skipped")
    assert not (tmp_path / "pushed").exists()


def test_effect_that_holds_is_not_repeated_and_one_that_is_gone_is(project: Project, tmp_path: Path) -> None:
    project.write(EFFECT)
    place = tmp_path / "pushed"
    project.run(place=str(place))

    held = project.run(place=str(place))
    place.unlink()
    gone = project.run(place=str(place))

    assert project.states(held)["push"] == "CACHED"
    assert project.states(gone)["push"] == "COMPLETE"
    assert project.executions(gone.id)["push"].reason == "its effect doesn't hold any more"
    assert place.read_text() == "text"


def test_effect_whose_check_fails_is_run_again(project: Project, tmp_path: Path) -> None:
    project.write(EFFECT.replace('return os.path.exists(get(outputs["pushed"]))', "return 1 / 0"))
    project.run(place=str(tmp_path / "pushed"))

    again = project.run(place=str(tmp_path / "pushed"))

    assert project.states(again)["push"] == "COMPLETE"
    reason = project.executions(again.id)["push"].reason
    assert reason == "its effect can't be checked: ZeroDivisionError: division by zero"


DAMAGES = {
    "deleted": (lambda note: os.system(f"rm -r '{note}'"), "the files of its output note are gone"),
    "emptied": (lambda note: os.remove(f"{note}/note.txt"), "its output note is damaged: note.txt is missing."),
    "shortened": (
        lambda note: Path(note, "note.txt").write_text("t"),
        "its output note is damaged: note.txt has 1 bytes, the manifest says 4.",
    ),
    "added to": (
        lambda note: Path(note, "more.txt").write_text("t"),
        "its output note is damaged: more.txt is not in the manifest.",
    ),
}


def test_damaged_artifact_is_made_again_and_the_reason_says_so(project: Project) -> None:
    project.write(PIPELINE)
    for damage, reason in DAMAGES.values():
        first = project.run()
        damage(first["make"].note.path)

        again = project.run()

        assert project.states(again) == {"make": "COMPLETE", "follow": "CACHED"}
        assert project.executions(again.id)["make"].reason == reason
    project.assert_clean()


def test_cache_can_be_left_out_for_a_step_a_run_and_by_a_salt(project: Project) -> None:
    project.write(
        """
        @pipeline
        def wired():
            make(id="always", cache=False)
            make(id="salted", salt="a")
            make(id="plain")
        """
    )
    project.run()

    second = project.run()
    without = project.run(cache=False)
    project.write((project.folder / "steps.py").read_text().replace('salt="a"', 'salt="b"'), header=False)
    salted = project.run()

    assert project.states(second) == {"always": "COMPLETE", "salted": "CACHED", "plain": "CACHED"}
    assert set(project.states(without).values()) == {"COMPLETE"}
    assert project.executions(without.id)["plain"].reason == "the cache is off for this run"
    assert project.executions(second.id)["always"].reason == "the cache is off for this step"
    assert project.states(salted)["salted"] == "COMPLETE"
    assert project.executions(salted.id)["salted"].reason == 'salt changed from "a" to "b"'


def test_code_of_the_component_is_in_the_key_and_the_pipelines_name_is_not(project: Project) -> None:
    project.write(PIPELINE)
    project.run()
    source = (project.folder / "steps.py").read_text()

    project.write(source.replace("def wired", "def renamed"), header=False)
    renamed = project.run("renamed")
    project.write(source.replace("get(note) + mark", "mark + get(note)"), header=False)
    edited = project.run()

    assert set(project.states(renamed).values()) == {"CACHED"}
    assert project.states(edited) == {"make": "CACHED", "follow": "COMPLETE"}
    assert project.executions(edited.id)["follow"].reason == "code steps:follow changed"


def test_fresh_clone_into_another_folder_is_cached(project: Project, tmp_path: Path) -> None:
    project.write(PIPELINE)
    project.run()
    os.rename(project.folder, tmp_path / "clone")
    project.folder.mkdir()
    project.forget()
    clone = Project(tmp_path / "clone")
    clone.write(PIPELINE)
    sys.path.insert(0, str(clone.folder))
    try:
        result = clone.run(root=project.root)
    finally:
        sys.path.remove(str(clone.folder))
        clone.forget()

    assert set(project.states(result).values()) == {"CACHED"}


def test_data_changed_under_the_same_size_and_time_is_read_again(project: Project, tmp_path: Path) -> None:
    project.write(
        """
        @component
        def ingest(out: Output[Note], *, data: Files) -> None:
            put(out, ",".join(open(file.path).read() for file in data.files))


        @pipeline
        def wired(data: str = "data"):
            ingest(data=f"{data}/*.txt")
        """
    )
    data = project.folder / "data" / "a.txt"
    data.parent.mkdir()
    data.write_text("one")
    times = (data.stat().st_atime_ns, data.stat().st_mtime_ns)
    first = project.run()

    unchanged = project.run()
    data.write_text("two")
    os.utime(data, ns=times)
    changed = project.run()

    assert project.states(unchanged) == {"ingest": "CACHED"}
    assert project.text(changed, "ingest", "out") == "two"
    record = project.executions(changed.id)["ingest"]
    assert record.reason == "input data changed"
    (source,) = record.inputs["data"]
    assert source.type == "ExternalFiles"
    assert source.properties["files"][0]["name"] == "a.txt"
    assert project.executions(first.id)["ingest"].inputs["data"][0].id != source.id


def test_missing_source_fails_its_step_and_not_the_others(project: Project) -> None:
    project.write(
        """
        @component
        def ingest(out: Output[Note], *, data: Files) -> None:
            put(out)


        @pipeline
        def wired():
            gen = ingest(data="nowhere/*.csv")
            follow(note=gen.out)
            make()
        """
    )

    result = project.run()

    assert project.states(result) == {"ingest": "FAILED", "follow": "SKIPPED", "make": "COMPLETE"}
    assert result["ingest"].failure is not None
    assert result["ingest"].failure.fault == "data"
    assert result["ingest"].reason.startswith("ingest(data=...): there is no file at ")
    project.assert_clean()


def test_imported_artifact_is_used_where_it_lies_and_cached_by_content(project: Project) -> None:
    project.write(
        """
        @pipeline
        def wired():
            source = Importer(source_uri="notes", artifact_type=Note, properties={"words": 1}, id="source")
            follow(note=source.result)
        """
    )
    (project.folder / "notes").mkdir()
    (project.folder / "notes" / "note.txt").write_text("outside")
    first = project.run()

    again = project.run()
    (project.folder / "notes" / "note.txt").write_text("changed")
    changed = project.run()

    assert project.text(first, "follow", "more") == "outside."
    assert first["source"].result.path == str(project.folder / "notes")
    assert set(project.states(again).values()) == {"CACHED"}
    assert project.text(changed, "follow", "more") == "changed."
    assert os.listdir(project.folder / "notes") == ["note.txt"]
    assert project.executions(first.id)["source"].outputs["result"][0].properties == {"words": 1}


def test_values_of_every_type_go_into_parameters_and_text(project: Project) -> None:
    project.write(
        """
        from typing import NamedTuple


        class Made(NamedTuple):
            number: int
            rate: float
            flag: bool
            name: str
            many: dict


        @component
        def produce() -> Made:
            return Made(2**60, 0.1 + 0.2, True, "n", {"a": [1, None]})


        @component
        def take(out: Output[Note], *, number: int, rate: float, flag: bool, name: str, many: dict, all: list) -> None:
            put(out, repr([number, rate, flag, name, many, all]))


        @pipeline
        def wired(epochs: int = 3, text: str = "run"):
            made = produce()
            take(number=made.number, rate=made.rate, flag=made.flag, name=f"{text}-{epochs}", many=made.many,
                 all=[made.flag, made.rate, {"epochs": epochs}])
        """
    )

    result = project.run(text="mine")
    again = project.run(text="mine")

    many = {"a": [1, None]}
    expected = [2**60, 0.1 + 0.2, True, "mine-3", many, [True, 0.1 + 0.2, {"epochs": 3}]]
    assert project.text(result, "take", "out") == repr(expected)
    assert result["produce"].values == {"number": 2**60, "rate": 0.1 + 0.2, "flag": True, "name": "n", "many": many}
    assert again["produce"].values == result["produce"].values
    assert set(project.states(again).values()) == {"CACHED"}


def test_failing_step_keeps_the_traceback_and_the_rest_finishes(project: Project) -> None:
    project.write(
        """
        @component
        def fails(note: Input[Note], out: Output[Note]) -> None:
            put(out, "half made")
            raise ValueError("no such column")


        @pipeline
        def wired():
            made = make()
            bad = fails(note=made.note)
            follow(note=bad.out, id="after")
            follow(note=made.note, id="beside")
        """
    )

    result = project.run()

    assert project.states(result) == {
        "make": "COMPLETE",
        "fails": "FAILED",
        "after": "SKIPPED",
        "beside": "COMPLETE",
    }
    failure = result["fails"].failure
    assert failure is not None
    assert (failure.type, failure.message, failure.fault) == ("ValueError", "no such column", "user code")
    assert failure.where.startswith("steps.py:")
    assert "raise ValueError" in failure.traceback
    assert "raise ValueError" in project.executions(result.id)["fails"].error
    assert result["after"].reason == "fails failed"
    assert not (project.root / "artifacts" / "wired" / "fails").exists()
    project.assert_clean()


def test_property_that_the_store_refuses_fails_its_step_and_leaves_nothing(project: Project) -> None:
    project.write(PIPELINE.replace('make(text=text)', 'odd()') + """

@component
def odd(note: Output[Note]) -> None:
    put(note)
    note.properties["penstock:mine"] = 1
""")  # fmt: skip

    result = project.run()

    assert project.states(result) == {"odd": "FAILED", "follow": "SKIPPED"}
    assert "names that begin with 'penstock:' are the store's own" in result["odd"].reason
    project.assert_clean()


def test_environment_of_a_step_is_its_own_and_an_ingredient(project: Project) -> None:
    source = """
        @component
        def look(out: Output[Note]) -> None:
            put(out, os.environ.get("MODE", "none"))


        @pipeline
        def wired():
            look(id="with_mode", env={"MODE": "fast"})
            look(id="without")
        """
    project.write(source)
    first = project.run(workers=1)

    project.write(source.replace("fast", "slow"))
    second = project.run(workers=1)

    assert project.text(first, "with_mode", "out") == "fast"
    assert project.text(first, "without", "out") == "none"
    assert project.states(second) == {"with_mode": "COMPLETE", "without": "CACHED"}
    assert project.executions(second.id)["with_mode"].reason == 'env MODE changed from "fast" to "slow"'


def test_steps_behind_cached_ones_start_while_another_still_runs(project: Project) -> None:
    source = """
        @component
        def slow(out: Output[Note], *, started: str, goes_on: str) -> None:
            open(started, "w")
            while not os.path.exists(goes_on):
                time.sleep(0.01)
            put(out)


        @component
        def last(note: Input[Note], out: Output[Note], *, goes_on: str) -> None:
            open(goes_on, "w")
            put(out, "v1")


        @pipeline
        def wired(folder: str):
            slow(started=f"{folder}/started", goes_on=f"{folder}/goes_on", cache=False)
            one = make()
            two = follow(note=one.note, id="two")
            three = follow(note=two.more, id="three")
            last(note=three.more, goes_on=f"{folder}/goes_on")
        """
    project.write(source)
    project.run(folder=str(project.root.parent))
    (project.root.parent / "goes_on").unlink()
    project.write(source.replace("v1", "v2"))

    result = project.run(folder=str(project.root.parent))

    assert project.states(result) == {
        "slow": "COMPLETE",
        "make": "CACHED",
        "two": "CACHED",
        "three": "CACHED",
        "last": "COMPLETE",
    }


def test_independent_steps_run_at_once(project: Project) -> None:
    project.write(
        """
        @component
        def meet(out: Output[Note], *, mine: str, theirs: str) -> None:
            open(mine, "w")
            end = time.time() + 20
            while not os.path.exists(theirs):
                assert time.time() < end
                time.sleep(0.01)
            put(out)


        @pipeline
        def wired(folder: str):
            meet(id="one", mine=f"{folder}/1", theirs=f"{folder}/2")
            meet(id="two", mine=f"{folder}/2", theirs=f"{folder}/1")
        """
    )

    assert project.run(folder=str(project.root.parent)).state == "COMPLETE"


def test_secret_is_masked_in_log_store_and_events(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(
        """
        @component
        def log_in(out: Output[Note], *, token: Secret) -> None:
            print("token is", token.value, flush=True)
            os.system(f"echo child says {token.value}")
            raise RuntimeError(f"can't log in with {token.value}")


        @pipeline
        def wired():
            log_in(token=Secret("PENSTOCK_TEST_TOKEN"))
        """
    )
    monkeypatch.setenv("PENSTOCK_TEST_TOKEN", "h4nter22")

    result = project.run()

    assert "token is ***\n" in project.log(result, "log_in")
    assert "child says ***\n" in project.log(result, "log_in")
    assert result["log_in"].reason == "RuntimeError: can't log in with ***"
    for path in [each for each in project.root.rglob("*") if each.is_file()]:
        assert b"h4nter22" not in path.read_bytes(), path


def test_two_pipelines_on_one_root_run_at_the_same_time(project: Project) -> None:
    chain = "\n".join(
        f'    node = follow(note=node.more if {number} else node.note, id="n{number}", mark=tag)' for number in range(8)
    )
    for name in ("one", "two"):
        project.write(
            f'@pipeline\ndef wired(tag: str = "{name}"):\n    node = make(text=tag)\n{chain}\n'.replace("wired", name),
            f"{name}.py",
        )

    processes = [project.start(name, name) for name in ("one", "two", "one", "two")]
    said = [process.communicate(timeout=60) for process in processes]

    assert [out for out, _ in said] == [b"COMPLETE\n"] * 4, said
    project.assert_clean()


def test_steps_draw_the_same_random_numbers_in_cold_and_warm_workers(project: Project) -> None:
    project.write(
        """
        @component
        def draw(out: Output[Note]) -> None:
            import random
            import numpy
            put(out, f"{random.random()} {numpy.random.rand()}")


        @pipeline
        def wired():
            draw(id="cold", cache=False)
            draw(id="warm", cache=False)
        """
    )

    result = project.run(workers=1)

    assert project.text(result, "cold", "out") == project.text(result, "warm", "out")

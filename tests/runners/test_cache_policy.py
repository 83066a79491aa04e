"""The cache by policy: a step's own, a run's, and what a hit checks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline import ParameterError, WiringError
from tests.runners.conftest import Project

CHAIN = """
@pipeline
def wired(text: str = "text"):
    made = make(text=text, {options})
    follow(note=made.note)
"""


def write(project: Project, options: str = "") -> None:
    project.write(CHAIN.format(options=options))


def test_step_with_its_cache_off_runs_and_what_follows_is_reused(project: Project) -> None:
    write(project, "cache=False")
    project.run()

    result = project.run()

    assert project.states(result) == {"make": "COMPLETE", "follow": "CACHED"}
    assert project.executions(result.id)["make"].reason == "the cache is off for this step"


def test_result_younger_than_the_maximum_age_is_reused(project: Project) -> None:
    write(project, 'cache="7d"')
    project.run()

    assert project.states(project.run())["make"] == "CACHED"


def test_result_older_than_the_maximum_age_is_made_again(project: Project) -> None:
    write(project, 'cache="0.001s"')
    first = project.run()

    result = project.run()

    assert project.states(result) == {"make": "COMPLETE", "follow": "CACHED"}
    assert f"its result of run {first.id} is older" in project.executions(result.id)["make"].reason


def test_maximum_age_is_no_ingredient(project: Project) -> None:
    write(project)
    project.run()
    write(project, 'cache="7d"')

    assert project.states(project.run()) == {"make": "CACHED", "follow": "CACHED"}


def test_salt_misses_once(project: Project) -> None:
    write(project)
    project.run()
    write(project, 'salt="again"')

    result = project.run()

    assert project.executions(result.id)["make"].reason == 'salt changed from null to "again"'
    assert project.states(project.run()) == {"make": "CACHED", "follow": "CACHED"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('cache="soon"', "make(): cache='soon' is no span of time. Write a number and a unit: 90s"),
        ('cache="0d"', "cache='0d' is no span of time"),
        ("cache=7", 'make() takes cache=True, cache=False or an age such as cache="7d", got 7.'),
        ("salt=1", "make() takes salt as text, got 1. Write salt='1'."),
    ],
)
def test_wrong_policy_is_refused_before_anything_runs(options: str, message: str, project: Project) -> None:
    write(project, options)

    with pytest.raises(WiringError) as refused:
        project.run()

    assert message in str(refused.value)


def test_refreshed_step_runs_and_what_follows_is_reused(project: Project) -> None:
    write(project)
    project.run()

    result = project.run(refresh=("make",))

    assert project.states(result) == {"make": "COMPLETE", "follow": "CACHED"}
    assert project.executions(result.id)["make"].reason == "asked for with --refresh make"


def test_unknown_step_to_refresh_is_refused_with_the_nearest_name(project: Project) -> None:
    write(project)

    with pytest.raises(ParameterError, match=r"--refresh mak: .* Did you mean 'make'\?"):
        project.run(refresh=("mak",))

    assert not project.root.exists()


def test_run_without_cache_runs_every_step(project: Project) -> None:
    write(project)
    project.run()

    result = project.run(cache=False)

    assert project.states(result) == {"make": "COMPLETE", "follow": "COMPLETE"}
    assert project.executions(result.id)["follow"].reason == "the cache is off for this run"


def test_verified_hit_notices_what_has_the_same_size(project: Project) -> None:
    write(project)
    first = project.run()
    note = Path(first["make"].outputs["note"][0]) / "note.txt"
    note.write_text("tixt")
    os.utime(note.parent.parent / "outcome.json")  # as after a bit that rots: the file system has seen no change

    assert project.states(project.run())["make"] == "CACHED"
    result = project.run(verify=True)

    assert project.states(result)["make"] == "COMPLETE"
    reason = project.executions(result.id)["make"].reason
    assert reason == "its output note is damaged: note.txt has another content than the manifest says."


def test_verified_hit_notices_a_forged_manifest(project: Project) -> None:
    write(project)
    manifest = Path(project.run()["make"].outputs["note"][0]) / "_files.json"
    manifest.write_text(manifest.read_text() + "\n")

    result = project.run(verify=True)

    reason = project.executions(result.id)["make"].reason
    assert reason == "its output note is damaged: The manifest is another than the recorded one."


def test_emptied_folder_is_noticed_without_verifying(project: Project) -> None:
    write(project)
    note = Path(project.run()["make"].outputs["note"][0])
    os.unlink(note / "note.txt")

    result = project.run()

    assert project.executions(result.id)["make"].reason == "its output note is damaged: note.txt is missing."


def test_reason_is_told_from_the_nearest_execution_not_the_last(project: Project) -> None:
    write(project)
    project.run(text="one")
    write(project, "rate=2.0")
    project.run(text="two")
    write(project, 'salt="x"')

    result = project.run(text="one")

    assert project.executions(result.id)["make"].reason == 'salt changed from null to "x"'
    with MlmdStore.open(project.layout.database, create=False) as store:
        assert len(store.history("wired", "make")) == 3


def test_parameter_is_the_same_however_it_is_written(project: Project) -> None:
    project.write(
        """
        @pipeline
        def wired(rate: float = 1):
            make(text=f"rate {rate}", rate=rate)
        """
    )

    results = [project.run(**given) for given in ({}, {"rate": 1}, {"rate": 1.0})]

    assert project.text(results[0], "make", "note") == "rate 1.0"
    assert [result["make"].state for result in results] == ["COMPLETE", "CACHED", "CACHED"]

"""Attempts: what is tried again and when, what takes too long, and what is recorded of each."""

from __future__ import annotations

import time

import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline.plan import Retry
from penstock.pipeline.task import Failure
from penstock.runners import retries
from tests.runners.conftest import Project, Recorder

FLAKY = """
from penstock.pipeline import Retry


@component
def flaky(out: Output[Note], *, marks: str, times: int, error: str = "ConnectionError") -> None:
    with open(marks, "a") as file:
        file.write("x")
    if os.path.getsize(marks) <= times:
        raise {"ConnectionError": ConnectionError, "ValueError": ValueError, "DataError": DataError}[error]("gone")
    put(out, "made")


@component
def sleep(out: Output[Note], *, seconds: float) -> None:
    time.sleep(seconds)
    put(out, "slept")


"""


def attempts(project: Project, run: str, step: str) -> list[tuple[int, str]]:
    with MlmdStore.open(project.layout.database, create=False) as store:
        return [(each.attempt, each.state) for each in store.executions(run) if each.step == step]


def test_step_is_tried_again_and_every_attempt_is_recorded(project: Project) -> None:
    project.write(
        FLAKY
        + """
@pipeline
def wired(marks: str):
    first = flaky(marks=marks, times=2, retries=Retry(3, delay=0.01))
    follow(note=first.out)
"""
    )
    seen = Recorder()

    result = project.run(marks=str(project.folder / "marks"), observers=(seen,))

    assert project.states(result) == {"flaky": "COMPLETE", "follow": "COMPLETE"}
    assert attempts(project, result.id, "flaky") == [(1, "FAILED"), (2, "FAILED"), (3, "COMPLETE")]
    assert [each["attempt"] for each in seen.of("step_started", "flaky")] == [1, 2, 3]
    assert [each["reason"] for each in seen.of("step_retried")] == [
        f"attempt {n} of 4 failed: ConnectionError: gone" for n in (1, 2)
    ]
    assert result["flaky"].attempts == 3
    assert result["flaky"].reason == "no earlier result; 2 attempts failed before"
    told = project.log(result, "flaky")
    assert [line for line in told.splitlines() if not line.startswith(" ")] == [
        "Traceback (most recent call last):",
        "ConnectionError: gone",
        "--- attempt 2 ---",
        "Traceback (most recent call last):",
        "ConnectionError: gone",
        "--- attempt 3 ---",
    ]
    assert "in flaky\n" in told
    assert "executor.py" not in told
    project.assert_clean()


def test_attempts_end_after_the_named_number(project: Project) -> None:
    project.write(
        FLAKY
        + """
@pipeline
def wired(marks: str):
    flaky(marks=marks, times=9, retries=Retry(1, delay=0.01))
"""
    )

    result = project.run(marks=str(project.folder / "marks"))

    assert result["flaky"].state == "FAILED"
    assert attempts(project, result.id, "flaky") == [(1, "FAILED"), (2, "FAILED")]


def test_step_that_takes_too_long_is_ended_and_its_worker_killed(project: Project) -> None:
    project.write(
        FLAKY
        + """
@pipeline
def wired():
    sleep(seconds=60, timeout=1.0)
    make()
"""
    )
    started = time.monotonic()

    result = project.run()

    assert time.monotonic() - started < 20
    assert project.states(result) == {"sleep": "FAILED", "make": "COMPLETE"}
    assert result["sleep"].reason == "timed out after 1 s; the step allows no more (timeout=1s)"
    assert result["sleep"].failure is not None
    assert result["sleep"].failure.fault == "user code"
    assert project.log(result, "sleep").endswith(
        "TimeoutError: timed out after 1 s; the step allows no more (timeout=1s)\n"
    )
    project.assert_clean()


@pytest.mark.parametrize(
    ("policy", "failure", "again"),
    [
        (Retry(1), Failure(type="ConnectionError", message="", fault="user code", kinds=("ConnectionError",)), True),
        (Retry(1), Failure(type="WorkerDied", message="", fault="platform"), True),
        (Retry(1), Failure(type="WorkerDied", message="", fault="user code"), True),
        (Retry(1), Failure(type="ValueError", message="", fault="user code", kinds=("ValueError",)), False),
        (Retry(1), Failure(type="E", message="", fault="user code", kinds=("FileNotFoundError", "OSError")), False),
        (Retry(1), Failure(type="DataError", message="", fault="data", kinds=("DataError", "OSError")), False),
        (Retry(1), Failure(type="WiringError", message="", fault="pipeline author"), False),
        (Retry(1, on=("ValueError",)), Failure(type="E", message="", fault="user code", kinds=("ValueError",)), True),
        (Retry(1, on=("ValueError",)), Failure(type="OSError", message="", fault="platform"), False),
        (Retry(1, on=("GateFailed",)), Failure(type="GateFailed", message="", fault="data", gate=True), False),
        (Retry(0), Failure(type="WorkerDied", message="", fault="platform"), False),
    ],
)
def test_only_what_may_pass_or_is_named_is_tried_again(policy: Retry, failure: Failure, again: bool) -> None:
    assert (retries.delay(policy, 1, failure) is not None) is again


def test_delay_doubles_with_jitter_and_is_bounded() -> None:
    lost = Failure(type="WorkerDied", message="", fault="platform")

    waits = [[retries.delay(Retry(99, 2.0), attempt, lost) or 0 for _ in range(50)] for attempt in (1, 2, 3, 30)]

    assert [max(each) <= limit and min(each) >= limit / 2 for each, limit in zip(waits, (2, 4, 8, 300), strict=True)]
    assert len(set(waits[0])) > 1

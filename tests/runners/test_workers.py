"""Workers: each step finds a clean process, none outlives its scheduler, and one that dies is told."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline.task import Task, encode
from tests.runners.conftest import Project


def test_second_step_of_a_worker_finds_nothing_of_the_first(project: Project) -> None:
    project.write("", "space/inner.py", header=False)  # a package without __init__.py
    project.write("STATE = []\n", "space/inner.py", header=False)
    project.write("STATE = []\n", "helper.py", header=False)
    project.write(
        """
        import json
        import logging
        import random
        import sys

        SEEN = []


        @component
        def spoil(out: Output[Note]) -> None:
            import helper
            from space import inner
            found = {
                "module": SEEN[:], "helper": helper.STATE[:], "namespace": inner.STATE[:], "cwd": os.getcwd(),
                "left": os.environ.get("LEFT"), "path": "/left" in sys.path, "level": logging.root.level,
                "handlers": len(logging.root.handlers), "random": random.random(), "pid": os.getpid(),
            }
            put(out, json.dumps(found))
            for state in (SEEN, helper.STATE, inner.STATE):
                state.append(1)
            os.environ["LEFT"] = "1"
            sys.path.append("/left")
            os.chdir("/")
            logging.root.setLevel(5)
            logging.root.addHandler(logging.NullHandler())
            random.seed(99)
            print("said", id)
            sys.stdout.close()
            sys.stderr = None


        @pipeline
        def wired():
            for number in range(3):
                spoil(id=f"s{number}", cache=False)
        """
    )

    result = project.run(workers=1)

    assert result.state == "COMPLETE"
    found = [project.text(result, step, "out") for step in ("s0", "s1", "s2")]
    assert found[0] == found[1] == found[2]
    assert f'"cwd": "{project.folder}"' in found[0]
    assert '"module": [], "helper": [], "namespace": []' in found[0]


def test_children_left_running_are_killed_and_named_in_the_log(project: Project) -> None:
    project.write(
        """
        import subprocess


        @component
        def leave(out: Output[Note]) -> None:
            put(out, str(subprocess.Popen(["sleep", "300"]).pid))


        @pipeline
        def wired():
            leave()
        """
    )

    result = project.run()

    child = int(project.text(result, "leave", "out"))
    assert not psutil.pid_exists(child)
    assert f"Process {child} was left running by the step; killed." in project.log(result, "leave")


def test_output_of_a_step_and_its_children_is_in_its_own_log(project: Project) -> None:
    project.write(
        """
        import logging
        import sys


        @component
        def talk(out: Output[Note], *, word: str) -> None:
            print(word, "by print")
            print(word, "by stderr", file=sys.stderr)
            logging.getLogger("mine").info("%s by logging", word)
            os.system(f"echo {word} by a child")
            os.write(1, f"{word} by descriptor\\n".encode())
            put(out)


        @pipeline
        def wired():
            talk(id="one", word="one")
            talk(id="two", word="two")
        """
    )

    result = project.run(workers=1)

    for step, other in (("one", "two"), ("two", "one")):
        log = project.log(result, step)
        assert all(f"{step} by {way}" in log for way in ("print", "stderr", "logging", "a child", "descriptor"))
        assert other not in log


def dying(how: str) -> str:
    return f"""
        import signal


        @component
        def dies(out: Output[Note]) -> None:
            put(out, "half made")
            {how}


        @pipeline
        def wired():
            bad = dies()
            follow(note=bad.out, id="after")
            make(id="beside")
        """


@pytest.mark.parametrize(
    ("how", "message", "fault"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "the worker was killed by signal 9, ", "platform"),
        ("os.abort()", "the worker was killed by SIGABRT", "user code"),
        ("os._exit(7)", "the step ended its process with exit code 7 (os._exit", "user code"),
        # A forked child holds the socket: the worker's end can't be seen there.
        ("os.fork() or time.sleep(300); os.kill(os.getpid(), 9)", "the worker was killed by signal 9", "platform"),
    ],
)  # fmt: skip
def test_worker_that_dies_fails_its_step_and_the_run_goes_on(
    how: str, message: str, fault: str, project: Project
) -> None:
    project.write(dying(how))

    result = project.run(workers=1)

    assert project.states(result) == {"dies": "FAILED", "after": "SKIPPED", "beside": "COMPLETE"}
    failure = result["dies"].failure
    assert failure is not None
    assert failure.message.startswith(message)
    assert failure.fault == fault
    assert project.executions(result.id)["dies"].error.startswith(message)
    project.assert_clean()


def test_exit_by_the_user_is_a_failure_of_the_step_alone(project: Project) -> None:
    project.write(dying("raise SystemExit('no more')"))

    result = project.run(workers=1)

    assert result["dies"].reason == "SystemExit: no more"
    assert project.states(result)["beside"] == "COMPLETE"


def test_workers_are_reused(project: Project) -> None:
    project.write(
        """
        @component
        def look(out: Output[Note]) -> None:
            put(out, str(os.getpid()))


        @pipeline
        def wired():
            for number in range(4):
                look(id=f"s{number}", cache=False)
        """
    )

    result = project.run(workers=1)

    assert len({project.text(result, f"s{number}", "out") for number in range(4)}) == 1


def test_worker_above_the_memory_limit_is_not_reused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.runners.pool.MEMORY_LIMIT", 1 << 20)
    project.write(
        """
        @component
        def look(out: Output[Note]) -> None:
            put(out, str(os.getpid()))


        @pipeline
        def wired():
            look(id="one", cache=False)
            look(id="two", cache=False)
        """
    )

    result = project.run(workers=1)

    assert project.text(result, "one", "out") != project.text(result, "two", "out")


SLEEPER = """
        @component
        def sleep(note: Input[Note], out: Output[Note], *, sign: str) -> None:
            import subprocess
            with open(sign + ".new", "w") as file:
                file.write(str(os.getpid()))
            os.rename(sign + ".new", sign)
            put(out, "half made")
            time.sleep(300)


        @pipeline
        def wired(sign: str = SIGN):
            made = make()
            slept = sleep(note=made.note, sign=sign)
            follow(note=slept.out, id="after")
        """


def started_sleeper(project: Project) -> tuple[subprocess.Popen[bytes], int]:
    """Start a run in a process of its own and return it with its worker's id, once the worker is in the step."""
    sign = project.root.parent / "sign"
    project.write(SLEEPER.replace("SIGN", repr(str(sign))))
    process = project.start()
    wait_for(sign)
    return process, int(sign.read_text())


def wait_for(path: Path) -> None:
    end = time.time() + 30
    while not path.exists():
        assert time.time() < end, f"{path} never came"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        psutil.Process(pid).wait(timeout=5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_workers_die_with_a_killed_scheduler_and_the_next_run_cleans_up(project: Project) -> None:
    process, worker = started_sleeper(project)

    process.kill()
    process.wait()

    assert gone(worker)
    project.write("@pipeline\ndef wired():\n    make()\n")
    project.run()
    project.assert_clean()


def test_interrupted_run_publishes_what_became_of_its_steps(project: Project) -> None:
    process, worker = started_sleeper(project)

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert b"KeyboardInterrupt" in said
    assert process.returncode != 0
    assert gone(worker)
    with MlmdStore.open(project.layout.database, create=False) as store:
        (run,) = store.runs()
        states = {each.step: each.state for each in store.executions(run.id)}
    assert run.state == "CANCELED"
    assert states == {"make": "COMPLETE", "sleep": "CANCELED", "after": "SKIPPED"}
    project.write("@pipeline\ndef wired():\n    make()\n")
    assert project.states(project.run()) == {"make": "CACHED"}
    project.assert_clean()


def test_worker_ends_quietly_when_its_scheduler_leaves_a_message_unread(project: Project) -> None:
    project.write("@component\ndef nothing() -> None:\n    pass\n")
    staging = project.root / "staging"
    staging.mkdir(parents=True)
    task = Task(
        run="RUN", pipeline="p", step="nothing", execution="EXE", attempt=1, component="steps:nothing",
        staging=str(staging), code_root=str(project.folder), log=str(project.root / "nothing.log"), seed=1,
    )  # fmt: skip
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "penstock.runners.worker", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
    theirs.close()
    ours.sendall(encode(task) + b"\n")
    assert ours.recv(1, socket.MSG_PEEK), "it has said something, which stays unread"

    ours.close()  # resets the connection
    _, said = process.communicate(timeout=60)

    assert said == b""

"""Steps that misbehave as processes: what they print, start, close or change never reaches the next step or the run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from penstock.pipeline.runner import RunResult
from penstock.runners import capacity
from penstock.runners.layout import LOG_HEAD, LOG_TAIL
from tests.runners.conftest import Project

BAD_STEP = """
import signal
import subprocess
import sys
import threading


@component
def bad(out: Output[Note]) -> None:
    put(out)
{deed}


@pipeline
def wired():
    bad(id="first", cache=False)
    make(id="beside")
    make(id="after", after=["first"])
"""


def written(project: Project, deed: str) -> None:
    project.write(BAD_STEP.format(deed="\n".join(f"    {line}" for line in deed.strip().splitlines())).replace(
        '    make(id="after", after=["first"])\n', ""
    ))  # fmt: skip


def message(result: RunResult) -> str:
    failure = result["first"].failure
    assert failure is not None, result
    return failure.message


def gone(pid: int) -> bool:
    until = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not psutil.pid_exists(pid)


GIGABYTE = 1 << 30


@pytest.mark.parametrize(
    "printing",
    [
        "subprocess.run(['head', '-c', str(1 << 30), '/dev/zero'])",  # without a single end of line
        "subprocess.run('yes the same line again | head -c 1073741824', shell=True)",
        "line = 'x' * (1 << 20)\nfor _ in range(1024): print(line)",
    ],
)
def test_log_of_a_step_that_prints_a_gigabyte_keeps_its_beginning_and_its_end(printing: str, project: Project) -> None:
    written(project, f"print('the first words')\n{printing}\nprint()\nprint('the last words')")

    result = project.run(workers=1)

    assert result.state == "COMPLETE"
    said = Path(result["first"].log).read_bytes()
    assert len(said) <= LOG_HEAD + LOG_TAIL + 100
    assert said.startswith(b"the first words\n")
    assert said.endswith(b"\nthe last words\n")
    (dropped,) = re.findall(rb"^--- ([0-9,]+) bytes of output were dropped here ---$", said, re.MULTILINE)
    assert 0 <= int(dropped.replace(b",", b"")) + len(said) - GIGABYTE < 2000


@pytest.mark.skipif(sys.platform != "linux", reason="holes are made on Linux only")
def test_disk_holds_little_of_what_a_step_prints_while_it_prints(project: Project) -> None:
    written(
        project,
        "subprocess.run('yes the same line again | head -c 500000000', shell=True)\n"
        "time.sleep(0.3)\n"
        "put(out, str(os.stat('/proc/self/fd/1').st_blocks * 512))",
    )

    result = project.run(workers=1)

    assert int(project.text(result, "first", "out")) < 3 * (LOG_HEAD + LOG_TAIL)


def test_log_of_a_worker_that_prints_a_lot_and_dies_is_shortened_too(project: Project) -> None:
    written(project, "print('x' * 100 + '\\n' * 50_000_000, 'the last words', flush=True)\nos.kill(os.getpid(), 9)")

    result = project.run(workers=1)

    said = (project.root / "runs" / result.id / "logs" / "first.log").read_bytes()
    assert b" bytes of output were dropped here ---\n" in said
    assert b"the last words\nWorkerDied: the worker was killed by signal 9, " in said


def test_gigabyte_printed_by_a_step_with_a_secret_is_masked_and_bounded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-token")
    project.write(
        """
        @component
        def talks(out: Output[Note], *, token: Secret) -> None:
            put(out)
            for _ in range(10_000):
                os.write(1, (token.value + " " * 1000 + token.value[:5]).encode())  # no end of line
                os.write(1, token.value[5:].encode())


        @pipeline
        def wired():
            talks(token=Secret("TOKEN"))
        """
    )

    result = project.run()

    said = Path(result["talks"].log).read_bytes()
    assert b"s3cr3t" not in said
    assert b"-token" not in said
    assert b"***" in said
    assert b"bytes of output were dropped here" in said


def test_endless_error_message_is_recorded_shortened(project: Project) -> None:
    written(project, "raise ValueError('x' * 50_000_000)")

    result = project.run()

    assert message(result).endswith("x" * 2000)
    assert " ... 49,996,000 characters ... " in message(result)
    error = project.executions(result.id)["first"].error
    assert len(error) < 6_000
    assert error.startswith("Traceback (most recent call last):\n")


DETACHED = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open("{sign}", "w") as file:
            file.write(str(os.getpid()))
        time.sleep(300)
    os._exit(0)
while not (os.path.exists("{sign}") and os.path.getsize("{sign}")):
    time.sleep(0.01)
"""


def test_child_that_detached_itself_is_killed_and_named(project: Project, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    written(project, DETACHED.format(sign=sign))

    result = project.run(workers=1)

    child = int(sign.read_text())
    assert result.state == "COMPLETE"
    assert gone(child)
    assert f"Process {child} was left running by the step; killed." in project.log(result, "first")


def test_detached_child_of_a_step_that_times_out_is_killed(project: Project, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    written(project, DETACHED.format(sign=sign) + "time.sleep(300)")
    project.folder.joinpath("steps.py").write_text(
        project.folder.joinpath("steps.py").read_text().replace("cache=False", "timeout=3")
    )

    result = project.run(workers=1)

    assert message(result).startswith("timed out after 3 s")
    assert gone(int(sign.read_text()))


def test_detached_child_of_a_worker_that_is_killed_is_killed(project: Project, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    written(project, DETACHED.format(sign=sign) + "os.kill(os.getpid(), signal.SIGKILL)")

    result = project.run(workers=1)

    assert message(result).startswith("the worker was killed by signal 9")
    assert gone(int(sign.read_text()))


def test_detached_child_of_a_killed_run_is_killed_by_the_next(project: Project, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    written(project, DETACHED.format(sign=sign) + "time.sleep(300)")
    process = project.start()
    until = time.monotonic() + 30
    while not (sign.exists() and sign.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.wait()  # its pipes stay open: the child has them
    child = int(sign.read_text())
    assert psutil.pid_exists(child)
    written(project, "pass")

    result = project.run()

    assert result.state == "COMPLETE"
    assert gone(child)
    project.assert_clean()


@pytest.mark.parametrize(
    "deed",
    [
        "if os.fork() == 0: return",
        "if os.fork() == 0: raise ValueError('in the child')",
        "if os.fork() == 0: sys.exit(3)",
        "if os.fork() == 0: os._exit(3)",
        "if os.fork() == 0:\n    time.sleep(0.2)\n    return",
    ],
)
def test_forked_child_that_goes_the_way_of_its_parent_says_nothing(deed: str, project: Project) -> None:
    written(project, deed)

    result = project.run(workers=1)

    assert project.states(result) == {"first": "COMPLETE", "beside": "COMPLETE"}
    project.assert_clean()


def test_child_that_holds_the_pipe_of_a_masked_log_does_not_hold_up_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-token")
    project.write(
        """
        @component
        def leaves(out: Output[Note], *, token: Secret) -> None:
            put(out)
            os.system("sleep 300 &")


        @pipeline
        def wired():
            leaves(token=Secret("TOKEN"))
        """
    )
    started = time.monotonic()

    result = project.run()

    assert result.state == "COMPLETE"
    assert time.monotonic() - started < 60


CUT_OFF = (
    "the step closed the worker's connection, or wrote to it: a step leaves descriptors alone that it hasn't opened "
    "(os.close, os.closerange, os.write)"
)


@pytest.mark.parametrize(
    "deed",
    [
        "os.closerange(3, 256)",
        "for number in range(3, 256):\n    try:\n        os.write(number, b'{nonsense}\\n')\n"
        "    except OSError:\n        pass\ntime.sleep(60)",
    ],
)
def test_step_that_breaks_the_workers_connection_is_told_so(deed: str, project: Project) -> None:
    written(project, deed)

    result = project.run(workers=1)

    assert message(result) == CUT_OFF
    assert project.states(result) == {"first": "FAILED", "beside": "COMPLETE"}
    project.assert_clean()


def test_step_that_closes_stdout_and_stderr_is_complete_and_the_next_is_heard(project: Project) -> None:
    project.write(
        """
        import sys


        @component
        def silent(out: Output[Note]) -> None:
            put(out)
            sys.stdout.close()
            sys.stderr.close()
            os.close(1)
            os.close(2)


        @component
        def heard(note: Input[Note], out: Output[Note]) -> None:
            print("heard by print")
            os.system("echo heard by a child")
            put(out)


        @pipeline
        def wired():
            heard(note=silent().out)
        """
    )

    result = project.run(workers=1)

    assert result.state == "COMPLETE"
    assert project.log(result, "heard") == "heard by print\nheard by a child\n"


def test_what_a_step_changes_in_its_process_is_put_back_for_the_next(project: Project) -> None:
    project.write(
        """
        import json
        import signal
        import sys


        @component
        def spoil(out: Output[Note]) -> None:
            mask = os.umask(0o077)
            found = {
                "pid": os.getpid(), "alarm": str(signal.getsignal(signal.SIGALRM)), "umask": mask,
                "term": str(signal.getsignal(signal.SIGTERM)), "argv": sys.argv[1:],
                "child": str(signal.getsignal(signal.SIGCHLD)), "mode": oct(os.stat(out.path).st_mode),
            }
            put(out, json.dumps(found))
            signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            sys.argv.append("left")


        @component
        def rest(note: Input[Note], out: Output[Note]) -> None:
            time.sleep(0.5)
            put(out)


        @pipeline
        def wired():
            one = spoil(id="one", cache=False)
            rested = rest(note=one.out)
            spoil(id="two", cache=False, after=[rested])
        """
    )

    result = project.run(workers=1)

    assert project.states(result) == {"one": "COMPLETE", "rest": "COMPLETE", "two": "COMPLETE"}
    assert project.text(result, "one", "out") == project.text(result, "two", "out")


def kill_worker_of(project: Project, run_folder: Path) -> int:
    """Kill the worker of the only run, from outside and without a warning, as the kernel does."""
    until = time.monotonic() + 30
    sign = run_folder / "sign"
    while not sign.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    pid = int(sign.read_text())
    os.kill(pid, signal.SIGKILL)
    return pid


def test_worker_killed_from_outside_is_told_with_its_peak_memory_and_what_it_asked_for(
    project: Project, tmp_path: Path
) -> None:
    project.write(
        f"""
        @component
        def hungry(out: Output[Note]) -> None:
            block = bytearray(200 << 20)
            with open({str(tmp_path / "sign.new")!r}, "w") as file:
                file.write(str(os.getpid()))
            os.rename({str(tmp_path / "sign.new")!r}, {str(tmp_path / "sign")!r})
            time.sleep(60)


        @pipeline
        def wired():
            hungry(memory="100Mi")
            make()
        """
    )
    process = project.start()
    kill_worker_of(project, tmp_path)
    said, _ = process.communicate(timeout=60)

    assert said == b"FAILED\n"
    (run,) = [path.name for path in (project.root / "runs").iterdir()]
    error = project.executions(run)["hungry"].error
    assert error.startswith("the worker was killed by signal 9, from outside or for memory that others took: peak 0.2")
    assert " GiB of " in error
    assert error.endswith(" GiB; the step asks for memory=100Mi")
    project.write("@pipeline\ndef wired():\n    make()\n")
    assert project.states(project.run()) == {"make": "CACHED"}
    project.assert_clean()


@pytest.mark.parametrize(("daemon", "left", "same"), [(True, 60, False), (False, 60, False), (False, 0, True)])
def test_worker_whose_step_leaves_a_thread_running_is_not_used_again(
    daemon: bool, left: int, same: bool, project: Project
) -> None:
    project.write(
        f"""
        import threading


        @component
        def look(out: Output[Note], *, leave: bool) -> None:
            put(out, str(os.getpid()))
            if leave:
                thread = threading.Thread(target=time.sleep, args=({left},), daemon={daemon})
                thread.start()
                if {left} == 0:
                    thread.join()


        @pipeline
        def wired():
            first = look(leave=True, id="one", cache=False)
            look(leave=False, id="two", cache=False, after=[first])
        """
    )

    result = project.run(workers=1)

    assert result.state == "COMPLETE"
    pids = [project.text(result, step, "out") for step in ("one", "two")]
    assert (pids[0] == pids[1]) == same


LITTLE_MEMORY = 500 << 20


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """A cgroup whose processes may use 500 MiB, of version 2 or 1."""
    mine = capacity.cgroup()
    folder = Path(mine, f"penstock-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    limit = next((folder / name for name in ("memory.max", "memory.limit_in_bytes") if (folder / name).exists()), None)
    if limit is None:
        folder.rmdir()
        pytest.skip("cgroups limit no memory here")
    limit.write_text(str(LITTLE_MEMORY))
    yield folder
    folder.rmdir()


def test_worker_that_the_kernel_kills_for_memory_is_told_with_peak_and_limit(
    project: Project, little_memory: Path
) -> None:
    project.write(
        """
        @component
        def hungry(out: Output[Note]) -> None:
            blocks = []
            while True:
                blocks.append(b"x" * (10 << 20))


        @pipeline
        def wired():
            hungry(memory="100Mi")
            make()
        """
    )
    script = f"from steps import wired; print(wired.run(root={str(project.root)!r}).state)"
    inside = ["sh", "-c", f'echo $$ > {little_memory}/cgroup.procs && exec "$0" "$@"', sys.executable, "-c", script]

    done = subprocess.run(inside, cwd=project.folder, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout == "FAILED\n", done
    (run,) = [path.name for path in (project.root / "runs").iterdir()]
    executions = project.executions(run)
    assert executions["make"].state == "COMPLETE"
    assert re.fullmatch(
        r"the worker was killed by the kernel, out of memory \(its cgroup counts 1 oom_kill\): "
        r"peak 0\.[1-4]\d GiB of 0\.49 GiB; the step asks for memory=100Mi",
        executions["hungry"].error,
    )


def test_step_that_takes_more_memory_than_it_asks_for_says_so(project: Project) -> None:
    project.write(
        """
        @component
        def hungry(out: Output[Note]) -> None:
            put(out, str(len(bytearray(200 << 20))))


        @pipeline
        def wired():
            hungry(memory="100Mi")
            make(memory="10Gi")
        """
    )

    result = project.run(workers=1)

    assert result["hungry"].state == "COMPLETE"
    assert result["hungry"].reason.startswith("no earlier result; took 2")
    assert result["hungry"].reason.endswith("Mi of memory, and asks for memory=100Mi")
    assert result["make"].reason == "no earlier result"


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("os._exit(3)", "the step ended its process with exit code 3 (os._exit, or a library that gave up)"),
        (
            "import ctypes\nctypes.string_at(0)",
            "the worker was killed by SIGSEGV: the step, or a library that it uses, read or wrote memory that isn't "
            "its own",
        ),
        ("os.abort()", "the worker was killed by SIGABRT: the step, or a library that it uses, gave up"),
    ],
)
def test_step_that_crashes_its_process_is_told_so_and_is_at_fault(deed: str, said: str, project: Project) -> None:
    written(project, deed)

    result = project.run(workers=1)

    assert message(result) == said
    assert result["first"].failure.fault == "user code"
    assert project.log(result, "first").endswith(f"WorkerDied: {said}\n")


@pytest.mark.parametrize(
    ("asked", "peak", "said"),
    [
        (0, 1 << 40, ""),
        (1 << 30, 1 << 30, ""),
        (1 << 30, 5 << 29, "took 2.5Gi of memory, and asks for memory=1Gi"),
    ],
)
def test_memory_beyond_what_was_asked_for_is_named(asked: int, peak: int, said: str) -> None:
    assert capacity.excess(asked, peak) == said


def test_step_that_may_have_no_more_memory_fails_alone(project: Project) -> None:
    written(
        project,
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))\n"
        "block = bytearray(4 << 30)",
    )

    result = project.run(workers=1)

    assert result["first"].failure.type == "MemoryError"
    assert project.states(result) == {"first": "FAILED", "beside": "COMPLETE"}

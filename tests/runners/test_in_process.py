"""The public test double: a pipeline in this process, with its metadata in memory."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline import Unsupported
from penstock.runners import InProcessRunner
from tests.runners.conftest import Project

LOOKING = """
import subprocess
import sys


def price():
    return 10


@component
def look(out: Output[Note]) -> int:
    put(out, f"{os.getpid()} {os.getcwd()} {os.environ.get('MODE')}")
    print("said by look")
    print("complained by look", file=sys.stderr)
    os.environ["LEFT"] = "1"
    os.chdir("/")
    return price()


@pipeline
def wired():
    look(env={"MODE": "fast"})
"""


@pytest.fixture
def looking(project: Project) -> Project:
    project.write(LOOKING)
    return project


def test_steps_run_in_this_process_and_leave_it_as_it_was(looking: Project, tmp_path: Path) -> None:
    folder = os.getcwd()

    run = looking.load().wired.run(runner=InProcessRunner(), root=tmp_path / "here")

    assert looking.text(run, "look", "out") == f"{os.getpid()} {looking.folder} fast"
    assert (os.getcwd(), os.environ.get("LEFT"), os.environ.get("MODE")) == (folder, None, None)
    assert str(looking.folder) not in sys.path[1:]


def test_what_steps_use_can_be_patched(looking: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    module = looking.load()
    monkeypatch.setattr(module, "price", lambda: 99)

    run = module.wired.run(runner=InProcessRunner())

    assert run["look"].values == {"value": 99}


def test_what_steps_print_is_captured_and_in_their_log(looking: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run = looking.load().wired.run(runner=InProcessRunner())

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("said by look\n", "complained by look\n")
    assert looking.log(run, "look") == "said by look\ncomplained by look\n"


def test_nothing_of_the_store_is_on_the_disk_and_the_root_is_the_runners_own(looking: Project) -> None:
    runner = InProcessRunner()

    run = looking.load().wired.run(runner=runner)

    assert run.root == runner.root
    assert not list(Path(run.root).rglob("metadata.db*"))
    assert [each.step for each in runner.store.executions(run.id)] == ["look"]
    assert not (looking.folder / ".penstock").exists()


def test_own_root_is_removed_when_the_process_ends(looking: Project) -> None:
    script = (
        "from steps import wired\nfrom penstock.runners import InProcessRunner\n"
        "print(wired.run(runner=InProcessRunner()).root)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=looking.folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(looking.folder)},
    )  # fmt: skip

    root = Path(done.stdout.splitlines()[-1])
    assert root.is_absolute()
    assert not root.exists()


def test_store_of_the_tests_own_is_used(looking: Project) -> None:
    store = MlmdStore.in_memory()

    run = looking.load().wired.run(runner=InProcessRunner(store))

    assert [each.id for each in store.runs()] == [run.id]


def test_interrupt_in_a_step_ends_the_run(project: Project) -> None:
    project.write(
        """
        @component
        def stop(out: Output[Note]) -> None:
            raise KeyboardInterrupt


        @pipeline
        def wired():
            stopped = stop()
            follow(note=stopped.out)
        """
    )
    runner = InProcessRunner()

    with pytest.raises(KeyboardInterrupt):
        project.load().wired.run(runner=runner)

    (run,) = runner.store.runs()
    states = {each.step: each.state for each in runner.store.executions(run.id)}
    assert (run.state, states) == ("CANCELED", {"stop": "CANCELED", "follow": "SKIPPED"})


def test_step_that_takes_too_long_is_recorded_as_timed_out_once_it_has_ended(project: Project) -> None:
    project.write(
        """
        @component
        def slow(out: Output[Note]) -> None:
            time.sleep(0.2)
            put(out)


        @pipeline
        def wired():
            slow(timeout=0.1)
        """
    )

    run = project.load().wired.run(runner=InProcessRunner())

    assert run["slow"].reason == "timed out after 0.1 s; the step allows no more (timeout=0.1s)"
    assert run["slow"].failure.type == "TimeoutError"


def test_root_with_a_metadata_store_is_refused_and_left_as_it_is(looking: Project) -> None:
    looking.run()
    before = looking.execution_folders()

    with pytest.raises(Unsupported) as raised:
        looking.load().wired.run(runner=InProcessRunner(), root=looking.root)

    assert str(raised.value) == (
        f"{looking.root} is the root of runs with a metadata store, and InProcessRunner records in memory only. Name "
        f"another root, such as pytest's tmp_path, or none."
    )
    assert looking.execution_folders() == before


def test_unknown_runner_is_refused_with_the_nearest_name(looking: Project) -> None:
    with pytest.raises(Unsupported, match=r"There is no runner 'lokal'\. Did you mean 'local'\?"):
        looking.load().wired.run(runner="lokal")


def test_example_of_the_docstring_runs(tmp_path: Path) -> None:
    said = inspect.getdoc(InProcessRunner)
    assert said is not None
    example = said[said.index("    from penstock.artifacts") : said.index("Attributes:")]
    (tmp_path / "test_tiny.py").write_text(textwrap.dedent(example))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_tiny.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "3 passed" in done.stdout, done.stdout


def test_between_run_and_the_users_function_stand_four_files(project: Project) -> None:
    project.write(
        """
        import traceback
        import penstock


        @component
        def look(out: Output[Note]) -> None:
            home = os.path.dirname(penstock.__file__)
            files = [frame.filename for frame in traceback.extract_stack() if frame.filename.startswith(home)]
            put(out, " ".join(dict.fromkeys(os.path.relpath(file, home) for file in files)))


        @pipeline
        def wired():
            look()
        """
    )

    run = project.load().wired.run(runner=InProcessRunner())

    assert project.text(run, "look", "out") == (
        "pipeline/dag.py runners/local.py runners/in_process.py runners/executor.py"
    )

"""`penstock run`: exit codes, plain lines, reports of failures, parameters."""

from __future__ import annotations

import re
import shlex
import signal
import time

import pytest

from tests.cli.conftest import Shell


def test_a_green_run_says_what_ran_and_what_was_pushed(toy: Shell):
    said = toy("run", "pipeline.py")

    assert said.code == 0
    lines = said.out.splitlines()
    assert re.fullmatch(r"Run \w{8} of toy: 4 steps, root \.penstock", lines[0])
    assert re.match(r"\[1/4\] read     COMPLETE +[\d.]+ m?s  3  no earlier result", lines[1])
    assert "4 ran" in said.out
    assert "serving/toy" in said.out
    assert "penstock show" in lines[-1]


def test_output_in_a_pipe_has_no_colour_and_no_carriage_return(toy: Shell):
    said = toy("run", "pipeline.py")

    assert "\x1b" not in said.out + said.err
    assert "\r" not in said.out + said.err


def test_a_second_run_is_cached(toy: Shell):
    toy("run", "pipeline.py")

    said = toy("run", "pipeline.py")

    assert said.code == 0
    assert "4 cached" in said.out
    assert "it is still there" in said.out


def test_no_cache_runs_every_step(toy: Shell):
    toy("run", "pipeline.py")

    said = toy("run", "pipeline.py", "--no-cache")

    assert "4 ran" in said.out


def test_a_deleted_push_is_pushed_again(toy: Shell):
    toy("run", "pipeline.py")
    (toy.folder / "serving" / "toy").rmdir()

    said = toy("run", "pipeline.py")

    assert "3 cached" in said.out
    assert (toy.folder / "serving" / "toy").is_dir()


def test_a_failed_step_shows_the_users_traceback_first(toy: Shell):
    said = toy("run", "pipeline.py", "-p", "behave=badly")

    assert said.code == 1
    report = said.out[said.out.index("Traceback") :]
    assert re.match(
        r'Traceback \(most recent call last\):\n  File ".*/pipeline\.py", line \d+, in train\n'
        r'    raise ValueError\("bad luck"\)\nValueError: bad luck\n\n'
        r"Step 'train' failed in run \w{8}: ValueError in pipeline\.py:\d+ \(your code\): bad luck\n",
        report,
    )
    assert re.search(r"input +rows +\.penstock/artifacts/toy/read/", report)
    assert re.search(r"log +\.penstock/runs/\w+/logs/train\.log", report)
    assert re.search(r"Fix it and go on where it stopped, .*: penstock run pipeline\.py --resume \w{8}\n", report)


def printed_command(said: str) -> list[str]:
    (line,) = [line for line in said.splitlines() if "finished steps are reused: " in line]
    command = shlex.split(line.partition("finished steps are reused: ")[2])
    assert command[0] == "penstock"
    return command[1:]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--root", "elsewhere/a root"],
        ["-p", "serving=it's a $name", "--workers", "1", "--verify"],
        ["--no-cache", "--to", "train", "--refresh", "read"],
    ],
)
def test_the_printed_command_resumes_the_run_as_it_was_asked_for(options: list[str], toy: Shell):
    failed = toy("run", "pipeline.py", "-p", "behave=badly", *options)
    file = toy.folder / "pipeline.py"
    file.write_text(file.read_text().replace('raise ValueError("bad luck")', "pass"))
    command = printed_command(failed.out)

    said = toy(*command)

    assert failed.code == 1
    assert said.code == 0, said
    run = command[command.index("--resume") + 1]
    assert re.search(rf"read +CACHED .* finished in run {run}, which is resumed", said.out)
    assert bool(re.search(r"push +SKIPPED", said.out)) == ("--to" in options)
    assert (toy.folder / "elsewhere").exists() == ("--root" in options)


def test_the_command_printed_after_ctrl_c_resumes_the_run(toy: Shell):
    process = toy.start("run", "pipeline.py", "-p", "behave=slowly")
    _wait_for_step(toy, "inspect")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    file = toy.folder / "pipeline.py"
    file.write_text(re.sub(r"time\.sleep\(.*\)", "pass", file.read_text()))

    said = toy(*printed_command(told))

    assert process.returncode == 130
    assert said.code == 0, said
    assert "which is resumed" in said.out


def test_the_command_after_a_failure_reuses_finished_steps(toy: Shell):
    toy("run", "pipeline.py", "-p", "behave=badly")

    said = toy("run", "pipeline.py")

    assert said.code == 0
    assert "2 ran, 2 cached" in said.out


def test_a_refusing_gate_has_its_own_code(toy: Shell):
    said = toy("run", "pipeline.py", "-p", "accept=false")

    assert said.code == 4
    assert "Step 'inspect' refused the data" in said.out
    assert "Traceback" not in said.out
    assert not (toy.folder / "serving").exists()


def test_a_withheld_effect_has_its_own_code(toy: Shell):
    said = toy("run", "pipeline.py", "-p", "blessed=false")

    assert said.code == 3
    assert re.search(r"not pushed +push: the model is not blessed", said.out)


def test_missing_data_names_the_path(toy: Shell):
    said = toy("run", "pipeline.py", "-p", "source=absent.csv")

    assert said.code == 1
    assert f"there is no file at {toy.folder}/absent.csv" in said.out
    assert "(the data)" in said.out


def test_a_path_given_on_the_command_line_is_relative_to_where_it_is_typed(toy: Shell):
    (toy.folder / "elsewhere").mkdir()
    (toy.folder / "elsewhere" / "own.csv").write_text("a\n1\n")

    said = Shell(toy.folder / "elsewhere")("run", "..", "-p", "source=own.csv", "--root", "root")

    assert said.code == 0
    assert (toy.folder / "elsewhere" / "root" / "metadata.db").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "behav=well"), "Did you mean 'behave'?"),
        (("-p", "factor=many"), "is of type integer, got 'many'"),
        (("-p", "factor"), "-p takes name=value"),
        (("--beam", "flink"), "There is no Beam profile 'flink'"),
        (("--workers", "0"), "--workers"),
        (("--rot", "x"), "--rot"),
    ],
)
def test_wrong_use_runs_nothing(toy: Shell, arguments: tuple[str, ...], message: str):
    said = toy("run", "pipeline.py", *arguments)

    assert said.code == 64
    assert message in said.err
    assert not list((toy.folder / ".penstock").glob("runs/*"))


@pytest.mark.parametrize("name", ["zzz", "abcdefgh"])
def test_resume_of_an_unknown_run_names_the_latest(name: str, toy: Shell):
    first = toy("run", "pipeline.py", "--json").json()["id"]

    said = toy("run", "pipeline.py", "--resume", name)

    assert said.code == 6
    assert f"There is no run '{name}' in {toy.folder}/.penstock." in said.err
    assert f"Latest runs: {first[-8:]}." in said.err


def test_step_is_offered_whatever_the_case(toy: Shell):
    said = toy("run", "pipeline.py", "--only", "TRAIN")

    assert said.code == 64
    assert "has no step 'TRAIN'. Did you mean 'train'?" in said.err


def test_json_is_the_only_thing_on_stdout(toy: Shell):
    said = toy("run", "pipeline.py", "--json")

    result = said.json()
    assert result["state"] == "COMPLETE"
    assert result["exit_code"] == said.code == 0
    assert result["pushed"] == {"push": str(toy.folder / "serving" / "toy")}
    assert [step["id"] for step in result["steps"]] == ["read", "inspect", "train", "push"]
    assert {step["reason"] for step in result["steps"]} == {"no earlier result"}
    assert "[4/4] push" in said.err


def test_a_root_that_is_a_file_can_not_be_used(toy: Shell):
    (toy.folder / "taken").write_text("")

    said = toy("run", "pipeline.py", "--root", "taken")

    assert said.code == 5
    assert str(toy.folder / "taken") in said.err


def test_a_metadata_file_that_is_no_database_is_left_as_it_is(toy: Shell):
    (toy.folder / ".penstock").mkdir()
    database = toy.folder / ".penstock" / "metadata.db"
    database.write_text("these are not the bytes of a database")

    said = toy("run", "pipeline.py")

    assert said.code == 5
    assert "not a metadata store" in said.err
    assert database.read_text() == "these are not the bytes of a database"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_run_and_the_next_one_goes_on(number: signal.Signals, toy: Shell):
    process = toy.start("run", "pipeline.py", "-p", "behave=slowly")
    _wait_for_step(toy, "inspect")
    time.sleep(0.5)

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert re.search(r"train +CANCELED", out)
    assert "is canceled" in err
    assert toy("runs", "--json").json()[0]["state"] == "CANCELED"
    assert "2 ran, 2 cached" in toy("run", "pipeline.py").out


def _wait_for_step(shell: Shell, step: str) -> None:
    """Wait until a step's outputs are published."""
    until = time.monotonic() + 30
    while not list(shell.folder.glob(f".penstock/artifacts/toy/{step}/*/outcome.json")):
        assert time.monotonic() < until, f"step {step} didn't finish"
        time.sleep(0.05)

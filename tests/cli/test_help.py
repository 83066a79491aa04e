"""What the command says of itself, and how little it loads for that."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from penstock.cli.exit_codes import ExitCode
from penstock.cli.lazy_group import COMMANDS
from tests.cli.conftest import PROJECTS, Shell, environment

DOCS = Path(__file__).parents[2] / "docs" / "exit-codes.md"
HEAVY = ["tensorflow", "apache_beam", "pyarrow", "numpy", "keras", "tfx_bsl", "tensorflow_transform"]


def test_exit_codes_are_documented_as_they_are():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)

    assert rows == [(str(int(code)), code.meaning) for code in ExitCode]


def test_help_lists_commands_and_exit_codes(tmp_path: Path):
    said = Shell(tmp_path)("--help")

    assert said.code == 0
    for name, lazy in COMMANDS.items():
        assert re.search(rf"{name} +{re.escape(lazy.summary)}", said.out)
    for code in ExitCode:
        assert re.search(rf"^ +{int(code)} +{re.escape(code.meaning)} *$", said.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_table_says(name: str):
    app = importlib.import_module(COMMANDS[name].module).app

    assert typer.main.get_command(app).help


@pytest.mark.parametrize("arguments", [["--help"], ["check", str(PROJECTS / "toy")], ["runs", "--help"]])
def test_looking_loads_nothing_heavy(arguments: list[str], tmp_path: Path):
    code = f"""
import sys
from penstock.cli.main import run
assert run({arguments!r}) == 0
print([name for name in {HEAVY!r} if name in sys.modules])
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_help_loads_no_store_and_no_runner(tmp_path: Path):
    code = """
import sys
from penstock.cli.main import run
run(["--help"])
print([name for name in sys.modules if name.startswith(("ml_metadata", "penstock.runners", "pydantic"))])
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_a_misspelt_command_is_wrong_use(tmp_path: Path):
    said = Shell(tmp_path)("rnu")

    assert said.code == 64
    assert "Did you mean 'run'" in said.err


def test_an_internal_error_leaves_its_traceback_in_a_file(tmp_path: Path):
    broken = "from penstock.cli import failures; failures.report(RuntimeError('impossible'))"

    done = subprocess.run([sys.executable, "-c", broken], env=environment(), capture_output=True, text=True, check=True)

    found = re.search(r"a bug in Penstock: RuntimeError: impossible\. .* traceback in (\S+) ", done.stderr)
    assert found is not None
    assert Path(found[1]).read_text() == "RuntimeError: impossible\n"
    Path(found[1]).unlink()

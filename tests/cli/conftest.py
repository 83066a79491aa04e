"""The command as a real process, and a project with a pipeline of trivial steps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = os.path.join(os.path.dirname(sys.executable), "penstock")
PROJECTS = Path(__file__).parent / "projects"


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `penstock` in a folder."""

    folder: Path

    def __call__(self, *arguments: str, **variables: str) -> Said:
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=environment(**variables),
            capture_output=True,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def environment(**variables: str) -> dict[str, str]:
    """The environment without what would change the output."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PENSTOCK_ROOT", "FORCE_COLOR", "COLUMNS")
    }
    return kept | variables


@pytest.fixture
def toy(tmp_path: Path) -> Shell:
    """A shell in a fresh copy of the toy project; nothing has run there."""
    shutil.copytree(PROJECTS / "toy", tmp_path / "toy")
    return Shell(tmp_path / "toy")


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a toy project that ran once and then once from the cache; for commands that only look."""
    folder = tmp_path_factory.mktemp("ran") / "toy"
    shutil.copytree(PROJECTS / "toy", folder)
    shell = Shell(folder)
    assert shell("run", "pipeline.py").code == 0
    assert shell("run", "pipeline.py").code == 0
    return shell


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes a Python file into the test's folder and returns a shell there."""

    def write(name: str, text: str) -> Shell:
        (tmp_path / name).write_text(text)
        return Shell(tmp_path)

    return write

"""The floors: who may import whom stands in pyproject.toml, under [tool.importlinter]."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house.source_files import CHECKOUT


def test_floors_are_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")

    process = subprocess.run([command, "--no-logo"], cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert process.returncode == 0, process.stdout

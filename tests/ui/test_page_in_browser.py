"""The page in a real browser: its script runs under its policy, and the console stays silent."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from penstock.ui.page.statistics_page import page
from tests.ui import described
from tests.ui.test_page import HOSTILE

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium or google-chrome on PATH")


def opened(file: Path) -> tuple[str, list[str]]:
    """The page as the browser has it once its script ran, and what it said on the console."""
    assert BROWSER is not None
    options = "--headless=new --no-sandbox --disable-gpu --enable-logging=stderr --virtual-time-budget=3000 --dump-dom"
    command = [BROWSER, *options.split(), f"--user-data-dir={file.parent / 'profile'}", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)


def test_the_script_runs_and_nothing_is_refused(tmp_path: Path):
    shown = described.statistics(tmp_path / "s", {"train": described.taxi(), "eval": described.taxi(seed=1)})
    (tmp_path / "page.html").write_text(page([shown]))

    seen, console = opened(tmp_path / "page.html")

    assert '<div class="tip" hidden=""></div>' in seen
    assert console == []


def test_hostile_data_runs_nothing(tmp_path: Path):
    columns = {f"{hostile}{place}": [hostile] for place, hostile in enumerate(HOSTILE)}
    shown = described.statistics(tmp_path / "s", {"train": columns})
    (tmp_path / "page.html").write_text(page([shown]))

    seen, console = opened(tmp_path / "page.html")

    assert seen.count('class="feature"') == len(HOSTILE)
    assert seen.count("<script>") == 1
    assert console == []

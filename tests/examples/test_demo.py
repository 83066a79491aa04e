"""`make demo`: the penguins pipeline as a user types it, and what is printed after it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PENSTOCK = Path(sys.executable).with_name("penstock")
SOURCE_SHA256 = "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93"


def output_of(*command: str | Path, shell: bool = False) -> str:
    given = str(command[0]) if shell else command
    process = subprocess.run(given, cwd=CHECKOUT, shell=shell, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The lines of the run and the lines after it."""
    folder = tmp_path_factory.mktemp("demo")
    place = ("--root", folder / "root", "-p", f"serving_dir={folder / 'serving'}")
    run = output_of(PENSTOCK, "run", "examples/penguins/pipeline.py", *place)
    told = output_of(sys.executable, "examples/penguins/demo.py", folder / "root")
    return run.splitlines(), told.splitlines()


@pytest.mark.pipeline
def test_the_demo_prints_under_40_lines(demo: tuple[list[str], list[str]]) -> None:
    run, told = demo

    assert len(run) + len(told) < 40


@pytest.mark.pipeline
def test_the_demo_reaches_095_accuracy_and_traces_the_model_to_the_csv(demo: tuple[list[str], list[str]]) -> None:
    _, told = demo

    overall = next(line for line in told if line.startswith("all islands"))

    assert float(overall.split()[3]) >= 0.95
    assert any(f"sha256:{SOURCE_SHA256}" in line for line in told)


@pytest.mark.pipeline
@pytest.mark.parametrize("line", [-2, -1], ids=["python", "command"])
def test_what_the_demo_says_how_to_predict_works(demo: tuple[list[str], list[str]], line: int) -> None:
    _, told = demo

    predicted = output_of(told[line].strip(), shell=True)

    assert re.search(r"b'Adelie',? b'Gentoo',? b'Chinstrap'", predicted)
    scores = [float(number) for number in re.findall(r"\d\.\d+(?:e-?\d+)?", predicted)]
    assert scores.index(max(scores)) == 1

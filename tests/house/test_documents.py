"""What the documents say: links lead somewhere, commands exist, the README's pipeline compiles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source_files import CHECKOUT

DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("examples/**/*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
MADE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PENSTOCK = Path(sys.executable).with_name("penstock")


def readme() -> str:
    return (CHECKOUT / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(TARGET.findall((CHECKOUT / "Makefile").read_text()))

    named = {name for document in DOCUMENTS for name in MADE.findall(document.read_text())}

    assert {"demo", "test", "check", "bench"} <= named <= targets


def test_the_readmes_pipeline_compiles(tmp_path: Path) -> None:
    pipeline, own_step, _ = PYTHON.findall(readme())
    (tmp_path / "pipeline.py").write_text(pipeline)
    for name in ("features.py", "model.py"):
        shutil.copy(CHECKOUT / "examples/penguins" / name, tmp_path)

    checked = subprocess.run([PENSTOCK, "check", tmp_path], capture_output=True, text=True, check=False)
    exec(compile(own_step, "README.md", "exec"), {"__name__": "readme"})

    assert checked.returncode == 0, checked.stderr


STEPS = """
from typing import NamedTuple

from penstock.artifacts import Model
from penstock.pipeline import Input, Output, component


class Verdict(NamedTuple):
    accuracy: float


@component
def train(model: Output[Model], *, rate: float) -> None:
    with open(f"{model.path}/rate.txt", "w") as file:
        file.write(str(rate))


@component
def choose(models: Input[list[Model]], model: Output[Model], *, baseline: Input[Model] | None = None) -> Verdict:
    rates = [float(open(f"{each.path}/rate.txt").read()) for each in models]
    with open(f"{model.path}/rate.txt", "w") as file:
        file.write(str(max(rates)))
    return Verdict(1 - max(rates) / 2)


@component
def publish(model: Input[Model]) -> str:
    return open(f"{model.path}/rate.txt").read()
"""


def test_the_readmes_loop_runs(tmp_path: Path) -> None:
    (tmp_path / "sweep.py").write_text(PYTHON.findall(readme())[2])
    (tmp_path / "steps.py").write_text(STEPS)

    said = subprocess.run(
        [PENSTOCK, "run", "sweep.py", "--root", "root", "--json"], cwd=tmp_path, capture_output=True, check=True
    )

    published = next(step for step in json.loads(said.stdout)["steps"] if step["id"] == "publish")
    assert published["values"] == {"value": "0.1"}


def test_commands_in_the_readme_exist() -> None:
    help_text = subprocess.run([PENSTOCK, "--help"], capture_output=True, text=True, check=True).stdout

    named = set(re.findall(r"^penstock ([a-z]+)", readme(), re.MULTILINE))

    assert "run" in named
    assert all(f" {name} " in help_text for name in named)

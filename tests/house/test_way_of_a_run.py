"""How many of our files stand between `run()` and the user's function, counted three ways."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 15
READY_STEP = 18  # of it 4 behind the metadata store's door: may shrink, not grow
WHOLE_RUN = 34  # wiring, rules, fingerprint, opening of root and store, retries and resources: may shrink, not grow


@pytest.fixture(scope="module")
def way() -> dict[str, list[str]]:
    """The files of ours that are entered in a run of one step, in order, each once."""
    script = Path(__file__).with_name("way_of_a_run.py")
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    return json.loads(process.stdout)


def test_the_call_stack_from_run_to_the_users_function_is_short(way: dict[str, list[str]]) -> None:
    assert way["stack"][0] == "pipeline/dag.py"
    assert way["stack"][-1] == "runners/executor.py"
    assert len(way["stack"]) <= LIMIT


def test_a_ready_step_enters_at_most_15_files_on_its_way_to_the_users_function(way: dict[str, list[str]]) -> None:
    behind_the_store = [file for file in way["step"] if file.startswith("metadata/")]

    places = [file for file in way["step"] if file not in behind_the_store] + ["metadata"]

    assert len(places) <= LIMIT, places
    assert len(way["step"]) <= READY_STEP, way["step"]


def test_a_whole_run_enters_no_more_files_than_it_used_to(way: dict[str, list[str]]) -> None:
    assert len(way["run"]) <= WHOLE_RUN, way["run"]

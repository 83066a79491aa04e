"""Files in the repository that are made from others: each is what its source says today."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import jsonschema
import pytest

from penstock.pipeline.plan import plan_schema
from tests.house.source_files import CHECKOUT

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
LOCKED = re.compile(r'^\[\[package\]\]\nname = "(.+)"\nversion = "(.+)"', re.MULTILINE)


def uv() -> str:
    """The uv of `make setup`, or the one on PATH."""
    own = CHECKOUT / ".uv/bin/uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        pytest.skip("needs uv: make setup")
    return found


def test_requirements_are_what_the_lock_exports() -> None:
    options = "--quiet --offline --frozen --no-dev --no-emit-project --no-header --no-annotate"
    command = [uv(), "export", *options.split(), "--format", "requirements-txt"]

    exported = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout

    assert (CHECKOUT / "requirements.txt").read_text() == exported, "write it anew with: make requirements"


def test_every_requirement_is_pinned_as_locked_and_by_hash() -> None:
    requirements = (CHECKOUT / "requirements.txt").read_text()
    locked = set(LOCKED.findall((CHECKOUT / "uv.lock").read_text()))

    entries = re.split(r"\n(?=\S)", requirements.strip())

    assert set(PINNED.findall(requirements)) <= locked
    assert all(PINNED.match(entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_published_schema_of_plans_is_current() -> None:
    published = json.loads((CHECKOUT / "docs/plan.schema.json").read_text())

    assert published == json.loads(json.dumps(plan_schema())), "write it anew with: make schema"


def test_a_compiled_plan_fits_the_published_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = compiled_plan(tmp_path, monkeypatch)
    schema = json.loads((CHECKOUT / "docs/plan.schema.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(plan)

    assert {node["kind"] for node in plan["nodes"]} == {"importer", "step"}


def test_a_plan_with_an_unknown_field_does_not_fit_the_published_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = compiled_plan(tmp_path, monkeypatch)
    schema = json.loads((CHECKOUT / "docs/plan.schema.json").read_text())

    plan["nodes"][0]["colour"] = "red"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(plan)


def compiled_plan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A plan with steps of all kinds of port and parameter, and an importer."""
    (folder / "small_plan.py").write_text(
        textwrap.dedent('''
            from penstock.artifacts import Examples, Schema
            from penstock.components import CsvExampleGen, ExampleValidator, Importer, StatisticsGen
            from penstock.pipeline import Input, component, pipeline


            @component
            def count(examples: Input[Examples], *, limit: float = 0.5) -> int:
                """Count."""
                return 3


            @pipeline
            def small(data: str = "data", limit: float = 0.1):
                schema = Importer(source_uri="schema", artifact_type=Schema)
                gen = CsvExampleGen(input_base=data)
                stats = StatisticsGen(examples=gen.examples)
                ExampleValidator(statistics=stats.statistics, schema=schema.outputs["result"])
                count(examples=gen.examples, limit=limit)
        ''')
    )
    monkeypatch.syspath_prepend(str(folder))
    from small_plan import small  # type: ignore[import-not-found]

    return json.loads(small.compile().to_json())

"""Importing: every module in any order, components' shells without the heavy libraries."""

from __future__ import annotations

import ast

import pytest

from tests.house.source_files import HEAVY, PACKAGE, in_fresh_python, module_name, source_files

IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
meant = {}
for package in ("pipeline", "components", "metadata", "data", "artifacts"):
    module = importlib.import_module(f"penstock.{package}")
    for name in dir(module):
        if not name.startswith("_"):
            value = getattr(module, name)
            meant[f"{package}.{name}"] = f"{type(value).__name__} {getattr(value, '__module__', '')}"
print(json.dumps(meant))
"""

IMPORT_SHELLS = """
import importlib, json, sys
heavy, loaded = sys.argv[1].split(","), {}
for name in sys.argv[2:]:
    importlib.import_module(name)
    loaded[name] = [library for library in heavy if library in sys.modules]
print(json.dumps(loaded))
"""


def shells() -> list[str]:
    """Every module below penstock.components that defines a component."""
    return [module_name(path) for path in source_files() if PACKAGE / "components" in path.parents and is_shell(path)]


def is_shell(path) -> bool:
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    decorators = [decorator for function in functions for decorator in function.decorator_list]
    called = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in decorators]
    return any(isinstance(name, ast.Name) and name.id == "component" for name in called)


def test_every_module_imports_in_two_orders_and_public_names_mean_the_same() -> None:
    modules = sorted(module_name(path) for path in source_files())

    forwards = in_fresh_python(IMPORT_ALL, *modules)
    backwards = in_fresh_python(IMPORT_ALL, *reversed(modules))

    assert forwards == backwards


@pytest.mark.parametrize("package", ["penstock.pipeline", "penstock.components", "penstock.artifacts"])
def test_what_a_pipeline_file_imports_is_light(package: str) -> None:
    code = f"import {package} as p; [getattr(p, name) for name in dir(p)]\n{IMPORT_SHELLS}"

    loaded = in_fresh_python(code, ",".join(HEAVY), "penstock")

    assert loaded == {"penstock": []}


def test_shells_import_no_heavy_library() -> None:
    found = shells()

    loaded = in_fresh_python(IMPORT_SHELLS, ",".join(HEAVY), *found)

    assert len(found) >= 9
    assert loaded == {shell: [] for shell in found}


def test_model_of_another_framework_is_digested_without_tensorflow(tmp_path) -> None:
    (tmp_path / "weights.txt").write_text("0.5")
    code = """
import json, sys
from penstock.components.training.model_digest import digest
print(json.dumps([digest(sys.argv[1]), "tensorflow" in sys.modules]))
"""

    digest, imported = in_fresh_python(code, str(tmp_path))

    assert digest.startswith("tree-1:")
    assert not imported

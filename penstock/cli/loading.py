"""A file on the command line becomes the pipeline that is defined in it."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

from penstock.pipeline import Pipeline, Plan
from penstock.pipeline.compiler import module_of
from penstock.pipeline.errors import PenstockError, UserCodeError, WiringError, listing, nearest
from penstock.pipeline.project import Project
from penstock.ui.user_traceback import innermost, is_ours

DEFAULT_FILE = "pipeline.py"


def load_pipeline(target: str) -> Pipeline:
    """Import a file and return the pipeline in it.

    Args:
        target: A file, a folder that holds a `pipeline.py`, or either with ":name" where the file has several.

    Raises:
        WiringError: There is no such file, or no such pipeline in it.
        UserCodeError: The file can't be imported; the cause is what it raised.
    """
    path, name = split_target(target)
    file = find_file(path)
    module = _import(file)
    found = {key: value for key, value in vars(module).items() if isinstance(value, Pipeline)}
    own = {key: value for key, value in found.items() if value.source == file} or found
    if name:
        if name not in found:
            raise WiringError(f"{path} has no pipeline {name!r}.{nearest(name, found)} It has: {listing(found)}.")
        return found[name]
    if not own:
        raise WiringError(
            f"{path} defines no pipeline. Decorate the function that wires the components with @pipeline "
            f"(from penstock.pipeline import pipeline)."
        )
    if len(own) > 1:
        raise WiringError(f"{path} defines {len(own)} pipelines: {listing(own)}. Say which: {path}:{next(iter(own))}.")
    return next(iter(own.values()))


def compile_pipeline(pipeline: Pipeline) -> Plan:
    """Compile a pipeline; what its own function raises is the user's.

    Raises:
        PenstockError: The wiring is wrong, or the function failed (UserCodeError).
    """
    try:
        return pipeline.compile()
    except PenstockError:
        raise
    except Exception as error:
        if is_ours(error):
            raise
        where = innermost(error, pipeline.project.code_root)
        raise UserCodeError(
            f"Pipeline {pipeline.name!r} can't be compiled: {type(error).__name__} in {where} (your code)."
        ) from error


def split_target(target: str) -> tuple[str, str]:
    """Split "pipeline.py:name" into the file and the name; the name is "" where none is given."""
    path, colon, name = target.rpartition(":")
    if colon and name.isidentifier() and not os.path.exists(target):
        return path, name
    return target, ""


def find_file(path: str) -> str:
    """Return the absolute path of a pipeline's file.

    Raises:
        WiringError: It is missing, or no Python file.
    """
    file = os.path.join(path, DEFAULT_FILE) if os.path.isdir(path) else path
    if not os.path.isfile(file):
        folder = os.path.dirname(file) or "."
        if not os.path.isdir(folder):
            raise WiringError(f"There is no folder {folder}, so no pipeline in it. You are in {os.getcwd()}.")
        python = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
        hint = nearest(os.path.basename(file), python)
        raise WiringError(f"There is no file {file}.{hint} Python files in {folder}: {listing(python)}.")
    if not file.endswith(".py"):
        raise WiringError(f"{path} is no Python file; a pipeline is a Python file with a function under @pipeline.")
    return os.path.abspath(file)


def _import(file: str) -> ModuleType:
    """Import a file by the name under which workers will import it: its place below the code root."""
    code_root = Project.of_file(file).code_root
    relative = os.path.relpath(file, code_root)
    if relative.startswith(os.pardir):
        raise WiringError(
            f"{file} lies outside the code root {code_root}. Move it below, or change `code` in the settings."
        )
    name = module_of(relative.replace(os.sep, "/"))
    _check_name(file, name)
    sys.path.insert(0, code_root)
    try:
        module = importlib.import_module(name)
    except PenstockError:
        raise
    except Exception as error:
        where = innermost(error, code_root)
        place = f" in {where} (your code)" if where else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserCodeError(f"{relative} can't be imported: {type(error).__name__}{place}: {said}.") from error
    if os.path.abspath(module.__file__ or "") != file:
        raise WiringError(f"{file} can't be imported: the name {name!r} means {module.__file__}. Rename the file.")
    return module


def _check_name(file: str, name: str) -> None:
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise WiringError(f"{file} can't be imported as {name!r}. Name files and folders with letters, digits and '_'.")
    if parts[0] in sys.stdlib_module_names:
        raise WiringError(f"{file} has the name of Python's own module {parts[0]!r}. Rename the file.")

"""A project's settings: where its code and its root are, read from penstock.toml or pyproject.toml."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.pipeline.errors import WiringError, nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT_VARIABLE = "PENSTOCK_ROOT"
DEFAULT_ROOT = ".penstock"
KNOWN = ("root", "code", "resources")
RESOURCES = ("cpus", "memory", "gpus")


@dataclass(frozen=True)
class Project:
    """Settings with their places made absolute.

    Attributes:
        code_root: The folder user modules are imported from: `code` of the settings, else the pipeline's own folder.
        root: The folder of artifacts and metadata: $PENSTOCK_ROOT, else `root` of the settings that hold in the
            working directory, else of those that hold for the pipeline, else `.penstock` in the working directory.
        resources: What steps may claim together, from [resources] of the settings: `cpus`, `memory` such as "16Gi",
            `gpus`. What isn't named is what the machine has.
    """

    code_root: str
    root: str
    resources: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of_file(path: str) -> Project:
        """Return the settings that hold for a pipeline's file."""
        return Project.of_folder(os.path.dirname(os.path.abspath(path)))

    @staticmethod
    def of_folder(folder: str) -> Project:
        """Return the settings that hold in a folder."""
        home, settings = _settings(folder)
        code = os.path.join(home, settings["code"]) if "code" in settings else folder
        return Project(os.path.abspath(code), default_root(folder), settings.get("resources", {}))


def default_root(pipeline: str | None = None) -> str:
    """Return the root that holds in the working directory, or there for a pipeline of another folder."""
    if os.environ.get(ROOT_VARIABLE):
        return os.path.abspath(os.environ[ROOT_VARIABLE])
    for folder in [os.getcwd(), *([pipeline] if pipeline else [])]:
        home, settings = _settings(folder)
        if "root" in settings:
            return os.path.abspath(os.path.join(home, settings["root"]))
    return os.path.abspath(DEFAULT_ROOT)


def is_root_by_chance(root: str, code_root: str) -> bool:
    """Say whether nothing but the working directory made a root the one of a pipeline whose code is elsewhere."""
    here = os.getcwd()
    return root == os.path.join(here, DEFAULT_ROOT) and os.path.commonpath([here, code_root]) != here


@functools.lru_cache(maxsize=32)
def _settings(folder: str) -> tuple[str, dict[str, Any]]:
    """Return the nearest settings at or above a folder, and the folder they stand in."""
    while True:
        for name, key in (("penstock.toml", None), ("pyproject.toml", "penstock")):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                content = _read(path)
                found = content if key is None else content.get("tool", {}).get(key)
                if found is not None:
                    return folder, _checked(path, found)
        parent = os.path.dirname(folder)
        if parent == folder:
            return folder, {}
        folder = parent


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content: dict[str, Any] = tomllib.load(file)
            return content
    except tomllib.TOMLDecodeError as error:
        raise WiringError(f"{path} is not valid TOML: {error}.") from None


def _checked(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    for name in settings:
        if name not in KNOWN:
            raise WiringError(f"{path} has an unknown setting {name!r} for penstock. It takes: {', '.join(KNOWN)}.")
    resources = settings.get("resources", {})
    for name in resources:
        if name not in RESOURCES:
            raise WiringError(
                f"{path} has an unknown resource {name!r}.{nearest(name, RESOURCES)} It takes: {', '.join(RESOURCES)}."
            )
    return settings

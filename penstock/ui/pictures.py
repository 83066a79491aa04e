"""Which artifact types can be pictured, and by which module: in the terminal, as JSON, and on a page.

A module of `penstock.ui.contents` has `document(shown, wish)`, JSON values of one artifact, and
`render(artifacts, wish)`, something to print of one or several beside each other. They are imported on first use: what
reads statistics imports pyarrow.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.ui.shown import EVERYTHING, Shown, Wish

CONTENTS: dict[str, str] = {
    "ExampleAnomalies": "penstock.ui.contents.anomalies",
    "ExampleStatistics": "penstock.ui.contents.statistics",
    "Schema": "penstock.ui.contents.schema",
    "ExamplesDiff": "penstock.ui.contents.examples_diff",
    "ModelEvaluation": "penstock.ui.contents.evaluation",
}
"""Modules by artifact type, in the order in which they are shown."""

PAGE = "penstock.ui.page.statistics_page"

MARKS: dict[str, str] = {
    "SchemaDiff.pb": "ExampleAnomalies",
    "FeatureStats.pb": "ExampleStatistics",
    "schema.pbtxt": "Schema",
    "example_diff.json": "ExamplesDiff",
    "metrics.json": "ModelEvaluation",
}
"""The file by which a folder that no root has recorded tells its type."""


def type_of_path(path: str) -> str | None:
    """Return the type of what lies at a path, by the names of its files; None for what can't be pictured."""
    if os.path.isfile(path):
        return "Schema" if path.endswith(".pbtxt") else None
    if not os.path.isdir(path):
        return None
    names = set(os.listdir(path))
    for each in sorted(names):
        if each.startswith("Split-") and os.path.isdir(os.path.join(path, each)):
            names |= set(os.listdir(os.path.join(path, each)))
    return next((MARKS[mark] for mark in MARKS if mark in names), None)


def document(shown: Shown, wish: Wish = EVERYTHING) -> Any:
    """Return what is inside one artifact as JSON values.

    Raises:
        DataFormatError: A file can't be read.
        OSError: A file is gone.
        ParameterError: The wish names what there is not.
    """
    return importlib.import_module(CONTENTS[shown.type]).document(shown, wish)


def render(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> RenderableType:
    """Return artifacts for the terminal, those of one type beside each other.

    Raises:
        DataFormatError: A file can't be read.
        OSError: A file is gone.
        ParameterError: The wish names what there is not.
    """
    parts: list[RenderableType] = []
    for type_name, module in CONTENTS.items():
        own = [shown for shown in artifacts if shown.type == type_name]
        if own:
            parts += [*([Text()] if parts else []), importlib.import_module(module).render(own, wish)]
    return Group(*parts)


def page(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> str:
    """Return artifacts as one page of HTML that asks the network for nothing.

    Raises:
        DataFormatError: A file can't be read.
        OSError: A file is gone.
        ParameterError: The wish names what there is not.
    """
    text: str = importlib.import_module(PAGE).page(artifacts, wish)
    return text

"""A ModelEvaluation's metrics, overall and by slice, from its `metrics.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.ui import formats, tables
from penstock.ui.shown import EVERYTHING, Shown, Wish

METRICS_FILE = "metrics.json"
MAX_SLICES = 30


def document(shown: Shown, wish: Wish = EVERYTHING) -> dict[str, Any]:
    """Return the evaluation as it was written.

    Raises:
        OSError: There is no `metrics.json` in the folder.
    """
    with open(os.path.join(shown.path, METRICS_FILE), encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def render(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> RenderableType:
    """Return a row overall and a row a slice, a column a metric, then the bounds; one evaluation after the other."""
    return Group(*(part for shown in artifacts for part in _evaluation(shown, several=len(artifacts) > 1)))


def _evaluation(shown: Shown, *, several: bool) -> Iterator[RenderableType]:
    found = document(shown)
    parts: list[RenderableType] = [*([Text(f"\n{shown.label}", "bold")] if several else []), _metrics(found)]
    if len(found["slices"]) > MAX_SLICES:
        parts.append(Text(f"… {len(found['slices']) - MAX_SLICES} more slices in {METRICS_FILE}", "dim"))
    bounds = [_bound(bound) for bound in found["bounds"]]
    yield from (*parts, *([Text("\nbounds", "bold"), *bounds] if bounds else []))


def _metrics(found: Mapping[str, Any]) -> Table:
    names = list(found["overall"])
    table = tables.listing("slice", *names, right=tuple(names))
    table.add_row(f"all {formats.counted(found['rows'], 'row')}", *_cells(found["overall"], names))
    for part in found["slices"][:MAX_SLICES]:
        table.add_row(slice_name(part["slice"]), *_cells(part["metrics"], names))
    return table


def slice_name(values: Mapping[str, Any]) -> str:
    """Return "island = Biscoe" of a slice's values by column."""
    return ", ".join(f"{column} = {'(missing)' if own is None else own}" for column, own in values.items())


def _cells(metrics: Mapping[str, float | None], names: list[str]) -> list[str]:
    values = [metrics.get(name) for name in names]
    return ["-" if value is None else formats.number(value) for value in values]


def _bound(bound: Mapping[str, Any]) -> Text:
    sign, style = ("✓", "green") if bound["holds"] else ("✗", "bold red")
    return Text.assemble((f"{sign} ", style), str(bound["reason"]))

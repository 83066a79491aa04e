"""ExampleStatistics as a small table a split: how many values, how many missing, and what they are like."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.data import protos
from penstock.ui import formats, tables

MAX_FEATURES = 100
TOP_VALUES = 3
TEXT_LENGTH = 20


def document(path: str) -> dict[str, Any]:
    """Return a few figures by split and feature.

    Raises:
        DataFormatError: A file can't be read.
    """
    return {split: _of_split(path, split) for split in protos.split_names_of(path)}


def render(path: str) -> RenderableType:
    """Return a table a split."""
    parts: list[RenderableType] = []
    for split, found in document(path).items():
        head = f"{split}: {formats.counted(found['rows'], 'row')}"
        table = tables.listing("feature", "type", "missing", "mean", "min", "max", "unique", "most frequent",
                               right=("missing", "mean", "min", "max", "unique"))  # fmt: skip
        for feature in found["features"][:MAX_FEATURES]:
            table.add_row(*_row(feature))
        left_out = len(found["features"]) - MAX_FEATURES
        parts += [Text(head, "bold"), table, Text(f"… {left_out} more features\n" if left_out > 0 else "", "dim")]
    return Group(*parts)


def _row(feature: dict[str, Any]) -> list[str]:
    written = {"missing": formats.number, "unique": formats.number}
    top = ", ".join(formats.shortened(str(value), TEXT_LENGTH) for value in feature.get("top", ()))
    cells = [
        written.get(name, formats.measure)(feature[name]) if name in feature else ""
        for name in ("missing", "mean", "min", "max", "unique")
    ]
    return [feature["name"], feature["type"], *cells, top]


def _of_split(path: str, split: str) -> dict[str, Any]:
    dataset = protos.read_statistics(path, split).datasets[0]
    return {"rows": int(dataset.num_examples), "features": [_feature(each) for each in dataset.features]}


def _feature(feature: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": feature.name or ".".join(feature.path.step),
        "type": type(feature).Type.Name(feature.type).lower(),
    }
    kind = feature.WhichOneof("stats")
    if kind is None:
        return found
    figures = getattr(feature, kind)
    found["missing"] = int(figures.common_stats.num_missing)
    if kind == "num_stats":
        found |= {"mean": figures.mean, "min": figures.min, "max": figures.max}
    elif kind == "string_stats":
        found["unique"] = int(figures.unique)
        found["top"] = [top.value for top in figures.top_values[:TOP_VALUES]]
    return found

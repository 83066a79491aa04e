"""ExampleAnomalies as a list: what is wrong with which feature of which split."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from penstock.data import protos
from penstock.ui import tables

SEVERITIES = {0: "UNKNOWN", 1: "WARNING", 2: "ERROR"}
STYLES = {"ERROR": "bold red", "WARNING": "yellow"}


def document(path: str) -> dict[str, list[dict[str, Any]]]:
    """Return the anomalies by split: feature, severity and descriptions.

    Raises:
        DataFormatError: A file can't be read.
    """
    return {split: _of_split(path, split) for split in protos.split_names_of(path)}


def render(path: str) -> RenderableType:
    """Return a row an anomaly, or one line when there is none."""
    found = document(path)
    if not any(found.values()):
        return Text(f"No anomalies in {', '.join(found) or 'no split'}.", "green")
    table = tables.listing("split", "feature", "severity", "anomaly", folds=("anomaly",))
    for split, anomalies in found.items():
        for one in anomalies:
            severity = Text(one["severity"], STYLES.get(one["severity"], ""))
            table.add_row(split, one["feature"], severity, f"{one['short_description']}: {one['description']}")
    return table


def _of_split(path: str, split: str) -> list[dict[str, Any]]:
    anomalies = protos.read_anomalies(path, split)
    named = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        named.insert(0, ("(the whole split)", anomalies.dataset_anomaly_info))
    return [
        {
            "feature": name,
            "severity": SEVERITIES.get(info.severity, str(info.severity)),
            "short_description": info.short_description,
            "description": info.description,
        }
        for name, info in named
    ]

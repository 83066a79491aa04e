"""Small statistics, schemas and anomalies on disk, for the tests of pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console, RenderableType
from tensorflow_metadata.proto.v0 import anomalies_pb2

from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.stats_options import StatsOptions
from penstock.data import protos
from penstock.ui.shown import Shown

Columns = Mapping[str, Sequence[Any]]


def text(renderable: RenderableType, width: int = 200) -> str:
    """What a terminal of this width shows, without colours."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def statistics(folder: Path, splits: Mapping[str, Columns], options: StatsOptions | None = None) -> Shown:
    """Describe tables, a split each."""
    for split, columns in splits.items():
        described = describe_table(pa.table(dict(columns)), options=options or StatsOptions())
        protos.write_statistics(str(folder), split, described)
    return Shown("ExampleStatistics", str(folder), reference="7")


def taxi(rows: int = 400, *, factor: float = 1.0, seed: int = 0) -> Columns:
    """Fares, payments and tips of which a quarter is missing."""
    rng = np.random.default_rng(seed)
    return {
        "fare": np.round(rng.gamma(2.0, 5.0, rows) * factor, 2).tolist(),
        "payment": rng.choice(["Cash", "Card", "Dispute"], rows, p=[0.6, 0.3, 0.1]).tolist(),
        "tips": [value if value > 0.25 else None for value in rng.random(rows).tolist()],
    }


def anomalies(folder: Path, found: Mapping[str, Sequence[tuple[str, int, str, str]]], *origins: Shown) -> Shown:
    """Write anomalies, by split: feature, severity, short and long description."""
    for split, every in found.items():
        proto = anomalies_pb2.Anomalies()
        for name, severity, short, told in every:
            info = proto.anomaly_info[name]
            info.severity, info.short_description, info.description = severity, short, told
            info.path.step.append(name)
            info.reason.add(type=anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES,
                            short_description=short, description=told)  # fmt: skip
        protos.write_anomalies(str(folder), split, proto)
    return Shown("ExampleAnomalies", str(folder), reference="9", made_from=origins)

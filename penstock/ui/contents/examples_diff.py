"""ExamplesDiff: in how many pairs of rows of one key each feature differs, and a few of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.components.validation.paired_skew_report import FILE
from penstock.data.protos import split_names_of
from penstock.pipeline.errors import listing
from penstock.ui import formats
from penstock.ui.fitting_table import Column, FittingTable
from penstock.ui.shown import EVERYTHING, Shown, Wish

SAMPLES = 5
NAME_LENGTH = 60
_COLUMNS = (
    Column("feature", least=18),
    Column("differ", right=True),
    Column("pairs", right=True, rank=3),
    Column("only in the examples", right=True, rank=1),
    Column("only in the baseline", right=True, rank=2),
)


def document(shown: Shown, wish: Wish = EVERYTHING) -> dict[str, Any]:
    """Return what was written, by pair of splits.

    Raises:
        OSError: There is no such file.
    """
    pairs = split_names_of(shown.path)
    return {pair: json.loads(Path(shown.path, f"Split-{pair}", FILE).read_text(encoding="utf-8")) for pair in pairs}


def render(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> RenderableType:
    """Return a table a pair of splits, the features that differ most first, then samples.

    Raises:
        OSError: There is no such file.
        ParameterError: The wish names what isn't compared.
    """
    parts: list[RenderableType] = []
    for shown in artifacts:
        for pair, found in document(shown, wish).items():
            parts += [*([Text()] if parts else []), *_pair(pair, found, wish, shown.label)]
    return Group(*parts)


def pair_head(found: Mapping[str, Any]) -> str:
    """Return how many pairs were compared, and which rows and columns had no counterpart."""
    left = {"only_examples": "only in the examples", "only_baseline": "only in the baseline",
            "ambiguous": "with a key that occurs again", "keyless": "without a key"}  # fmt: skip
    told = [f"{found[name]:,} {words}" for name, words in left.items() if found.get(name)]
    alone = {side: found.get(f"columns_only_{side}") for side in ("examples", "baseline")}
    columns = [f"columns only in the {side}: {_names(names)}" for side, names in alone.items() if names]
    rows = [f"rows {', '.join(told)}"] if told else []
    return "; ".join([f"{formats.counted(found['pairs'], 'pair')} compared", *rows, *columns])


def _names(names: Sequence[str]) -> str:
    return listing(formats.visible(name, NAME_LENGTH) for name in names)


def differing(found: Mapping[str, Any], wish: Wish) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the features that are wanted, those that differ most first."""
    wanted = set(wish.chosen(found["features"]))
    chosen = [(name, each) for name, each in found["features"].items() if name in wanted]
    return sorted(chosen, key=lambda pair: -pair[1]["skew"])


def _pair(pair: str, found: Mapping[str, Any], wish: Wish, label: str) -> Iterator[RenderableType]:
    yield Text.assemble((f"{pair} {label}".rstrip(), "bold"), f"  {pair_head(found)}")
    rows: list[tuple[str | Text, ...]] = [
        (
            Text(formats.visible(name, NAME_LENGTH), "bold"),
            Text(formats.percent(each["skew"]), "yellow" if each["skew"] else "dim"),
            *(f"{each[figure]:,}" for figure in ("different", "only_examples", "only_baseline")),
        )
        for name, each in differing(found, wish)[: wish.limit]
    ]
    yield FittingTable(_COLUMNS, rows)
    for sample in found["samples"][:SAMPLES]:
        yield Text(f"  {sample_line(sample)}", "dim")


def sample_line(sample: Mapping[str, Any]) -> str:
    """Return one pair that differs: its key, and what the two sides say."""
    key = ", ".join(f"{name} {_shown(value)}" for name, value in sample["key"].items())
    values = "; ".join(
        f"{name} {_shown(ours)} against {_shown(base)}" for name, (ours, base) in sample["values"].items()
    )
    return f"{key}: {values}"


def _shown(value: Any) -> str:
    return formats.visible(json.dumps(value, ensure_ascii=False), NAME_LENGTH)

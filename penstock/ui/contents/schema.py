"""A Schema as a table: type, presence, number of values, domain, environments and comparators of each feature."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.components.validation.compatibility import Compatibility
from penstock.components.validation.schema_difference import differences
from penstock.data.protos import SCHEMA_FILE, read_schema
from penstock.ui import formats
from penstock.ui.fitting_table import Column, FittingTable
from penstock.ui.schema_figures import SchemaRow, schema_facts, schema_rows
from penstock.ui.shown import EVERYTHING, Shown, Wish

NAME_LENGTH = 60
VALUES = 4
TEXT_LENGTH = 20
CHANGES_LENGTH = 200
STYLES = {
    Compatibility.COMPATIBLE: "green",
    Compatibility.NEEDS_RETRAINING: "yellow",
    Compatibility.BREAKING: "bold red",
}

_COLUMNS = (
    Column("feature", least=18),
    Column("type"),
    Column("presence", rank=2),
    Column("values a row", rank=4),
    Column("domain", rank=1, least=16),
    Column("environments", rank=5, least=8),
    Column("drift and skew", rank=3, least=16),
    Column("stage", rank=6),
)


def document(shown: Shown, wish: Wish = EVERYTHING) -> dict[str, Any]:
    """Return the schema's text, and what it says of each feature.

    Raises:
        OSError: There is no `schema.pbtxt` in the folder.
        DataFormatError: The file is no schema.
    """
    file = os.path.join(shown.path, SCHEMA_FILE) if os.path.isdir(shown.path) else shown.path
    rows = schema_rows(read_schema(shown.path))
    wanted = set(wish.chosen(row.name for row in rows))
    features = [{name: value for name, value in vars(row).items() if value} for row in rows if row.name in wanted]
    return {"text": Path(file).read_text(encoding="utf-8"), "features": features}


def render(artifacts: Sequence[Shown], wish: Wish = EVERYTHING) -> RenderableType:
    """Return a table a schema, and what differs between the first and each of the others.

    Raises:
        DataFormatError: A file is no schema.
        ParameterError: The wish names what the schema doesn't have.
    """
    parts = [_schema(shown, wish) for shown in artifacts]
    tables = [part for place, own in enumerate(parts) for part in ([Text()] if place else []) + [own]]
    return Group(*tables, *(part for after in artifacts[1:] for part in _differences(artifacts[0], after)))


def _differences(before: Shown, after: Shown) -> Iterator[RenderableType]:
    found = differences(read_schema(before.path), read_schema(after.path))
    yield Text(f"\nfrom {before.label} to {after.label}: {formats.counted(len(found), 'difference')}", "bold")
    columns = Column("entry", least=18), Column("changes", least=24), Column("for models", rank=1)
    rows = [
        (
            formats.visible(each.subject, NAME_LENGTH),
            formats.visible("; ".join(each.changes), CHANGES_LENGTH),
            Text(each.compatibility.value, STYLES[each.compatibility]),
        )
        for each in found
    ]
    yield FittingTable(columns, rows)


def _schema(shown: Shown, wish: Wish) -> RenderableType:
    schema = read_schema(shown.path)
    rows = schema_rows(schema)
    wanted = set(wish.chosen(row.name for row in rows))
    chosen = [row for row in rows if row.name in wanted]
    if wish.sort == "name":
        chosen.sort(key=lambda row: row.name)
    listed = chosen[: wish.limit]
    facts = [Text(f"{name}: {value}") for name, value in schema_facts(schema)]
    more = len(chosen) - len(listed)
    left = [Text(f"… {more:,} more features; --limit {len(chosen)} lists them", "dim")] if more else []
    head = Text.assemble((formats.counted(len(rows), "feature"), "bold"), f" {shown.label}".rstrip())
    return Group(head, *facts, Text(), FittingTable(_COLUMNS, [_row(row) for row in listed]), *left)


def _row(row: SchemaRow) -> tuple[str | Text, ...]:
    name = Text(formats.visible(row.name, NAME_LENGTH), "bold")
    facts = row.presence, row.valency, _domain(row), row.environments, row.comparators
    return name, row.type.lower(), *facts, Text(row.stage, "yellow")


def _domain(row: SchemaRow) -> str:
    if not row.values:
        return row.domain
    shown = ", ".join(formats.shortened(value, TEXT_LENGTH) or repr(value) for value in row.values[:VALUES])
    return f"{row.domain}: {shown}{', …' if row.value_count > VALUES else ''}"

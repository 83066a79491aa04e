"""A schema on a page: a row a feature, and the values of its domains to unfold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.components.validation.compatibility import Compatibility
from penstock.components.validation.schema_difference import differences
from penstock.data.protos import read_schema
from penstock.ui import formats
from penstock.ui.page.anomaly_cards import linked
from penstock.ui.page.markup import Markup, joined, tag
from penstock.ui.page.plain_table import plain_table
from penstock.ui.page.statistics_cells import NAME_LENGTH
from penstock.ui.schema_figures import SchemaRow
from penstock.ui.shown import Shown

HEADS = ("feature", "type", "presence", "values a row", "domain", "environments", "drift and skew")
MOST_VALUES = 100
FEW_VALUES = 4
CHANGES_LENGTH = 1000
CHIPS = {
    Compatibility.COMPATIBLE: "",
    Compatibility.NEEDS_RETRAINING: "warning",
    Compatibility.BREAKING: "error",
}


def schema_section(
    rows: Sequence[SchemaRow], facts: Sequence[tuple[str, str]], anchors: Mapping[str, str], label: str
) -> Markup:
    """Return what a schema says.

    Args:
        rows: By feature.
        facts: Of the data as a whole, by name.
        anchors: The ids of features' cards.
        label: What tells the schema apart from others.
    """
    told = " · ".join([formats.counted(len(rows), "feature"), *(f"{name}: {value}" for name, value in facts)])
    table = plain_table(HEADS, [_row(row, anchors) for row in rows], class_="schema", tall=True)
    title = tag("h2", f"Schema {label}".rstrip(), tag("small", told))
    return tag("section", title, table)


def difference_section(before: Shown, after: Shown) -> Markup:
    """Return what differs between two schemas, and what it means for models.

    Raises:
        DataFormatError: A file is no schema.
    """
    found = differences(read_schema(before.path), read_schema(after.path))
    rows = [
        tag(
            "tr",
            tag("th", formats.visible(each.subject, NAME_LENGTH), scope="row"),
            tag("td", formats.visible("; ".join(each.changes), CHANGES_LENGTH)),
            tag("td", tag("span", each.compatibility.value, class_=f"chip {CHIPS[each.compatibility]}".rstrip())),
        )
        for each in found
    ]
    told = tag("small", f"from {before.label} to {after.label}: {formats.counted(len(found), 'difference')}")
    table = plain_table(("entry", "changes", "for models"), rows, class_="schema", tall=True) if rows else None
    return tag("section", tag("h2", "What differs", told), table)


def _row(row: SchemaRow, anchors: Mapping[str, str]) -> Markup:
    stage = tag("span", row.stage.lower().replace("_", " "), class_="chip warning") if row.stage else None
    return tag(
        "tr",
        tag("th", linked(row.name, anchors), stage, scope="row"),
        tag("td", row.type.lower()),
        tag("td", row.presence),
        tag("td", row.valency),
        tag("td", _domain(row)),
        tag("td", row.environments),
        tag("td", row.comparators),
        data_name=formats.visible(row.name, 200),
    )


def _domain(row: SchemaRow) -> Markup:
    if not row.values:
        return joined([row.domain])
    shown = ", ".join(value or "“”" for value in row.values[:FEW_VALUES])
    if len(row.values) <= FEW_VALUES:
        return joined([shown])
    more = row.value_count - MOST_VALUES
    every = ", ".join(value or "“”" for value in row.values[:MOST_VALUES]) + (f" … {more:,} more" if more > 0 else "")
    return tag("details", tag("summary", f"{row.domain}: {shown}, …"), tag("p", every))

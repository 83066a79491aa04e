"""Leakage and correlations on a page: what one split or feature tells of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.ui import formats
from penstock.ui.correlations import Correlation
from penstock.ui.leakage_figures import LeakageRow
from penstock.ui.page.anomaly_cards import linked
from penstock.ui.page.charts import meter
from penstock.ui.page.markup import Markup, tag
from penstock.ui.page.plain_table import plain_table
from penstock.ui.page.statistics_cells import side_name
from penstock.ui.statistics_sides import Side


def leakage_section(rows: Sequence[LeakageRow]) -> Markup | None:
    """Return what was measured about leakage; None where nothing was."""
    if not rows:
        return None
    heads = ("what", "split", "measured", "may be", "", "evidence")
    body = [
        tag(
            "tr",
            tag("th", row.what, scope="row"),
            tag("td", row.split),
            tag("td", formats.percent(row.share), class_="num"),
            tag("td", formats.percent(row.bound), class_="num"),
            tag("td", meter(row.share, row.bound, "" if row.holds else "bad"),
                tag("span", "within" if row.holds else "leaks", class_="ok" if row.holds else "not-ok")),
            tag("td", row.told),
        )
        for row in rows
    ]  # fmt: skip
    return tag("section", tag("h2", "Leakage"), plain_table(heads, body, right=("measured", "may be")))


def correlation_section(
    pairs: Sequence[Correlation], sides: Sequence[Side], anchors: Mapping[str, str]
) -> Markup | None:
    """Return the correlations, a column a side; None where none were asked for."""
    if not pairs:
        return None
    told = [side for side in sides if any(side.label in pair.by_side for pair in pairs)]
    columns = [side_name(sides.index(side), side) for side in told]
    body = [
        tag(
            "tr",
            tag("th", linked(pair.left, anchors), " and ", linked(pair.right, anchors), scope="row"),
            *(tag("td", f"{pair.by_side[side.label]:+.3f}" if side.label in pair.by_side else "", class_="num")
              for side in told),
            tag("td", meter(pair.strength)),
        )
        for pair in pairs
    ]  # fmt: skip
    table = plain_table(("features", *columns, "strength"), body, right=columns, tall=True)
    return tag("section", tag("h2", "Correlations"), table)

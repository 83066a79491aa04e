"""A ModelEvaluation on a page: its metrics overall and by slice, and the bounds that hold or don't."""

from __future__ import annotations

from penstock.ui import formats
from penstock.ui.contents.evaluation import document, slice_name
from penstock.ui.page.markup import Markup, tag
from penstock.ui.page.plain_table import plain_table
from penstock.ui.page.statistics_cells import NAME_LENGTH
from penstock.ui.shown import Shown


def evaluation_section(shown: Shown) -> Markup:
    """Return an evaluation.

    Raises:
        OSError: Its file is gone.
    """
    found = document(shown)
    names = list(found["overall"])
    parts = [("all rows", found["overall"])] + [
        (slice_name(each["slice"]), each["metrics"]) for each in found["slices"]
    ]
    rows = [
        tag("tr", tag("th", formats.visible(name, NAME_LENGTH), scope="row"),
            *(tag("td", formats.number(metrics[each]) if metrics.get(each) is not None else "-", class_="num")
              for each in names))
        for name, metrics in parts
    ]  # fmt: skip
    bounds = [
        tag("li", tag("b", "✓ " if bound["holds"] else "✗ "), formats.visible(str(bound["reason"]), NAME_LENGTH),
            class_="ok" if bound["holds"] else "not-ok")
        for bound in found["bounds"]
    ]  # fmt: skip
    table = plain_table(("slice", *names), rows, right=names, tall=True)
    title = tag("h2", "Evaluation", tag("small", shown.label))
    return tag("section", title, tag("ul", *bounds, class_="bounds") if bounds else None, table)

"""ExamplesDiff on a page: in how many pairs of rows each feature differs, and some of the pairs."""

from __future__ import annotations

from penstock.ui import formats
from penstock.ui.contents.examples_diff import differing, document, pair_head, sample_line
from penstock.ui.page.charts import meter
from penstock.ui.page.markup import Markup, tag
from penstock.ui.page.plain_table import plain_table
from penstock.ui.page.statistics_cells import NAME_LENGTH
from penstock.ui.shown import Shown, Wish

HEADS = ("feature", "differ", "", "pairs", "only in the examples", "only in the baseline")
FIGURES = ("different", "only_examples", "only_baseline")


def paired_section(shown: Shown, wish: Wish) -> Markup:
    """Return what differs between rows of one key, a table a pair of splits.

    Raises:
        OSError: A file is gone.
        ParameterError: The wish names what isn't compared.
    """
    parts = []
    for pair, found in document(shown).items():
        rows = [
            tag(
                "tr",
                tag("th", formats.visible(name, NAME_LENGTH), scope="row"),
                tag("td", formats.percent(each["skew"]), class_="num"),
                tag("td", meter(each["skew"])),
                *(tag("td", f"{each[figure]:,}", class_="num") for figure in FIGURES),
            )
            for name, each in differing(found, wish)
        ]
        samples = [tag("li", sample_line(sample)) for sample in found["samples"]]
        more = tag("details", tag("summary", formats.counted(len(samples), "pair")), tag("ul", *samples))
        table = plain_table(HEADS, rows, right=("differ", *HEADS[3:]))
        parts += [
            tag("h3", pair),
            tag("p", pair_head(found)),
            table,
            more if samples else None,
        ]
    return tag("section", tag("h2", "Rows of one key", tag("small", shown.label)), *parts)

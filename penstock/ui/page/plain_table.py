"""The look that all plain tables of a page share: heads over rows, numbers to the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.ui.page.markup import Markup, joined, tag


def plain_table(
    heads: Sequence[str], rows: Iterable[Markup], *, right: Iterable[str] = (), class_: str = "", tall: bool = False
) -> Markup:
    """Return a table that scrolls sideways where it is too wide.

    Args:
        heads: The columns' heads, text or markup.
        rows: Elements `tr`.
        right: The heads of columns of numbers.
        class_: A further class of the table.
        tall: Whether it scrolls within itself when it is long.
    """
    numbers = set(right)
    head = tag("tr", *(tag("th", each, scope="col", class_="num" if each in numbers else None) for each in heads))
    table = tag("table", tag("thead", head), tag("tbody", joined(rows)), class_=f"plain {class_}".rstrip())
    return tag("div", table, class_="wide tall" if tall else "wide")

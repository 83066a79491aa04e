"""The look that all tables share: no boxes, a dim head, cells that don't wrap."""

from __future__ import annotations

from rich.table import Table

GAP = 2


def listing(*columns: str, right: tuple[str, ...] = (), folds: tuple[str, ...] = ()) -> Table:
    """Return an empty table.

    Args:
        *columns: The heads.
        right: Columns of numbers.
        folds: Columns that may break over lines; the others keep theirs.
    """
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for name in columns:
        wraps = name in folds
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    return table


def facts() -> Table:
    """Return an empty table of labels and values."""
    table = Table.grid(padding=(0, GAP))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table

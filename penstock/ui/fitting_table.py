"""A table that leaves out its least important columns until it fits the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from penstock.ui import tables

Cell = str | Text


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Its head.
        right: Whether its cells are numbers.
        rank: Columns of the highest rank are left out first; one of rank 0 always stays.
        least: The width down to which its cells may be cut; 0 for cells that are shown whole.
    """

    name: str
    right: bool = False
    rank: int = 0
    least: int = 0


@dataclass(frozen=True)
class FittingTable:
    """Rows under columns; a column without any content is left out too."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many columns as there is room for."""
        widths = {place: width for place in range(len(self.columns)) if (width := self._width(place))}
        while (room := options.max_width - tables.GAP * len(widths)) < self._least(widths):
            ranked = [place for place in widths if self.columns[place].rank]
            if not ranked:
                break
            del widths[max(ranked, key=lambda place: self.columns[place].rank)]
        kept = {self.columns[place].name: width for place, width in self._shrunk(widths, room).items()}
        table = tables.listing(*kept, right=tuple(column.name for column in self.columns if column.right))
        for shown, width in zip(table.columns, kept.values(), strict=True):
            shown.width = width
        for row in self.rows:
            table.add_row(*(row[place] for place in widths))
        yield table

    def _width(self, place: int) -> int:
        """Return how wide a column is; 0 for one without content."""
        content = max((cell_len(str(row[place])) for row in self.rows), default=0)
        return max(content, cell_len(self.columns[place].name)) if content else 0

    def _least(self, widths: Mapping[int, int]) -> int:
        return sum(self._least_of(place, width) for place, width in widths.items())

    def _least_of(self, place: int, width: int) -> int:
        return min(width, self.columns[place].least or width)

    def _shrunk(self, widths: Mapping[int, int], room: int) -> dict[int, int]:
        """Return widths of which the widest that may shrink are cut until all fit."""
        shrunk = dict(widths)
        while sum(shrunk.values()) > room:
            wide = [place for place in shrunk if shrunk[place] > self._least_of(place, shrunk[place])]
            if not wide:
                break
            shrunk[max(wide, key=lambda place: shrunk[place])] -= 1
        return shrunk

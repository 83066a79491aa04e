"""Cutting CSV files into ranges: one vectorised pass that knows which newlines stand inside quotes.

A quote opens a quoted part only where a cell begins; inside, a doubled quote is a quote; any other quote is an
ordinary character. This is what pyarrow's parser does, so a cut never disagrees with the parse.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 1 << 20
_LF, _CR = 10, 13

Positions: TypeAlias = npt.NDArray[np.int64]
_NONE: Positions = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Cut:
    """A place where a record begins.

    Attributes:
        offset: In bytes from the file's start.
        line: The number of the line there, counted from 1.
    """

    offset: int
    line: int


def find_cuts(file: BinaryIO, start: Cut, size: int, *, delimiter: str, quote: str, range_bytes: int) -> list[Cut]:
    """Cuts the part of a file from `start` to its end `size` into ranges of equal size, on record boundaries.

    The ranges depend on the file alone: as few as keep each at `range_bytes` or below, but for long records.

    Returns:
        Where each range starts, the first at `start`; none for an empty part.
    """
    if start.offset >= size:
        return []
    count = -(-(size - start.offset) // range_bytes)
    wanted = [start.offset + (size - start.offset) * i // count for i in range(1, count)]
    cuts = [start]
    file.seek(start.offset)
    scanner = RecordScanner(delimiter, quote, start.line)
    offset = start.offset
    with ThreadPoolExecutor(1) as ahead:  # reading and finding quotes is two thirds of the time, and holds no lock
        coming = ahead.submit(_read_block, file, scanner.quote)
        while wanted and (found := coming.result())[0]:
            coming = ahead.submit(_read_block, file, scanner.quote)
            block, quotes = found
            scanner.feed(block, quotes)
            while wanted and wanted[0] <= offset + len(block):
                end = scanner.first_record_end(max(wanted[0] - 1 - offset, 0))
                if end is None:
                    break
                wanted.pop(0)
                if cuts[-1].offset < offset + end < size:
                    cuts.append(Cut(offset + end, scanner.line_at(end)))
            offset += len(block)
    return cuts


def _read_block(file: BinaryIO, quote: int) -> tuple[bytes, Positions]:
    """Reads a block that doesn't end in a quote or CR, whose meaning depends on the next byte, and finds its quotes."""
    block = file.read(_BLOCK_BYTES)
    while block and block[-1] in (quote, _CR) and (more := file.read(1)):
        block += more
    return block, _quotes(block, quote)


def _quotes(block: bytes, quote: int) -> Positions:
    found: Positions = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == quote) if quote >= 0 else _NONE
    return found


class RecordScanner:
    """Follows the quotes and lines of a CSV text, block by block.

    A block must not end in a quote or CR unless the text does.
    """

    def __init__(self, delimiter: str, quote: str, line: int = 1) -> None:
        self.quote = ord(quote) if quote else -1
        self._starts = np.zeros(256, dtype=np.bool_)
        self._starts[[ord(delimiter), _LF, _CR]] = True
        self._line = line
        self._inside = False
        self._previous = _LF
        self._data = np.empty(0, dtype=np.uint8)
        self._toggles: Positions = _NONE

    def feed(self, block: bytes, quotes: Positions | None = None) -> None:
        """Moves on to the next block; `quotes` are the positions of its quotes, where the caller has found them."""
        if len(self._data):
            self._line += count_lines(self._data)
            self._inside ^= bool(len(self._toggles) % 2)
            self._previous = int(self._data[-1])
        self._data = np.frombuffer(block, dtype=np.uint8)
        self._toggles = self._find_toggles(_quotes(block, self.quote) if quotes is None else quotes)

    def record_ends(self) -> Positions:
        """Returns the positions in the block just behind each record, where a newline ended it."""
        ends = _newlines(self._data) + 1
        return ends[self._outside(ends - 1)]

    def first_record_end(self, position: int) -> int | None:
        """Returns the first position behind a newline at or after `position` that ends a record."""
        step = 1 << 14
        for low in range(position, len(self._data), step):
            # One byte more, to tell a CR from a CR LF at the edge.
            ends = low + 1 + _newlines(self._data[low : low + step + 1])
            ends = ends[self._outside(ends - 1)]
            if len(ends) and not (ends[0] == low + step + 1 and ends[0] < len(self._data)):
                return int(ends[0])
        return None

    def open_quote(self) -> int | None:
        """Returns the position of the quote that is still open at the block's end, if one is."""
        inside = self._inside ^ bool(len(self._toggles) % 2)
        return int(self._toggles[-1]) if inside and len(self._toggles) else None

    def line_at(self, position: int) -> int:
        """Returns the number of the line at a position of the block."""
        return self._line + count_lines(self._data[:position])

    def _outside(self, positions: Positions) -> npt.NDArray[np.bool_]:
        parity = np.searchsorted(self._toggles, positions) + int(self._inside)
        outside: npt.NDArray[np.bool_] = (parity & 1) == 0
        return outside

    def _find_toggles(self, quotes: Positions) -> Positions:
        """Returns which quotes of the block change the state between inside and outside."""
        if not len(quotes):
            return quotes
        opening = quotes[int(self._inside) :: 2]
        before = self._data[opening - 1]
        if len(opening) and opening[0] == 0:
            before[0] = self._previous
        stray = np.flatnonzero(~self._starts[before]) * 2 + int(self._inside)
        # What doesn't begin a cell is ordinary text, unless it stands right behind the quote that it doubles.
        if np.all((stray > 0) & (quotes[stray] == quotes[stray - 1] + 1)):
            return quotes
        return self._toggles_one_by_one(quotes)

    def _toggles_one_by_one(self, quotes: Positions) -> Positions:
        """The exact walk, for a block with quotes that are ordinary characters."""
        before = self._data[quotes - 1]
        if quotes[0] == 0:
            before[0] = self._previous
        begins = self._starts[before].tolist()
        after = [*(np.diff(quotes) == 1).tolist(), False]
        inside, toggles, i = self._inside, [], 0
        while i < len(after):
            if inside and after[i]:
                i += 2
                continue
            if inside or begins[i]:
                inside = not inside
                toggles.append(i)
            i += 1
        return quotes[toggles]


def record_starts(text: bytes, delimiter: str, quote: str) -> tuple[Positions, Positions]:
    """Returns the start of every record of a whole text, and its line counted from 0; blank ones included."""
    scanner = RecordScanner(delimiter, quote)
    scanner.feed(text)
    ends = scanner.record_ends()
    starts = np.concatenate([[0], ends])
    starts = starts[starts < len(text)]
    newlines = _newlines(np.frombuffer(text, dtype=np.uint8))
    return starts, np.searchsorted(newlines, starts)


def _newlines(data: npt.NDArray[np.uint8]) -> Positions:
    """Returns the last position of every LF, CR LF or lone CR."""
    feeds: Positions = np.flatnonzero(data == _LF)
    returns = np.flatnonzero(data == _CR)
    if not len(returns):
        return feeds
    lone = returns[(returns + 1 == len(data)) | (data[np.minimum(returns + 1, len(data) - 1)] != _LF)]
    return np.union1d(feeds, lone) if len(lone) else feeds


def count_lines(text: bytes | npt.NDArray[np.uint8]) -> int:
    """Counts the line ends of a text: LF, CR LF, or a lone CR."""
    data = np.frombuffer(text, dtype=np.uint8) if isinstance(text, bytes) else text
    lines = int(np.count_nonzero(data == _LF))
    returns = np.flatnonzero(data == _CR)
    if len(returns):
        lines += len(returns) - int(np.count_nonzero(data[np.minimum(returns + 1, len(data) - 1)] == _LF))
    return lines

"""A function of the user's as a source: it yields rows, as record batches, tables, or dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, ClassVar

import pyarrow as pa

from penstock.data.errors import CellError, NoRowError
from penstock.data.row_source import Placed, SourceRange, TypedSource
from penstock.data.value_columns import ValueConflict, batch_of, weight_of

_BATCH_ROWS, _BATCH_BYTES = 8192, 8 << 20


@dataclass(frozen=True)
class FunctionRows(TypedSource):
    """The rows that a function yields.

    Attributes:
        load: Returns the function; called where the rows are read, so that the function needn't pickle.
        arguments: What it is called with, by name.
        parts: What it is called with besides, as `part`, once a range; none for one range and no such argument.
    """

    load: Callable[[], Callable[..., Iterable[Any]]]
    arguments: Mapping[str, Any]
    parts: tuple[Any, ...] = ()
    unit: ClassVar[str] = "row"

    def ranges(self) -> list[SourceRange]:
        """Returns a range for each part."""
        return [SourceRange(index, "", part) for index, part in enumerate(self.parts or (None,))]

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of a part.

        Raises:
            DataFormatError: The function yields something else than rows.
        """
        given = dict(self.arguments) | ({"part": range_.part} if self.parts else {})
        number = 1
        for batch in _batches(iter(self.load()(**given)), self._place(range_)):
            yield Placed(batch, range(number, number + batch.num_rows))
            number += batch.num_rows

    def _place(self, range_: SourceRange) -> str:
        return f"part {range_.part!r} of the source" if self.parts else "the source"


def _batches(items: Iterator[Any], place: str) -> Iterator[pa.RecordBatch]:
    for item in items:
        if isinstance(item, pa.RecordBatch):
            yield item
        elif isinstance(item, pa.Table):
            yield from item.to_batches(_BATCH_ROWS)
        elif isinstance(item, Mapping):
            # From a first dictionary on they are gathered to batches.
            yield _gathered(list(_some([item], _mappings(items, place))), place)
        else:
            raise _no_row(item, place)


def _some(first: Iterable[Mapping[str, Any]], others: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yields rows until they are enough for a batch; those with long values are so earlier."""
    held = 0
    for row in islice(chain(first, others), _BATCH_ROWS):
        yield row
        held += weight_of(row)
        if held >= _BATCH_BYTES:
            return


def _mappings(items: Iterable[Any], place: str) -> Iterator[Mapping[str, Any]]:
    for item in items:
        if not isinstance(item, Mapping):
            raise _no_row(item, place)
        yield item


def _no_row(item: Any, place: str) -> NoRowError:
    return NoRowError(
        f"The function of {place} yields {type(item).__name__}. Yield pyarrow record batches or tables, or one "
        "dictionary a row."
    )


def _gathered(rows: Sequence[Mapping[str, Any]], place: str) -> pa.RecordBatch:
    try:
        return batch_of(rows)
    except ValueConflict as error:
        raise CellError(
            f"A row of {place}: column {error.column!r} {error.problem}. Yield values of one type.",
            column=error.column,
        ) from None

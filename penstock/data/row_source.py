"""Where rows come from: the one protocol of all formats, and what those share whose batches come with types.

A new format that knows its types implements `RowSource` with `TypedSource` as its base: `ranges` and `placed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from penstock.data.bad_rows import BadRow
from penstock.data.errors import CellError, DataFormatError
from penstock.data.raw_feature import in_words
from penstock.data.stored_types import finished, fitted, stored, widened

RANGE_BYTES = 16 << 20
"""What a range of a source holds at most, where the source can be cut: a worker holds about twelve times as much."""


@dataclass(frozen=True)
class SourceRange:
    """A part of a source that is read at once: fixed by the data alone, never by who reads it.

    Attributes:
        index: Its number among all ranges, in order.
        file: The file, "" where the source has none.
        part: What the source needs to find it again; it pickles.
    """

    index: int
    file: str = ""
    part: Any = None


class RangeRows(Protocol):
    """A range being read."""

    @property
    def schema(self) -> pa.Schema | None:
        """The schema of the batches yielded; None before the first."""
        ...

    @property
    def consistent(self) -> bool:
        """False once rows are of wider types than the batches yielded: the range has to be read again."""
        ...

    @property
    def learned(self) -> dict[str, Any]:
        """What `settle` wants to know of the range, as JSON; complete when `batches` is exhausted."""
        ...

    @property
    def bad(self) -> Sequence[BadRow]:
        """Rows set aside."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the rows, in stored types."""
        ...


class RowSource(Protocol):
    """Rows in ranges. It pickles."""

    def ranges(self) -> Sequence[SourceRange]:
        """Cuts the source into ranges, by the data alone.

        Raises:
            DataFormatError: The data is at fault.
        """
        ...

    def read(self, range_: SourceRange, types: pa.Schema | None) -> RangeRows:
        """Opens a range; `types` are those of all ranges, once they are known."""
        ...

    def settle(self, learned: Sequence[dict[str, Any]]) -> pa.Schema:
        """Returns the types of all ranges together, from what each taught, in their order."""
        ...


class Placed(NamedTuple):
    """Rows, and the number of each as messages tell it."""

    batch: pa.RecordBatch
    numbers: Sequence[int]


@dataclass
class TypedRows:
    """A range of typed batches: fits them to one schema and learns the narrowest types that hold them all."""

    file: str
    unit: str
    placed: Iterable[Placed]
    schema: pa.Schema | None = None
    bad: Sequence[BadRow] = ()
    consistent: bool = True
    _types: dict[str, pa.Field] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    @property
    def learned(self) -> dict[str, Any]:
        """The narrowest types as a serialised schema, and where each was first needed."""
        types = pa.schema(list(self._types.values()))
        return {"types": types.serialize().to_pybytes().hex(), "places": self._places}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the rows in the types known beforehand, or in those of the first batch while they hold."""
        known = self.schema is not None
        with naming(self.file):
            for placed in self.placed:
                batch = stored(placed.batch)
                if not known:
                    self._learn(batch, placed.numbers)
                    narrowest = finished(pa.schema(list(self._types.values())))
                    self.schema = self.schema or narrowest
                    self.consistent &= narrowest.equals(self.schema)
                if self.consistent and self.schema is not None and batch.num_rows:
                    yield fitted(batch, self.schema)

    def _learn(self, batch: pa.RecordBatch, numbers: Sequence[int]) -> None:
        for new, values in zip(batch.schema, batch.columns, strict=True):
            old = self._types.get(new.name)
            wider = new.type if old is None else widened(old.type, new.type)
            if wider is None:
                here = f"{self.file}, {self.unit} {_first_number(values, numbers)}"
                held = (self._places[new.name], self._types[new.name].type)
                raise conflict(new.name, held, (here, new.type), self.file)
            if old is None or wider != old.type:
                self._types[new.name] = (new if old is None else old).with_type(wider)
                self._places[new.name] = f"{self.file}, {self.unit} {_first_number(values, numbers)}"


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Names the file in errors that know the column only."""
    try:
        yield
    except DataFormatError as error:
        if error.file or not file:
            raise
        raise type(error)(f"{file}: {error}", file=file, line=error.line, column=error.column) from error


def _first_number(values: pa.Array, numbers: Sequence[int]) -> int:
    """Returns the number of the first row that has a value."""
    found = pc.index(values.is_valid(), pa.scalar(True)).as_py()
    return numbers[max(found, 0)] if len(numbers) else 1


def conflict(column: str, first: tuple[str, Any], second: tuple[str, Any], file: str) -> DataFormatError:
    """Returns the error that says that a column's values, by place and type, are of types that no type holds."""
    return CellError(
        f"{second[0]}: column {column!r} holds {in_words(second[1])}, and {in_words(first[1])} at {first[0]}. "
        "The values of a column must be of one type. Correct them at the source, or leave "
        "the column out with columns=.",
        file=file,
        column=column,
    )


class TypedSource:
    """What formats share whose batches come with types."""

    unit: ClassVar[str] = "row"

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of a range as the format has them: the one method to extend."""
        raise NotImplementedError

    def read(self, range_: SourceRange, types: pa.Schema | None) -> RangeRows:
        """Opens a range; see `RowSource`."""
        return TypedRows(range_.file, self.unit, self.placed(range_), types)

    def settle(self, learned: Sequence[dict[str, Any]]) -> pa.Schema:
        """Returns the narrowest types that hold the rows of all ranges, columns in the order they appeared.

        Raises:
            CellError: No type holds the values of a column.
        """
        types: dict[str, pa.Field] = {}
        places: dict[str, str] = {}
        for each in learned:
            _merge(types, places, each)
        return finished(pa.schema(list(types.values())))


def _merge(types: dict[str, pa.Field], places: dict[str, str], learned: Mapping[str, Any]) -> None:
    for new in pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(learned["types"]))):
        old, place = types.get(new.name), learned["places"][new.name]
        wider = new.type if old is None else widened(old.type, new.type)
        if wider is None:
            held = (places[new.name], types[new.name].type)
            raise conflict(new.name, held, (place, new.type), place.rsplit(", ", 1)[0])
        if old is None or wider != old.type:
            types[new.name] = (new if old is None else old).with_type(wider)
            places[new.name] = place

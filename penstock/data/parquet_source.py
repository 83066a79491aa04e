"""Parquet files as a source: ranges are row groups; columns and conditions are pushed down to the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from penstock.data.errors import DataFormatError, NoDataError, UnsupportedDataError, shortened
from penstock.data.raw_feature import in_words, is_bytes
from penstock.data.row_filter import RowFilter, columns_needed
from penstock.data.row_source import RANGE_BYTES, Placed, SourceRange, TypedSource
from penstock.data.selected_rows import check_choice, filtered
from penstock.data.stored_types import flat_names, stored, stored_schema, widened

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class ParquetRows(TypedSource):
    """The rows of Parquet files that have one schema.

    Attributes:
        paths: The files.
        columns: The columns to read, nested ones as "parent.child"; all by default.
        row_filter: Which rows to read. Row groups that can't hold any are skipped.
        range_bytes: How many bytes of a file, uncompressed, are a range.
    """

    paths: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    row_filter: RowFilter | None = None
    range_bytes: int = RANGE_BYTES

    def ranges(self) -> list[SourceRange]:
        """Returns runs of row groups; all files are checked to have one schema.

        Raises:
            DataFormatError: A file is no Parquet file, or has another schema than the first.
        """
        ranges: list[SourceRange] = []
        first: pa.Schema | None = None
        for path in self.paths:
            metadata = _metadata(path)
            arrow = metadata.schema.to_arrow_schema()
            if first is None:
                check_choice(self.columns, self.row_filter, flat_names(arrow), path)
            schema = _stored_schema(arrow, path, self._needed_roots())
            first = schema if first is None else _same_schema(first, self.paths[0], schema, path)
            for groups in _runs(metadata, self.range_bytes):
                ranges.append(SourceRange(len(ranges), path, groups))
        if not ranges:
            shown = ", ".join(self.paths[:3])
            raise NoDataError(f"There are no rows in {shown}. Check that the export was complete.", file=self.paths[0])
        return ranges

    def _needed_roots(self) -> list[str] | None:
        needed = columns_needed(self.columns, self.row_filter)
        return None if needed is None else list(dict.fromkeys([*needed, *(name.split(".")[0] for name in needed)]))

    def placed(self, range_: SourceRange) -> Iterator[Placed]:
        """Yields the rows of some row groups.

        Raises:
            DataFormatError: They can't be decoded.
        """
        try:
            for batch in self._batches(range_.file, list(range_.part)):
                kept = batch if self.columns is None else batch.select(self.columns)
                if kept.num_rows:
                    yield Placed(kept, range(1, kept.num_rows + 1))
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(range_.file, error) from error

    def _batches(self, path: str, groups: list[int]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            roots = self._needed_roots()
            names = schema.names if roots is None else [name for name in schema.names if name in roots]
            if self.row_filter is not None and _pushes_down(self.row_filter, schema):
                yield from self._scanned(path, groups, names)
                return
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=names, use_threads=False):
                rows = stored(batch.select(names))
                yield filtered(rows, self.row_filter) if self.row_filter is not None else rows

    def _scanned(self, path: str, groups: list[int], names: list[str]) -> Iterator[pa.RecordBatch]:
        assert self.row_filter is not None
        fragment = ds.ParquetFileFormat().make_fragment(path, filesystem=LocalFileSystem(), row_groups=groups)
        try:
            scanner = fragment.scanner(
                columns=names, filter=self.row_filter.expression(), batch_size=_BATCH_ROWS, use_threads=False
            )
            for batch in scanner.to_batches():
                yield stored(batch)
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise DataFormatError(
                f"row_filter={self.row_filter.text!r} can't be computed on {path}: {shortened(str(error), 120)}. "
                "Compare a column with values of its own type.",
                file=path,
            ) from error


def _pushes_down(row_filter: RowFilter, schema: pa.Schema) -> bool:
    """Whether the columns of a condition are stored as they are, so that it means the same before and after."""
    plain = {
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or is_bytes(field.type)
    }
    return set(row_filter.columns) <= plain


def _metadata(path: str) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: str, error: Exception) -> DataFormatError:
    return DataFormatError(
        f"{path} can't be read as Parquet: {shortened(str(error), 120)}. Fetch or write it anew, "
        "or leave it out of the folder if it is of another kind.",
        file=path,
    )


def _stored_schema(schema: pa.Schema, path: str, roots: list[str] | None) -> pa.Schema:
    kept = schema if roots is None else pa.schema([field for field in schema if field.name in roots])
    if len(set(kept.names)) < len(kept.names):
        twice = next(name for name in kept.names if kept.names.count(name) > 1)
        raise DataFormatError(f"{path} has two columns {twice!r}. Rename one of them.", file=path, column=twice)
    try:
        return stored_schema(kept)
    except UnsupportedDataError as error:
        raise UnsupportedDataError(f"{path}: {error}", file=path, column=error.column) from error


def _same_schema(first: pa.Schema, first_path: str, other: pa.Schema, path: str) -> pa.Schema:
    """Checks that two files agree; a column without any value in one file may be of any type in the other.

    Raises:
        DataFormatError: They don't.
    """
    for name in [*first.names, *(name for name in other.names if name not in first.names)]:
        ours, theirs = (schema.field(name).type if name in schema.names else None for schema in (first, other))
        if ours == theirs:
            continue
        if ours is not None and theirs is not None and widened(ours, theirs) is not None and _is_empty(ours, theirs):
            continue
        held = " and ".join(
            f"{where} {'lacks it' if type_ is None else f'has {in_words(type_)}'}"
            for where, type_ in ((path, theirs), (first_path, ours))
        )
        raise DataFormatError(
            f"All files must have one schema; they differ in column {name!r}: {held}. "
            "Write the file anew with the same types, ingest it apart, or choose columns= without it.",
            file=path,
            column=name,
        )
    return pa.schema([field if not pa.types.is_null(field.type) else other.field(field.name) for field in first])


def _is_empty(*types: pa.DataType) -> bool:
    return any(pa.types.is_null(type_) for type_ in types)


def _runs(metadata: pq.FileMetaData, range_bytes: int) -> Iterator[Sequence[int]]:
    """Yields runs of row groups of at most `range_bytes`, or of one row group."""
    run: list[int] = []
    held = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        if not group.num_rows:
            continue
        if run and held + group.total_byte_size > range_bytes:
            yield tuple(run)
            run, held = [], 0
        run.append(index)
        held += group.total_byte_size
    if run:
        yield tuple(run)

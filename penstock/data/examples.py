"""Examples on disk: `Split-<name>/<split>-00007-of-00031.parquet`, reading them, and their digest.

null means that the feature is missing, `[]` that it is present without a value; "" and NaN are values. Columns
keep the order of the source. `shards.py` writes this layout.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.data.errors import DataFormatError, NoDataError
from penstock.data.raw_feature import in_words
from penstock.data.row_hash import kind_of
from penstock.data.shards import RowDigest, shard_digest

BATCH_ROWS = 16384
_DIGEST_THREADS = 2
_SHARD = re.compile(r"(?P<split>.+)-(?P<index>\d{5,})-of-(?P<count>\d{5,})\.parquet")


def split_names(path: str) -> list[str]:
    """Returns the splits of examples, sorted, "train" first."""
    folders = (name for name in os.listdir(path) if name.startswith("Split-"))
    names = [name[len("Split-") :] for name in folders if os.path.isdir(os.path.join(path, name))]
    return sorted(names, key=lambda name: (name != "train", name))


def split_files(path: str, split: str) -> list[str]:
    """Returns the shards of a split, in order.

    Raises:
        NoDataError: There is no such split.
        DataFormatError: A shard is missing, or a file is no shard.
    """
    folder = os.path.join(path, f"Split-{split}")
    if not os.path.isdir(folder):
        known = ", ".join(split_names(path)) if os.path.isdir(path) else ""
        raise NoDataError(f"There is no split {split!r} in {path}. Its splits: {known or 'none'}.", file=folder)
    names = sorted(name for name in os.listdir(folder) if name.endswith(".parquet"))
    _check_complete(folder, split, names)
    return [os.path.join(folder, name) for name in names]


def _check_complete(folder: str, split: str, names: list[str]) -> None:
    expected = [f"{split}-{i:05d}-of-{len(names):05d}.parquet" for i in range(len(names))]
    if names == expected and names:
        return
    shards = [match for name in names if (match := _SHARD.fullmatch(name))]
    total = max((int(shard["count"]) for shard in shards), default=0)
    raise DataFormatError(
        f"{folder} must hold the shards {split}-00000-of-{total:05d}.parquet and so on, all {total} of them; "
        f"it holds {len(names)} Parquet files: {', '.join(names[:5]) or 'none'}.",
        file=folder,
    )


def arrow_schema(path: str) -> pa.Schema:
    """Returns the columns of examples: names, types and field metadata.

    Raises:
        NoDataError: There are no splits.
    """
    names = split_names(path)
    if not names:
        raise NoDataError(f"There are no examples in {path}: it has no folder Split-<name>.", file=path)
    return pq.read_schema(split_files(path, names[0])[0]).remove_metadata()


def column_types(schema: pa.Schema) -> dict[str, str]:
    """Returns the type of each column in words: "int64", "float32", "float64", "string", "list<int64>", ..."""
    return {field.name: in_words(field.type) for field in schema}


def count_rows(path: str, split: str) -> int:
    """Returns the number of rows of a split, from the shards' footers."""
    return sum(pq.read_metadata(file).num_rows for file in split_files(path, split))


def record_batches(
    path: str, split: str, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a split in order; see `read_batches`."""
    return read_batches(split_files(path, split), columns, batch_rows)


def read_batches(
    path_or_files: str | Sequence[str], columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of shards as batches of at most `batch_rows`, in order, without empty ones.

    Args:
        path_or_files: One shard, or several.
        columns: The columns to read, in the order wanted; all by default.
        batch_rows: Rows a batch; a batch never spans two shards.

    Raises:
        DataFormatError: A column is absent.
    """
    for file in [path_or_files] if isinstance(path_or_files, str) else path_or_files:
        with pq.ParquetFile(file) as shard:
            names = shard.schema_arrow.names
            wanted = names if columns is None else list(columns)
            _check_columns(wanted, names, file)
            for batch in shard.iter_batches(batch_rows, columns=wanted, use_threads=False):
                if batch.num_rows:
                    yield batch.select(wanted).replace_schema_metadata(None)


def check_columns(wanted: Sequence[str], file: str) -> None:
    """Checks that a shard has columns.

    Raises:
        DataFormatError: One is absent.
    """
    _check_columns(wanted, pq.read_schema(file).names, file)


def _check_columns(wanted: Sequence[str], present: Sequence[str], file: str) -> None:
    for name in wanted:
        if name not in present:
            near = difflib.get_close_matches(name, present, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataFormatError(
                f"There is no column {name!r} in {file}.{hint} Its columns: {', '.join(present)}.",
                file=file,
                column=name,
            )


def digest(path: str) -> str:
    """Returns the digest of examples: "rows-1:<32 hex>".

    It depends on the rows of each split, without order, and on the names and kinds of the columns. It doesn't
    depend on shards, on the order of columns or on physical types. Shards whose footer carries the sum of their
    rows are not decoded.

    Raises:
        DataFormatError: Shards differ in their columns.
    """
    columns = {field.name: kind_of(field.type, field.name) for field in arrow_schema(path)}
    splits = {}
    with ThreadPoolExecutor(_DIGEST_THREADS) as threads:  # most of it is hashing bytes, which holds no lock
        for split in split_names(path):
            splits[split] = RowDigest()
            files = split_files(path, split)
            for file in files:
                _check_same_columns(file, columns)
            for digest_of_shard in threads.map(shard_digest, files):
                splits[split].merge(digest_of_shard)
    return digest_of(columns, splits)


def digest_of(columns: Mapping[str, str], splits: Mapping[str, RowDigest]) -> str:
    """Returns what `digest` would, from the kinds of the columns by name and the sums of each split.

    It is the BLAKE2b (16 bytes) of canonical JSON: `{"columns": {name: kind}, "splits": {name: hexdigest}}`.
    """
    content = {"columns": dict(columns), "splits": {name: rows.hexdigest() for name, rows in splits.items()}}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "rows-1:" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _check_same_columns(file: str, columns: Mapping[str, str]) -> None:
    found = {field.name: kind_of(field.type, field.name) for field in pq.read_schema(file)}
    if found != columns:
        differing = sorted(set(found.items()) ^ set(columns.items()))
        raise DataFormatError(
            f"All shards must have the same columns; {file} differs in {', '.join(n for n, _ in differing[:5])}.",
            file=file,
        )

"""One shard of examples: writing it as a stream, and the sum of its rows, kept in the file's footer."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.data.row_hash import Words, hash_rows

_ROW_GROUP_ROWS = 1 << 17
_FOOTER_KEY = b"penstock.rows-1"
_WORD = 1 << 64


class RowDigest:
    """The order-free sum of row hashes, and their number; partial sums merge to the same whole in any order."""

    def __init__(self, rows: int = 0, first: int = 0, second: int = 0) -> None:
        self.rows = rows
        self._first = first
        self._second = second

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch."""
        self.add_hashes(*hash_rows(batch))

    def add_hashes(self, first: Words, second: Words) -> None:
        """Adds rows by their hashes, as `hash_rows` gives them."""
        self.rows += len(first)
        self._first = (self._first + int(first.sum(dtype=np.uint64))) % _WORD
        self._second = (self._second + int(second.sum(dtype=np.uint64))) % _WORD

    def merge(self, other: RowDigest) -> None:
        """Adds the rows that another sum holds."""
        self.rows += other.rows
        self._first = (self._first + other._first) % _WORD
        self._second = (self._second + other._second) % _WORD

    def hexdigest(self) -> str:
        """Returns the number of rows and the two sums: "<rows>:<32 hex>"."""
        return f"{self.rows}:{self._first:016x}{self._second:016x}"

    @classmethod
    def from_hex(cls, text: str) -> RowDigest:
        """Reads what `hexdigest` returned."""
        rows, sums = text.split(":")
        return cls(int(rows), int(sums[:16], 16), int(sums[16:], 16))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowDigest) and self.hexdigest() == other.hexdigest()

    def __hash__(self) -> int:
        return hash(self.hexdigest())

    def __repr__(self) -> str:
        return f"RowDigest({self.hexdigest()!r})"


def shard_path(path: str, split: str, index: int, count: int) -> str:
    """Returns where shard `index` of `count` of a split stands below the folder of the examples."""
    return os.path.join(path, f"Split-{split}", f"{split}-{index:05d}-of-{count:05d}.parquet")


class ShardWriter:
    """Writes one shard as a stream of batches; a context manager.

    The file appears at its path when the `with` ends well, in one step, and replaces an earlier one there; on
    an error nothing is left. `digest` is the sum of the rows written.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.digest = RowDigest()
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        # Two attempts at one shard, as Beam runners make them, must not write into one file.
        self._part = f"{path}.{os.getpid()}-{id(self):x}.part"
        self._sink = _HashingFile(self._part)
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), schema, compression="zstd")

    def write(self, batch: pa.RecordBatch, hashes: tuple[Words, Words] | None = None) -> None:
        """Appends rows; `hashes` spares the hashing where the caller has done it."""
        if not batch.num_rows:
            return
        self.digest.add_hashes(*(hash_rows(batch) if hashes is None else hashes))
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= _ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, schema=self._schema)
            self._writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)
        self._waiting, self._waiting_rows = [], 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._flush()
            self._writer.add_key_value_metadata({_FOOTER_KEY: self._footer()})
            self._writer.close()
            self._sink.close()
            os.replace(self._part, self.path)
        except BaseException:
            self._abandon()
            raise

    def _footer(self) -> bytes:
        content = {"rows": self.digest.hexdigest(), "bytes": self._sink.size, "blake2b": self._sink.hexdigest()}
        return json.dumps(content).encode()

    def _abandon(self) -> None:
        # Closing writes a footer; where the disk is full that fails too and would hide the first error.
        with contextlib.suppress(OSError):
            self._writer.close()
        self._sink.close()
        os.remove(self._part)


def shard_digest(file: str) -> RowDigest:
    """Returns the sum of a shard's rows: from its footer where that can be trusted, else from the rows."""
    with pq.ParquetFile(file) as shard:
        footer = (shard.metadata.metadata or {}).get(_FOOTER_KEY)
        if footer is not None and _belongs_to(footer, file):
            return RowDigest.from_hex(json.loads(footer)["rows"])
        rows = RowDigest()
        for batch in shard.iter_batches(use_threads=False):
            rows.add(batch)
        return rows


def _belongs_to(footer: bytes, file: str) -> bool:
    """Whether a footer's sum was made for these very bytes.

    Arrow carries a file's metadata along when a table is read, changed and written again, so the entry alone
    proves nothing: it must name the hash of everything that stands before the footer.
    """
    content = json.loads(footer)
    with open(file, "rb") as stream:
        stream.seek(-8, os.SEEK_END)
        footer_size = int.from_bytes(stream.read(4), "little")
        if stream.seek(0, os.SEEK_END) != content["bytes"] + footer_size + 8:
            return False
        stream.seek(0)
        digest = _new_hash()
        left = content["bytes"]
        while left and (block := stream.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    return bool(digest.hexdigest() == content["blake2b"])


class _HashingFile(io.RawIOBase):
    """A file that hashes what is written to it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = open(path, "wb")  # noqa: SIM115 - closed by close()
        self._hash = _new_hash()
        self.size = 0

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()
        super().close()


def _new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)

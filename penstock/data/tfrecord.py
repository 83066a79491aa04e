"""TFRecord files: framing and checksums of records, plain or gzip; what they hold is another matter.

A record is its length (8 bytes), the masked CRC-32C of the length (4), the payload, the masked CRC-32C of the payload
(4); numbers are little-endian.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, cast

import google_crc32c

from penstock.data.errors import DataFormatError

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_GZIP_MAGIC = b"\x1f\x8b"
_MASK_DELTA = 0xA282EAD8
_BUFFER = 1 << 20
DAMAGE = "its checksum doesn't hold"


@dataclass(frozen=True)
class RecordRun:
    """A run of records of one file.

    Attributes:
        start: Where it begins, in bytes; 0 of a gzip file.
        end: Where it ends; None for the end of a gzip file.
        first: The number of its first record, counted from 1.
    """

    start: int
    end: int | None
    first: int


def record_runs(path: str, run_bytes: int) -> list[RecordRun]:
    """Cuts a file into runs of at least `run_bytes`, on record boundaries; a gzip file is one run.

    Raises:
        DataFormatError: A record is damaged or cut off.
    """
    if is_gzip(path):
        return [RecordRun(0, None, 1)]
    size = os.path.getsize(path)
    runs: list[RecordRun] = []
    start, first, number, position = 0, 1, 1, 0
    with open(path, "rb") as file:
        while position < size:
            header = file.read(_HEADER.size)
            position += _HEADER.size + _length(header, path, number) + _CHECKSUM.size
            if position > size:
                raise _cut_off(path, number)
            file.seek(position)
            number += 1
            if position - start >= run_bytes or position == size:
                runs.append(RecordRun(start, position, first))
                start, first = position, number
    return runs


def read_records(
    path: str, run: RecordRun, set_aside: Callable[[int, bytes], None] | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yields the payloads of a run with their numbers.

    Args:
        path: The file.
        run: Which records.
        set_aside: Takes a record whose payload's checksum doesn't hold; without it such a record is an error.

    Raises:
        DataFormatError: A record is damaged or cut off, or the gzip file is; file and record are named.
    """
    number = run.first
    try:
        with _opened(path) as file:
            file.seek(run.start)
            position = run.start
            while run.end is None or position < run.end:
                header = file.read(_HEADER.size)
                if not header:
                    return
                length = _length(header, path, number)
                # A length is believed once its checksum holds, so that damage can't ask for more than there is.
                body = file.read(length + _CHECKSUM.size)
                if len(body) < length + _CHECKSUM.size:
                    raise _cut_off(path, number)
                payload = body[:length]
                if _CHECKSUM.unpack_from(body, length)[0] == masked_crc(payload):
                    yield number, payload
                elif set_aside is None:
                    raise _damaged(path, number, DAMAGE)
                else:
                    set_aside(number, payload)
                position += _HEADER.size + len(body)
                number += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataFormatError(
            f"{path}, record {number}: the gzip file is damaged or cut off here: {error}. Fetch or write it anew.",
            file=path,
            line=number,
        ) from error


def _length(header: bytes, path: str, number: int) -> int:
    if len(header) < _HEADER.size:
        raise _cut_off(path, number)
    length, checksum = _HEADER.unpack(header)
    if checksum != masked_crc(header[:8]):
        hint = "this is no TFRecord file, or " if number == 1 else ""
        raise _damaged(path, number, f"{hint}the checksum of its length doesn't hold")
    return int(length)


def _damaged(path: str, number: int, problem: str) -> DataFormatError:
    return DataFormatError(
        f"{path}, record {number} is damaged: {problem}. Fetch or write the file anew.", file=path, line=number
    )


def _cut_off(path: str, number: int) -> DataFormatError:
    return DataFormatError(
        f"{path}, record {number}: the file ends within this record. Fetch or write the file anew.",
        file=path,
        line=number,
    )


def masked_crc(data: bytes) -> int:
    """Returns the masked CRC-32C, as TFRecord stores it."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def is_gzip(path: str) -> bool:
    """Whether a file is compressed; a plain record whose length looks like it has a checksum that proves it."""
    with open(path, "rb") as file:
        head = file.read(_HEADER.size)
    if not head.startswith(_GZIP_MAGIC):
        return False
    return len(head) < _HEADER.size or _HEADER.unpack(head)[1] != masked_crc(head[:8])


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if is_gzip(path):
        with gzip.open(path) as file:
            yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, file), _BUFFER))
    else:
        with open(path, "rb", buffering=_BUFFER) as file:
            yield file


class RecordWriter:
    """Writes a gzip TFRecord file whose bytes depend on the records alone; a context manager.

    The file appears at its path when the `with` ends well; on an error nothing is left.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.records = 0
        self._part = f"{path}.{os.getpid()}.part"
        self._raw = open(self._part, "wb")  # noqa: SIM115 - closed by __exit__
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._raw, mtime=0)

    def write(self, payload: bytes) -> None:
        """Appends a record."""
        header = struct.pack("<Q", len(payload))
        self._file.write(
            b"".join(
                (header, _CHECKSUM.pack(masked_crc(header)), payload, _CHECKSUM.pack(masked_crc(payload))),
            )
        )
        self.records += 1

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            self._raw.close()
            if kind is None:
                os.replace(self._part, self.path)
        finally:
            self._raw.close()
            if os.path.exists(self._part):
                os.remove(self._part)

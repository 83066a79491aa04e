"""Serialised `tf.Example`s in one canonical form: features sorted by name, missing ones absent.

Protocol buffers write a map in any order, so equal rows would make other bytes on every run.
"""

from __future__ import annotations

from collections.abc import Iterator

_FIELD_1 = 0x0A
_EMPTY_FEATURES = (b"", b"\x12\x00")


def canonical(record: bytes) -> bytes:
    """Returns a serialised example in canonical form."""
    entries = []
    for features in _fields(record):
        for entry in _fields(features):
            length, position = varint(entry, 1)
            if entry[position + length :] not in _EMPTY_FEATURES:
                entries.append((entry[position : position + length], entry))
    entries.sort()
    return _field(b"".join(_field(entry) for _, entry in entries))


def _fields(message: bytes) -> Iterator[bytes]:
    """Yields the contents of a message that has no other field than 1."""
    position = 0
    while position < len(message):
        assert message[position] == _FIELD_1
        length, position = varint(message, position + 1)
        yield message[position : position + length]
        position += length


def _field(content: bytes) -> bytes:
    size = len(content)
    head = bytearray([_FIELD_1])
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + content


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Returns the number at a position, and the position behind it."""
    value, shift = 0, 0
    while position < len(data):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            break
    return value, position

"""Numbers written as strings, as int and float domains of BYTES features hold them."""

from __future__ import annotations

import re

_INT = re.compile(r"\s*[+-]?[0-9]+\s*")
_FLOAT = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|inf|infinity|nan)\s*", re.I)


def parse_int(text: str) -> int | None:
    """Return the 64-bit integer that `text` stands for, or None."""
    if not _INT.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def parse_float(text: str) -> float | None:
    """Return the float that `text` stands for, or None."""
    return float(text) if _FLOAT.fullmatch(text) else None

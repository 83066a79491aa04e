"""Spans of time as people write them: "90s", "15m", "6h", "7d", "2w"."""

from __future__ import annotations

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def seconds_of(text: str) -> float:
    """Return the seconds that a span stands for.

    >>> seconds_of("7d"), seconds_of("1.5h")
    (604800.0, 5400.0)

    Raises:
        ValueError: It isn't written as a number and one of the units s, m, h, d and w, or is no time at all.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f"{text!r} is no span of time. Write a number and a unit: 90s, 15m, 6h, 7d or 2w.")
    return float(found[1]) * UNITS[found[2]]

"""Numbers, times, ids and paths as people read them."""

from __future__ import annotations

import math
import os
import re
from datetime import datetime, timezone

SHORT_ID = 8
SHORT_DIGEST = 12
_ULID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")


def short_id(identifier: str) -> str:
    """Return the end of a ULID: its beginning is the time, alike for runs of one day.

    >>> short_id("01JCZ5V8M3Q4T6X9A2B7C8D1EF")
    'B7C8D1EF'
    """
    return identifier[-SHORT_ID:]


def short_ids(text: str) -> str:
    """Return a text with its ULIDs shortened.

    >>> short_ids("unchanged since run 01M7X74G8VMA1DY92002RRP230")
    'unchanged since run 02RRP230'
    """
    return _ULID.sub(lambda found: short_id(found[0]), text)


def short_digest(digest: str) -> str:
    """Return a digest with its scheme and the first digits.

    >>> short_digest("rows-1:0123456789abcdef0123456789abcdef")
    'rows-1:0123456789ab'
    """
    scheme, colon, digits = digest.rpartition(":")
    return f"{scheme}{colon}{digits[:SHORT_DIGEST]}"


def duration(seconds: float) -> str:
    """Return a span of time with two significant places.

    >>> [duration(s) for s in (0.0042, 0.5, 12.34, 75, 3700)]
    ['4 ms', '500 ms', '12.3 s', '1 min 15 s', '1 h 01 min']
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def size(count: float) -> str:
    """Return a number of bytes in decimal units.

    >>> [size(n) for n in (0, 999, 1_500, 2_340_000)]
    ['0 B', '999 B', '1.5 kB', '2.3 MB']
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: float) -> str:
    """Return a count with thousands separators, or a measure with four significant places.

    >>> [number(n) for n in (15002, 0.956521, 3.0)]
    ['15,002', '0.9565', '3']
    """
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"


def measure(value: float, places: int = 4) -> str:
    """Return a value of the data with so many significant places, in at most nine characters by default.

    Years keep their looks.

    >>> [measure(n) for n in (2007, 43.921929, 0.00012345, 15_002.25, 1_400_269_500, float("-inf"))]
    ['2007', '43.92', '0.0001234', '15,002', '1.4e9', '-∞']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if 1e4 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    if value == int(value) and abs(value) < 1e4:
        return f"{value:.0f}"
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), f"{value:.{places}g}")


def percent(fraction: float) -> str:
    """Return a share with one place; what is nearly nothing or nearly all does not look like it.

    >>> [percent(share) for share in (0, 0.00001, 0.3333, 0.99999, 1)]
    ['0%', '<0.1%', '33.3%', '>99.9%', '100%']
    """
    if fraction in (0, 1):
        return f"{fraction:.0%}"
    if fraction < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= fraction < 1 else f"{fraction:.1%}"


def visible(text: str, limit: int) -> str:
    r"""Return at most `limit` characters of a text from the data, in which nothing acts on a terminal.

    Control characters, and those that turn the direction of writing, are written as escapes.

    >>> visible("a\x1b[31mred", 20), visible("x" * 10_000_000, 8)
    ('a\\x1b[31mred', 'xxxxxxx…')
    """
    cut = text[: limit + 1]
    if not cut.isprintable():
        cut = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"


def counted(count: int, noun: str) -> str:
    """Return "1 row", "2 rows".

    >>> counted(1, "step"), counted(1500, "row")
    ('1 step', '1,500 rows')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def iso_time(seconds: float) -> str:
    """Return a time since 1970 in ISO 8601, UTC, to the millisecond; "" for 0.0.

    >>> iso_time(1.5)
    '1970-01-01T00:00:01.500Z'
    """
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(seconds: float) -> str:
    """Return a time since 1970 as "2026-11-20 19:14:48" where the user is; "" for 0.0."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def place(path: str) -> str:
    """Return a local path relative to the working directory when it lies below it."""
    here = os.getcwd()
    return os.path.relpath(path, here) if path == here or path.startswith(here + os.sep) else path


def shortened(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters.

    >>> shortened("a long reason", 8)
    'a long …'
    """
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"

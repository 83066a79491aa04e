"""What may be told of a query by its text alone: whether it reads.

Imports nothing heavy, so that queries can be checked before a step runs.
"""

from __future__ import annotations

import re

_READS = ("SELECT", "WITH", "VALUES", "TABLE", "FROM")
_BEFORE = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"\w*")


def check_reads(query: str) -> None:
    """Checks that a query begins as one that reads; comments and parentheses may stand before.

    Raises:
        ValueError: It is empty, or begins otherwise.
    """
    before = _BEFORE.match(query)
    first = _WORD.match(query, before.end() if before else 0)
    word = first.group() if first else ""
    if not word:
        raise ValueError("query is empty. Write one SELECT.")
    if word.upper() not in _READS:
        raise ValueError(f"query= begins with {word!r}, and must read: write one SELECT (or {', '.join(_READS[1:])}).")

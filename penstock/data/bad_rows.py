"""Rows that break a rule of their format and are set aside instead of failing the step: what is kept of each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class BadRow:
    """One row that was set aside.

    Attributes:
        file: Its file.
        line: Where it begins, counted from 1.
        reason: The rule, and what was found instead.
        raw: Its text; bytes that are no text are written in hexadecimal.
        column: The column at fault, or "".
        rule: The rule in one word, by which rows are counted: "cells", "encoding", "type", "syntax".
    """

    file: str
    line: int
    reason: str
    raw: str
    column: str
    rule: str


def to_lines(rows: Iterable[BadRow]) -> str:
    """Returns rows as JSON lines."""
    return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)

"""Spans of a query: a day's number becomes the times and the date that the query asks for, by TFX's names."""

from __future__ import annotations

import datetime

NAMES = ("@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc")
"""The seconds since 1970 at which the day begins and ends in UTC, and its date as '20240501'."""
_DAY_SECONDS = 86_400
_EPOCH = datetime.date(1970, 1, 1)


def day_of(span: int) -> datetime.date:
    """Returns the day that a span is, counted from 1970-01-01.

    >>> day_of(19844)
    datetime.date(2024, 5, 1)
    """
    return _EPOCH + datetime.timedelta(span)


def check_span(query: str, span: int | None) -> None:
    """Checks that a query asks for a span where one is given, and only there.

    Raises:
        ValueError: One is without the other.
    """
    asked = [name for name in NAMES if name in query]
    if asked and span is None:
        raise ValueError(f"query= asks for {asked[0]}, and there is no span=. Give the day as a number since 1970.")
    if span is not None and not asked:
        raise ValueError(f"span= chooses by {', '.join(NAMES)} in query=, which names none of them. Name one.")


def spanned(query: str, span: int | None) -> str:
    """Returns a query with the times of a span in place of their names."""
    if span is None:
        return query
    begin = span * _DAY_SECONDS
    values = (str(begin), str(begin + _DAY_SECONDS), f"'{day_of(span):%Y%m%d}'")
    for name, value in zip(NAMES, values, strict=True):
        query = query.replace(name, value)
    return query

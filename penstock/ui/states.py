"""How each state looks: a symbol, a colour, and the word used in a count."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text


class Look(NamedTuple):
    """A state's symbol, rich style and word."""

    symbol: str
    style: str
    word: str


LOOKS: dict[str, Look] = {
    "PENDING": Look("·", "dim", "waiting"),
    "RUNNING": Look("▶", "bold blue", "running"),
    "COMPLETE": Look("✓", "green", "ran"),
    "CACHED": Look("=", "cyan", "cached"),
    "FAILED": Look("✗", "bold red", "failed"),
    "SKIPPED": Look("-", "yellow", "skipped"),
    "CANCELED": Look("■", "magenta", "canceled"),
}
UNKNOWN = Look("?", "", "unknown")


def look(state: str) -> Look:
    """Return the look of a state."""
    return LOOKS.get(state, UNKNOWN)


def symbol(state: str) -> Text:
    """Return a state's symbol in its colour."""
    return Text(look(state).symbol, look(state).style)


def word(state: str) -> Text:
    """Return a state's name in its colour."""
    return Text(state, look(state).style)


def counts(states: list[str]) -> str:
    """Return "7 ran, 2 cached" of the states of a run's steps.

    >>> counts(["COMPLETE", "CACHED", "COMPLETE"])
    '2 ran, 1 cached'
    """
    found = [(LOOKS[state].word, states.count(state)) for state in LOOKS if state in states]
    return ", ".join(f"{count} {name}" for name, count in found) or "no steps"

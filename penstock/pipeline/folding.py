"""Many items of one step in a loop as a single row: the finished and the waiting ones, not those to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from penstock.pipeline.iterations import unnumbered

T = TypeVar("T")
FOLDED_FROM = 6
"""So many items of a step, or more, are one row."""
LOOKED_AT = frozenset({"RUNNING", "FAILED", "CANCELED"})


@dataclass(frozen=True)
class Fold(Generic[T]):
    """Items of one step in a loop.

    Attributes:
        step: The step, "Trainer".
        items: In the order of the loop's items.
        count: How many items the step has in all.
    """

    step: str
    items: tuple[T, ...]
    count: int

    @property
    def name(self) -> str:
        """Return how they are named together: "Trainer[8 items]", "Trainer[7 of 8 items]"."""
        left = len(self.items)
        return (
            f"{self.step}[{self.count} items]" if left == self.count else f"{self.step}[{left} of {self.count} items]"
        )


def fold(rows: Iterable[T], key: Callable[[T], tuple[str, str]]) -> list[T | Fold[T]]:
    """Put the items of steps in loops together, where there are many.

    Args:
        rows: In order.
        key: Returns the id of a row's step, and its state.
    """
    by_step: dict[str, list[T]] = {}
    for row in rows:
        by_step.setdefault(unnumbered(key(row)[0]), []).append(row)
    return [each for step, found in by_step.items() for each in _of_step(step, found, key)]


def _of_step(step: str, found: list[T], key: Callable[[T], tuple[str, str]]) -> list[T | Fold[T]]:
    if len(found) < FOLDED_FROM:
        return [*found]
    quiet = tuple(row for row in found if key(row)[1] not in LOOKED_AT)
    shown = [row for row in found if key(row)[1] in LOOKED_AT]
    return [*([Fold(step, quiet, len(found))] if quiet else []), *shown]


def state_of(counts: Mapping[str, int]) -> str:
    """Return the state that stands for several: the one that is left to be waited for, else the commonest."""
    return "PENDING" if counts.get("PENDING") else max(counts, key=lambda state: counts[state])

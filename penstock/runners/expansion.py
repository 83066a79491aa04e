"""A loop whose list is known: its items, and the nodes of its body for each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.pipeline.errors import DataError
from penstock.pipeline.iterations import iterations, numbered
from penstock.pipeline.node import ITEM
from penstock.pipeline.plan import AnyNode, Json, LoopPlan, every_node, value_bindings
from penstock.runners.driver import Driver

TOLD = 60
"""So many characters of an item are told."""


@dataclass(frozen=True)
class Expansion:
    """What came of a loop.

    Attributes:
        items: Each in a few words.
        iterations: For each item the nodes of the body.
        used: The ids of the artifacts that are the items, or that hold their values.
    """

    items: tuple[str, ...]
    iterations: tuple[tuple[AnyNode, ...], ...]
    used: tuple[int, ...] = ()

    @property
    def reason(self) -> str:
        """Say how many there are."""
        count = len(self.items)
        return "the list is empty" if not count else f"{count} item{'s' if count > 1 else ''}"


def expand(loop: LoopPlan, driver: Driver) -> Expansion:
    """Expand a loop, and let the driver know what became of its body.

    Raises:
        DataError: What it loops over is no list or too long, or an item hasn't a part that a step takes.
    """
    found = [record for binding in loop.artifacts for record in driver.made_of(binding)]
    items: Sequence[Json] = [None] * len(found) if loop.artifacts else _items(loop, driver)
    if len(items) > loop.at_most:
        raise DataError(
            f"Loop {loop.id!r} has {len(items):,} items and takes at most {loop.at_most:,}. "
            f"If so many are meant, write for_each(..., at_most={len(items)})."
        )
    made = iterations(loop, items)
    driver.made[loop.id] = {numbered(ITEM, number): [record] for number, record in enumerate(found)}
    for node in every_node(loop.body):
        driver.numbered[node.id] = [numbered(node.id, number) for number in range(len(items))]
    told = [f"{record.type} of {record.step or record.uri}" for record in found] or [*map(_told, items)]
    used = [record for binding in value_bindings(loop.items) for record in driver.made_of_any(binding)]
    return Expansion(tuple(told), made, tuple(record.id for record in [*found, *used]))


def _items(loop: LoopPlan, driver: Driver) -> list[Json]:
    found = driver.operand(loop.items)
    if not isinstance(found, list):
        raise DataError(f"Loop {loop.id!r} takes a list, got {found!r:.60}.")
    return found


def _told(item: Json) -> str:
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return text if len(text) <= TOLD else text[: TOLD - 3] + "..."

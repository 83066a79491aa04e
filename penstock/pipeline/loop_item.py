"""The item of a loop while the pipeline is put together, and its parts, as far as their types are known."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from penstock.pipeline.channel import Promise
from penstock.pipeline.errors import WiringError, listing, nearest
from penstock.pipeline.predicate import Operand

if TYPE_CHECKING:
    from penstock.pipeline.node import Node

ITEM_TOKEN = re.compile(r"\{\{item\.([\w.\-\[\]]+)((?:/[\w.-]+)*)\}\}")
"""How an item, or a part of it, stands inside a string."""
Key = str | int


@dataclass(frozen=True, eq=False)
class ItemPlace:
    """Where an item comes from.

    Attributes:
        loop: The loop.
        path: The keys that lead to a part of the item.
        annotation: Its type, `Any` where that isn't known.
        known: The items (or these parts of them) where they are written in the pipeline itself, else None.
    """

    loop: Node
    path: tuple[Key, ...] = ()
    annotation: Any = Any
    known: tuple[Any, ...] | None = None


class LoopItem(Promise):
    """The item of a loop inside its block, or a part of it: `item`, `item.rate`, `item["rate"]`, `item[0]`.

    It may stand in any JSON parameter and in f-strings, as a run parameter may. Its `value` is what a condition asks
    for; a part that is called "value" is `item["value"]`.
    """

    def __init__(self, place: ItemPlace) -> None:
        self._place = place

    @property
    def value(self) -> Operand:
        """The item inside a condition: `when(item.value > 3)`."""
        return Operand(self)

    def __getitem__(self, key: object) -> LoopItem:  # type: ignore[override]
        return LoopItem(_part(self._place, key))

    def __getattr__(self, name: str) -> LoopItem:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def _describe(self) -> str:
        return f"The item of loop {self._place.loop.id!r}"

    def __repr__(self) -> str:
        keys = "".join(f"[{key!r}]" for key in self._place.path)
        return f"<item{keys} of loop {self._place.loop.id!r}>"

    def __str__(self) -> str:
        for key in self._place.path:
            if isinstance(key, str) and (key.isdigit() or not re.fullmatch(r"[\w.-]+", key)):
                self._refuse(f"a text with its part {key!r}", "Pass the part itself as a parameter.")
        return "{{item." + "/".join([self._place.loop.id, *map(str, self._place.path)]) + "}}"

    def __format__(self, spec: str) -> str:
        if spec:
            self._refuse(f"the format {spec!r}", "Format it inside a component.")
        return str(self)

    def __fspath__(self) -> str:
        return str(self)


def place_of(item: LoopItem) -> ItemPlace:
    """Return where an item comes from; a function, since the attributes of an item are its parts."""
    return item._place


def item_type(annotation: Any) -> Any:
    """Return the type of the items of a list, `Any` where it isn't known, None where the type is no list's."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        arms = [arm for arm in inner if arm is not type(None)]
        return item_type(arms[0]) if len(arms) == 1 else None
    if annotation is Any or annotation in (list, tuple):
        return Any
    if origin in (list, Sequence) or (origin is tuple and inner[1:] == (...,)):
        return inner[0]
    return None


def _part(place: ItemPlace, key: object) -> ItemPlace:
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise WiringError(f"An item of loop {place.loop.id!r} has parts by name or number, got {key!r:.60}.")
    known = None if place.known is None else tuple(_known_part(place, key, each) for each in enumerate(place.known))
    return ItemPlace(place.loop, (*place.path, key), _part_type(place, key), known)


def _known_part(place: ItemPlace, key: Key, numbered: tuple[int, Any]) -> Any:
    number, item = numbered
    names = _names(item)
    if isinstance(key, int) and isinstance(item, list | tuple) and key < len(item):
        return item[key]
    if isinstance(key, str) and names is not None and key in names:
        return item[key] if isinstance(item, Mapping) else getattr(item, key)
    if isinstance(item, Promise):
        return item
    has = f" It has: {listing(names)}." if names is not None else ""
    raise WiringError(
        f"Item {number} of loop {place.loop.id!r}, {item!r:.60}, has no {key!r}.{nearest(str(key), names or ())}{has}"
    )


def _names(item: Any) -> list[str] | None:
    if isinstance(item, Mapping):
        return [str(name) for name in item]
    fields: list[str] = [*getattr(item, "__dataclass_fields__", ()), *getattr(item, "_fields", ())]
    return fields or None


def _part_type(place: ItemPlace, key: Key) -> Any:
    kind = place.annotation
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    if isinstance(key, int):
        found = item_type(kind)
        return Any if found is None else found
    fields = typing.get_type_hints(kind) if isinstance(kind, type) and _is_record(kind) else None
    if fields is None:
        return Any
    if key not in fields:
        raise WiringError(
            f"An item of loop {place.loop.id!r} is a {kind.__name__} and has no {key!r}.{nearest(key, fields)} "
            f"It has: {listing(fields)}."
        )
    return fields[key]


def _is_record(kind: type) -> bool:
    return hasattr(kind, "__dataclass_fields__") or hasattr(kind, "_fields") or hasattr(kind, "__required_keys__")

"""A loop's body, once per item: the ids of its nodes get the item's number, the item's tokens its value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from penstock.pipeline.errors import DataError, listing, nearest
from penstock.pipeline.loop_item import ITEM_TOKEN
from penstock.pipeline.node import ITEM
from penstock.pipeline.parameters import as_text
from penstock.pipeline.plan import (
    AnyNode,
    Binding,
    Branch,
    ConditionPlan,
    ImporterPlan,
    JoinPlan,
    Json,
    LoopPlan,
    StepPlan,
    every_node,
)

NUMBERS = re.compile(r"\[\d+\]")


def numbered(node_id: str, number: int) -> str:
    """Return the id of a node in a loop for one item: "Trainer[2]"."""
    return f"{node_id}[{number}]"


def unnumbered(node_id: str) -> str:
    """Return the id by which a node stands in the plan: "Trainer" for "Trainer[2][0]"."""
    return NUMBERS.sub("", node_id)


def depth(node_id: str) -> int:
    """Return in how many loops a node stands, by its id."""
    return node_id.count("[")


def iterations(loop: LoopPlan, items: Sequence[Json]) -> tuple[tuple[AnyNode, ...], ...]:
    """Return the nodes of a loop's body for each item.

    Raises:
        DataError: An item hasn't the part that a node takes of it.
    """
    inside = frozenset(node.id for node in every_node(loop.body))
    found = (_Iteration(loop.id, inside, number, item) for number, item in enumerate(items))
    return tuple(tuple(each.node(node) for node in loop.body) for each in found)


@dataclass(frozen=True)
class _Iteration:
    """One item of a loop.

    Attributes:
        inside: The ids of all nodes in the loop, those in further loops too.
    """

    loop: str
    inside: frozenset[str]
    number: int
    item: Json

    def node(self, node: AnyNode) -> AnyNode:
        changed: dict[str, Any] = {
            "id": self._id(node.id),
            "after": tuple(map(self._id, node.after)),
            "gated_by": tuple(map(self._id, node.gated_by)),
            "branch": node.branch and Branch(condition=self._id(node.branch.condition), holds=node.branch.holds),
        }
        if isinstance(node, StepPlan):
            inputs = {name: self._bindings(bound) for name, bound in node.inputs.items()}
            changed |= {"inputs": inputs, "parameters": self._json(node.parameters), "files": self._json(node.files)}
        elif isinstance(node, ImporterPlan):
            changed |= {"uri": self._json(node.uri), "properties": self._json(node.properties)}
        elif isinstance(node, ConditionPlan):
            changed |= {"predicate": self._json(node.predicate)}
        elif isinstance(node, JoinPlan):
            changed |= {"choices": self._bindings(node.choices)}
        elif isinstance(node, LoopPlan):
            body = tuple(self.node(each) for each in node.body)
            changed |= {"items": self._json(node.items), "artifacts": self._bindings(node.artifacts), "body": body}
        return msgspec.structs.replace(node, **changed)

    def _id(self, node_id: str) -> str:
        return numbered(node_id, self.number) if node_id in self.inside else node_id

    def _bindings(self, bound: Sequence[Binding]) -> tuple[Binding, ...]:
        return tuple(Binding(node=self._id(one.node), output=self._output(one), many=one.many) for one in bound)

    def _output(self, binding: Binding) -> str:
        return numbered(ITEM, self.number) if (binding.node, binding.output) == (self.loop, ITEM) else binding.output

    def _json(self, value: Json) -> Json:
        if isinstance(value, Mapping):
            if "$item" in value and value["$item"]["node"] in (self.loop, *self.inside):
                return self._item(value["$item"])
            for token in ("$value", "$property"):
                if token in value:
                    return {token: self._named(value[token])}
            return {key: self._json(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._json(each) for each in value]
        return ITEM_TOKEN.sub(self._text, value) if isinstance(value, str) else value

    def _item(self, named: Mapping[str, Json]) -> Json:
        if named["node"] == self.loop:
            return self._part(named["path"])
        return {"$item": {**named, "node": self._id(named["node"])}}

    def _named(self, named: Mapping[str, Json]) -> Json:
        binding = Binding(node=named["node"], output=named["output"])
        return {**named, "node": self._id(binding.node), "output": self._output(binding)}

    def _text(self, found: re.Match[str]) -> str:
        loop, path = found[1], found[2].split("/")[1:]
        if loop == self.loop:
            return as_text(self._part([int(key) if key.isdigit() else key for key in path]))
        return f"{{{{item.{self._id(loop)}{found[2]}}}}}" if loop in self.inside else found[0]

    def _part(self, path: Sequence[str | int]) -> Json:
        """Return the item, or what the keys lead to in it."""
        found = self.item
        for key in path:
            fits = isinstance(found, Mapping) if isinstance(key, str) else isinstance(found, list | tuple)
            there = range(len(found)) if fits and isinstance(key, int) else found
            if not fits or key not in there:
                names = list(found) if isinstance(found, Mapping) else ()
                has = f" It has: {listing(names)}." if names else ""
                raise DataError(
                    f"Item {self.number} of loop {self.loop!r}, {self.item!r:.60}, has no {key!r}."
                    f"{nearest(str(key), names)}{has}"
                )
            found = found[key]
        return found

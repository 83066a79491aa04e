"""`for_each` and `collect`: steps that are run once per item of a list, and what all of them made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.control_flow import active, numbered
from penstock.pipeline.definition import ComponentSpec, InputSpec, ParameterSpec
from penstock.pipeline.errors import WiringError
from penstock.pipeline.loop_item import ItemPlace, LoopItem, item_type, place_of
from penstock.pipeline.node import FOR_EACH, ITEM, Graph, Node

AT_MOST = 1000
"""So many items a loop takes unless it is told otherwise: a list that is longer is rather a mistake."""


class LoopBlock:
    """The steps of a `with` block run once per item of a list."""

    def __init__(self, graph: Graph, loop: Node, item: LoopItem | Channel) -> None:
        self.graph, self.loop, self.item = graph, loop, item

    def __enter__(self) -> Any:
        self.graph.loops = (*self.graph.loops, self.loop)
        self.graph.asked = None
        return self.item

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.graph.loops = self.graph.loops[:-1]
        self.graph.asked = None


def for_each(items: Any, *, parallelism: int | None = None, at_most: int = AT_MOST, id: str | None = None) -> LoopBlock:
    """Run the steps of a `with` block once per item of a list; the items run at the same time, each step by itself.

    >>> from penstock.pipeline import collect, component, for_each, pipeline
    >>> @component
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @component
    ... def add_up(numbers: list[int]) -> int:
    ...     return sum(numbers)
    >>> @pipeline
    ... def sums(numbers: list[int]):
    ...     with for_each(numbers) as number:
    ...         doubled = double(number=number)
    ...     add_up(numbers=collect(doubled.value))
    >>> [node.id for node in sums.compile().nodes]
    ['for_each-1', 'add_up']

    A step "double" of the block is run as "double[0]", "double[1]" and so on, each with its own cache entry: an item
    that is added to the list runs alone. In the block the item stands for its value in parameters and f-strings, its
    parts as `item.rate` or `item["rate"]`; an item that is an artifact is passed as an input. Outside,
    `collect(doubled.value)` is the list of what all items made.

    Args:
        items: A list; a run parameter that is one; a value output that is one, so that the number of items is known
            when that step has run; a list of channels; `collect(...)` or a list that a `Resolver` found.
        parallelism: How many items are under way at once; as many as the machine takes by default.
        at_most: The number of items above which the loop fails.
        id: The name of the loop; "for_each-1" and so on by default.

    Raises:
        WiringError: Used outside a pipeline function, or with something that is no list.
    """
    graph = active("for_each")
    _check_number("parallelism", parallelism, optional=True)
    _check_number("at_most", at_most)
    kind, annotation, known = _items(items)
    spec = ComponentSpec(
        "for_each",
        FOR_EACH,
        inputs={"artifacts": InputSpec(kind, many=True)} if kind else {},
        outputs={ITEM: kind} if kind else {},
        parameters={"parallelism": ParameterSpec(int | None), "at_most": ParameterSpec(int)}
        | ({} if kind else {"items": ParameterSpec(Any)}),
        values={},
    )
    given = {"artifacts": items if isinstance(items, list | tuple) else [items]} if kind else {"items": items}
    limits = {"parallelism": parallelism, "at_most": at_most}
    loop = graph.add(spec, (), {**given, **limits, "id": id or numbered(graph, "for_each", FOR_EACH)})
    item = loop.outputs[ITEM] if kind else LoopItem(ItemPlace(loop, (), annotation, known))
    return LoopBlock(graph, loop, item)


def collect(channel: Channel) -> Channel:
    """Return the list of what a step in a loop made for all items, in the items' order, for a use outside of the loop.

    It goes into an input of a list, `Input[list[Model]]`; for values, into a parameter that is a list. What a `when`
    inside the loop left out is missing from it; when a step failed for one item, those that need the list are skipped.

    Raises:
        WiringError: It is no output of a step in a loop.
    """
    active("collect")
    if not isinstance(channel, Channel):
        raise WiringError(f"collect() takes an output of a step in a loop, such as train.model, got {channel!r:.60}.")
    name = f"'{channel.node.id}.{channel.output}'"
    if channel.many:
        raise WiringError(f"collect() takes an output of a step in a loop; {name} is a list already.")
    if not channel.node.loops:
        raise WiringError(f"collect() takes an output of a step in a loop; {name} is made once. Pass it as it is.")
    return dataclasses.replace(channel, many=True)


def _check_number(name: str, value: object, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WiringError(f"for_each({name}=...) takes a whole number of at least 1, got {value!r:.60}.")


def _items(items: Any) -> tuple[type[Artifact] | None, Any, tuple[Any, ...] | None]:
    """Return the artifact type of the items, or their type where they are values, and themselves where known."""
    if isinstance(items, RunParameter | LoopItem):
        annotation = items.annotation if isinstance(items, RunParameter) else place_of(items).annotation
        what = f"run parameter {items.name!r}" if isinstance(items, RunParameter) else repr(items)
        return None, _type_of_items(annotation, f"{what} of type {_named(annotation)}"), None
    if isinstance(items, Channel):
        return _channel_items(items)
    if isinstance(items, Node):
        raise WiringError(f"for_each() takes a list, got the node {items.id!r} itself. Pass an output of it.")
    if not isinstance(items, list | tuple):
        raise WiringError(
            f"for_each() takes a list, a run parameter or a value output that is one, got {items!r:.60}. "
            f"Write for_each([...]), or for_each(list(...))."
        )
    artifacts = [each for each in items if isinstance(each, Channel) and not _is_value(each)]
    if not artifacts:
        return None, Any, tuple(items)
    return _artifact_items(items), Any, None


def _channel_items(items: Channel) -> tuple[type[Artifact] | None, Any, None]:
    name = f"'{items.node.id}.{items.output}'"
    if _is_value(items):
        annotation = items.node.component.values[items.output]
        if items.many:
            return None, annotation, None
        return None, _type_of_items(annotation, f"the value {name} of type {_named(annotation)}"), None
    if not items.many:
        raise WiringError(
            f"for_each() takes a list, got {name}, one artifact of {items.type.TYPE_NAME}. Loop over several: "
            f"for_each([one.{items.output}, other.{items.output}]), or over collect(...) of another loop."
        )
    return items.type, Any, None


def _artifact_items(items: Sequence[Any]) -> type[Artifact]:
    first = next(each for each in items if isinstance(each, Channel))
    for each in items:
        if not isinstance(each, Channel) or _is_value(each) or each.type is not first.type:
            got = f"a channel of {each.type.TYPE_NAME}" if isinstance(each, Channel) else f"{each!r:.60}"
            raise WiringError(
                f"for_each() takes items of one kind, got a channel of {first.type.TYPE_NAME} and {got}. "
                f"Loop over each kind by itself."
            )
    return first.type


def _type_of_items(annotation: Any, got: str) -> Any:
    found = item_type(annotation)
    if found is None:
        raise WiringError(f"for_each() takes a list, got {got}. Declare it as a list, such as list[float].")
    return found


def _is_value(channel: Channel) -> bool:
    return channel.output in channel.node.component.values


def _named(annotation: Any) -> str:
    return (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )

"""What holds of conditions, loops and resolvers before anything runs: rules of the table in `rules.py`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.pipeline import parameters
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.definition import VALUE_TYPES, ParameterSpec
from penstock.pipeline.errors import listing, nearest
from penstock.pipeline.loop_item import LoopItem, item_type, place_of
from penstock.pipeline.node import FOR_EACH, RESOLVER, WHEN, Node
from penstock.pipeline.predicate import Operand, Predicate, comparisons_in, operands_in

if TYPE_CHECKING:
    from penstock.pipeline.rules import Problem, Wiring


def wrong_condition(wiring: Wiring) -> Iterator[Problem]:
    """Conditions are asked of value outputs and of properties that artifacts have."""
    for node in wiring.nodes:
        if node.component.reference == WHEN:
            for operand in operands_in(node.arguments["predicate"]):
                problem = _operand_problem(operand)
                if problem:
                    yield node, f"when(): {problem}"
            for comparison in comparisons_in(node.arguments["predicate"]):
                problem = _comparison_problem(comparison)
                if problem:
                    yield node, f"when(): {problem}"


def _operand_problem(operand: Operand) -> str:
    channel = operand.source
    if not isinstance(channel, Channel):
        return ""
    name = f"'{channel.node.id}.{channel.output}'"
    if not operand.name and channel.output not in channel.node.component.values:
        kind = channel.type.TYPE_NAME
        return f'{name} is an artifact of {kind}, which has no value. Ask for a property: x.properties["name"] == 1.'
    known = channel.type.PROPERTIES
    if operand.name and known and operand.name not in known:
        return (
            f"{name} has no property {operand.name!r}.{nearest(operand.name, known)} "
            f"{channel.type.TYPE_NAME} has: {listing(known)}."
        )
    return ""


def _comparison_problem(comparison: Predicate) -> str:
    """Say that text is compared with what is none, where both types are known."""
    for operand, other in (comparison.of, comparison.of[::-1]):
        kind = _type_of(operand)
        for value in other if comparison.op == "in" and isinstance(other, list) else [other]:
            if kind is not None and type(value) in VALUE_TYPES and (kind is str) is not isinstance(value, str):
                source = operand.source
                name = f"'{source.node.id}.{source.output}'" if isinstance(source, Channel) else f"{source.name!r}"
                return (
                    f"{name} is of type {kind.__name__}, and is compared with {value!r:.60}, a "
                    f"{type(value).__name__}. Compare it with a value of its own type."
                )
    return ""


def _type_of(operand: object) -> Any:
    """Return the plain type of what an operand stands for, None where it isn't known."""
    if not isinstance(operand, Operand) or operand.name:
        return None
    source = operand.source
    if isinstance(source, Channel):
        found = source.node.component.values.get(source.output)
    else:
        found = source.annotation if isinstance(source, RunParameter) else None
    return found if found in (int, float, str, bool) else None


def empty_loop(wiring: Wiring) -> Iterator[Problem]:
    """A loop has steps."""
    for node in wiring.nodes:
        if node.component.reference == FOR_EACH and not any(node in other.loops for other in wiring.nodes):
            yield (
                node,
                f"{_loop(node)} has no step in its block. Write `with for_each(...) as item:` and call the steps "
                f"inside.",
            )


def escaped_output(wiring: Wiring) -> Iterator[Problem]:
    """What a step in a loop makes goes on within that loop, or all of it at once."""
    for node, name, channel in _channels(wiring):
        loops = channel.node.loops
        inside = loops == node.loops[: len(loops)]
        made = f"'{channel.node.id}.{channel.output}'"
        if not channel.many and not inside:
            yield (
                node,
                f"{_argument(node, name)} takes {made}, which {_loop(loops[-1])} makes once per item. Take what all "
                f"items made, as a list: collect({channel.node.id}.{channel.output}).",
            )
        elif channel.many and loops and inside:
            yield (
                node,
                f"{_argument(node, name)} takes collect({channel.node.id}.{channel.output}) inside {_loop(loops[-1])}, "
                f"which makes it: a circular for_each, as no item can wait for all of them. Take "
                f"{channel.node.id}.{channel.output} itself, or move the step out of the loop.",
            )


def escaped_item(wiring: Wiring) -> Iterator[Problem]:
    """An item is known inside of its loop."""
    for node in wiring.nodes:
        for name, value in node.arguments.items():
            for loop in _loops_of_items(value):
                if loop not in node.loops:
                    yield (
                        node,
                        f"{_argument(node, name)} takes the item of {_loop(loop)} outside of its block, where there is "
                        f"no item. Move the step into the block, or pass it the whole list.",
                    )


def single_for_list(wiring: Wiring) -> Iterator[Problem]:
    """A list goes where a list is taken."""
    for node, name, channel in _channels(wiring):
        if not channel.many:
            continue
        listed = f"the list of '{channel.node.id}.{channel.output}'"
        port = node.component.inputs.get(name)
        if port is not None and not port.many:
            yield (
                node,
                f"{_argument(node, name)} takes one channel of {port.type.TYPE_NAME}, got {listed}. Declare it as "
                f"Input[list[{port.type.TYPE_NAME}]], or loop over it: for_each({_spelled(channel)}).",
            )
        parameter = node.component.parameters.get(name)
        if parameter is not None and node.arguments[name] is channel and node.component.reference != FOR_EACH:
            problem = _list_problem(parameter, channel)
            if problem:
                yield node, f"{_argument(node, name)} takes {problem}, got {listed}."
        if node.component.reference == WHEN:
            yield node, f"when() asks for one value, got {listed}. Compare in a step that takes the list."


def wrong_item(wiring: Wiring) -> Iterator[Problem]:
    """Items fit the parameters that they stand in, as far as the items or their type are known."""
    for node in wiring.nodes:
        for name, value in node.arguments.items():
            port = node.component.parameters.get(name)
            if port is None or port.kind != "json" or node.component.reference == WHEN:
                continue
            problem = _typed_problem(value, port) or _known_problem(value, port)
            if problem:
                yield node, f"{_argument(node, name)} takes {problem}."


def looped_resolver(wiring: Wiring) -> Iterator[Problem]:
    """A resolver and an exit handler stand outside of loops."""
    for node in wiring.nodes:
        if node.loops and node.component.reference == RESOLVER:
            yield (
                node,
                f"{_argument(node)} stands inside {_loop(node.loops[-1])}. Resolve before the loop and use what it "
                f"found inside; to loop over a list of artifacts: for_each({node.id}.output).",
            )
        if node.loops and node.on_exit:
            yield node, f"{_argument(node)} is an exit handler inside {_loop(node.loops[-1])}. Call it after the loop."


RULES = (wrong_condition, empty_loop, escaped_output, escaped_item, single_for_list, wrong_item, looped_resolver)


def _channels(wiring: Wiring) -> Iterator[tuple[Node, str, Channel]]:
    """Yield (node, argument, channel) for all channels that are passed, but for a loop's own items."""
    for node in wiring.nodes:
        for name, value in node.arguments.items():
            for found in parameters.promises_in(value):
                if isinstance(found, Channel) and found.node.component.reference != FOR_EACH:
                    yield node, name, found


def _loops_of_items(value: object) -> list[Node]:
    found = []
    for promise in parameters.promises_in(value):
        if isinstance(promise, LoopItem):
            found.append(place_of(promise).loop)
        elif isinstance(promise, Channel) and promise.node.component.reference == FOR_EACH:
            found.append(promise.node)
    return found


def _typed_problem(value: object, port: ParameterSpec) -> str:
    """Say what is wrong with an item of a known type that is passed as it is."""
    if not isinstance(value, LoopItem):
        return ""
    given = place_of(value).annotation
    if not {port.annotation, given} <= VALUE_TYPES.keys() or given is port.annotation:
        return ""
    fits = port.annotation is float and given is int
    return "" if fits else f"{port.annotation.__name__}, got {value!r} of type {given.__name__}"


def _known_problem(value: object, port: ParameterSpec) -> str:
    """Say which of the items that are written down doesn't fit."""
    places = [place_of(found) for found in parameters.promises_in(value) if isinstance(found, LoopItem)]
    loops = {place.loop for place in places if place.known is not None}
    if (
        len(loops) != 1
        or len(places) != len(parameters.promises_in(value))
        or any(place.known is None for place in places)
    ):
        return ""
    loop = loops.pop()
    for number in range(len(loop.arguments["items"])):
        try:
            plain = parameters.to_json(_with_known(value, number))
            if not parameters.has_tokens(plain):
                parameters.convert(plain, port.annotation)
        except (msgspec.ValidationError, TypeError) as error:
            item = repr(loop.arguments["items"][number])
            wanted = port.annotation.__name__ if isinstance(port.annotation, type) else str(port.annotation)
            return f"{wanted}, got item {number} of {_loop(loop)}, {item:.60}: {error}"
    return ""


def _with_known(value: Any, number: int) -> Any:
    """Return an argument as it is for one item."""
    if isinstance(value, LoopItem):
        known = place_of(value).known
        return known[number] if known is not None else value
    if isinstance(value, dict):
        return {key: _with_known(each, number) for key, each in value.items()}
    return [_with_known(each, number) for each in value] if isinstance(value, list | tuple) else value


def _list_problem(port: ParameterSpec, channel: Channel) -> str:
    wanted, made = item_type(port.annotation), channel.node.component.values.get(channel.output)
    if wanted is None:
        return inspect.formatannotation(port.annotation)
    if {wanted, made} <= VALUE_TYPES.keys() and wanted is not made and (wanted, made) != (float, int):
        return f"a list of {wanted.__name__}"
    return ""


def _spelled(channel: Channel) -> str:
    name = f"{channel.node.id}.{channel.output}"
    return name if channel.node.component.reference == RESOLVER else f"collect({name})"


def _argument(node: Node, name: str = "") -> str:
    if node.component.reference == WHEN:
        return "when()"
    if name:
        return f"{node.component.name}({name}=...)"
    return f"{node.component.name}()" if node.id == node.component.name else f"{node.component.name}(id={node.id!r})"


def _loop(node: Node) -> str:
    return f"for_each(id={node.id!r})"

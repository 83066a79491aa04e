"""What a pipeline must satisfy before anything runs: one function a rule, one table."""

from __future__ import annotations

import graphlib
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import parameters
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.errors import MAX_FAILURES, WiringError, listing, nearest
from penstock.pipeline.node import Node
from penstock.pipeline.signature import VALUE_TYPES, InputSpec, ParameterSpec


@dataclass(frozen=True)
class Wiring:
    """What the rules look at: the pipeline's nodes as they were called, and the folder of its code."""

    pipeline: str
    nodes: tuple[Node, ...]
    code_root: str

    def arguments(self, kind: type[InputSpec] | type[ParameterSpec]) -> Iterator[tuple[Node, str, object]]:
        """Yield (node, name, value) of all given inputs or parameters."""
        for node in self.nodes:
            ports = node.component.inputs if kind is InputSpec else node.component.parameters
            yield from ((node, name, value) for name, value in node.arguments.items() if name in ports)


def call(node: Node) -> str:
    """Return how messages name a node: its component, and its id where that differs."""
    name = node.component.name
    return f"{name}()" if node.id == name else f"{name}(id={node.id!r})"


def duplicate_id(wiring: Wiring) -> Iterator[str]:
    """Node ids are unique."""
    first: dict[str, Node] = {}
    for node in wiring.nodes:
        other = first.setdefault(node.id, node)
        if other is not node:
            yield (
                f"Two nodes have the id {node.id!r} ({other.where} and {node.where}). "
                f"Give one of them an id of its own: {node.component.name}(..., id='{node.id}2')."
            )


def invalid_id(wiring: Wiring) -> Iterator[str]:
    """Ids are folder names and stand in commands."""
    for node in wiring.nodes:
        plain = node.id.replace("-", "").replace("_", "").replace(".", "") if isinstance(node.id, str) else ""
        if not plain.isalnum() or node.id.startswith("."):
            yield f"{call(node)} ({node.where}) has an unusable id. Use letters, digits, '-', '_' and '.'."


def nested_function(wiring: Wiring) -> Iterator[str]:
    """A worker imports components by name, so they stand at module level."""
    for node in wiring.nodes:
        if "<locals>" in node.component.reference or "<lambda>" in node.component.reference:
            yield (
                f"Component {node.component.name!r} is defined inside a function ({node.component.reference}), "
                f"where no worker can import it. Move it to module level."
            )


def unknown_argument(wiring: Wiring) -> Iterator[str]:
    """Every argument is an input or a parameter."""
    for node in wiring.nodes:
        known = node.component.argument_names
        for name in node.arguments:
            if name in node.component.outputs:
                yield (
                    f"{call(node)} makes {name!r} itself ({node.where}); outputs are not passed. "
                    f"It takes: {listing(known)}."
                )
            elif name not in known:
                yield (
                    f"{call(node)} has no input or parameter {name!r} ({node.where}).{nearest(name, known)} "
                    f"It takes: {listing(known)}."
                )


def missing_argument(wiring: Wiring) -> Iterator[str]:
    """Inputs and parameters without a default are given."""
    for node in wiring.nodes:
        spec = node.component
        needed = [name for name, port in spec.inputs.items() if not port.optional]
        needed += [name for name, port in spec.parameters.items() if port.required and port.kind != "beam"]
        missing = [name for name in needed if node.arguments.get(name) is None]
        if missing:
            yield f"{call(node)} needs {listing(missing)} ({node.where}). It takes: {listing(spec.argument_names)}."


def wrong_input(wiring: Wiring) -> Iterator[str]:
    """An input takes channels of its artifact type."""
    for node, name, value in wiring.arguments(InputSpec):
        port = node.component.inputs[name]
        if value is None and port.optional:
            continue
        if isinstance(value, list | tuple) and not port.many:
            yield (
                f"{node.component.name}({name}=...) takes one channel of {port.type.TYPE_NAME}, got a list of "
                f"{len(value)} ({node.where})."
            )
            continue
        items = list(value) if isinstance(value, list | tuple) else [value]
        for item in items:
            problem = _mismatch(item, port)
            if problem:
                takes = f"{node.component.name}({name}=...) takes a channel of {port.type.TYPE_NAME}"
                yield f"{takes}, got {problem} ({node.where})."


def _mismatch(item: object, port: InputSpec) -> str:
    if isinstance(item, Channel):
        accepted = port.type is Artifact or issubclass(item.type, port.type)
        return "" if accepted else f"a channel of {item.type.TYPE_NAME} from '{item.node.id}.{item.output}'"
    if isinstance(item, Node):
        fitting = [name for name, channel in item.outputs.items() if issubclass(channel.type, port.type)]
        hint = f"; pass its output {fitting[0]!r}" if fitting else ""
        return f"the node {item.id!r} itself{hint}"
    return f"{item!r:.60}; to use a file or folder from outside, wrap it in Importer(...)"


def wrong_parameter(wiring: Wiring) -> Iterator[str]:
    """A parameter has a JSON form and fits its annotation."""
    for node, name, value in wiring.arguments(ParameterSpec):
        port = node.component.parameters[name]
        where = f"{node.component.name}({name}=...)"
        try:
            plain = parameters.to_json(value)
        except TypeError as error:
            yield (
                f"{where} takes JSON values, got {error} ({node.where}). Pass numbers, text, lists, dicts or "
                f"dataclasses; name code as 'module:function' or a module file."
            )
            continue
        problem = _promise_mismatch(value, port)
        if problem is None and port.kind == "json" and not parameters.has_tokens(plain):
            problem = _unfit(plain, port)
        elif problem is None and port.kind in ("path", "module", "files") and not isinstance(plain, str | dict | list):
            problem = f"takes a path, got {plain!r:.60}"
        if problem:
            yield f"{where} {problem} ({node.where})."


def _promise_mismatch(value: object, port: ParameterSpec) -> str | None:
    if isinstance(value, Node):
        return f"takes a value, got the node {value.id!r} itself"
    if isinstance(value, Channel):
        if value.output not in value.node.component.values:
            return f"takes a value, got a channel of {value.type.TYPE_NAME} from '{value.node.id}.{value.output}'"
        wanted = VALUE_TYPES.get(port.annotation)
        if wanted and value.type is not wanted and port.annotation is not float:
            return f"takes {port.annotation.__name__}, got a channel of {value.type.TYPE_NAME}"
    if isinstance(value, RunParameter) and {port.annotation, value.annotation} <= VALUE_TYPES.keys():
        fits = value.annotation is port.annotation or (port.annotation is float and value.annotation is int)
        if not fits:
            given = f"run parameter {value.name!r} of type {value.annotation.__name__}"
            return f"takes {port.annotation.__name__}, got {given}"
    return None


def _unfit(plain: object, port: ParameterSpec) -> str | None:
    try:
        parameters.convert(plain, port.annotation)
    except msgspec.ValidationError as error:
        return f"takes {inspect.formatannotation(port.annotation)}, got {plain!r:.60}: {error}"
    except TypeError:
        return f"is declared as {inspect.formatannotation(port.annotation)}, which has no JSON form"
    return None


def missing_module_file(wiring: Wiring) -> Iterator[str]:
    """Module files exist below the code root and are named as they stand."""
    for node, name, value in wiring.arguments(ParameterSpec):
        if node.component.parameters[name].kind != "module" or value is None:
            continue
        where = f"{node.component.name}({name}=...)"
        if not isinstance(value, str) or parameters.has_tokens(value):
            yield f"{where} takes the path of a module file as plain text, got {value!r} ({node.where})."
        elif os.path.isabs(value) or value.startswith("..") or not value.endswith(".py"):
            yield f"{where} takes a '.py' file below the pipeline's folder, got {value!r} ({node.where})."
        elif not os.path.isfile(os.path.join(wiring.code_root, value)):
            there = sorted(entry for entry in os.listdir(wiring.code_root) if entry.endswith(".py"))
            yield (
                f"{where} names {value!r}, and there is no such file in the pipeline's folder ({node.where})."
                f"{nearest(value, there)} It holds: {listing(there)}."
            )


def foreign_channel(wiring: Wiring) -> Iterator[str]:
    """Channels and nodes come from this pipeline."""
    own = {id(node) for node in wiring.nodes}
    for node in wiring.nodes:
        values = [item for value in node.arguments.values() for item in (value if isinstance(value, list) else [value])]
        used = [value.node for value in values if isinstance(value, Channel)]
        for other in [*used, *node.after]:
            if not isinstance(other, Node):
                yield f"{call(node)}: after= takes nodes, got {other!r:.60} ({node.where})."
            elif id(other) not in own:
                yield f"{call(node)} refers to {other.id!r}, a node of another pipeline ({node.where})."


def cycle(wiring: Wiring) -> Iterator[str]:
    """Nodes don't wait for themselves."""
    waits = {node.id: [other.id for other in upstream(node)] for node in wiring.nodes}
    try:
        graphlib.TopologicalSorter(waits).prepare()
    except graphlib.CycleError as error:
        yield f"These nodes wait for each other: {' -> '.join(error.args[1])}. Remove one of the orderings."


def upstream(node: Node) -> list[Node]:
    """Return the nodes that a node waits for by its channels and its explicit order."""
    found = [channel.node for value in node.arguments.values() for channel in channels_in(value)]
    return found + [other for other in node.after if isinstance(other, Node)]


def channels_in(value: object) -> list[Channel]:
    """Return all channels in an argument, at any depth."""
    if isinstance(value, Channel):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [channel for item in items for channel in channels_in(item)]


Rule = Callable[[Wiring], Iterator[str]]
RULES: tuple[Rule, ...] = (
    invalid_id,
    duplicate_id,
    nested_function,
    unknown_argument,
    missing_argument,
    wrong_input,
    wrong_parameter,
    missing_module_file,
    foreign_channel,
    cycle,
)


def check(wiring: Wiring) -> None:
    """Apply every rule.

    Raises:
        WiringError: With at most `MAX_FAILURES` problems, each naming node, argument, what was received and what fits.
    """
    problems = [problem for rule in RULES for problem in rule(wiring)]
    if not problems:
        return
    shown = problems[:MAX_FAILURES]
    if len(problems) > MAX_FAILURES:
        shown.append(f"... and {len(problems) - MAX_FAILURES} more.")
    title = f"Pipeline {wiring.pipeline!r} has {len(problems)} problems:\n  " if len(problems) > 1 else ""
    raise WiringError(title + "\n  ".join(shown))

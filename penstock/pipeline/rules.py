"""What a pipeline must satisfy before anything runs: one function a rule, one table."""

from __future__ import annotations

import graphlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import control_rules, demands, parameters
from penstock.pipeline.annotations import Secret
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.definition import VALUE_TYPES, InputSpec, ParameterSpec, is_importable
from penstock.pipeline.durations import seconds_of
from penstock.pipeline.errors import MAX_FAILURES, WiringError, closest, listing, nearest
from penstock.pipeline.node import FOR_EACH, RESOLVER, WHEN, Node
from penstock.pipeline.options import OPTION_NAMES

Problem = tuple[Node, str]
"""The node whose call is at fault, and what is wrong with it."""
RUN_STATUS = ("__state__", "__failed__")
"""How the state of a run stands among the run parameters of an exit handler."""


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


def duplicate_id(wiring: Wiring) -> Iterator[Problem]:
    """Node ids are unique."""
    first: dict[str, Node] = {}
    for node in wiring.nodes:
        other = first.setdefault(node.id, node)
        if other is not node:
            yield (
                node,
                f"Two nodes have the id {node.id!r}, the other stands at {other.where}. "
                f"Give one of them an id of its own: {node.component.name}(..., id='{node.id}2').",
            )


def invalid_id(wiring: Wiring) -> Iterator[Problem]:
    """Ids are folder names and stand in commands."""
    for node in wiring.nodes:
        plain = node.id.replace("-", "").replace("_", "").replace(".", "") if isinstance(node.id, str) else ""
        if not plain.isalnum() or node.id.startswith("."):
            hint = " Leave the item out: a loop numbers its steps itself." if "{{item." in str(node.id) else ""
            yield node, f"{call(node)} has an unusable id. Use letters, digits, '-', '_' and '.'.{hint}"


def nested_function(wiring: Wiring) -> Iterator[Problem]:
    """A worker imports components by name, so they stand at module level."""
    for node in wiring.nodes:
        if "<locals>" in node.component.reference or "<lambda>" in node.component.reference:
            yield (
                node,
                f"Component {node.component.name!r} is defined inside a function ({node.component.reference}), "
                f"where no worker can import it. Move it to module level.",
            )
        elif not is_importable(node.component):
            yield (
                node,
                f"Component {node.component.name!r} is known to a worker as {node.component.reference}, and what "
                f"stands there is no component. Write @component above the function: component(function) under another "
                f"name can't be imported.",
            )


def unknown_argument(wiring: Wiring) -> Iterator[Problem]:
    """Every argument is an input or a parameter."""
    for node in wiring.nodes:
        known = node.component.argument_names
        for name in node.arguments:
            if name in node.component.outputs:
                yield node, f"{call(node)} makes {name!r} itself; outputs are not passed. It takes: {listing(known)}."
            elif name not in known:
                yield (
                    node,
                    f"{call(node)} has no input or parameter {name!r}.{nearest(name, [*known, *OPTION_NAMES])} "
                    f"It takes: {listing(known)}.",
                )


def missing_argument(wiring: Wiring) -> Iterator[Problem]:
    """Inputs and parameters without a default are given; a misspelt one is told by `unknown_argument` alone."""
    for node in wiring.nodes:
        spec = node.component
        needed = [name for name, port in spec.inputs.items() if not port.optional]
        needed += [name for name, port in spec.parameters.items() if port.required and port.kind != "beam"]
        misspelt = {closest(name, spec.argument_names) for name in node.arguments if name not in spec.argument_names}
        missing = [name for name in needed if not _given(node, name) and name not in misspelt]
        if missing:
            yield node, f"{call(node)} needs {listing(missing)}. It takes: {listing(spec.argument_names)}."


def _given(node: Node, name: str) -> bool:
    port = node.component.parameters.get(name)
    may_be_none = port is not None and port.optional and name in node.arguments
    return may_be_none or node.arguments.get(name) is not None


def wrong_input(wiring: Wiring) -> Iterator[Problem]:
    """An input takes channels of its artifact type."""
    for node, name, value in wiring.arguments(InputSpec):
        port = node.component.inputs[name]
        if value is None and port.optional:
            continue
        if isinstance(value, list | tuple) and not port.many:
            yield (
                node,
                f"{node.component.name}({name}=...) takes one channel of {port.type.TYPE_NAME}, got a list of "
                f"{len(value)}.",
            )
            continue
        items = list(value) if isinstance(value, list | tuple) else [value]
        for item in items:
            problem = _mismatch(item, port)
            if problem:
                takes = f"{node.component.name}({name}=...) takes a channel of {port.type.TYPE_NAME}"
                yield node, f"{takes}, got {problem}."


def _mismatch(item: object, port: InputSpec) -> str:
    if isinstance(item, Channel):
        accepted = port.type is Artifact or issubclass(item.type, port.type)
        return "" if accepted else f"a channel of {item.type.TYPE_NAME} from '{item.node.id}.{item.output}'"
    if isinstance(item, Node):
        fitting = [name for name, channel in item.outputs.items() if issubclass(channel.type, port.type)]
        hint = f"; pass its output {fitting[0]!r}" if fitting else ""
        return f"the node {item.id!r} itself{hint}"
    return f"{item!r:.60}; to use a file or folder from outside, wrap it in Importer(...)"


def wrong_parameter(wiring: Wiring) -> Iterator[Problem]:
    """A parameter has a JSON form and fits its annotation; a default counts like a value."""
    for node in wiring.nodes:
        for name, port in node.component.parameters.items():
            value = node.arguments.get(name, None if port.required else port.default)
            if value is None and not _given(node, name) and (port.required or port.optional):
                continue
            problem = "" if node.component.reference == WHEN else _parameter_problem(value, port)
            if problem and port.kind != "beam":
                yield node, f"{node.component.name}({name}=...) {problem}."


def _parameter_problem(value: object, port: ParameterSpec) -> str | None:
    problem = _promise_mismatch(value, port) or _secret_mismatch(value, port)
    if problem:
        return problem
    try:
        plain = parameters.to_json(value)
    except TypeError as error:
        return (
            f"takes JSON values, got {error}. Pass numbers, text, lists, dicts or dataclasses; name code as "
            f"'module:function' or a module file"
        )
    odd = parameters.not_finite(plain)
    if odd is not None:
        return f"takes finite numbers, got {odd}: a plan is JSON, which has no others. Pass None or text"
    if port.kind == "json" and not parameters.has_tokens(plain):
        return _unfit(plain, port)
    if port.kind in ("path", "module", "files") and not isinstance(plain, str | dict | list):
        return f"takes a path, got {plain!r:.60}"
    return None


def _secret_mismatch(value: object, port: ParameterSpec) -> str | None:
    if port.kind == "secret" and not isinstance(value, Secret):
        return "takes Secret('NAME'), the name of an environment variable, got something else; a plan holds no secrets"
    if isinstance(value, Secret) and port.annotation in VALUE_TYPES:
        return f"takes {port.annotation.__name__}, got {value!r}. Declare it as a Secret and use its .value"
    return None


def _promise_mismatch(value: object, port: ParameterSpec) -> str | None:
    if isinstance(value, Node):
        return f"takes a value, got the node {value.id!r} itself"
    for channel in channels_in(value):
        if channel.output not in channel.node.component.values:
            return f"takes a value, got a channel of {channel.type.TYPE_NAME} from '{channel.node.id}.{channel.output}'"
    if isinstance(value, Channel):
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


def missing_module_file(wiring: Wiring) -> Iterator[Problem]:
    """Module files exist below the code root and are named as they stand."""
    for node, name, value in wiring.arguments(ParameterSpec):
        if node.component.parameters[name].kind != "module" or value is None:
            continue
        problem = _module_problem(value, wiring.code_root)
        if problem:
            yield node, f"{node.component.name}({name}=...) {problem}."


def _module_problem(value: object, code_root: str) -> str | None:
    if not isinstance(value, str) or parameters.has_tokens(value):
        return f"takes the path of a module file as plain text, got {value!r}"
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".py":
        return f"takes a '.py' file below the pipeline's folder, got {value!r}"
    if not all(part.isidentifier() for part in path.with_suffix("").parts):
        return f"takes a file that can be imported, got {value!r}. Name files and folders with letters, digits and '_'"
    if not os.path.isfile(os.path.join(code_root, path)):
        there = sorted(entry for entry in os.listdir(code_root) if entry.endswith(".py"))
        return (
            f"names {value!r}, and there is no such file in the pipeline's folder.{nearest(value, there)} "
            f"It holds: {listing(there)}"
        )
    return None


def wrong_cache_policy(wiring: Wiring) -> Iterator[Problem]:
    """`cache` is True, False or a span of time, `salt` is text."""
    for node in wiring.nodes:
        cache: object = node.options.cache
        salt: object = node.options.salt
        if not isinstance(cache, bool | str | None):
            yield node, f'{call(node)} takes cache=True, cache=False or an age such as cache="7d", got {cache!r:.60}.'
        elif isinstance(cache, str):
            try:
                seconds_of(cache)
            except ValueError as error:
                yield node, f"{call(node)}: cache={error}"
        if not isinstance(salt, str):
            yield node, f"{call(node)} takes salt as text, got {salt!r:.60}. Write salt={str(salt)!r:.60}."


def wrong_demand(wiring: Wiring) -> Iterator[Problem]:
    """Retries, timeout and resources of a step can be understood."""
    for node in wiring.nodes:
        yield from ((node, f"{call(node)} {problem}") for problem in demands.problems(node.options))


def wrong_exit_handler(wiring: Wiring) -> Iterator[Problem]:
    """An exit handler runs whatever came of the others, so it takes nothing from them nor they from it."""
    for node in wiring.nodes:
        if node.on_exit and any(other not in node.loops for other in upstream(node)):
            yield (
                node,
                f"{call(node)} is an exit handler, and takes an output of another step or stands under a condition, "
                f"which may never come. Pass run_status.state and run_status.failed instead.",
            )
        handlers = [other for other in upstream(node) if other.on_exit]
        if handlers:
            yield node, f"{call(node)} waits for {handlers[0].id!r}, an exit handler, which runs after all others."
        if not node.on_exit and any(_is_status(value) for value in node.arguments.values()):
            yield (
                node,
                f"{call(node)} takes run_status, which is known to exit handlers alone: on_exit({node.id}(...)).",
            )


def _is_status(value: object) -> bool:
    try:
        return any(name in str(parameters.to_json(value)) for name in RUN_STATUS)
    except TypeError:
        return False


def wrong_control_flow(wiring: Wiring) -> Iterator[Problem]:
    """Conditions, loops and resolvers keep the rules of their own table."""
    if any(node.component.reference in (FOR_EACH, RESOLVER, WHEN) for node in wiring.nodes):
        for rule in control_rules.RULES:
            yield from rule(wiring)


def foreign_channel(wiring: Wiring) -> Iterator[Problem]:
    """Channels and nodes come from this pipeline."""
    own = {id(node) for node in wiring.nodes}
    for node in wiring.nodes:
        used = [channel.node for value in node.arguments.values() for channel in channels_in(value)]
        for other in [*used, *node.after]:
            if not isinstance(other, Node):
                yield node, f"{call(node)}: after= takes nodes, got {other!r:.60}."
            elif id(other) not in own:
                yield node, f"{call(node)} refers to {other.id!r}, a node of another pipeline."


def cycle(wiring: Wiring) -> Iterator[Problem]:
    """Nodes don't wait for themselves."""
    nodes = {node.id: node for node in wiring.nodes}
    try:
        graphlib.TopologicalSorter(waits_for(wiring.nodes)).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1][::-1]
        loop = next((name for name in circle if nodes[name].component.reference == FOR_EACH), None)
        way = f"These nodes wait for each other: {' -> '.join(error.args[1])}."
        if loop is None:
            yield nodes[circle[0]], f"{way} Remove one of the orderings."
        else:
            yield (
                nodes[loop],
                f"for_each(id={loop!r}) is circular: it waits for what its own steps come before. {way} Move what "
                f"stands between them into the loop, or what follows into a loop of its own.",
            )


def upstream(node: Node) -> list[Node]:
    """Return the nodes that a node waits for by its channels, its explicit order, its branch and its loop."""
    found = [channel.node for value in node.arguments.values() for channel in channels_in(value)]
    found += [node.branch[0]] if node.branch else []
    found += node.loops[-1:]
    return found + [other for other in node.after if isinstance(other, Node)]


def waits_for(nodes: Iterable[Node], gates: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, set[str]]:
    """Return what each node waits for, by id: a loop also for all that its body takes from outside."""
    by_id = {node.id: node for node in nodes}
    waits: dict[str, set[str]] = {node_id: set() for node_id in by_id}
    for node in by_id.values():
        needed = [*upstream(node), *(by_id[gate] for gate in (gates or {}).get(node.id, ()))]
        waits[node.id] |= {other.id for other in needed}
        for loop in node.loops:
            waits[loop.id] |= {other.id for other in needed if other is not loop and loop not in other.loops}
    return waits


def channels_in(value: object) -> list[Channel]:
    """Return all channels in an argument, at any depth."""
    return [found for found in parameters.promises_in(value) if isinstance(found, Channel)]


Rule = Callable[[Wiring], Iterator[Problem]]
RULES: tuple[Rule, ...] = (
    invalid_id,
    duplicate_id,
    nested_function,
    unknown_argument,
    missing_argument,
    wrong_input,
    wrong_parameter,
    missing_module_file,
    wrong_cache_policy,
    wrong_demand,
    wrong_exit_handler,
    foreign_channel,
    wrong_control_flow,
    cycle,
)


def check(wiring: Wiring) -> None:
    """Apply every rule.

    Raises:
        WiringError: With at most `MAX_FAILURES` problems, each "pipeline.py:12: " and then the node, the argument, what
            was received and what fits.
    """
    problems = [f"{node.where}: {text}" for rule in RULES for node, text in rule(wiring)]
    if not problems:
        return
    shown = problems[:MAX_FAILURES]
    if len(problems) > MAX_FAILURES:
        shown.append(f"... and {len(problems) - MAX_FAILURES} more.")
    title = f"Pipeline {wiring.pipeline!r} has {len(problems)} problems:\n  " if len(problems) > 1 else ""
    raise WiringError(title + "\n  ".join(shown))

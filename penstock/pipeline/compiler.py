"""Pipeline -> Plan: names for objects, tokens for promises, gates turned into orderings, code fingerprinted."""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TypedDict

import msgspec

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import demands, fingerprint, parameters
from penstock.pipeline.channel import Channel
from penstock.pipeline.definition import ComponentSpec
from penstock.pipeline.durations import seconds_of
from penstock.pipeline.errors import WiringError
from penstock.pipeline.fingerprint import Fingerprint
from penstock.pipeline.importer import IMPORTER
from penstock.pipeline.node import FOR_EACH, ONE_OF, RESOLVER, WHEN, Node
from penstock.pipeline.plan import (
    AnyNode,
    BeamStep,
    Binding,
    Branch,
    ConditionPlan,
    EffectPlan,
    ExitHandlerPlan,
    ImporterPlan,
    JoinPlan,
    Json,
    LoopPlan,
    OutputPlan,
    Plan,
    ResolverPlan,
    RunParameterPlan,
    StepPlan,
    every_node,
)
from penstock.pipeline.resolver import looks_here, own_products
from penstock.pipeline.rules import Wiring, upstream, waits_for


def compile_wiring(wiring: Wiring, run_parameters: tuple[RunParameterPlan, ...]) -> Plan:
    """Compile a wiring that has passed the rules."""
    gates = gated_by(wiring.nodes)
    waits = waits_for(wiring.nodes, gates)
    resolvers = _resolvers(wiring, waits)
    known: dict[str, Fingerprint] = {}
    sources: dict[str, str] = {}
    compiled: dict[str, AnyNode] = {}
    ordered = sorted(in_order(wiring.nodes, waits), key=lambda node: node.on_exit)
    for node in ordered:
        ordering = gates.get(node.id, ())
        if node.component.reference in RESOLVED:
            made = RESOLVED[node.component.reference](node, ordering)
        elif node.component.reference == RESOLVER:
            made = resolvers[node.id]
        else:
            code = _code(node, wiring.code_root, known)
            sources |= code.sources
            step = _step(node, ordering, code)
            made = ExitHandlerPlan(id=node.id, where=node.where, step=step) if node.on_exit else step
        compiled[node.id] = made
    plans = tuple(_with_bodies(None, ordered, compiled))
    used = _path_parameters(every_node(plans))
    return Plan(
        name=wiring.pipeline,
        nodes=plans,
        parameters=tuple(_mark_path(parameter, used) for parameter in run_parameters),
        sources=dict(sorted(sources.items())),
    )


def _with_bodies(loop: Node | None, ordered: Iterable[Node], compiled: Mapping[str, AnyNode]) -> Iterator[AnyNode]:
    """Yield the nodes directly inside a loop, or outside of all, each loop with its body."""
    for node in ordered:
        if (node.loops[-1] if node.loops else None) is loop:
            made = compiled[node.id]
            if isinstance(made, LoopPlan):
                made = msgspec.structs.replace(made, body=tuple(_with_bodies(node, ordered, compiled)))
            yield made


def in_order(nodes: Iterable[Node], waits: Mapping[str, set[str]]) -> list[Node]:
    """Return the nodes, each after those it waits for, otherwise as they were written."""
    by_id = {node.id: node for node in nodes}
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter(dict.fromkeys(by_id, ()))
    for node_id in by_id:
        order.add(node_id, *sorted(waits[node_id], key=list(by_id).index))
    try:
        return [by_id[node_id] for node_id in order.static_order()]
    except graphlib.CycleError as error:
        raise WiringError(
            f"A gate makes these nodes wait for each other: {' -> '.join(error.args[1])}. "
            f"Pass gate=False to the one that must not wait."
        ) from None


def gated_by(nodes: tuple[Node, ...]) -> dict[str, tuple[str, ...]]:
    """Return, for each node that uses a gated artifact, the gates it comes after.

    What a gate itself depends on can't wait for it, nor do two gates on one artifact wait for each other.
    """
    gated = {gate.id: {_place(channel) for channel in _gated(gate)} for gate in nodes}
    found: dict[str, list[str]] = {}
    for gate in nodes:
        if not gated[gate.id]:
            continue
        needed = _ancestors(gate)
        for node in nodes:
            waits_for = gated[gate.id] & {_place(channel) for channel in _channels(node)} - gated[node.id]
            if waits_for and node.options.gate and node.id not in needed:
                found.setdefault(node.id, []).append(gate.id)
    return {node_id: tuple(gates) for node_id, gates in found.items()}


def _place(channel: Channel) -> tuple[str, str]:
    return channel.node.id, channel.output


def _gated(gate: Node) -> list[Channel]:
    """Return the channels whose artifacts a node gates; "a.b" is input `b` of the node that made input `a`."""
    if not gate.component.gates:
        return []
    first, *further = gate.component.gates.split(".")
    channels = _inputs(gate, first)
    for name in further:
        channels = [channel for made in channels for channel in _inputs(made.node, name)]
    return channels


def _inputs(node: Node, name: str) -> list[Channel]:
    value = node.arguments.get(name)
    return [item for item in (value if isinstance(value, list | tuple) else [value]) if isinstance(item, Channel)]


def _channels(node: Node) -> list[Channel]:
    return [channel for name in node.component.inputs for channel in _inputs(node, name)]


def _ancestors(node: Node) -> set[str]:
    found: set[str] = {node.id}
    pending = [node]
    while pending:
        for other in upstream(pending.pop()):
            if other.id not in found:
                found.add(other.id)
                pending.append(other)
    return found


def _code(node: Node, code_root: str, known: dict[str, Fingerprint]) -> Fingerprint:
    """Return the code that a node depends on; `known` remembers what other nodes of the pipeline share."""
    reference = node.component.reference
    found = known[reference] = known.get(reference) or fingerprint.of_function(reference, code_root)
    for path in _modules(node).values():
        module = module_of(path)
        known[module] = known.get(module) or fingerprint.of_module(module, code_root)
        found |= known[module]
    return found


def module_of(path: str) -> str:
    """Return the dotted name by which a module file below the code root is imported."""
    return ".".join(PurePosixPath(path).with_suffix("").parts)


def _modules(node: Node) -> dict[str, str]:
    kinds = node.component.parameters
    return {name: str(PurePosixPath(node.arguments[name])) for name in _given(node, "module") if kinds[name]}


def _given(node: Node, kind: str) -> list[str]:
    named = (name for name, parameter in node.component.parameters.items() if parameter.kind == kind)
    return [name for name in named if node.arguments.get(name) is not None]


def _step(node: Node, gates: tuple[str, ...], code: Fingerprint) -> StepPlan:
    spec, options = node.component, node.options
    special = {*_given(node, "module"), *_given(node, "files")}
    return StepPlan(
        **_placed(node, gates),
        component=spec.reference,
        name=spec.name,
        inputs={name: _bindings(node, name) for name in spec.inputs if _inputs(node, name)},
        many=tuple(name for name, port in spec.inputs.items() if port.many),
        parameters=_parameters(node, special),
        files={name: parameters.to_json(node.arguments[name]) for name in _given(node, "files")},
        paths=tuple(_given(node, "path")),
        modules=_modules(node),
        outputs={name: output_plan(kind) for name, kind in spec.outputs.items()},
        values=tuple(spec.values),
        code=code.digests,
        versions=spec.versions,
        gates=bool(spec.gates),
        effect=EffectPlan(still_true=spec.still_true) if spec.effects else None,
        precondition=spec.precondition,
        beam=_beam(spec, options.beam_options),
        cache=(spec.cache if options.cache is None else options.cache is not False) and not node.on_exit,
        cache_seconds=seconds_of(options.cache) if isinstance(options.cache, str) else None,
        salt=options.salt,
        env=dict(options.env),
        retries=demands.retry(options.retries),
        timeout=demands.seconds(options.timeout),
        resources=demands.resources(options),
    )


def _bindings(node: Node, name: str) -> tuple[Binding, ...]:
    return tuple(map(_binding, _inputs(node, name)))


def _binding(channel: Channel) -> Binding:
    return Binding(node=channel.node.id, output=channel.output, many=channel.many)


def _parameters(node: Node, special: set[str]) -> dict[str, Json]:
    """Return every parameter's value, defaults made explicit, so that writing one out changes no cache key."""
    found: dict[str, Json] = {}
    for name, port in node.component.parameters.items():
        if name in special or port.kind in ("beam", "files", "module"):
            continue
        value = node.arguments.get(name, port.default)
        plain = parameters.to_json(value)
        if port.kind == "json" and not parameters.has_tokens(plain):
            plain = parameters.to_json(parameters.convert(plain, port.annotation))
        found[name] = plain
    return found


def _beam(spec: ComponentSpec, options: object) -> BeamStep | None:
    for name, port in spec.parameters.items():
        if port.kind == "beam":
            return BeamStep(parameter=name, options=parameters.to_json(options))
    return None


def output_plan(kind: type[Artifact]) -> OutputPlan:
    """Describe an artifact type in a plan."""
    properties = {name: declared.__name__ for name, declared in kind.PROPERTIES.items()}
    return OutputPlan(type=kind.TYPE_NAME, digest=kind.DIGEST, properties=properties)


class _Place(TypedDict):
    """What the plan of any node says: its name, where it was written, and what it waits for."""

    id: str
    where: str
    after: tuple[str, ...]
    gated_by: tuple[str, ...]
    branch: Branch | None


def _placed(node: Node, gates: tuple[str, ...]) -> _Place:
    return _Place(
        id=node.id,
        where=node.where,
        after=tuple(other.id for other in node.after),
        gated_by=gates,
        branch=_branch(node),
    )


def _branch(node: Node) -> Branch | None:
    return Branch(condition=node.branch[0].id, holds=node.branch[1]) if node.branch else None


def _importer(node: Node, gates: tuple[str, ...]) -> ImporterPlan:
    return ImporterPlan(
        **_placed(node, gates),
        uri=parameters.to_json(node.arguments["source_uri"]),
        output=output_plan(next(iter(node.component.outputs.values()))),
        properties=parameters.to_json(node.arguments.get("properties") or {}),
    )


def _condition(node: Node, gates: tuple[str, ...]) -> ConditionPlan:
    return ConditionPlan(
        **_placed(node, gates),
        predicate=parameters.to_json(node.arguments["predicate"]),
    )


def _join(node: Node, gates: tuple[str, ...]) -> JoinPlan:
    return JoinPlan(
        **_placed(node, gates),
        choices=_bindings(node, "choices"),
        output=output_plan(next(iter(node.component.outputs.values()))),
    )


def _loop(node: Node, gates: tuple[str, ...]) -> LoopPlan:
    return LoopPlan(
        **_placed(node, gates),
        items=parameters.to_json(node.arguments.get("items")),
        artifacts=_bindings(node, "artifacts"),
        body=(),
        at_most=node.arguments["at_most"],
        parallelism=node.arguments["parallelism"],
    )


RESOLVED: dict[str, Callable[[Node, tuple[str, ...]], AnyNode]] = {
    WHEN: _condition,
    ONE_OF: _join,
    FOR_EACH: _loop,
    IMPORTER: _importer,
}
"""How nodes are compiled that are no components."""


def _resolvers(wiring: Wiring, waits: dict[str, set[str]]) -> dict[str, ResolverPlan]:
    """Compile the resolvers; `waits` gets what each waits for beyond what was written."""
    found: dict[str, ResolverPlan] = {}
    for node in wiring.nodes:
        if node.component.reference != RESOLVER:
            continue
        followers = _followers(node.id, waits)
        here = looks_here(node, wiring.pipeline)
        own = own_products(node, wiring.nodes, followers) if here else {}
        waits[node.id] |= {channel.node.id for made in own.values() for channel in made}
        found[node.id] = ResolverPlan(
            id=node.id,
            where=node.where,
            after=tuple(other.id for other in node.after),
            branch=_branch(node),
            strategy=node.arguments["strategy"],
            arguments=parameters.to_json(node.arguments["arguments"]),
            outputs={name: output_plan(channel.type) for name, channel in node.outputs.items()},
            own={name: tuple(map(_binding_of_all, made)) for name, made in own.items() if made},
            followers=tuple(sorted(followers - {node.id})),
            required=tuple(name for name, channel in node.outputs.items() if _is_needed(channel, wiring.nodes)),
        )
    return found


def _binding_of_all(channel: Channel) -> Binding:
    return Binding(node=channel.node.id, output=channel.output, many=bool(channel.node.loops))


def _followers(start: str, waits: Mapping[str, set[str]]) -> set[str]:
    found, pending = {start}, [start]
    while pending:
        node_id = pending.pop()
        new = {other for other, needed in waits.items() if node_id in needed} - found
        found |= new
        pending += new
    return found


def _is_needed(channel: Channel, nodes: Iterable[Node]) -> bool:
    """Say whether an input takes this channel that can't be left out."""
    return any(
        any(given is channel for given in _inputs(node, name))
        for node in nodes
        for name, port in node.component.inputs.items()
        if not (port.optional or port.many)
    )


def _path_parameters(nodes: Iterable[AnyNode]) -> set[str]:
    """Return the run parameters that paths begin with: those are relative to where the user types them."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, StepPlan):
            values = [*node.files.values(), *(node.parameters[name] for name in node.paths)]
        else:
            values = [node.uri] if isinstance(node, ImporterPlan) else []
        found |= {name for value in values for name in [parameters.leading_run_parameter(value)] if name}
    return found


def _mark_path(parameter: RunParameterPlan, used: set[str]) -> RunParameterPlan:
    text = parameter.json_schema.get("type") == "string"
    if not text or parameter.name not in used:
        return parameter
    return RunParameterPlan(
        name=parameter.name,
        json_schema=parameter.json_schema,
        required=parameter.required,
        default=parameter.default,
        path=True,
    )

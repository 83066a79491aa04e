"""The Plan: a compiled pipeline as frozen data, JSON both ways; all that a runner ever sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from penstock.pipeline.errors import WiringError

PLAN_VERSION = 1
Json = Any
Strategy = Literal["latest", "latest_blessed", "spans", "of_run"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything in a plan: frozen, keyword-only, unknown fields refused."""


class RunParameterPlan(Record, frozen=True, kw_only=True):
    """A run parameter: its JSON schema, its default where it has one, and whether it is a path."""

    name: str
    json_schema: dict[str, Json]
    required: bool = False
    default: Json = None
    path: bool = False


class Binding(Record, frozen=True, kw_only=True):
    """An input's source: one output of an earlier node; with `many`, all that it has.

    That is what a resolver found, or what a node in the body of a loop made for each item, in the items' order.
    """

    node: str
    output: str
    many: bool = False


class OutputPlan(Record, frozen=True, kw_only=True):
    """An output port: the artifact type, its properties' types and the dotted path of its digest function."""

    type: str
    digest: str
    properties: dict[str, str] = {}


class Resources(Record, frozen=True, kw_only=True):
    """What a step asks of its machine, memory in bytes; None means no claim, and one CPU where none is named."""

    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None


class Retry(Record, frozen=True, kw_only=False):
    """How often a failed step is tried again, and after which failures.

    Attributes:
        times: Further attempts after the first.
        delay: Seconds before the second attempt; doubled for each further one, with jitter, at most five minutes.
        on: Names of error types, such as "OSError", subclasses included. None means faults that may pass: of the
            platform, a timeout, a lost connection, an OSError that isn't about a missing or forbidden file.
    """

    times: int = 0
    delay: float = 1.0
    on: tuple[str, ...] | None = None


class BeamStep(Record, frozen=True, kw_only=True):
    """The parameter that receives the Beam profile, and the step's own pipeline options."""

    parameter: str
    options: dict[str, Json] = {}


class EffectPlan(Record, frozen=True, kw_only=True):
    """A step that changes the world, and the function that says whether the change still holds."""

    still_true: str = ""


class Branch(Record, frozen=True, kw_only=True):
    """The side of a condition that a node stands on: it is skipped when the answer is the other one."""

    condition: str
    holds: bool


class NodePlan(Record, tag_field="kind", frozen=True, kw_only=True):
    """What every node has.

    Attributes:
        id: Unique in the plan.
        after: Nodes that must have succeeded before, without handing over data.
        gated_by: Gates on an artifact that this node uses; it is skipped when one of them fails.
        branch: The innermost condition that it stands under.
        where: "file.py:line" of the call, for messages.
    """

    id: str
    after: tuple[str, ...] = ()
    gated_by: tuple[str, ...] = ()
    branch: Branch | None = None
    where: str = ""


class StepPlan(NodePlan, tag="step", frozen=True, kw_only=True):
    """A component to be run.

    Attributes:
        component: "module:name".
        name: The component's name, such as "StatisticsGen".
        inputs: Channels by input name; one in the tuple unless `many` names the input.
        parameters: JSON with tokens: {"$run": name}, {"$value": {"node", "output"}}, {"$secret": name} and
            "{{run.name}}" inside strings; in a loop's body {"$item": ...} too, see `LoopPlan`.
        files: Parameters that name source files (JSON with tokens).
        paths: Names of the parameters that are paths relative to the pipeline's folder.
        modules: Module files: parameter to path relative to the code root.
        values: Outputs that are JSON values.
        code: The digest of each symbol that the step's result depends on.
        versions: Distributions whose versions count in the cache key.
        cache_seconds: The age at which an earlier result is reused no longer; None means any age.
        gates: True for a gate.
        timeout: Seconds after which an attempt is ended; None means never.
    """

    component: str
    name: str
    inputs: dict[str, tuple[Binding, ...]] = {}
    many: tuple[str, ...] = ()
    parameters: dict[str, Json] = {}
    files: dict[str, Json] = {}
    paths: tuple[str, ...] = ()
    modules: dict[str, str] = {}
    outputs: dict[str, OutputPlan] = {}
    values: tuple[str, ...] = ()
    code: dict[str, str] = {}
    versions: tuple[str, ...] = ()
    gates: bool = False
    effect: EffectPlan | None = None
    precondition: str = ""
    beam: BeamStep | None = None
    cache: bool = True
    cache_seconds: float | None = None
    salt: str = ""
    env: dict[str, str] = {}
    retries: Retry = Retry()
    timeout: float | None = None
    resources: Resources = Resources()


class ImporterPlan(NodePlan, tag="importer", frozen=True, kw_only=True):
    """An artifact from outside: its place (JSON with tokens), type and properties."""

    uri: Json
    output: OutputPlan
    properties: dict[str, Json] = {}


class ResolverPlan(NodePlan, tag="resolver", frozen=True, kw_only=True):
    """Artifacts of earlier runs, one list of them an output.

    Attributes:
        strategy: Which artifacts of an output's type are chosen.
        arguments: Of the strategy: JSON with tokens.
        own: What this pipeline itself makes of each output's type before the resolver's followers: the resolver waits
            for it, whatever comes of it.
        followers: Nodes that wait for the resolver, directly or not.
        required: Outputs that can't do without an artifact.
    """

    strategy: Strategy
    outputs: dict[str, OutputPlan]
    arguments: dict[str, Json] = {}
    own: dict[str, tuple[Binding, ...]] = {}
    followers: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


class ConditionPlan(NodePlan, tag="condition", frozen=True, kw_only=True):
    """A question: `predicate` is a JSON tree over values, artifact properties and run parameters.

    The nodes of its branches stand beside it in the plan and name it in their `branch`.
    """

    predicate: dict[str, Json]


class JoinPlan(NodePlan, tag="join", frozen=True, kw_only=True):
    """The first of several outputs that was made, as output `result`: where branches come together."""

    choices: tuple[Binding, ...]
    output: OutputPlan


class LoopPlan(NodePlan, tag="loop", frozen=True, kw_only=True):
    """A body that is run once per item of a list: a node "Trainer" of it becomes "Trainer[0]", "Trainer[1]"...

    Who takes an output of such a node from outside binds it with `many`.

    Attributes:
        items: A JSON list with tokens, or one token that stands for a list.
        artifacts: The items, where they are artifacts.
        body: Nodes with the token {"$item": {"node": loop, "path": [key, ...]}} and "{{item.loop/key}}" inside strings;
            an item that is an artifact is bound as output "item" of the loop.
        at_most: The number of items above which the loop fails.
        parallelism: How many items are under way at once; None means as many as the machine can take.
    """

    items: Json = None
    artifacts: tuple[Binding, ...] = ()
    body: tuple[AnyNode, ...]
    at_most: int = 1000
    parallelism: int | None = None


class ExitHandlerPlan(NodePlan, tag="exit_handler", frozen=True, kw_only=True):
    """A step that runs when everything else is over, whatever came of it."""

    step: StepPlan


AnyNode = StepPlan | ImporterPlan | ResolverPlan | ConditionPlan | JoinPlan | LoopPlan | ExitHandlerPlan


class Plan(Record, frozen=True, kw_only=True):
    """A compiled pipeline.

    Attributes:
        name: The pipeline's name.
        parameters: The run parameters, in the order of the pipeline's signature.
        nodes: Every node, each after those that it depends on.
        sources: Normalised source by digest, of the symbols that are the user's own.
    """

    name: str
    nodes: tuple[AnyNode, ...]
    parameters: tuple[RunParameterPlan, ...] = ()
    sources: dict[str, str] = {}
    plan_version: int = PLAN_VERSION

    def to_json(self) -> bytes:
        """Return the plan as JSON with sorted keys, the same bytes for the same plan."""
        return msgspec.json.format(_encoder.encode(self), indent=2)

    @staticmethod
    def from_json(text: bytes | str) -> Plan:
        """Read a plan.

        Raises:
            WiringError: The text is no plan, or one of another version.
        """
        try:
            version = msgspec.json.decode(text, type=_Versioned).plan_version
            if version != PLAN_VERSION:
                raise WiringError(
                    f"The plan has plan_version {version}; this Penstock reads {PLAN_VERSION}. Compile it again."
                )
            return _decoder.decode(text)
        except msgspec.MsgspecError as error:
            raise WiringError(f"Not a plan: {error}. Make one with: penstock compile FILE.") from None

    def node(self, node_id: str) -> AnyNode:
        """Return a node by its id.

        Raises:
            KeyError: There is none.
        """
        found = next((node for node in every_node(self.nodes) if node.id == node_id), None)
        if found is None:
            raise KeyError(node_id)
        return found


class _Versioned(msgspec.Struct):
    plan_version: int = PLAN_VERSION


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Plan)


def plan_schema() -> dict[str, Json]:
    """Return the JSON schema of a plan, as published in docs/plan.schema.json."""
    schema = msgspec.json.schema(Plan)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Penstock plan", **schema}


def dependencies(node: AnyNode) -> set[str]:
    """Return the ids of all nodes that must be over before this one can start."""
    needed = {*node.after, *node.gated_by}
    if node.branch is not None:
        needed.add(node.branch.condition)
    if isinstance(node, StepPlan):
        needed |= {binding.node for bindings in node.inputs.values() for binding in bindings}
    elif isinstance(node, JoinPlan):
        needed |= {binding.node for binding in node.choices}
    elif isinstance(node, LoopPlan):
        needed |= {binding.node for binding in node.artifacts}
    elif isinstance(node, ResolverPlan):
        needed |= {binding.node for bindings in node.own.values() for binding in bindings}
    return needed | {binding.node for value in _values(node) for binding in value_bindings(value)}


def _values(node: AnyNode) -> list[Json]:
    """Return the JSON of a node in which tokens may stand, but for the body of a loop."""
    if isinstance(node, StepPlan):
        return [node.parameters, node.files]
    if isinstance(node, ImporterPlan):
        return [node.uri, node.properties]
    if isinstance(node, ResolverPlan):
        return [node.arguments]
    if isinstance(node, ConditionPlan):
        return [node.predicate]
    return [node.items] if isinstance(node, LoopPlan) else []


def every_node(nodes: Iterable[AnyNode]) -> Iterator[AnyNode]:
    """Yield nodes and those inside loops and exit handlers."""
    for node in nodes:
        yield node
        if isinstance(node, LoopPlan):
            yield from every_node(node.body)
        elif isinstance(node, ExitHandlerPlan):
            yield node.step


def steps_in(nodes: Iterable[AnyNode]) -> Iterator[StepPlan]:
    """Yield all steps, those inside loops and exit handlers too."""
    return (node for node in every_node(nodes) if isinstance(node, StepPlan))


def value_bindings(value: Json) -> list[Binding]:
    """Return the outputs that JSON refers to by `{"$value": ...}` and `{"$property": ...}`."""
    if isinstance(value, Mapping):
        for token in ("$value", "$property"):
            if token in value:
                named = value[token]
                return [Binding(node=named["node"], output=named["output"])]
        return [binding for item in value.values() for binding in value_bindings(item)]
    if isinstance(value, list | tuple):
        return [binding for item in value for binding in value_bindings(item)]
    return []

"""`when`, `otherwise`, `one_of` and `on_exit`: which steps of a pipeline run, by what others have made."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.definition import ComponentSpec, InputSpec, ParameterSpec
from penstock.pipeline.errors import WiringError
from penstock.pipeline.node import ONE_OF, WHEN, Graph, Node, active_graph
from penstock.pipeline.predicate import predicate_of

RESULT = "result"


@dataclass
class Block:
    """The steps of a `with` block run when a condition's answer is `holds`, and are skipped otherwise."""

    graph: Graph
    condition: Node
    holds: bool

    def __enter__(self) -> Node:
        self.graph.branches.append((self.condition, self.holds))
        return self.condition

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.graph.branches.pop()
        self.graph.asked = self.condition if self.holds else None


def when(condition: Any, *, id: str | None = None) -> Block:
    """Run the steps of a `with` block only where a condition holds.

    >>> with when(verdict.accuracy.value > 0.9):    # doctest: +SKIP
    ...     Pusher(model=train.model)

    Args:
        condition: Of `step.output.value`, `step.output.properties["name"]` and `parameter.value`, compared by
            ==, !=, <, <=, >, >= and `.is_in([...])`, combined by &, | and ~.
        id: The name of the condition; "when-1" and so on by default.

    Raises:
        WiringError: Used outside a pipeline function, or with something that is no condition.
    """
    graph = active("when")
    spec = ComponentSpec("when", WHEN, inputs={}, outputs={}, parameters={"predicate": ParameterSpec(Any)}, values={})
    options = {"id": id or numbered(graph, "when", WHEN)}
    return Block(graph, graph.add(spec, (), {"predicate": predicate_of(condition), **options}), True)


def otherwise() -> Block:
    """Run the steps of a `with` block only where the condition of the block before doesn't hold.

    Raises:
        WiringError: It doesn't directly follow a `when` block.
    """
    graph = active("otherwise")
    if graph.asked is None or graph.asked.loops != graph.loops:
        raise WiringError("otherwise() stands directly after the block of a when(...), with no step in between.")
    return Block(graph, graph.asked, False)


def one_of(*channels: Channel, id: str | None = None) -> Channel:
    """Join branches: return a channel of what was made, the first of these if several were.

    Args:
        *channels: Outputs of steps in different branches, of one artifact type.
        id: The name of the join; "one_of-1" and so on by default.

    Raises:
        WiringError: These are no channels, or of types that have nothing in common.
    """
    graph = active("one_of")
    for channel in channels:
        if not isinstance(channel, Channel):
            raise WiringError(f"one_of() takes channels such as train.model, got {channel!r:.60}.")
        if channel.many:
            raise WiringError(
                f"one_of() takes single outputs, and '{channel.node.id}.{channel.output}' is a list here. Choose "
                f"inside the loop, or in a step that takes both lists."
            )
    kind = _common([channel.type for channel in channels])
    are_values = all(channel.output in channel.node.component.values for channel in channels)
    spec = ComponentSpec(
        "one_of",
        ONE_OF,
        inputs={"choices": InputSpec(kind, many=True)},
        outputs={RESULT: kind},
        parameters={},
        values={RESULT: Any} if are_values else {},
    )
    options = {"id": id or numbered(graph, "one_of", ONE_OF)}
    return graph.add(spec, (), {"choices": list(channels), **options}).outputs[RESULT]


def on_exit(node: Node) -> Node:
    """Make a step an exit handler: it runs when everything else is over, whatever came of it.

    >>> on_exit(Notify(state=run_status.state))    # doctest: +SKIP

    Raises:
        WiringError: It is no node of a component.
    """
    if not isinstance(node, Node) or ":" not in node.component.reference or not node.component.source:
        raise WiringError(f"on_exit() takes a step, such as on_exit(Notify(...)), got {node!r:.60}.")
    node.on_exit = True
    return node


@dataclass(frozen=True)
class RunStatus:
    """What came of the run, for the parameters of exit handlers.

    Attributes:
        state: "COMPLETE", "FAILED" or "CANCELED".
        failed: The names of the steps that failed.
    """

    state: RunParameter
    failed: RunParameter


run_status = RunStatus(RunParameter("__state__", str), RunParameter("__failed__", list[str]))


def _common(kinds: list[type[Artifact]]) -> type[Artifact]:
    shared = [base for base in (kinds[0].__mro__ if kinds else ()) if all(issubclass(kind, base) for kind in kinds)]
    found = next((base for base in shared if issubclass(base, Artifact)), Artifact)
    if not kinds or (found is Artifact and any(kind is not Artifact for kind in kinds)):
        names = ", ".join(kind.TYPE_NAME for kind in kinds) or "nothing"
        raise WiringError(f"one_of() takes channels of one artifact type, got {names}.")
    return found


def active(name: str) -> Graph:
    """Return the graph of the pipeline function that is running, for what is called `name`.

    Raises:
        WiringError: None is.
    """
    graph = active_graph.get()
    if graph is None:
        raise WiringError(f"{name}() stands inside a function decorated with @pipeline.")
    return graph


def numbered(graph: Graph, name: str, reference: str) -> str:
    """Return the name of a node that wasn't given one: "when-1" for the first of its kind in its sub-pipeline."""
    beside = (node for node in graph.nodes if node.id.rpartition(".")[0] == ".".join(graph.scope))
    return f"{name}-{1 + sum(node.component.reference == reference for node in beside)}"

"""`Resolver`: artifacts of earlier runs as a node of the graph, and the strategies by which they are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.channel import Channel
from penstock.pipeline.definition import ComponentSpec, ParameterSpec, call_node
from penstock.pipeline.errors import WiringError
from penstock.pipeline.node import FOR_EACH, ONE_OF, RESOLVER, WHEN, Node
from penstock.pipeline.options import OPTION_NAMES, RESERVED_OUTPUTS
from penstock.pipeline.plan import Strategy

UNMADE = frozenset({FOR_EACH, ONE_OF, RESOLVER, WHEN})
"""Nodes that hand on what others have made."""


@dataclass(frozen=True)
class Resolution:
    """A strategy with its arguments.

    Attributes:
        strategy: Its name.
        arguments: JSON values and promises.
        many: Whether it chooses a list.
    """

    strategy: Strategy
    arguments: Mapping[str, Any] = field(default_factory=dict)
    many: bool = False


def latest(n: int = 1, *, step: str | None = None, pipeline: str | None = None) -> Resolution:
    """Choose what was made last; with `n` above 1 a list of at most so many, the newest last.

    What this pipeline makes itself before the resolver's followers is left out, today's and what is equal to it: the
    latest is that of before, and an unchanged pipeline that runs again gets the same.

    Args:
        n: How many.
        step: Only what this step made.
        pipeline: The pipeline that made it; this one by default.
    """
    return Resolution("latest", {"n": _at_least_one("latest", "n", n), **_origin(step, pipeline)}, many=n > 1)


def latest_blessed(*, step: str | None = None, pipeline: str | None = None) -> Resolution:
    """Choose what was blessed last: an artifact for which a step made a `ModelBlessing` with `blessed` 1.

    The candidate that this pipeline makes itself is left out, as for `latest`: no model is its own baseline.

    Args:
        step: Only what was blessed by this step, such as "Evaluator".
        pipeline: The pipeline that blessed it; this one by default.
    """
    return Resolution("latest_blessed", _origin(step, pipeline))


def spans(
    *,
    last_spans: int | None = None,
    span_range: tuple[int, int] | None = None,
    step: str | None = None,
    pipeline: str | None = None,
) -> Resolution:
    """Choose a list of artifacts by their property `span`, each span once, in its latest version, in the spans' order.

    What this pipeline makes before the resolver's followers counts too, so that today's span is one of them.

    Args:
        last_spans: So many, up to the latest; fewer while there are no more.
        span_range: From the first to the last of these two; each must be there.
        step: Only what this step made.
        pipeline: The pipeline that made them; this one by default.
    """
    if (last_spans is None) == (span_range is None):
        raise WiringError("spans() takes either last_spans= or span_range=, such as spans(last_spans=3).")
    if last_spans is not None:
        _at_least_one("spans", "last_spans", last_spans)
        return Resolution("spans", {"last_spans": last_spans, **_origin(step, pipeline)}, many=True)
    limits = list(span_range) if isinstance(span_range, Sequence) else []
    if len(limits) != 2 or not all(isinstance(each, int) for each in limits) or limits[0] > limits[1]:
        raise WiringError(
            f"spans(span_range=...) takes the first and the last span, as (3, 7), got {span_range!r:.60}."
        )
    return Resolution("spans", {"span_range": limits, **_origin(step, pipeline)}, many=True)


def of_run(run: Any, *, step: str | None = None) -> Resolution:
    """Choose what a run made or reused.

    Args:
        run: Its id, or the end of it; a run parameter as well.
        step: The step that put it out; needed where several put out an artifact of the type.
    """
    return Resolution("of_run", {"run": run, **_origin(step, None)})


def Resolver(strategy: Resolution, **wanted: Any) -> Node:  # noqa: N802 - named as the field names it
    """Make a node whose outputs are artifacts of earlier runs, resolved when the run gets there.

    >>> from penstock.artifacts import Model
    >>> from penstock.pipeline import Input, Resolver, component, latest_blessed, pipeline
    >>> @component
    ... def compare(baseline: Input[Model] | None = None) -> bool:
    ...     return baseline is not None
    >>> @pipeline
    ... def compared():
    ...     baseline = Resolver(strategy=latest_blessed(), model=Model)
    ...     compare(baseline=baseline.model)
    >>> compared.compile().node("Resolver").strategy
    'latest_blessed'

    Where there is nothing to be found, an optional input gets None and an input of a list gets an empty one; when an
    input can't do without, the resolver fails and says what it looked for. What is found counts in the cache keys of
    those that take it by its content.

    Args:
        strategy: `latest()`, `latest_blessed()`, `spans(...)` or `of_run(...)`.
        **wanted: Artifact types by the name of the output, such as `model=Model`; and the options `id` and `after`.

    Raises:
        WiringError: Called outside a pipeline function, or with something that is no strategy or artifact type.
    """
    if not isinstance(strategy, Resolution):
        raise WiringError(
            f"Resolver(strategy=...) takes latest(), latest_blessed(), spans(...) or of_run(...), got {strategy!r:.60}."
        )
    options = {name: wanted.pop(name) for name in OPTION_NAMES if name in wanted}
    _check_wanted(wanted, options)
    spec = ComponentSpec(
        name="Resolver",
        reference=RESOLVER,
        inputs={},
        outputs=wanted,
        parameters={"arguments": ParameterSpec(dict[str, Any]), "strategy": ParameterSpec(str)},
        values={},
    )
    node = call_node(spec, {"strategy": strategy.strategy, "arguments": dict(strategy.arguments), **options})
    node.outputs = {name: Channel(node, name, kind, strategy.many) for name, kind in wanted.items()}
    return node


def _check_wanted(wanted: Mapping[str, Any], options: Iterable[str]) -> None:
    for name in options:
        if name not in ("id", "after"):
            raise WiringError(
                f"Resolver() takes no option {name}=, which is for steps; of those it takes id and after."
            )
    if not wanted:
        raise WiringError("Resolver() needs an artifact type for each output, such as Resolver(..., model=Model).")
    for name, kind in wanted.items():
        if name in RESERVED_OUTPUTS:
            raise WiringError(f"Resolver() names an output {name!r}, a name that nodes use. Rename it.")
        if not (isinstance(kind, type) and issubclass(kind, Artifact)):
            raise WiringError(f"Resolver({name}=...) takes an artifact type such as Model, got {kind!r:.60}.")


def _origin(step: str | None, pipeline: str | None) -> dict[str, Any]:
    return {name: value for name, value in (("step", step), ("pipeline", pipeline)) if value is not None}


def _at_least_one(strategy: str, name: str, value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WiringError(f"{strategy}({name}=...) takes a whole number of at least 1, got {value!r:.60}.")
    return value


def looks_here(node: Node, pipeline: str) -> bool:
    """Say whether a resolver chooses among what this pipeline made."""
    arguments: dict[str, Any] = node.arguments["arguments"]
    return bool(node.arguments["strategy"] != "of_run" and arguments.get("pipeline", pipeline) == pipeline)


def own_products(resolver: Node, nodes: Iterable[Node], followers: set[str]) -> dict[str, list[Channel]]:
    """Return what a pipeline makes of a resolver's types without waiting for the resolver, by output name."""
    step = resolver.arguments["arguments"].get("step") if resolver.arguments["strategy"] != "latest_blessed" else None
    others = [node for node in nodes if node.id not in followers and not node.on_exit]
    makers = [node for node in others if node.component.reference not in UNMADE]
    made = [channel for node in makers if step in (None, node.id) for channel in node.outputs.values()]
    return {
        name: [channel for channel in made if channel.type.TYPE_NAME == wanted.type.TYPE_NAME]
        for name, wanted in resolver.outputs.items()
    }

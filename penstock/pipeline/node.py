"""A node of the graph that is being put together, and the graph itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.pipeline.channel import Channel
from penstock.pipeline.errors import WiringError, listing, nearest
from penstock.pipeline.options import OPTION_NAMES, NodeOptions

if TYPE_CHECKING:
    from penstock.pipeline.definition import ComponentSpec


WHEN, ONE_OF = "penstock.pipeline.control_flow:when", "penstock.pipeline.control_flow:one_of"
FOR_EACH, RESOLVER = "penstock.pipeline.loop:for_each", "penstock.pipeline.resolver:Resolver"
ITEM = "item"
"""The output by which a loop over artifacts hands out its items."""


class Node:
    """One call of a component (or an importer) inside a pipeline function.

    Its outputs are attributes (`gen.examples`) and items of `outputs` (`gen.outputs["examples"]`).
    """

    def __init__(self, component: ComponentSpec, arguments: dict[str, Any], options: NodeOptions, where: str) -> None:
        self.component = component
        self.arguments = arguments
        self.options = options
        self.where = where
        self.id = options.id if options.id is not None else component.name
        self.after: list[Any] = list(options.after)
        self.branch: tuple[Node, bool] | None = None
        self.loops: tuple[Node, ...] = ()
        self.on_exit = False
        self.outputs = {name: Channel(self, name, kind) for name, kind in component.outputs.items()}

    def run_after(self, *nodes: Node) -> Node:
        """Order this node after others without handing over data."""
        self.after.extend(nodes)
        return self

    def __getattr__(self, name: str) -> Channel:
        outputs: dict[str, Channel] = self.__dict__.get("outputs", {})
        if name in outputs:
            return outputs[name]
        if name.startswith("__"):
            raise AttributeError(name)
        raise WiringError(
            f"{self.component.name} has no output {name!r}.{nearest(name, outputs)} It makes: {listing(outputs)}."
        )

    def __repr__(self) -> str:
        return f"<node {self.id!r} of {self.component.name}>"


@dataclass
class Graph:
    """The nodes of the pipeline function that is running now.

    Attributes:
        nodes: As they were called.
        branches: The conditions that hold where the function is now, the innermost last.
        loops: The loops that the function is in, the innermost last.
        asked: The condition whose block has just ended, for `otherwise`.
        scope: The names of the sub-pipelines that the function is in, and so the beginning of its nodes' ids.
        pipelines: Those sub-pipelines themselves.
        used: The scopes of all sub-pipelines so far.
    """

    nodes: list[Node] = field(default_factory=list)
    branches: list[tuple[Node, bool]] = field(default_factory=list)
    loops: tuple[Node, ...] = ()
    asked: Node | None = None
    scope: tuple[str, ...] = ()
    pipelines: tuple[object, ...] = ()
    used: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, component: ComponentSpec, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Node:
        """Record one call and return its node."""
        where = caller()
        if positional:
            raise WiringError(
                f"{where}: {component.name}() takes keyword arguments only in a pipeline, got {len(positional)} "
                f"positional. It takes: {listing(component.argument_names)}."
            )
        options = NodeOptions(**{name: keywords.pop(name) for name in OPTION_NAMES if name in keywords})
        node = Node(component, keywords, options, where)
        if self.scope:
            node.id = f"{'.'.join(self.scope)}.{node.id}"
        node.loops = self.loops
        if self.branches and self.branches[-1][0].loops == self.loops:  # else it is the loop that stands under it
            node.branch = self.branches[-1]
        self.asked = None
        self.nodes.append(node)
        return node

    def names_inside(self) -> set[str]:
        """Return the names that sub-pipelines have here."""
        return {used[-1] for used in self.used if used[:-1] == self.scope}

    @contextmanager
    def inside(self, name: str, pipeline: object) -> Iterator[None]:
        """Add nodes to a sub-pipeline within this block."""
        before = self.scope, self.pipelines
        self.scope, self.pipelines, self.asked = (*self.scope, name), (*self.pipelines, pipeline), None
        self.used.add(self.scope)
        try:
            yield
        finally:
            self.scope, self.pipelines = before
            self.asked = None


active_graph: ContextVar[Graph | None] = ContextVar("penstock_graph", default=None)


def caller() -> str:
    """Return "file.py:12" of the nearest frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("penstock.pipeline."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"

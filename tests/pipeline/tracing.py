"""Trace a function that wires components, with a code root of the test's choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from penstock.pipeline.compiler import compile_wiring
from penstock.pipeline.node import Graph, active_graph
from penstock.pipeline.plan import Plan, RunParameterPlan
from penstock.pipeline.rules import Wiring, check


def trace(function: Callable[..., object], folder: Path, **placeholders: object) -> Wiring:
    graph = Graph()
    token = active_graph.set(graph)
    try:
        function(**placeholders)
    finally:
        active_graph.reset(token)
    return Wiring(function.__name__, tuple(graph.nodes), str(folder))


def compiled(
    function: Callable[..., object], folder: Path, declared: tuple[RunParameterPlan, ...] = (), **placeholders: object
) -> Plan:
    wiring = trace(function, folder, **placeholders)
    check(wiring)
    return compile_wiring(wiring, declared)

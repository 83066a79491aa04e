"""A compiled pipeline for the terminal: its run parameters, its steps, and which gates they wait for."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.pipeline.plan import (
    AnyNode,
    ExitHandlerPlan,
    ImporterPlan,
    Json,
    LoopPlan,
    Plan,
    ResolverPlan,
    RunParameterPlan,
    StepPlan,
    every_node,
)
from penstock.ui import formats, tables


def plan_view(plan: Plan) -> RenderableType:
    """Return a plan as two tables."""
    steps = formats.counted(sum(not isinstance(node, ExitHandlerPlan) for node in every_node(plan.nodes)), "step")
    parts: list[RenderableType] = [Text.assemble((plan.name, "bold"), f": {steps}, the wiring is right"), Text()]
    if plan.parameters:
        parts += [_parameters(plan), Text()]
    return Group(*parts, _steps(plan))


def _parameters(plan: Plan) -> Table:
    table = tables.listing("parameter", "type", "default")
    for parameter in plan.parameters:
        table.add_row(parameter.name, kind(parameter), default(parameter))
    return table


def _steps(plan: Plan) -> Table:
    table = tables.listing("step", "component", "takes", "makes", "after the gates", folds=("takes", "makes"))
    _add_rows(table, plan.nodes, "")
    return table


def _add_rows(table: Table, nodes: Iterable[AnyNode], margin: str) -> None:
    """Add a row for each node, those of a loop set off behind it."""
    for node in nodes:
        name = Text.assemble(margin, _name(node))
        table.add_row(name, _component(node), ", ".join(_takes(node)), ", ".join(_makes(node)), _gates(node))
        if isinstance(node, LoopPlan):
            _add_rows(table, node.body, margin + "  ")


def kind(parameter: RunParameterPlan) -> str:
    """Return a parameter's type in words: "string (path)", "one of 'a', 'b'"."""
    schema = parameter.json_schema
    if "enum" in schema:
        return "one of " + ", ".join(map(repr, schema["enum"]))
    return str(schema.get("type", "JSON")) + (" (path)" if parameter.path else "")


def default(parameter: RunParameterPlan) -> str:
    """Return a parameter's default as JSON, or "required"."""
    return "required" if parameter.required else json.dumps(parameter.default)


def _name(node: AnyNode) -> Text:
    gate = isinstance(node, StepPlan) and node.gates
    return Text.assemble(node.id, (" (gate)" if gate else "", "yellow"))


def _component(node: AnyNode) -> str:
    if isinstance(node, StepPlan):
        return node.name
    return "Importer" if isinstance(node, ImporterPlan) else type(node).__name__.removesuffix("Plan").lower()


def _takes(node: AnyNode) -> list[str]:
    if isinstance(node, LoopPlan) and not node.artifacts:
        return [f"each of {describe_items(node.items)}"]
    bindings = (
        [node.artifacts] if isinstance(node, LoopPlan) else node.inputs.values() if isinstance(node, StepPlan) else ()
    )
    every = {True: "every ", False: ""}
    return list(dict.fromkeys(f"{every[one.many]}{one.node}.{one.output}" for bound in bindings for one in bound))


def describe_items(items: Json) -> str:
    """Return what a loop runs over, in a few words: "3 items", "rates", "settings.value"."""
    if isinstance(items, list):
        return formats.counted(len(items), "item")
    kind, named = next(iter(items.items()))
    return str(named) if kind == "$run" else ".".join(str(named[key]) for key in ("node", "output") if key in named)


def _makes(node: AnyNode) -> list[str]:
    if isinstance(node, StepPlan | ResolverPlan):
        return [output.type for output in node.outputs.values()]
    return [node.output.type] if isinstance(node, ImporterPlan) else []


def _gates(node: AnyNode) -> str:
    return ", ".join(node.gated_by)

"""A compiled pipeline for the terminal: its run parameters, its steps, and which gates they wait for."""

from __future__ import annotations

import json

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.pipeline.plan import AnyNode, ImporterPlan, Plan, RunParameterPlan, StepPlan
from penstock.ui import formats, tables


def plan_view(plan: Plan) -> RenderableType:
    """Return a plan as two tables."""
    steps = formats.counted(len(plan.nodes), "step")
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
    for node in plan.nodes:
        table.add_row(_name(node), _component(node), ", ".join(_takes(node)), ", ".join(_makes(node)), _gates(node))
    return table


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
    bindings = node.inputs.values() if isinstance(node, StepPlan) else ()
    return list(dict.fromkeys(f"{one.node}.{one.output}" for bound in bindings for one in bound))


def _makes(node: AnyNode) -> list[str]:
    if isinstance(node, StepPlan):
        return [output.type for output in node.outputs.values()]
    return [node.output.type] if isinstance(node, ImporterPlan) else []


def _gates(node: AnyNode) -> str:
    return ", ".join(node.gated_by)

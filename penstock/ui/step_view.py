"""One execution of a step for the terminal: why it ran, what went in and out, what it cost, how it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.metadata.records import ArtifactRecord, ExecutionRecord
from penstock.ui import formats, states, tables
from penstock.ui.run_view import fact, took
from penstock.ui.user_traceback import user_traceback

SECONDS = ("wall_s", "cpu_s", "import_cpu_s", "function_cpu_s", "digest_cpu_s")
_LABELS = {"peak_bytes": "peak memory"}
BYTES = ("peak_bytes", "bytes_in", "bytes_out")


def step_detail(step: ExecutionRecord, parameters: Mapping[str, Any], log: str) -> RenderableType:
    """Return one execution.

    Args:
        step: The execution with its inputs and outputs.
        parameters: What the step's function was given.
        log: The log file's path, "" when there is none.
    """
    facts = tables.facts()
    facts.add_row("step", step.step)
    facts.add_row("state", states.word(step.state))
    facts.add_row("reason", step.reason or "none recorded")
    facts.add_row("component", step.component)
    facts.add_row("run", f"{formats.short_id(step.run)} of {step.pipeline}")
    facts.add_row("execution", f"{step.ulid}, attempt {step.attempt}")
    if step.cached_from:
        facts.add_row("reused from", step.cached_from)
    facts.add_row("started", formats.local_time(step.started))
    facts.add_row("took", took(step.started, step.ended))
    if "items" in step.facts:
        facts.add_row("items", Text("\n".join(f"[{number}] {item}" for number, item in enumerate(step.facts["items"]))))
    facts.add_row("cost", cost(step.facts))
    facts.add_row("log", formats.place(log) if log else "none")
    parts: list[RenderableType] = [facts]
    parts += _places("inputs", step.inputs) + _places("outputs", step.outputs)
    if parameters:
        given = tables.facts()
        for name, value in parameters.items():
            given.add_row(f"  {name}", repr(value) if isinstance(value, str) else fact(value))
        parts += [Text("\nparameters", "bold"), given]
    if step.error:
        parts += [Text("\nfailure", "bold red"), Text(user_traceback(step.error))]
    return Group(*parts)


def cost(facts: Mapping[str, Any]) -> str:
    """Return wall and CPU time, memory and bytes, as far as they were measured."""
    named = {name.removesuffix("_s"): formats.duration(facts[name]) for name in SECONDS if facts.get(name)}
    named |= {_LABELS.get(name, name): formats.size(facts[name]) for name in BYTES if facts.get(name)}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in named.items()) or "not measured"


def _places(title: str, ports: Mapping[str, Sequence[ArtifactRecord]]) -> list[RenderableType]:
    if not ports:
        return []
    table = tables.facts()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, artifacts in ports.items():
        for artifact in artifacts:
            table.add_row(f"  {name}", f"{artifact.id}", artifact.type, artifact.uri)
    return [Text(f"\n{title}", "bold"), table]

"""Partial runs: which nodes run, which are taken from earlier runs, and which are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from penstock.metadata.records import ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.pipeline.errors import ParameterError
from penstock.pipeline.plan import ImporterPlan, Plan, StepPlan, dependencies
from penstock.pipeline.runner import Selection
from penstock.runners.step_names import check_names

HISTORY = 50
"""So many executions of a step are searched for a successful one."""


@dataclass(frozen=True)
class Scope:
    """What a selection means for one plan.

    Attributes:
        taken: Nodes that don't run and that others need, each with the option that leaves it outside.
        left_out: Nodes that don't run and that nobody needs, likewise.
    """

    taken: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def scope_of(plan: Plan, selection: Selection) -> Scope:
    """Return which nodes of a plan are outside of a selection.

    Raises:
        ParameterError: It names a step that the plan hasn't, or leaves nothing to run.
    """
    if not selection:
        return Scope()
    for option, names in selection.options().items():
        check_names(option, names, plan)
    needs = {node.id: dependencies(node) for node in plan.nodes}
    inside = _inside(needs, selection)
    if not inside:
        raise ParameterError(f"{selection} leaves no step of pipeline {plan.name!r} to run.")
    needed = _closure(inside, needs) - inside
    resolved = {node.id for node in plan.nodes if not isinstance(node, StepPlan | ImporterPlan)}
    outside = {name: _option(name, selection) for name in needs if name not in inside}
    return Scope(
        taken={name: option for name, option in outside.items() if name in needed - resolved},
        left_out={name: option for name, option in outside.items() if name not in needed},
    )


def _inside(needs: Mapping[str, set[str]], selection: Selection) -> set[str]:
    inside = set(needs)
    if selection.first:
        followers = {name: {other for other, needed in needs.items() if name in needed} for name in needs}
        inside &= _closure(selection.first, followers)
    if selection.last:
        inside &= _closure(selection.last, needs)
    if selection.only:
        inside &= set(selection.only)
    return inside - set(selection.skip)


def _closure(start: Iterable[str], edges: Mapping[str, set[str]]) -> set[str]:
    found = set(start)
    pending = list(found)
    while pending:
        new = edges[pending.pop()] - found
        found |= new
        pending += new
    return found


def _option(name: str, selection: Selection) -> str:
    return f"--skip {name}" if name in selection.skip else str(selection)


def earlier_result(store: MetadataStore, pipeline: str, step: str) -> ExecutionRecord | None:
    """Return the execution that made what the latest successful one of a step put out; None when nothing is left."""
    for found in store.history(pipeline, step, HISTORY):
        if found.state in ("COMPLETE", "CACHED") and all(
            artifact.state == "LIVE" for made in found.outputs.values() for artifact in made
        ):
            return store.execution(found.cached_from) if found.cached_from else found
    return None


def check_results(store: MetadataStore, plan: Plan, scope: Scope) -> None:
    """See to it that all that is taken from earlier runs is there.

    Raises:
        ParameterError: With the steps that never succeeded in this pipeline, or whose results are gone.
    """
    missing = [name for name in scope.taken if earlier_result(store, plan.name, name) is None]
    if missing:
        steps = "step" if len(missing) == 1 else "steps"
        raise ParameterError(
            f"{scope.taken[missing[0]]}: pipeline {plan.name!r} has no earlier result of {steps} "
            f"{', '.join(missing)} here, and what is to run needs it. Run the whole pipeline once, or widen the "
            f"selection."
        )

"""Partial runs: which nodes run, which are taken from earlier runs, and which are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.metadata.records import ExecutionRecord
from penstock.metadata.store import MetadataStore
from penstock.pipeline.errors import ParameterError
from penstock.pipeline.iterations import unnumbered
from penstock.pipeline.plan import AnyNode, ImporterPlan, LoopPlan, Plan, StepPlan, dependencies, every_node
from penstock.pipeline.runner import Selection
from penstock.runners.step_names import check_names, covers, loops_around, with_bodies

HISTORY = 50
"""So many executions of a step are searched for a successful one."""


@dataclass(frozen=True)
class Scope:
    """What a selection means for one plan.

    Attributes:
        taken: Nodes that don't run and that others need, each with the option that leaves it outside.
        left_out: Nodes that don't run and that nobody needs, likewise.
        narrowed: Nodes in loops of which some items run only: their names.
        skipped: Single items that don't run.
        needed: Nodes in loops of which what is made for all items is needed.
        option: The selection, as it is typed.
    """

    taken: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    narrowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    needed: frozenset[str] = frozenset()
    option: str = ""

    def takes(self, node_id: str) -> str:
        """Return the option that leaves a node outside that others need, "" when none does."""
        return self._outside(node_id, self.taken, needed=True)

    def leaves_out(self, node_id: str) -> str:
        """Return the option that leaves a node outside that nobody needs, "" when none does."""
        return self._outside(node_id, self.left_out, needed=False)

    def _outside(self, node_id: str, whole: Mapping[str, str], *, needed: bool) -> str:
        step = unnumbered(node_id)
        if step in whole or step == node_id:
            return whole.get(step, "")
        skipping = next((f"--skip {name}" for name in self.skipped if covers(name, node_id)), "")
        names = self.narrowed.get(step, ())
        elsewhere = self.option if names and not any(covers(name, node_id) for name in names) else ""
        return (skipping or elsewhere) if (step in self.needed) is needed else ""


def scope_of(plan: Plan, selection: Selection) -> Scope:
    """Return which nodes of a plan are outside of a selection.

    Raises:
        ParameterError: It names a step that the plan hasn't, or leaves nothing to run.
    """
    if not selection:
        return Scope()
    for option, names in selection.options().items():
        check_names(option, names, plan)
    needs = _needs(plan.nodes)
    inside = _inside(needs, _of_steps(selection, plan))
    if not inside:
        raise ParameterError(f"{selection} leaves no step of pipeline {plan.name!r} to run.")
    needed = _closure(inside, needs) - inside
    steps = {node.id for node in every_node(plan.nodes) if isinstance(node, StepPlan | ImporterPlan)}
    resolved = needs.keys() - steps
    outside = {name: _option(name, selection) for name in needs if name not in inside}
    narrowed = _narrowed(plan, selection, steps & inside)
    skipped = tuple(name for name in selection.skip if unnumbered(name) != name)
    whole = inside - narrowed.keys()
    return Scope(
        taken={name: option for name, option in outside.items() if name in needed - resolved},
        left_out={name: option for name, option in outside.items() if name not in needed},
        narrowed=narrowed,
        skipped=skipped,
        needed=frozenset(other for name in (inside if skipped else whole) for other in needs[name]),
        option=str(selection),
    )


def _of_steps(selection: Selection, plan: Plan) -> Selection:
    """Return a selection that names the steps of a loop where it named the loop."""
    first, last, only, skip = (with_bodies(names, plan) for names in selection.options().values())
    return Selection(first, last, only, skip)


def _needs(nodes: Iterable[AnyNode], loop: str = "") -> dict[str, set[str]]:
    """Return what each node waits for, those in loops too: they wait for their loop, which always runs."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        found[node.id] = dependencies(node) | ({loop} if loop else set())
        if isinstance(node, LoopPlan):
            found |= _needs(node.body, node.id)
    return found


def _narrowed(plan: Plan, selection: Selection, inside: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the steps of which single items were asked for, directly or by another step of their loop."""
    asked = [*selection.first, *selection.last, *selection.only]
    found: dict[str, tuple[str, ...]] = {}
    for name in asked:
        step = unnumbered(name)
        for loop in loops_around(step, plan)[:1] if step != name else ():
            numbers = name.removeprefix(step)
            for node in every_node(loop.body):
                if node.id in inside and node.id not in asked:
                    own = numbers[: numbers.find("]", 0) + 1] if node.id != step else numbers
                    found[node.id] = (*found.get(node.id, ()), node.id + own)
    return found


def _inside(needs: Mapping[str, set[str]], selection: Selection) -> set[str]:
    inside = set(needs)
    if selection.first:
        followers = {name: {other for other, needed in needs.items() if name in needed} for name in needs}
        inside &= _closure(map(unnumbered, selection.first), followers)
    if selection.last:
        inside &= _closure(map(unnumbered, selection.last), needs)
    if selection.only:
        inside &= {unnumbered(name) for name in selection.only}
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


def earlier_result(
    store: MetadataStore, pipeline: str, step: str, parameters: Mapping[str, Any] | None = None
) -> ExecutionRecord | None:
    """Return the execution that made what the latest successful one of a step put out; None when nothing is left.

    Args:
        store: Where earlier runs are recorded.
        pipeline: The pipeline.
        step: Its step.
        parameters: Only with these: the number of an item says little of which item it was.
    """
    for found in store.history(pipeline, step, HISTORY):
        if parameters is not None and found.facts.get("parameters") != parameters:
            continue
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
    single = [name for name in scope.taken if not loops_around(name, plan)]  # which items there are isn't known yet
    missing = [name for name in single if earlier_result(store, plan.name, name) is None]
    if missing:
        steps = "step" if len(missing) == 1 else "steps"
        raise ParameterError(
            f"{scope.taken[missing[0]]}: pipeline {plan.name!r} has no earlier result of {steps} "
            f"{', '.join(missing)} here, and what is to run needs it. Run the whole pipeline once, or widen the "
            f"selection."
        )

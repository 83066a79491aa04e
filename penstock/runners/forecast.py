"""What a run would do: the driver's decisions for every node, without executing or recording anything."""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from penstock.metadata.records import ExecutionRecord
from penstock.metadata.store import MetadataStore, MlmdStore
from penstock.pipeline import predicate
from penstock.pipeline.errors import PenstockError
from penstock.pipeline.plan import (
    AnyNode,
    ConditionPlan,
    ExitHandlerPlan,
    ImporterPlan,
    JoinPlan,
    Plan,
    StepPlan,
    dependencies,
    value_bindings,
)
from penstock.pipeline.runner import RunRequest
from penstock.runners import explanation
from penstock.runners.driver import Driver
from penstock.runners.explanation import Earlier
from penstock.runners.layout import Layout
from penstock.runners.partial_driver import PartialDriver
from penstock.runners.selection import check_results, scope_of
from penstock.runners.step_names import check_names

Action = Literal["run", "reuse", "skip", "settled", "unknown", "fail"]
SETTLED = ("reuse", "skip", "settled")
MEASURED = 3
"""So many executions of a step make its estimate."""


@dataclass(frozen=True)
class StepForecast:
    """What would become of one node.

    Attributes:
        action: run, reuse, skip, settled (a condition that is answered, a join that is made), unknown (until what it
            waits for has run) or fail (it can't be made concrete).
        reason: Why, in one line.
        seconds: How long it took before, for one that may run; None when it never ran.
        waits_for: The nodes that must run before it is known what this one is given.
        always: True for what runs in every run, and makes none pending.
    """

    id: str
    action: Action
    reason: str
    seconds: float | None = None
    waits_for: tuple[str, ...] = ()
    always: bool = False


@dataclass(frozen=True)
class Forecast:
    """What a run would do, in the plan's order."""

    pipeline: str
    root: str
    steps: tuple[StepForecast, ...]

    @property
    def pending(self) -> bool:
        """True when something would run, or may have to."""
        return any(step.action not in SETTLED and not step.always for step in self.steps)

    def seconds(self, *actions: Action) -> float:
        """Return the estimated work of the steps with these actions, as far as they have ever run."""
        return sum(step.seconds or 0.0 for step in self.steps if step.action in actions)


def forecast(plan: Plan, request: RunRequest) -> Forecast:
    """Return what a run with this request would do; nothing is written, a root that isn't there isn't made.

    Raises:
        PenstockError: The request names what isn't there, or the root can't be read.
    """
    check_names("--refresh", request.refresh, plan)
    scope = scope_of(plan, request.selection)
    layout = Layout(request.root)
    with ExitStack() as stack:
        there = os.path.exists(layout.database)
        store = MlmdStore.open(layout.database, create=False) if there else MlmdStore.in_memory()
        stack.callback(store.close)
        check_results(store, plan, scope)
        driver_class = PartialDriver if request.selection else Driver
        driver = driver_class("", plan, request, store, layout, layout.hashes if there else "")
        stack.callback(driver.close)
        foreseen = _Foreseen(driver)
        return Forecast(plan.name, request.root, tuple(foreseen.all()))


@dataclass
class _Foreseen:
    """What is known of the nodes so far."""

    driver: Driver
    steps: dict[str, StepForecast] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)

    def all(self) -> list[StepForecast]:
        for node in self.driver.plan.nodes:
            self.steps[node.id] = self._step(node)
        return list(self.steps.values())

    def _step(self, node: AnyNode) -> StepForecast:
        needed = sorted(dependencies(node))
        if isinstance(node, JoinPlan):
            return self._join(node)
        broken = [name for name in needed if self.steps[name].action in ("skip", "fail")]
        if broken and not _is_outside(self.driver, node):
            verb = "fails" if self.steps[broken[0]].action == "fail" else "is skipped"
            return StepForecast(node.id, "skip", f"{broken[0]} {verb}")
        waiting = tuple(name for name in needed if self.steps[name].action in ("run", "unknown"))
        if isinstance(node, StepPlan | ImporterPlan):
            return self._branch(node, waiting) or self._concrete(node, waiting)
        if isinstance(node, ExitHandlerPlan):
            return StepForecast(node.id, "run", "runs when all else is over", self._seconds(node), always=True)
        if isinstance(node, ConditionPlan) and not waiting:
            return self._condition(node)
        return StepForecast(node.id, "unknown", "is settled when the run gets there", waits_for=waiting)

    def _branch(self, node: AnyNode, waiting: tuple[str, ...]) -> StepForecast | None:
        """Return what becomes of a node for the condition that it stands under, None when it lets it run."""
        if node.branch is None:
            return None
        condition = node.branch.condition
        if condition not in self.answers:
            reason = f"depends on what the condition {condition} says"
            return StepForecast(node.id, "unknown", reason, self._seconds(node), waiting)
        holds = self.answers[condition] == node.branch.holds
        return None if holds else StepForecast(node.id, "skip", self.steps[condition].reason)

    def _concrete(self, node: StepPlan | ImporterPlan, waiting: tuple[str, ...]) -> StepForecast:
        given = _given(node)
        blocked = [name for name in waiting if name in given]
        if blocked and isinstance(node, StepPlan) and not _is_outside(self.driver, node):
            return self._waiting(node, tuple(blocked))
        try:
            drive = self.driver.drive(node)
        except (PenstockError, OSError) as error:
            return StepForecast(node.id, "fail", str(error))
        if drive.source is not None:
            self.driver.made[node.id] = drive.source.outputs
            after = f", once {', '.join(waiting)} succeeded" if waiting else ""
            return StepForecast(node.id, "reuse", drive.reason + after, waits_for=waiting)
        action: Action = "run" if drive.task else "skip"
        return StepForecast(node.id, action, drive.reason, self._seconds(node), waiting)

    def _condition(self, node: ConditionPlan) -> StepForecast:
        try:
            answer = predicate.evaluate(node.predicate, self.driver.operand)
        except (PenstockError, KeyError) as error:
            return StepForecast(node.id, "fail", str(error))
        self.answers[node.id] = answer
        return StepForecast(
            node.id, "settled", f"{predicate.describe(node.predicate)} {'holds' if answer else 'does not hold'}"
        )

    def _join(self, node: JoinPlan) -> StepForecast:
        """Say which of a join's choices is the first that is made."""
        for choice in node.choices:
            action = self.steps[choice.node].action
            if action in ("run", "unknown"):
                reason = f"depends on what {choice.node} makes"
                return StepForecast(node.id, "unknown", reason, waits_for=(choice.node,))
            if action in ("reuse", "settled"):
                self.driver.made[node.id] = {"result": self.driver.made[choice.node][choice.output]}
                return StepForecast(node.id, "settled", f"{choice.node} was made")
        return StepForecast(node.id, "skip", "none of its choices is made")

    def _waiting(self, step: StepPlan, waiting: tuple[str, ...]) -> StepForecast:
        """Say what is known of a step while what it is given isn't made."""
        seconds = self._seconds(step)
        off = self.driver.cache.switched_off(step)
        if off:
            return StepForecast(step.id, "run", off, seconds, waiting)
        try:
            key, unknown = self.driver.known(step, {name for name in self.steps if name not in self.driver.made})
        except (PenstockError, OSError) as error:
            return StepForecast(step.id, "fail", str(error))
        layout, pipeline = self.driver.layout, self.driver.plan.name
        found = explanation.nearest(layout, pipeline, step.id, key.ingredients, unknown=unknown)
        until = f"depends on what {', '.join(waiting)} {'makes' if len(waiting) == 1 else 'make'}"
        if found is None:
            return StepForecast(step.id, "run", "no earlier result", seconds, waiting)
        changed = _known(found, unknown) != key.ingredients
        if changed:
            reason = explanation.explain(_known(found, unknown), key.ingredients)
            return StepForecast(step.id, "run", reason, seconds, waiting)
        return StepForecast(step.id, "unknown", until, seconds, waiting)

    def _seconds(self, node: AnyNode) -> float | None:
        return seconds_of(self.driver.store, self.driver.plan.name, node.id)


def _known(earlier: Earlier, unknown: set[str]) -> dict[str, object]:
    return {name: value for name, value in earlier.key.ingredients.items() if name not in unknown}


def _given(node: AnyNode) -> set[str]:
    """Return the nodes whose outputs a node is given; the others it only comes after."""
    values = [node.parameters, node.files] if isinstance(node, StepPlan) else [getattr(node, "uri", None)]
    bound = [binding for each in getattr(node, "inputs", {}).values() for binding in each]
    return {binding.node for binding in [*bound, *(found for value in values for found in value_bindings(value))]}


def _is_outside(driver: Driver, node: AnyNode) -> bool:
    return isinstance(driver, PartialDriver) and node.id in {**driver.scope.taken, **driver.scope.left_out}


def seconds_of(store: MetadataStore, pipeline: str, step: str) -> float | None:
    """Return how long a step takes, by the median of its latest executions; None when it never ran."""
    history = store.history(pipeline, step, explanation.RECENT)
    ran = [_wall(each) for each in history if each.state == "COMPLETE"][:MEASURED]
    if not ran:
        sources = [store.execution(each.cached_from) for each in history[:1] if each.cached_from]
        ran = [_wall(each) for each in sources if each]
    return round(statistics.median(ran), 3) if ran else None


def _wall(execution: ExecutionRecord) -> float:
    return float(execution.facts.get("wall_s") or execution.ended - execution.started)

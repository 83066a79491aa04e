"""What a run would do: the driver's decisions for every node, without executing or recording anything."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from penstock.metadata.records import ExecutionRecord
from penstock.metadata.store import MetadataStore, MlmdStore
from penstock.pipeline import predicate
from penstock.pipeline.errors import PenstockError
from penstock.pipeline.iterations import depth, unnumbered
from penstock.pipeline.plan import (
    AnyNode,
    ConditionPlan,
    ExitHandlerPlan,
    ImporterPlan,
    JoinPlan,
    LoopPlan,
    Plan,
    ResolverPlan,
    StepPlan,
    dependencies,
    every_node,
    value_bindings,
)
from penstock.pipeline.runner import RunRequest
from penstock.runners import explanation
from penstock.runners.control import resolved
from penstock.runners.driver import Driver
from penstock.runners.expansion import expand
from penstock.runners.explanation import Earlier
from penstock.runners.layout import Layout
from penstock.runners.partial_driver import PartialDriver
from penstock.runners.selection import check_results, scope_of
from penstock.runners.step_names import check_names, check_numbers, loops_around

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
    check_numbers(request, plan)
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
    untaken: set[str] = field(default_factory=set)

    def all(self) -> list[StepForecast]:
        self._foresee(self.driver.plan.nodes)
        return list(self.steps.values())

    def _foresee(self, nodes: Iterable[AnyNode]) -> None:
        for node in nodes:
            self.steps[node.id] = self._step(node)
            if isinstance(node, LoopPlan):
                self._items(node)

    def _step(self, node: AnyNode) -> StepForecast:
        needed = self._concrete_ids(dependencies(node))
        if isinstance(node, JoinPlan):
            return self._join(node)
        broken = [name for name in needed if self.steps[name].action in ("skip", "fail")]
        broken = [name for name in broken if not self._does_without(node, name)]
        if broken and not _is_outside(self.driver, node):
            if any(name in self.untaken for name in broken):
                self.untaken.add(node.id)
            verb = "fails" if self.steps[broken[0]].action == "fail" else "is skipped"
            return StepForecast(node.id, "skip", f"{broken[0]} {verb}")
        waiting = tuple(name for name in needed if self.steps[name].action in ("run", "unknown"))
        if isinstance(node, LoopPlan | ResolverPlan):
            return self._branch(node, waiting) or self._settled(node, waiting)
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
        if not holds:
            self.untaken.add(node.id)
        return None if holds else StepForecast(node.id, "skip", self.steps[condition].reason)

    def _settled(self, node: LoopPlan | ResolverPlan, waiting: tuple[str, ...]) -> StepForecast:
        """Expand a loop or resolve a resolver, where all that it looks at is known."""
        left_out = self.driver.left_out(node.id)
        if left_out:
            return StepForecast(node.id, "skip", left_out)
        if waiting:
            return StepForecast(node.id, "unknown", _until(waiting), waits_for=waiting)
        try:
            reason = (
                expand(node, self.driver).reason if isinstance(node, LoopPlan) else resolved(node, self.driver).reason
            )
        except (PenstockError, KeyError) as error:
            return StepForecast(node.id, "fail", str(error))
        return StepForecast(node.id, "settled", reason)

    def _items(self, loop: LoopPlan) -> None:
        """Foresee the steps of a loop: for each item where the items are known, else once for all."""
        told = self.steps[loop.id]
        if told.action == "settled":
            self._foresee(node for nodes in expand(loop, self.driver).iterations for node in nodes)
            return
        for node in every_node(loop.body):
            if told.action == "unknown":
                reason = f"once per item of {loop.id}, which {told.reason}"
                told_of = StepForecast(node.id, "unknown", reason, self._seconds(node), (loop.id,))
            else:
                told_of = StepForecast(
                    node.id, "skip", f"{loop.id} {'fails' if told.action == 'fail' else 'is skipped'}"
                )
                self.untaken |= {node.id} if loop.id in self.untaken else set()
            self.steps[node.id] = told_of

    def _concrete_ids(self, names: Iterable[str]) -> list[str]:
        """Return nodes by the ids that they are foreseen by: of one in a loop, that of each item."""
        found: list[str] = []
        for name in sorted(names):
            found += self._concrete_ids(self.driver.numbered[name]) if name in self.driver.numbered else [name]
        return found

    def _does_without(self, node: AnyNode, name: str) -> bool:
        """Say whether a node goes on although something that it waits for is skipped; see `Scheduler`."""
        if isinstance(node, ResolverPlan):
            return unnumbered(name) not in node.after
        return name in self.untaken and depth(name) > depth(node.id)

    def _concrete(self, node: StepPlan | ImporterPlan, waiting: tuple[str, ...]) -> StepForecast:
        given = {*self._concrete_ids(_given(node))}
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
            key, unknown = self.driver.known(step, self._open())
        except (PenstockError, OSError) as error:
            return StepForecast(step.id, "fail", str(error))
        layout, pipeline = self.driver.layout, self.driver.plan.name
        found = explanation.nearest(layout, pipeline, step.id, key.ingredients, unknown=unknown)
        until = _until(waiting)
        if found is None:
            return StepForecast(step.id, "run", "no earlier result", seconds, waiting)
        changed = _known(found, unknown) != key.ingredients
        if changed:
            reason = explanation.explain(_known(found, unknown), key.ingredients)
            return StepForecast(step.id, "run", reason, seconds, waiting)
        return StepForecast(step.id, "unknown", until, seconds, waiting)

    def _open(self) -> set[str]:
        """Return the nodes that have made nothing yet, and those in loops of which that holds for some item."""
        single = {name for name in self.steps if name not in self.driver.made}
        waiting = {name for name, step in self.steps.items() if step.action in ("run", "unknown")}
        return single | {name for name in self.driver.numbered if waiting & {*self._concrete_ids([name])}}

    def _seconds(self, node: AnyNode) -> float | None:
        """Return how long a step took; for an item that never ran, how long the first one took."""
        store, pipeline = self.driver.store, self.driver.plan.name
        first = unnumbered(node.id) + "[0]" * (depth(node.id) or len(loops_around(node.id, self.driver.plan)))
        return seconds_of(store, pipeline, node.id) or (
            seconds_of(store, pipeline, first) if first != node.id else None
        )


def _known(earlier: Earlier, unknown: set[str]) -> dict[str, object]:
    return {name: value for name, value in earlier.key.ingredients.items() if name not in unknown}


def _given(node: AnyNode) -> set[str]:
    """Return the nodes whose outputs a node is given; the others it only comes after."""
    values = [node.parameters, node.files] if isinstance(node, StepPlan) else [getattr(node, "uri", None)]
    bound = [binding for each in getattr(node, "inputs", {}).values() for binding in each]
    return {binding.node for binding in [*bound, *(found for value in values for found in value_bindings(value))]}


def _is_outside(driver: Driver, node: AnyNode) -> bool:
    return isinstance(driver, PartialDriver) and bool(driver.scope.takes(node.id) or driver.scope.leaves_out(node.id))


def _until(waiting: tuple[str, ...]) -> str:
    """Say what is waited for: "depends on what make and 5 items of train make"."""
    items = Counter(unnumbered(name) for name in waiting)
    single = dict(zip(map(unnumbered, waiting), waiting, strict=True))
    names = [single[name] if count == 1 else f"{count} items of {name}" for name, count in items.items()]
    told = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    return f"depends on what {told} {'makes' if len(waiting) == 1 else 'make'}"


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

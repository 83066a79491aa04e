"""Nodes that no worker runs: conditions, joins, loops and resolvers are settled, exit handlers told of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.metadata.records import RunState
from penstock.pipeline import predicate
from penstock.pipeline.plan import ConditionPlan, ExitHandlerPlan, JoinPlan, LoopPlan, ResolverPlan, StepPlan
from penstock.pipeline.runner import RunRequest, StepResult
from penstock.pipeline.task import FAILED
from penstock.runners.driver import Driver
from penstock.runners.expansion import Expansion, expand
from penstock.runners.resolution import resolve
from penstock.runners.scheduler import Scheduler

Controlling = ConditionPlan | JoinPlan | LoopPlan | ResolverPlan
"""Nodes that the driver settles itself."""


@dataclass(frozen=True)
class Settled:
    """What came of a node that no worker runs.

    Attributes:
        answer: Of a condition.
        inputs: The ids of the artifacts that it looked at or found, by name.
        facts: What is recorded with it.
        expansion: Of a loop.
    """

    reason: str
    answer: bool = True
    inputs: Mapping[str, Sequence[int]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    expansion: Expansion | None = None


def settle(node: Controlling, driver: Driver, scheduler: Scheduler) -> Settled:
    """Answer a condition, join branches, expand a loop or resolve artifacts of earlier runs.

    Raises:
        PenstockError: It can't be done.
    """
    if isinstance(node, ConditionPlan):
        answer = predicate.evaluate(node.predicate, driver.operand)
        return Settled(f"{predicate.describe(node.predicate)} {'holds' if answer else 'does not hold'}", answer)
    if isinstance(node, JoinPlan):
        choice = node.choices[scheduler.chosen(node) or 0]
        driver.made[node.id] = {"result": driver.made[choice.node][choice.output]}
        return Settled(f"{choice.node} was made")
    if isinstance(node, LoopPlan):
        found = expand(node, driver)
        inputs = {"items": found.used} if found.used else {}
        return Settled(found.reason, inputs=inputs, facts={"items": list(found.items)}, expansion=found)
    return resolved(node, driver)


def resolved(node: ResolverPlan, driver: Driver) -> Settled:
    """Resolve artifacts of earlier runs, and let the driver hand them on.

    Raises:
        DataError: What is needed isn't there.
    """
    driver.made[node.id] = found = resolve(node, driver)
    told = [f"{name}: {_told([(each.run, each.step) for each in made])}" for name, made in found.items()]
    return Settled("; ".join(told), inputs={name: [each.id for each in made] for name, made in found.items() if made})


def _told(origins: list[tuple[str, str]]) -> str:
    if not origins:
        return "nothing earlier"
    run, step = origins[-1]
    more = f"{len(origins)} artifacts, the last " if len(origins) > 1 else ""
    return f"{more}{step} of run {run}"


def told_of_the_run(
    node: ExitHandlerPlan, driver: Driver, request: RunRequest, state: RunState, results: Iterable[StepResult]
) -> StepPlan:
    """Return the step of an exit handler, and let the driver know what came of the run."""
    failed = [result.id for result in results if result.state == FAILED]
    known = {"__state__": state, "__failed__": failed}
    driver.request = dataclasses.replace(request, parameters={**request.parameters, **known})
    return node.step

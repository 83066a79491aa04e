"""Nodes that no worker runs: conditions are answered, branches are joined, exit handlers are told of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from penstock.pipeline import predicate
from penstock.pipeline.plan import ConditionPlan, ExitHandlerPlan, JoinPlan, StepPlan
from penstock.pipeline.runner import RunRequest, StepResult
from penstock.pipeline.task import FAILED
from penstock.runners.driver import Driver
from penstock.runners.scheduler import Scheduler


def resolve(node: ConditionPlan | JoinPlan, driver: Driver, scheduler: Scheduler) -> tuple[bool, str]:
    """Return the answer of a condition and the reason; of a join, that it was made, and from what.

    Raises:
        DataError: The condition can't be answered.
    """
    if isinstance(node, ConditionPlan):
        answer = predicate.evaluate(node.predicate, driver.operand)
        return answer, f"{predicate.describe(node.predicate)} {'holds' if answer else 'does not hold'}"
    choice = node.choices[scheduler.chosen(node) or 0]
    driver.made[node.id] = {"result": driver.made[choice.node][choice.output]}
    return True, f"{choice.node} was made"


def told_of_the_run(
    node: ExitHandlerPlan, driver: Driver, request: RunRequest, results: Iterable[StepResult]
) -> StepPlan:
    """Return the step of an exit handler, and let the driver know what came of the run."""
    failed = [result.id for result in results if result.state == FAILED]
    known = {"__state__": "FAILED" if failed else "COMPLETE", "__failed__": failed}
    driver.request = dataclasses.replace(request, parameters={**request.parameters, **known})
    return node.step

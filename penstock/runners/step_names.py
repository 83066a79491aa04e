"""Steps that a person names on a command line: each is one of the plan's, or the nearest is offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from penstock.pipeline.errors import ParameterError, listing, nearest
from penstock.pipeline.iterations import NUMBERS, unnumbered
from penstock.pipeline.plan import Json, LoopPlan, Plan, every_node
from penstock.pipeline.runner import RunRequest


def check_names(option: str, names: Iterable[str], plan: Plan) -> None:
    """Refuse a name that no node of the plan has; "Trainer[1]" is one item of a step in a loop.

    Raises:
        ParameterError: With the option, the name and the nearest.
    """
    known = {node.id: node for node in every_node(plan.nodes)}
    for name in names:
        step = unnumbered(name)
        if step not in known:
            raise ParameterError(
                f"{option} {name}: pipeline {plan.name!r} has no step {step!r}.{nearest(step, known)} "
                f"It has: {listing(known)}."
            )


def check_numbers(request: RunRequest, plan: Plan) -> None:
    """Refuse the number of an item that a loop over a run parameter or a written list hasn't.

    Raises:
        ParameterError: With the option, the name and the numbers there are.
    """
    for option, names in {"--refresh": request.refresh, **request.selection.options()}.items():
        for name in names:
            step = unnumbered(name)
            if step != name:
                _check_numbers(option, name, loops_around(step, plan), request.parameters)


def loops_around(step: str, plan: Plan) -> list[LoopPlan]:
    """Return the loops that a step stands in, the outermost first."""
    loops = (node for node in every_node(plan.nodes) if isinstance(node, LoopPlan))
    return [loop for loop in loops if any(node.id == step for node in every_node(loop.body))]


def with_bodies(names: Iterable[str], plan: Plan) -> tuple[str, ...]:
    """Return names with those of a loop's steps in place of the loop's own."""
    loops = (node for node in every_node(plan.nodes) if isinstance(node, LoopPlan))
    bodies = {loop.id: [node.id for node in every_node(loop.body)] for loop in loops}
    return tuple(each for name in names for each in [name, *bodies.get(name, ())])


def covers(name: str, step: str) -> bool:
    """Say whether a name stands for a step: "Trainer" for "Trainer[1]" too, and "Trainer[1]" for "Trainer[1][0]"."""
    return step == name or step.startswith(f"{name}[")


def _check_numbers(option: str, name: str, loops: list[LoopPlan], given: Mapping[str, Json]) -> None:
    numbers = [int(number[1:-1]) for number in NUMBERS.findall(name)]
    step = unnumbered(name)
    if not loops:
        raise ParameterError(
            f"{option} {name}: step {step!r} is in no loop, so it has no items. Write {option} {step}."
        )
    if len(numbers) > len(loops):
        count = f"{len(loops)} loop" + ("s" if len(loops) > 1 else "")
        raise ParameterError(f"{option} {name}: step {step!r} is in {count}, got {len(numbers)} numbers.")
    for number, loop in zip(numbers, loops, strict=False):
        items = given.get(loop.items["$run"]) if isinstance(loop.items, dict) and "$run" in loop.items else loop.items
        if isinstance(items, list) and number >= len(items):
            there = f"numbered from 0 to {len(items) - 1}" if items else "an empty list"
            raise ParameterError(
                f"{option} {name}: loop {loop.id!r} has no item {number}; it has {len(items)}, {there}."
            )

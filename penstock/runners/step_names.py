"""Steps that a person names on a command line: each is one of the plan's, or the nearest is offered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from penstock.pipeline.errors import ParameterError, listing, nearest
from penstock.pipeline.plan import AnyNode, ExitHandlerPlan, LoopPlan, Plan


def check_names(option: str, names: Iterable[str], plan: Plan) -> None:
    """Refuse a name that no node of the plan has.

    Raises:
        ParameterError: With the option, the name and the nearest.
    """
    known = [node.id for node in every_node(plan.nodes)]
    for name in names:
        if name not in known:
            raise ParameterError(
                f"{option} {name}: pipeline {plan.name!r} has no step {name!r}.{nearest(name, known)} "
                f"It has: {listing(known)}."
            )


def every_node(nodes: Iterable[AnyNode]) -> Iterator[AnyNode]:
    """Yield nodes and those inside branches, loops and exit handlers."""
    for node in nodes:
        yield node
        if isinstance(node, LoopPlan):
            yield from every_node(node.body)
        elif isinstance(node, ExitHandlerPlan):
            yield node.step

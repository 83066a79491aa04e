"""Which nodes may start: a pure state machine over a plan, without clocks, processes or files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from penstock.pipeline import predicate
from penstock.pipeline.plan import AnyNode, ConditionPlan, ExitHandlerPlan, JoinPlan, Resources, StepPlan, dependencies
from penstock.pipeline.task import COMPLETE, FAILED, SKIPPED

PENDING, RUNNING, CACHED = "PENDING", "RUNNING", "CACHED"
SUCCEEDED = frozenset({COMPLETE, CACHED})

CPUS_UNSAID = 1.0
"""The CPUs that a step takes which names none."""


@dataclass(frozen=True)
class Capacity:
    """An amount of each resource: what is there, or what a step takes; memory in bytes."""

    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0

    def holds(self, claim: Capacity) -> bool:
        """Say whether a claim fits into what is free."""
        return claim.cpus <= self.cpus and claim.memory <= self.memory and claim.gpus <= self.gpus

    def __sub__(self, claim: Capacity) -> Capacity:
        return Capacity(self.cpus - claim.cpus, self.memory - claim.memory, self.gpus - claim.gpus)

    def __add__(self, claim: Capacity) -> Capacity:
        return Capacity(self.cpus + claim.cpus, self.memory + claim.memory, self.gpus + claim.gpus)


UNLIMITED = Capacity(float("inf"), 1 << 62, 1 << 30)
NOTHING = Capacity()

Skipped = list[tuple[str, str]]
"""Nodes that will not run, each with the reason."""


def claim_of(resources: Resources, total: Capacity) -> Capacity:
    """Return what a step takes; one that names no CPUs takes one, or all where there is less."""
    cpus_taken = min(CPUS_UNSAID, total.cpus) if resources.cpus is None else resources.cpus
    return Capacity(cpus_taken, resources.memory or 0, resources.gpus or 0)


class Scheduler:
    """The states of a plan's nodes and what follows from them.

    A node becomes ready when all that it waits for has succeeded, and may start when what it claims is free. When
    something that it waits for ends otherwise, or a condition's answer isn't that of its branch, it is skipped, and so
    is what waits for it; everything else goes on. A join waits for all its choices and needs one of them. Exit handlers
    become ready when all else has ended.

    Attributes:
        nodes: By id.
        states: By id.
    """

    def __init__(self, nodes: Iterable[AnyNode], capacity: Capacity = UNLIMITED) -> None:
        self.nodes: dict[str, AnyNode] = {}
        self.states: dict[str, str] = {}
        self._capacity = self._free = capacity
        self._missing: dict[str, set[str]] = {}
        self._followers: dict[str, list[str]] = {}
        self._answers: dict[str, bool] = {}
        self._queues: dict[Capacity, OrderedDict[str, int]] = {}
        self._claims: dict[str, Capacity] = {}
        self._turn = self._open = 0
        self._exits: list[str] = []
        for node in nodes:
            self._add(node)
        for node in self.nodes.values():
            self._enrol(node)
        self._let_exits_start()

    @property
    def ready(self) -> list[str]:
        """The nodes that wait for nothing but their turn and what they claim, in the order of becoming ready."""
        waiting = [(turn, node_id) for queue in self._queues.values() for node_id, turn in queue.items()]
        return [node_id for _, node_id in sorted(waiting)]

    def next(self) -> str | None:
        """Return the first ready node whose claim is free now; None when there is none."""
        heads = [
            next(iter(queue.items())) for claim, queue in self._queues.items() if queue and self._free.holds(claim)
        ]
        return min(heads, key=lambda head: head[1])[0] if heads else None

    def start(self, node_id: str) -> None:
        """Record that a ready node has been started."""
        claim = self._claims[node_id]
        del self._queues[claim][node_id]
        self._free -= claim
        self.states[node_id] = RUNNING

    def defer(self, node_id: str) -> None:
        """Record that an attempt has ended and another comes later: `again` makes the node ready for it."""
        self._free += self._claims[node_id]
        self.states[node_id] = PENDING

    def again(self, node_id: str) -> None:
        """Make a deferred node ready; nothing happens when it has been skipped meanwhile."""
        if self.states[node_id] == PENDING:
            self._queue(node_id)

    def finish(self, node_id: str, state: str, answer: bool = True) -> Skipped:
        """Record how a started node ended.

        Args:
            node_id: The node.
            state: COMPLETE, CACHED, FAILED, SKIPPED or CANCELED.
            answer: What came of it, when it is a condition.

        Returns:
            The nodes that are skipped because of it.
        """
        self._free += self._claims[node_id]
        self._answers[node_id] = answer
        self._end(node_id, state)
        skipped = self._follow(node_id)
        self._let_exits_start()
        return skipped

    def cancel(self) -> list[str]:
        """Skip everything that hasn't been started.

        Returns:
            Those nodes.
        """
        waiting = [name for name, state in self.states.items() if state == PENDING]
        self._exits = []
        for queue in self._queues.values():
            queue.clear()
        for node_id in waiting:
            self._end(node_id, SKIPPED)
        return waiting

    @property
    def over(self) -> bool:
        """True when every node has ended."""
        return self._open == 0

    def _add(self, node: AnyNode) -> None:
        inner = node.step if isinstance(node, ExitHandlerPlan) else node
        self.nodes[node.id] = node
        self.states[node.id] = PENDING
        self._followers[node.id] = []
        self._claims[node.id] = claim_of(inner.resources, self._capacity) if isinstance(inner, StepPlan) else NOTHING
        self._open += 1

    def _enrol(self, node: AnyNode) -> None:
        """Let a node wait for what it depends on, an exit handler for all else."""
        if isinstance(node, ExitHandlerPlan):
            self._exits.append(node.id)
            return
        needed = self._missing[node.id] = set(dependencies(node))
        for other in needed:
            self._followers[other].append(node.id)
        if not needed:
            self._queue(node.id)

    def _queue(self, node_id: str) -> None:
        self._turn += 1
        self._queues.setdefault(self._claims[node_id], OrderedDict())[node_id] = self._turn

    def _end(self, node_id: str, state: str) -> None:
        self.states[node_id] = state
        self._open -= 1

    def _let_exits_start(self) -> None:
        if self._exits and self._open == len(self._exits):
            for node_id in self._exits:
                self._queue(node_id)
            self._exits = []

    def _follow(self, origin: str) -> Skipped:
        """Let the end of a node reach all that wait for it."""
        skipped: Skipped = []
        for follower in self._followers[origin]:
            if self.states[follower] == PENDING:
                reason = self._arrived(follower, origin)
                if reason:
                    skipped += self._skip(follower, reason)
        return skipped

    def _skip(self, origin: str, reason: str) -> Skipped:
        """Skip a node, and what waits for it."""
        skipped: Skipped = []
        pending = [(origin, reason)]
        while pending:
            node_id, reason = pending.pop()
            if self.states[node_id] != PENDING:
                continue
            self._end(node_id, SKIPPED)
            skipped.append((node_id, reason))
            for follower in self._followers[node_id]:
                found = self._arrived(follower, node_id) if self.states[follower] == PENDING else ""
                if found:
                    pending.append((follower, found))
        return skipped

    def _arrived(self, follower: str, cause: str) -> str:
        """Take note that what a node waits for has ended; return why the node is skipped, "" when it isn't."""
        node = self.nodes[follower]
        decides = node.branch is not None and node.branch.condition == cause
        is_choice = isinstance(node, JoinPlan) and any(cause == choice.node for choice in node.choices)
        if self.states[cause] not in SUCCEEDED and (decides or not is_choice):
            return self._reason(node, cause)
        if node.branch and decides and node.branch.holds is not self._answers[cause]:
            return self._unmet(cause)
        self._missing[follower].discard(cause)
        if self._missing[follower]:
            return ""
        if isinstance(node, JoinPlan) and self.chosen(node) is None:
            return "; ".join(dict.fromkeys(self._ended_as(choice.node) for choice in node.choices))
        self._queue(follower)
        return ""

    def chosen(self, join: JoinPlan) -> int | None:
        """Return which of a join's choices was made, the first if several were."""
        made = (index for index, one in enumerate(join.choices) if self.states[one.node] in SUCCEEDED)
        return next(made, None)

    def _unmet(self, condition: str) -> str:
        node = self.nodes[condition]
        asked = predicate.describe(node.predicate) if isinstance(node, ConditionPlan) else condition
        return f"{asked} {'holds' if self._answers[condition] else 'does not hold'}"

    def _reason(self, node: AnyNode, cause: str) -> str:
        if self.states[cause] == FAILED and cause in node.gated_by:
            return f"gate {cause} refused what it uses"
        return self._ended_as(cause)

    def _ended_as(self, node_id: str) -> str:
        state = self.states[node_id]
        return f"{node_id} {'failed' if state == FAILED else 'was ' + state.lower()}"

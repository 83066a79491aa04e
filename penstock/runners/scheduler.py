"""Which nodes may start: a pure state machine over a plan, without clocks, processes or files."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.pipeline import predicate
from penstock.pipeline.plan import (
    AnyNode,
    Branch,
    ConditionPlan,
    ExitHandlerPlan,
    JoinPlan,
    LoopPlan,
    ResolverPlan,
    Resources,
    StepPlan,
    dependencies,
    every_node,
    value_bindings,
)
from penstock.pipeline.task import COMPLETE, FAILED, SKIPPED
from penstock.runners.loops import Loops

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
        return Capacity(round(self.cpus - claim.cpus, CPU_DIGITS), self.memory - claim.memory, self.gpus - claim.gpus)

    def __add__(self, claim: Capacity) -> Capacity:
        return Capacity(round(self.cpus + claim.cpus, CPU_DIGITS), self.memory + claim.memory, self.gpus + claim.gpus)


CPU_DIGITS = 6
"""Tenths of a CPU, taken and given back, would leave a little less than there was, and a step would wait for ever."""
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
    something that it waits for ended otherwise, or a condition's answer isn't that of its branch, it is skipped, and so
    is what waits for it; everything else goes on. A join waits for all its choices and needs one of them. Exit handlers
    become ready when all else has ended.

    The nodes in a loop's body come in when its items are known (`expand`). Who waits for one of them from outside waits
    for what came of it for every item, and takes what conditions inside the loop left.

    Attributes:
        nodes: By id.
        states: By id.
        untaken: The nodes that are skipped because a condition says so, not because something went wrong.
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
        self.untaken: set[str] = set()
        self._broken: dict[str, list[str]] = {}
        self._loops: Loops | None = None
        for node in nodes:
            self._add(node)
        for node in list(self.nodes.values()):
            self._enrol(node)
        self._let_exits_start()

    def expand(self, loop_id: str, iterations: Sequence[Sequence[AnyNode]], parallelism: int | None = None) -> Skipped:
        """Take in the nodes of a loop's body, once its items are known; `finish` the loop then.

        Args:
            loop_id: The loop, which has been started.
            iterations: For each item the nodes of the body.
            parallelism: How many items may be under way at once.

        Returns:
            The nodes that are skipped because of what has ended already.
        """
        assert self._loops is not None
        self._loops.open(loop_id, [[node.id for node in nodes] for nodes in iterations], parallelism)
        for node in itertools.chain.from_iterable(iterations):
            self._add(node)
        loop = self.nodes[loop_id]
        assert isinstance(loop, LoopPlan)
        waiting = self._loops.expanded(loop_id, [node.id for node in every_node(loop.body)], len(iterations))
        for follower, template in waiting:
            self._wait(follower, template)
        skipped: Skipped = []
        for number, nodes in enumerate(iterations):
            held = parallelism is not None and number >= parallelism
            for node in nodes:
                skipped += self._enrol(node, loop_id if held else "")
        return skipped

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
        while self._loops and self._loops.vacant:
            skipped += self._admit(self._loops.turn(self._loops.vacant[0]), self._loops.vacant.pop(0))
        self._let_exits_start()
        return skipped

    def cancel(self) -> list[str]:
        """Skip everything that hasn't been started, but exit handlers whose turn hasn't come: it comes by that.

        Returns:
            Those nodes.
        """
        waiting = [name for name, state in self.states.items() if state == PENDING and name not in self._exits]
        for queue in self._queues.values():
            queue.clear()
        for node_id in waiting:
            self._end(node_id, SKIPPED)
        self._let_exits_start()
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
        if isinstance(node, LoopPlan):
            self._loops = self._loops or Loops()
            self._loops.enter(node)

    def _enrol(self, node: AnyNode, held_by: str = "") -> Skipped:
        """Let a node wait for what it depends on, an exit handler for all else, a held one for its item's turn."""
        if isinstance(node, ExitHandlerPlan):
            self._exits.append(node.id)
            return []
        missing = self._missing[node.id] = {held_by} if held_by else set()
        for other in dependencies(node):
            self._wait(node.id, other)
        if not missing:
            self._queue(node.id)
        skipped: Skipped = []
        for other in [other for other in missing if self.states[other] not in (PENDING, RUNNING)]:
            if self.states[node.id] == PENDING and (reason := self._arrived(node.id, other)):
                skipped += self._skip(node.id, reason)
        return skipped

    def _wait(self, follower: str, node_id: str) -> None:
        """Let a node wait for another: for one in a loop until the loop is expanded, then for all that came of it."""
        if self._loops and node_id in self._loops.numbered:
            for each in self._loops.numbered[node_id]:
                self._wait(follower, each)
            return
        awaited = self._loops.await_home(follower, node_id) if self._loops else node_id
        if awaited not in self._missing[follower]:
            self._missing[follower].add(awaited)
            self._followers[awaited].append(follower)

    def _admit(self, held: Iterable[str], loop_id: str) -> Skipped:
        """Let the nodes of a loop's next item start."""
        skipped: Skipped = []
        for node_id in held:
            if self.states[node_id] == PENDING and loop_id in self._missing[node_id]:
                reason = self._is_there(node_id, loop_id)
                skipped += self._skip(node_id, reason) if reason else []
        return skipped

    def _queue(self, node_id: str) -> None:
        self._turn += 1
        self._queues.setdefault(self._claims[node_id], OrderedDict())[node_id] = self._turn

    def _end(self, node_id: str, state: str) -> None:
        self.states[node_id] = state
        self._open -= 1
        if self._loops:
            self._loops.ended(node_id)

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
        if self.states[cause] not in SUCCEEDED and not self._does_without(self.nodes[follower], cause):
            self._broken.setdefault(follower, []).append(cause)
        return self._is_there(follower, cause)

    def _is_there(self, follower: str, cause: str) -> str:
        """Let a node wait for something no longer; return why it is skipped, "" when it isn't.

        It is judged when all has ended that it waits for, so that the order of their ends changes nothing.
        """
        self._missing[follower].discard(cause)
        if self._missing[follower]:
            return ""
        node = self.nodes[follower]
        if node.branch and self._is_other_branch(node.branch):
            self.untaken.add(follower)
            return self._unmet(node.branch.condition)
        causes = self._broken.pop(follower, None)
        if causes is None and isinstance(node, JoinPlan) and self.chosen(node) is None:
            causes = [choice.node for choice in node.choices]
        if causes is None:
            self._queue(follower)
            return ""
        wrong = [each for each in causes if each not in self.untaken]
        if not wrong:
            self.untaken.add(follower)
        told = causes if isinstance(node, JoinPlan) else (wrong or causes)[:1]
        return "; ".join(dict.fromkeys(self._reason(node, each) for each in told))

    def _does_without(self, node: AnyNode, cause: str) -> bool:
        """Say whether a node goes on although something that it waits for made nothing."""
        if node.branch is not None and node.branch.condition == cause:
            return False
        if isinstance(node, JoinPlan):
            return any(cause == choice.node for choice in node.choices)
        if isinstance(node, ResolverPlan):
            firm = {*node.after, *(binding.node for binding in value_bindings(node.arguments))}
            return cause.partition("[")[0] not in firm
        return cause in self.untaken and cause.count("[") > node.id.count("[")  # one of the items of a list

    def chosen(self, join: JoinPlan) -> int | None:
        """Return which of a join's choices was made, the first if several were."""
        made = (index for index, one in enumerate(join.choices) if self.states[one.node] in SUCCEEDED)
        return next(made, None)

    def _is_other_branch(self, branch: Branch) -> bool:
        answered = self.states[branch.condition] in SUCCEEDED
        return answered and self._answers[branch.condition] is not branch.holds

    def _unmet(self, condition: str) -> str:
        node = self.nodes[condition]
        asked = predicate.describe(node.predicate) if isinstance(node, ConditionPlan) else condition
        return f"{asked} {'holds' if self._answers[condition] else 'does not hold'}"

    def _reason(self, node: AnyNode, cause: str) -> str:
        if self.states[cause] == FAILED and {cause, cause.partition("[")[0]} & {*node.gated_by}:
            return f"gate {cause} refused what it uses"
        return self._ended_as(cause)

    def _ended_as(self, node_id: str) -> str:
        state = self.states[node_id]
        return f"{node_id} {'failed' if state == FAILED else 'was ' + state.lower()}"

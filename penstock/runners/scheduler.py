"""Which nodes may start: a pure state machine over a plan, without clocks, processes or files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from penstock.pipeline.plan import AnyNode, dependencies
from penstock.pipeline.task import COMPLETE, FAILED, SKIPPED

PENDING, RUNNING, CACHED = "PENDING", "RUNNING", "CACHED"
SUCCEEDED = frozenset({COMPLETE, CACHED})


class Scheduler:
    """The states of a plan's nodes and what follows from them.

    A node becomes ready when all that it waits for has succeeded. When something that it waits for ends otherwise, it
    is skipped, and so is what waits for it; everything else goes on.
    """

    def __init__(self, nodes: Iterable[AnyNode]) -> None:
        self.nodes: Mapping[str, AnyNode] = {node.id: node for node in nodes}
        self.states = dict.fromkeys(self.nodes, PENDING)
        self._missing = {node_id: set(dependencies(node)) for node_id, node in self.nodes.items()}
        self._followers: dict[str, list[str]] = {node_id: [] for node_id in self.nodes}
        for node_id, needed in self._missing.items():
            for other in needed:
                self._followers[other].append(node_id)
        self._ready = OrderedDict.fromkeys(node_id for node_id, needed in self._missing.items() if not needed)
        self._open = len(self.states)

    @property
    def ready(self) -> Iterable[str]:
        """The nodes that may start now, in the order in which they became ready."""
        return self._ready.keys()

    def start(self, node_id: str) -> None:
        """Record that a ready node has been started."""
        del self._ready[node_id]
        self.states[node_id] = RUNNING

    def finish(self, node_id: str, state: str) -> list[tuple[str, str]]:
        """Record how a started node ended.

        Returns:
            The nodes that are skipped because of it, each with the reason.
        """
        self.states[node_id] = state
        self._open -= 1
        if state in SUCCEEDED:
            for follower in self._followers[node_id]:
                self._missing[follower].discard(node_id)
                if not self._missing[follower] and self.states[follower] == PENDING:
                    self._ready[follower] = None
            return []
        return self._skip_followers(node_id)

    def _skip_followers(self, origin: str) -> list[tuple[str, str]]:
        skipped: list[tuple[str, str]] = []
        pending = [origin]
        while pending:
            cause = pending.pop()
            for follower in self._followers[cause]:
                if self.states[follower] == PENDING:
                    self.states[follower] = SKIPPED
                    self._open -= 1
                    skipped.append((follower, self._reason(follower, cause)))
                    pending.append(follower)
        return skipped

    def _reason(self, follower: str, cause: str) -> str:
        state = self.states[cause]
        if state == FAILED and cause in self.nodes[follower].gated_by:
            return f"gate {cause} refused what it uses"
        return f"{cause} {'failed' if state == FAILED else 'was ' + state.lower()}"

    def cancel(self) -> list[str]:
        """Skip everything that hasn't been started.

        Returns:
            Those nodes.
        """
        waiting = [node_id for node_id, state in self.states.items() if state == PENDING]
        for node_id in waiting:
            self.states[node_id] = SKIPPED
        self._open -= len(waiting)
        self._ready.clear()
        return waiting

    @property
    def over(self) -> bool:
        """True when every node has ended."""
        return self._open == 0

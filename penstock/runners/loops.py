"""What a scheduler knows of loops: what came of their steps, who waits for them, and whose turn it is."""

from __future__ import annotations

from penstock.pipeline.plan import LoopPlan, every_node


class Loops:
    """What a scheduler knows of loops.

    Attributes:
        numbered: By a node of an expanded loop's body, what came of it for each item.
        vacant: Loops of which an item is over, so that the next one's turn has come.
    """

    def __init__(self) -> None:
        self.numbered: dict[str, list[str]] = {}
        self.vacant: list[str] = []
        self._home: dict[str, str] = {}
        self._waiting: dict[str, list[tuple[str, str]]] = {}
        self._within: dict[str, tuple[tuple[str, int], ...]] = {}
        self._left: dict[tuple[str, int], int] = {}
        self._held: dict[str, list[list[str]]] = {}
        self._next: dict[str, int] = {}

    def enter(self, loop: LoopPlan) -> None:
        """Note which nodes stand in a loop that isn't expanded yet."""
        self._home |= dict.fromkeys((node.id for node in every_node(loop.body)), loop.id)

    def await_home(self, follower: str, node_id: str) -> str:
        """Return what a node waits for in place of one whose loop isn't expanded: the loop; else the node itself."""
        home = self._home.get(node_id)
        if home is None:
            return node_id
        self._waiting.setdefault(home, []).append((follower, node_id))
        return home

    def expanded(self, loop_id: str, templates: list[str], count: int) -> list[tuple[str, str]]:
        """Note what came of the nodes of a body; return who waits for which of them."""
        for template in templates:
            self.numbered[template] = [f"{template}[{number}]" for number in range(count)]
            del self._home[template]
        return self._waiting.pop(loop_id, [])

    def open(self, loop_id: str, members: list[list[str]], parallelism: int | None) -> None:
        """Note the nodes of each item; with a limit, an item is under way until the last of them has ended."""
        around = self._within.get(loop_id, ())
        if parallelism:
            self._held[loop_id], self._next[loop_id] = members, parallelism
        for number, inside in enumerate(members):
            within = (*around, (loop_id, number)) if parallelism else around
            for node_id in inside if within else ():
                self._within[node_id] = within
                for each in within:
                    self._left[each] = self._left.get(each, 0) + 1

    def ended(self, node_id: str) -> None:
        """Note that a node has ended; with the last of an item's, the next item's turn has come."""
        for loop_id, number in self._within.get(node_id, ()):
            self._left[loop_id, number] -= 1
            if not self._left[loop_id, number] and number < self._next[loop_id]:
                self.vacant.append(loop_id)

    def turn(self, loop_id: str) -> list[str]:
        """Return the nodes of the item whose turn has come: the first held one that isn't over already."""
        while self._next[loop_id] < len(self._held[loop_id]):
            number = self._next[loop_id]
            self._next[loop_id] += 1
            if self._left[loop_id, number]:
                return self._held[loop_id][number]
        return []

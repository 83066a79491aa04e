"""The scheduler over random graphs and outcomes: laws that hold whatever finishes when."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pipeline.iterations import depth, iterations, unnumbered
from penstock.pipeline.plan import (
    AnyNode,
    Binding,
    Branch,
    ConditionPlan,
    ExitHandlerPlan,
    JoinPlan,
    LoopPlan,
    OutputPlan,
    StepPlan,
    dependencies,
    every_node,
)
from penstock.pipeline.task import CANCELED, COMPLETE, FAILED, SKIPPED
from penstock.runners.scheduler import CACHED, SUCCEEDED, Scheduler


def step(node_id: str, after: tuple[str, ...] = (), gated_by: tuple[str, ...] = ()) -> StepPlan:
    return StepPlan(id=node_id, component="m:f", name="f", after=after, gated_by=gated_by)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[StepPlan], dict[str, str]]:
    """A DAG in topological order, and how each of its nodes would end."""
    size = draw(st.integers(1, 12))
    nodes: list[StepPlan] = []
    for index in range(size):
        needed = draw(st.sets(st.sampled_from(range(index)), max_size=3)) if index else set()
        gates = {each for each in needed if draw(st.booleans())}
        ids = {True: tuple(f"n{each}" for each in gates), False: tuple(f"n{each}" for each in needed - gates)}
        nodes.append(step(f"n{index}", ids[False], ids[True]))
    ends = {node.id: draw(st.sampled_from([COMPLETE, CACHED, COMPLETE, FAILED, SKIPPED])) for node in nodes}
    return nodes, ends


def needs(node: StepPlan) -> set[str]:
    return {*node.after, *node.gated_by}


def play(
    nodes: list[StepPlan], ends: dict[str, str], choose: Callable[[list[str]], str]
) -> tuple[Scheduler, list[str]]:
    """Run a graph, finishing running nodes in the order that `choose` says; return also what has ended, in order."""
    scheduler, running, ended = Scheduler(nodes), [], []
    by_id = {node.id: node for node in nodes}
    while not scheduler.over:
        for node_id in list(scheduler.ready):
            assert all(scheduler.states[other] in SUCCEEDED for other in needs(by_id[node_id]))
            scheduler.start(node_id)
            running.append(node_id)
        node_id = choose(running)
        running.remove(node_id)
        ended += [node_id, *(skipped for skipped, _ in scheduler.finish(node_id, ends[node_id]))]
    return scheduler, ended


@given(graphs(), st.randoms(use_true_random=False))
def test_every_node_ends_exactly_once(graph: tuple[list[StepPlan], dict[str, str]], order: random.Random) -> None:
    nodes, ends = graph

    _, ended = play(nodes, ends, order.choice)

    assert sorted(ended) == sorted(ends)


@given(graphs(), st.randoms(use_true_random=False))
def test_node_is_skipped_exactly_when_something_before_it_did_not_succeed(
    graph: tuple[list[StepPlan], dict[str, str]], order: random.Random
) -> None:
    nodes, ends = graph

    scheduler, _ = play(nodes, ends, order.choice)

    for node in nodes:
        reached = all(scheduler.states[other] in SUCCEEDED for other in needs(node))
        assert scheduler.states[node.id] == (ends[node.id] if reached else SKIPPED)


@given(graphs(), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_order_of_finishing_does_not_change_the_final_states(
    graph: tuple[list[StepPlan], dict[str, str]], one: random.Random, other: random.Random
) -> None:
    nodes, ends = graph

    assert play(nodes, ends, one.choice)[0].states == play(nodes, ends, other.choice)[0].states


@given(graphs(), st.integers(0, 12))
def test_cancelling_ends_what_has_not_started(graph: tuple[list[StepPlan], dict[str, str]], finished: int) -> None:
    nodes, ends = graph
    scheduler = Scheduler(nodes)
    for _ in range(finished):
        ready = list(scheduler.ready)
        if ready:
            scheduler.start(ready[0])
            scheduler.finish(ready[0], ends[ready[0]])
    for node_id in list(scheduler.ready)[:2]:
        scheduler.start(node_id)
    running = [node_id for node_id, state in scheduler.states.items() if state == "RUNNING"]

    waiting = scheduler.cancel()

    assert not list(scheduler.ready)
    assert not {*waiting} & {*running}
    for node_id in running:
        assert scheduler.finish(node_id, CANCELED) == []
    assert scheduler.over


@pytest.mark.parametrize("running", [True, False])
def test_cancelling_leaves_the_turn_to_exit_handlers_once(running: bool) -> None:
    nodes = [step("train"), step("push", ("train",)), ExitHandlerPlan(id="tell", where="", step=step("tell"))]
    scheduler = Scheduler(nodes)
    if running:
        scheduler.start("train")

    waiting = scheduler.cancel()
    for node_id in ["train"] * running:
        scheduler.finish(node_id, CANCELED)

    assert waiting == (["push"] if running else ["train", "push"])
    assert scheduler.ready == ["tell"]
    assert scheduler.cancel() == ["tell"]
    assert scheduler.over


def test_reason_of_a_skipped_node_names_what_it_waited_for() -> None:
    nodes = [step("gen"), step("gate", ("gen",)), step("use", ("gen",), ("gate",)), step("push", ("use",))]
    scheduler = Scheduler(nodes)
    for node_id, state in (("gen", COMPLETE), ("gate", FAILED)):
        scheduler.start(node_id)
        reasons = scheduler.finish(node_id, state)

    assert reasons == [("use", "gate gate refused what it uses"), ("push", "use was skipped")]


def test_failure_is_told_as_such() -> None:
    scheduler = Scheduler([step("a"), step("b", ("a",))])
    scheduler.start("a")

    assert scheduler.finish("a", FAILED) == [("b", "a failed")]


def test_cost_of_a_fan_out_grows_with_its_size_and_no_faster() -> None:
    def operations(size: int) -> int:
        """Count the lines of the scheduler that are run for one node before `size` others."""
        nodes = [step("first"), *(step(f"n{index}", ("first",)) for index in range(size))]
        ends = dict.fromkeys((node.id for node in nodes), COMPLETE)
        count = 0

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal count
            if not frame.f_code.co_filename.endswith("scheduler.py"):
                return None
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            scheduler = Scheduler(nodes)
            while not scheduler.over:
                node_id = scheduler.next()
                scheduler.start(node_id)
                scheduler.finish(node_id, ends[node_id])
        finally:
            sys.settrace(before)
        return count

    assert operations(1000) < 10.5 * operations(100)


def test_ready_nodes_come_in_the_plan_s_order() -> None:
    scheduler = Scheduler([step("b"), step("a"), step("c", ("b",))])

    scheduler.start("b")

    assert list(scheduler.ready) == ["a"]
    scheduler.finish("b", COMPLETE)
    assert list(scheduler.ready) == ["a", "c"]


@st.composite
def branching(draw: st.DrawFn) -> tuple[list[AnyNode], dict[str, str], dict[str, bool]]:
    """A random graph with conditions, branches, joins and an exit handler; how each node ends; answers."""
    nodes: list[AnyNode] = []
    for index in range(draw(st.integers(2, 14))):
        before = [node.id for node in nodes]
        needed = tuple(draw(st.sets(st.sampled_from(before), max_size=2))) if before else ()
        conditions = [node.id for node in nodes if isinstance(node, ConditionPlan)]
        branch = None
        if conditions and draw(st.booleans()):
            branch = Branch(condition=draw(st.sampled_from(conditions)), holds=draw(st.booleans()))
        common = {"id": f"n{index}", "after": needed, "branch": branch}
        kind = draw(st.sampled_from(["step", "step", "condition", "join"]))
        if kind == "condition":
            asked = {"op": "==", "left": 1, "right": 1}
            nodes.append(ConditionPlan(**common, predicate=asked))
        elif kind == "join" and before:
            chosen = draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True))
            choices = tuple(Binding(node=each, output="x") for each in chosen if each not in needed)
            made = OutputPlan(type="T", digest="d")
            nodes.append(JoinPlan(**common, choices=choices, output=made) if choices else step(f"n{index}", needed))
        else:
            nodes.append(StepPlan(**common, component="m:f", name="f"))
    nodes.append(ExitHandlerPlan(id="exit", step=step("exit")))
    ends = {node.id: draw(st.sampled_from([COMPLETE, COMPLETE, CACHED, FAILED, SKIPPED])) for node in nodes}
    return nodes, ends, {node.id: draw(st.booleans()) for node in nodes}


@settings(deadline=None)
@given(branching(), st.randoms(use_true_random=False))
def test_branches_joins_retries_and_exit_handlers_keep_their_promises(
    graph: tuple[list[AnyNode], dict[str, str], dict[str, bool]], order: random.Random
) -> None:
    nodes, ends, answers = graph
    scheduler, running, ended, retried = Scheduler(nodes), [], [], set()

    while not scheduler.over:
        while node_id := scheduler.next():
            assert node_id != "exit" or len(ended) == len(nodes) - 1
            scheduler.start(node_id)
            running.append(node_id)
        node_id = running.pop(order.randrange(len(running)))
        if node_id not in retried and order.random() < 0.3:
            retried.add(node_id)
            scheduler.defer(node_id)
            scheduler.again(node_id)
            continue
        state = ends[node_id] if isinstance(scheduler.nodes[node_id], StepPlan) else COMPLETE
        ended += [node_id, *(name for name, _ in scheduler.finish(node_id, state, answers[node_id]))]

    assert sorted(ended) == sorted(node.id for node in nodes)
    for node in nodes[:-1]:
        reached = all(scheduler.states[other] in SUCCEEDED for other in node.after)
        if node.branch:
            answered = scheduler.states[node.branch.condition] in SUCCEEDED
            reached = reached and answered and answers[node.branch.condition] is node.branch.holds
        if isinstance(node, JoinPlan):
            reached = reached and any(scheduler.states[each.node] in SUCCEEDED for each in node.choices)
        expected = ends[node.id] if isinstance(node, StepPlan) else COMPLETE
        assert scheduler.states[node.id] == (expected if reached else SKIPPED)


@st.composite
def looping(draw: st.DrawFn, inside: str = "", nesting: int = 0) -> list[AnyNode]:
    """A random graph with loops in loops and conditions in them; who takes what a loop's steps made is anywhere."""
    nodes: list[AnyNode] = []
    for index in range(draw(st.integers(1, 5 if nesting else 8))):
        node_id = f"{inside}n{index}"
        before = [node.id for node in (every_node(nodes) if draw(st.booleans()) else nodes)]
        needed = tuple(draw(st.sets(st.sampled_from(before), max_size=2))) if before else ()
        conditions = [node.id for node in nodes if isinstance(node, ConditionPlan)]
        branch = None
        if conditions and draw(st.booleans()):
            branch = Branch(condition=draw(st.sampled_from(conditions)), holds=draw(st.booleans()))
        common = {"id": node_id, "after": needed, "branch": branch}
        kind = draw(st.sampled_from(["step", "step", "condition", "loop"]))
        if kind == "condition":
            nodes.append(ConditionPlan(**common, predicate={"op": "==", "left": 1, "right": 1}))
        elif kind == "loop" and nesting < 2:
            body = tuple(draw(looping(f"{node_id}.", nesting + 1)))
            limit = draw(st.none() | st.integers(1, 2))
            nodes.append(LoopPlan(**common, items=[], body=body, parallelism=limit))
        else:
            nodes.append(StepPlan(**common, component="m:f", name="f"))
    return nodes


class Game:
    """Plays a graph with loops: what each node comes to is drawn by its id, whatever the order."""

    def __init__(self, nodes: list[AnyNode], seed: int, order: random.Random, made: Collection[str] = ()) -> None:
        self.made = made
        self.scheduler = Scheduler([*nodes, ExitHandlerPlan(id="exit", step=step("exit"))])
        self.seed, self.order = seed, order
        self.running: list[str] = []
        self.ended: list[str] = []
        self.iterations: dict[str, tuple[tuple[AnyNode, ...], ...]] = {}
        self.most: dict[str, int] = {}

    def of(self, node_id: str, *choices: Any) -> Any:
        return random.Random(f"{self.seed} {node_id}").choice(choices)

    def start(self) -> None:
        while node_id := self.scheduler.next():
            if node_id == "exit":
                assert all(state not in ("PENDING", "RUNNING") or name == "exit" for name, state in self.states.items())
            self.scheduler.start(node_id)
            self.running.append(node_id)
            self.watch()

    @property
    def states(self) -> dict[str, str]:
        return self.scheduler.states

    def watch(self) -> None:
        """Count the items of each loop that are under way."""
        for loop_id, found in self.iterations.items():
            inside = [[name for name in self.states if name in _ids(nodes, name)] for nodes in found]
            under_way = sum(any(self.states[name] == "RUNNING" for name in names) for names in inside)
            self.most[loop_id] = max(self.most.get(loop_id, 0), under_way)

    def finish(self, node_id: str) -> None:
        node = self.scheduler.nodes[node_id]
        skipped = []
        state = CACHED if node_id in self.made else self.of(node_id, COMPLETE, COMPLETE, COMPLETE, CACHED, FAILED)
        if isinstance(node, LoopPlan) and state != FAILED:
            self.iterations[node_id] = iterations(node, [None] * self.of(node_id + "#", 0, 1, 2, 3))
            skipped = self.scheduler.expand(node_id, self.iterations[node_id], node.parallelism)
        skipped += self.scheduler.finish(node_id, state, self.of(node_id + "?", True, True, False))
        self.ended += [node_id, *(name for name, _ in skipped)]

    def play(self) -> None:
        while not self.scheduler.over:
            self.start()
            self.finish(self.running.pop(self.order.randrange(len(self.running))))


def _ids(nodes: tuple[AnyNode, ...], name: str) -> set[str]:
    """Return the name when it is one of these nodes or came of one of their loops."""
    number = next(iter(nodes)).id.rsplit("[", 1)[0].count("[") + 1
    prefix = "[" + "[".join(nodes[0].id.split("[")[1 : number + 1])
    templates = {unnumbered(each.id) for each in every_node(nodes)}
    return {name} if unnumbered(name) in templates and name[len(unnumbered(name)) :].startswith(prefix) else set()


@settings(deadline=None, max_examples=80)
@given(looping(), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_every_node_of_every_item_ends_once_and_limits_hold(
    nodes: list[AnyNode], seed: int, order: random.Random
) -> None:
    game = Game(nodes, seed, order)

    game.play()

    assert sorted(game.ended) == sorted(game.states)
    for loop_id, most in game.most.items():
        limit = game.scheduler.nodes[loop_id].parallelism
        assert limit is None or most <= limit


@settings(deadline=None, max_examples=80)
@given(looping(), st.integers(0, 1000), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_order_of_finishing_changes_no_state_with_loops(
    nodes: list[AnyNode], seed: int, one: random.Random, other: random.Random
) -> None:
    games = [Game(nodes, seed, order) for order in (one, other)]

    for game in games:
        game.play()

    assert games[0].states == games[1].states
    assert games[0].scheduler.untaken == games[1].scheduler.untaken


@settings(deadline=None, max_examples=80)
@given(looping(), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_node_runs_exactly_when_all_that_it_waits_for_was_made_or_left_out_by_a_condition(
    nodes: list[AnyNode], seed: int, order: random.Random
) -> None:
    game = Game(nodes, seed, order)

    game.play()

    for node_id, node in game.scheduler.nodes.items():
        if node_id == "exit":
            continue
        missed = [
            each for name in dependencies(node) for each in _came_of(game, name) if not _is_made(game, each, node_id)
        ]
        condition = node.branch.condition if node.branch else ""
        other = (
            game.states.get(condition) in SUCCEEDED
            and game.of(condition + "?", True, True, False) is not node.branch.holds
        )
        assert (game.states[node_id] == SKIPPED) is bool(missed or other), node_id
        by_choice = other or bool(missed and all(each in game.scheduler.untaken for each in missed))
        assert (node_id in game.scheduler.untaken) is by_choice, node_id


def _came_of(game: Game, name: str) -> list[str]:
    """Return what stands for a node that is waited for: itself, its items, or the loop that never had any."""
    if name in game.states:
        return [name]
    around = [loop for loop in game.scheduler.nodes.values() if isinstance(loop, LoopPlan) and _holds(loop, name)]
    loop = max(around, key=lambda each: depth(each.id))
    if loop.id not in game.iterations:
        return [loop.id]
    return [each for number in range(len(game.iterations[loop.id])) for each in _came_of(game, f"{name}[{number}]")]


def _holds(loop: LoopPlan, name: str) -> bool:
    return any(node.id == name for node in every_node(loop.body))


def _is_made(game: Game, name: str, follower: str) -> bool:
    left_out = name in game.scheduler.untaken and depth(name) > depth(follower)
    return game.states[name] in SUCCEEDED or left_out


@settings(deadline=None, max_examples=80)
@given(looping(), st.integers(0, 1000), st.randoms(use_true_random=False), st.integers(0, 20))
def test_cancelling_in_the_middle_of_loops_ends_what_has_not_started(
    nodes: list[AnyNode], seed: int, order: random.Random, finished: int
) -> None:
    game = Game(nodes, seed, order)
    for _ in range(finished):
        game.start()
        if game.running:
            game.finish(game.running.pop(0))
    game.start()

    waiting = game.scheduler.cancel()

    assert not {*waiting} & {*game.running}
    for node_id in game.running:
        assert game.scheduler.finish(node_id, CANCELED) == []
    assert game.scheduler.over or game.scheduler.ready == ["exit"]
    game.scheduler.cancel()
    assert game.scheduler.over


@settings(deadline=None, max_examples=80)
@given(looping(), st.integers(0, 1000), st.randoms(use_true_random=False), st.integers(0, 20))
def test_run_that_died_in_a_loop_is_gone_on_with_and_nothing_that_was_made_runs_twice(
    nodes: list[AnyNode], seed: int, order: random.Random, finished: int
) -> None:
    whole, died = Game(nodes, seed, order), Game(nodes, seed, order)
    whole.play()
    for _ in range(finished):
        died.start()
        if died.running:
            died.finish(died.running.pop(order.randrange(len(died.running))))
    made = {name for name in died.ended if died.states[name] in SUCCEEDED}

    again = Game(nodes, seed, order, made)
    again.play()

    assert {name: _settled(state) for name, state in again.states.items()} == {
        name: _settled(state) for name, state in whole.states.items()
    }
    assert {again.states[name] for name in made} <= {CACHED}
    assert {name: _settled(died.states[name]) for name in died.ended} == {
        name: _settled(again.states[name]) for name in died.ended
    }


def _settled(state: str) -> str:
    return COMPLETE if state == CACHED else state

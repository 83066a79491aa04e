"""The scheduler over random graphs and outcomes: laws that hold whatever finishes when."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pipeline.plan import (
    AnyNode,
    Binding,
    Branch,
    ConditionPlan,
    ExitHandlerPlan,
    JoinPlan,
    OutputPlan,
    StepPlan,
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

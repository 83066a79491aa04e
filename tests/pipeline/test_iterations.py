"""A loop's body for each item: ids get the number, tokens the value, and what belongs to others stays."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.pipeline import DataError
from penstock.pipeline.iterations import depth, iterations, unnumbered
from penstock.pipeline.plan import Binding, LoopPlan, StepPlan, every_node, value_bindings

items = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner),
    max_leaves=5,
)


def item(loop: str, *path: str | int) -> dict[str, Any]:
    return {"$item": {"node": loop, "path": list(path)}}


def step(node_id: str, **parameters: Any) -> StepPlan:
    return StepPlan(id=node_id, component="m:f", name="f", parameters=parameters)


@given(st.lists(items, max_size=4))
def test_every_item_stands_where_its_token_stood(given_items: list[Any]) -> None:
    loop = LoopPlan(id="loop", items=[], body=(step("a", whole=item("loop"), deep={"x": [item("loop")]}),))

    found = iterations(loop, given_items)

    assert [[node.id for node in nodes] for nodes in found] == [[f"a[{number}]"] for number in range(len(given_items))]
    assert [nodes[0].parameters for nodes in found] == [{"whole": each, "deep": {"x": [each]}} for each in given_items]


@given(st.lists(items, min_size=1, max_size=3), st.lists(items, min_size=1, max_size=3))
def test_expanding_the_outer_loop_leaves_the_inner_one_to_be_expanded(outer: list[Any], inner: list[Any]) -> None:
    body = step("a", outer=item("outer"), inner=item("inner"), text="{{item.inner/0}} of {{run.x}}")
    nested = LoopPlan(id="inner", items=inner, body=(body,))
    loop = LoopPlan(id="outer", items=[], body=(nested,))

    (first, *_) = iterations(loop, outer)
    (expanded,) = first
    assert isinstance(expanded, LoopPlan)
    lists = iterations(expanded, [[each] for each in inner])

    assert [nodes[0].id for nodes in lists] == [f"a[0][{number}]" for number in range(len(inner))]
    assert all(nodes[0].parameters["outer"] == outer[0] for nodes in lists)
    assert all(nodes[0].parameters["text"].endswith(" of {{run.x}}") for nodes in lists)
    assert {unnumbered(node.id) for node in every_node(first)} == {"inner", "a"}
    assert [depth(nodes[0].id) for nodes in lists] == [2] * len(inner)


def test_names_of_the_body_are_numbered_and_those_of_others_are_not() -> None:
    taking = msgspec.structs.replace(
        step("b", made={"$value": {"node": "a", "output": "x"}}, own={"node": "a", "output": "x"}),
        inputs={"one": (Binding(node="a", output="m"), Binding(node="outside", output="m"))},
        after=("a", "outside"),
        gated_by=("a",),
    )
    loop = LoopPlan(id="loop", items=[1], body=(step("a"), taking))

    ((_, found),) = iterations(loop, [1])

    assert isinstance(found, StepPlan)
    assert [binding.node for binding in found.inputs["one"]] == ["a[0]", "outside"]
    assert (found.after, found.gated_by) == (("a[0]", "outside"), ("a[0]",))
    assert found.parameters == {
        "made": {"$value": {"node": "a[0]", "output": "x"}}, "own": {"node": "a", "output": "x"},
    }  # fmt: skip
    assert [binding.node for binding in value_bindings(found.parameters)] == ["a[0]"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("a",), {"b": 1}, "Item 0 of loop 'loop', {'b': 1}, has no 'a'. It has: b."),
        ((2,), [1, 2], "Item 0 of loop 'loop', [1, 2], has no 2."),
        (("a",), 3, "Item 0 of loop 'loop', 3, has no 'a'."),
    ],
)
def test_part_that_an_item_has_not_is_named(path: tuple[Any, ...], value: Any, told: str) -> None:
    loop = LoopPlan(id="loop", items=[], body=(step("a", part=item("loop", *path)),))

    with pytest.raises(DataError) as raised:
        iterations(loop, [value])

    assert str(raised.value) == told

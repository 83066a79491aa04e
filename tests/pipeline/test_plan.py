"""The plan is frozen data: JSON both ways, the same bytes for the same plan, one version read."""

from __future__ import annotations

import functools
import json
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from penstock.pipeline import Plan, WiringError
from penstock.pipeline.plan import AnyNode, Binding, StepPlan, dependencies, plan_schema

texts = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
SIMPLE: dict[type, st.SearchStrategy[Any]] = {
    inspect.AnyType: json_values,
    inspect.BoolType: st.booleans(),
    inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    inspect.IntType: st.integers(0, 1000),
    inspect.NoneType: st.none(),
    inspect.StrType: texts,
}


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return a strategy for all values of a type in a plan, whatever fields its records have."""
    match kind:
        case inspect.StructType():
            return records(kind.cls)
        case inspect.UnionType():
            return st.one_of(*map(values_of, kind.types))
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.DictType():
            return st.dictionaries(values_of(kind.key_type), values_of(kind.value_type), max_size=2)
        case inspect.VarTupleType():
            return st.lists(values_of(kind.item_type), max_size=2).map(tuple)
    return SIMPLE[type(kind)]


@functools.cache
def records(cls: type) -> st.SearchStrategy[Any]:
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    fields = {each.name: each.type for each in found.fields if each.name != "plan_version"}
    return st.deferred(lambda: st.builds(cls, **{name: values_of(kind) for name, kind in fields.items()}))


plans = records(Plan)


@pytest.mark.parametrize("kind", get_args(AnyNode))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_plan_with_a_node_of_each_kind_survives_json(kind: type, data: st.DataObject) -> None:
    plan = msgspec.structs.replace(data.draw(plans), nodes=(data.draw(records(kind)),))
    text = plan.to_json()

    again = Plan.from_json(text)

    assert again == plan
    assert again.to_json() == text


@settings(max_examples=25, deadline=None)
@given(plans)
def test_plan_fits_its_published_schema(plan: Plan) -> None:
    schema = jsonschema.Draft202012Validator(plan_schema())

    assert [error.message for error in schema.iter_errors(json.loads(plan.to_json()))] == []


def test_order_of_keys_changes_no_byte() -> None:
    one = Plan(name="p", nodes=(StepPlan(id="a", component="m:a", name="a", parameters={"x": 1, "y": 2}),))
    other = Plan(name="p", nodes=(StepPlan(id="a", component="m:a", name="a", parameters={"y": 2, "x": 1}),))

    assert one.to_json() == other.to_json()


def test_plan_of_another_version_is_refused_with_the_repair() -> None:
    with pytest.raises(WiringError) as raised:
        Plan.from_json(b'{"name": "p", "nodes": [], "plan_version": 7, "shape": "new"}')

    assert str(raised.value) == "The plan has plan_version 7; this Penstock reads 1. Compile it again."


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"name": "p"}', b'{"name": "p", "nodes": [], "more": 1}', b'{"plan_version": "x"}']
)
def test_what_is_no_plan_is_refused_with_the_repair(text: bytes) -> None:
    with pytest.raises(WiringError, match=r"^Not a plan: .*Make one with: penstock compile FILE\.$"):
        Plan.from_json(text)


def test_plan_is_frozen() -> None:
    plan = Plan(name="p", nodes=())

    with pytest.raises(AttributeError):
        plan.name = "q"  # type: ignore[misc]


def test_node_waits_for_all_that_it_takes_and_is_told_to_wait_for() -> None:
    value = {"deep": [{"$value": {"node": "made", "output": "value"}}]}
    step = StepPlan(
        id="s",
        component="m:s",
        name="s",
        after=("first",),
        gated_by=("gate",),
        inputs={"x": (Binding(node="one", output="a"), Binding(node="two", output="b"))},
        parameters={"p": value},
        files={"f": {"$value": {"node": "path", "output": "value"}}},
    )

    assert dependencies(step) == {"first", "gate", "one", "two", "made", "path"}

"""The plan is frozen data: JSON both ways, the same bytes for the same plan, one version read."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pipeline import Plan, WiringError
from penstock.pipeline.plan import (
    AnyNode,
    BeamStep,
    Binding,
    ConditionPlan,
    EffectPlan,
    ExitHandlerPlan,
    ImporterPlan,
    LoopPlan,
    OutputPlan,
    ResolverPlan,
    Resources,
    RunParameterPlan,
    StepPlan,
    SubpipelinePlan,
    dependencies,
    plan_schema,
)

names = st.text("abcXYZ-_.09é", min_size=1, max_size=6)
texts = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, json_values, max_size=3)
bindings = st.builds(Binding, node=names, output=names)
outputs = st.builds(OutputPlan, type=names, digest=texts, properties=st.dictionaries(names, texts, max_size=2))
node_names = st.lists(names, max_size=2).map(tuple)
common = {"id": names, "after": node_names, "gated_by": node_names, "where": texts}
steps = st.builds(
    StepPlan,
    **common,
    component=texts,
    name=names,
    inputs=st.dictionaries(names, st.lists(bindings, max_size=2).map(tuple), max_size=2),
    many=node_names,
    parameters=objects,
    files=objects,
    paths=node_names,
    modules=st.dictionaries(names, texts, max_size=2),
    outputs=st.dictionaries(names, outputs, max_size=2),
    values=node_names,
    code=st.dictionaries(names, texts, max_size=2),
    versions=node_names,
    gates=st.booleans(),
    effect=st.none() | st.builds(EffectPlan, still_true=texts),
    precondition=texts,
    beam=st.none() | st.builds(BeamStep, parameter=names, options=objects),
    cache=st.booleans(),
    salt=texts,
    env=st.dictionaries(names, texts, max_size=2),
    retries=st.integers(0, 9),
    timeout=st.none() | st.floats(0, 1e6),
    resources=st.builds(Resources, cpus=st.none() | st.floats(0, 64), memory=st.none() | texts),
)
importers = st.builds(ImporterPlan, **common, uri=json_values, output=outputs, properties=objects)
resolvers = st.builds(
    ResolverPlan,
    **common,
    strategy=st.sampled_from(["latest", "latest_blessed", "spans", "of_run"]),
    outputs=st.dictionaries(names, outputs, max_size=2),
    arguments=objects,
)
exits = st.builds(ExitHandlerPlan, **common, step=steps)
parameters = st.builds(
    RunParameterPlan, name=names, json_schema=objects, required=st.booleans(), default=json_values, path=st.booleans()
)


def blocks(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = st.lists(inner, max_size=2).map(tuple)
    return st.one_of(
        st.builds(
            ConditionPlan,
            **common,
            predicate=objects,
            then=body,
            otherwise=body,
            outputs=st.dictionaries(names, st.dictionaries(names, bindings, max_size=2), max_size=2),
        ),
        st.builds(
            LoopPlan,
            **common,
            items=json_values,
            item=names,
            body=body,
            collects=st.dictionaries(names, bindings, max_size=2),
        ),
        st.builds(
            SubpipelinePlan,
            **common,
            plan=st.builds(Plan, name=names, nodes=body),
            parameters=objects,
            outputs=st.dictionaries(names, bindings, max_size=2),
        ),
    )


nodes: st.SearchStrategy[AnyNode] = st.recursive(st.one_of(steps, importers, resolvers, exits), blocks, max_leaves=4)
plans = st.builds(
    Plan,
    name=names,
    nodes=st.lists(nodes, max_size=3).map(tuple),
    parameters=st.lists(parameters, max_size=2).map(tuple),
    sources=st.dictionaries(names, texts, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(plans)
def test_plan_survives_json(plan: Plan) -> None:
    text = plan.to_json()

    again = Plan.from_json(text)

    assert again == plan
    assert again.to_json() == text


@settings(max_examples=40, deadline=None)
@given(plans)
def test_plan_fits_its_published_schema(plan: Plan) -> None:
    jsonschema.validate(json.loads(plan.to_json()), plan_schema())


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

"""A pipeline inside a pipeline: its nodes, its parameters, what it returns, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from penstock.artifacts import Examples
from penstock.pipeline import Input, ParameterError, WiringError, pipeline, when
from penstock.pipeline.channel import Channel
from penstock.pipeline.plan import StepPlan
from tests.pipeline.sample_components import ExampleGen, SchemaGen, StatisticsGen, add


class Described(NamedTuple):
    statistics: Channel
    schema: Channel


@pipeline
def describe(examples: Input[Examples], two: int = 2) -> Described:
    stats = StatisticsGen(examples=examples)
    add(one=two)
    return Described(stats.statistics, SchemaGen(statistics=stats.statistics).schema)


@pipeline
def whole(data: str = "data", number: int = 5):
    described = describe(examples=ExampleGen(input_base=data).examples, two=number)
    describe(examples=ExampleGen(input_base=f"{data}/more", id="more").examples, id="again")
    SchemaGen(statistics=described.statistics)


@pipeline
def endless(number: int = 1):
    endless(number=number)


def test_nodes_stand_in_the_plan_under_the_pipeline_s_name() -> None:
    plan = whole.compile()

    assert {node.id for node in plan.nodes} == {
        "ExampleGen", "more", "SchemaGen", "describe.StatisticsGen", "describe.add", "describe.SchemaGen",
        "again.StatisticsGen", "again.add", "again.SchemaGen",
    }  # fmt: skip
    schema = plan.node("SchemaGen")
    assert isinstance(schema, StepPlan)
    assert [each.node for each in schema.inputs["statistics"]] == ["describe.StatisticsGen"]


def test_parameters_are_those_of_the_calling_pipeline_or_values() -> None:
    plan = whole.compile()

    one, other = plan.node("describe.add"), plan.node("again.add")
    assert isinstance(one, StepPlan)
    assert isinstance(other, StepPlan)
    assert one.parameters["one"] == {"$run": "number"}
    assert other.parameters["one"] == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "pipeline 'describe' needs examples. It takes: examples, two."),
        ({"exampels": 1, "examples": None}, "has no parameter 'exampels'. Did you mean 'examples'?"),
        ({"examples": None, "two": "x"}, "Parameter 'two' of pipeline 'describe' is of type integer, got 'x'."),
    ],
)
def test_wrong_call_is_refused(given: dict[str, object], told: str) -> None:
    @pipeline
    def outer():
        describe(**given)

    with pytest.raises((WiringError, ParameterError)) as raised:
        outer.compile()

    assert told in str(raised.value)


@pipeline
def asks(score: int):
    with when(add(one=score).value.value > 1):
        add(id="more", one=1)


@pipeline
def asking():
    asks(score=1)
    asks(score=2, id="second")
    with when(add(one=1).value.value > 1):
        add(id="more", one=1)


def test_names_that_are_given_count_within_their_sub_pipeline() -> None:
    names = {node.id for node in asking.compile().nodes}

    assert {name for name in names if "when" in name} == {"asks.when-1", "second.when-1", "when-1"}


def test_pipeline_used_twice_needs_two_names() -> None:
    @pipeline
    def outer():
        made = ExampleGen(input_base="data").examples
        describe(examples=made)
        describe(examples=made)

    with pytest.raises(WiringError, match=r"used twice under the name 'describe'. Give one of them .*id='describe2'"):
        outer.compile()


def test_pipeline_that_uses_itself_is_refused() -> None:
    with pytest.raises(WiringError, match="pipeline 'endless' uses itself"):
        endless.compile()


def test_pipeline_is_not_called_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(WiringError, match=r"Pipeline 'whole' isn't called. Use whole.run\(...\)"):
        whole()

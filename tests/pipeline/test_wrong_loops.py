"""Wrong loops and resolvers fail before anything runs; one row a rule, each message to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.artifacts import Examples, Model
from penstock.pipeline import (
    Input,
    Output,
    Resolver,
    WiringError,
    collect,
    component,
    for_each,
    latest,
    of_run,
    on_exit,
    one_of,
    otherwise,
    spans,
    when,
)
from penstock.pipeline.channel import RunParameter
from penstock.pipeline.rules import check
from tests.pipeline.tracing import compiled, trace


@dataclass(frozen=True)
class Settings:
    rate: float
    name: str


@component
def train(model: Output[Model], *, rate: float = 0.1, epochs: int = 1, config: dict[str, Any] | None = None) -> float:
    """Train."""
    return rate


@component
def judge(model: Input[Model], *, least: float = 0.0) -> int:
    """Judge one model."""
    return 1


@component
def pick(models: Input[list[Model]], best: Output[Model], *, names: list[str] | None = None) -> None:
    """Pick one of several."""


@component
def listed() -> list[Settings]:
    """Make a list of settings."""
    return []


@component
def counted() -> int:
    """Make no list."""
    return 1


@component
def notify() -> None:
    """Say something."""


def output_outside():
    with for_each([1, 2]):
        trained = train()
    judge(model=trained.model)


def value_outside():
    with for_each([1, 2]):
        trained = train()
    train(id="more", rate=trained.value)


def output_of_another_loop():
    with for_each([1, 2]):
        trained = train()
    with for_each([1, 2]):
        judge(model=trained.model)


def output_in_a_condition_outside():
    with for_each([1, 2]):
        trained = train()
    with when(trained.value.value > 1):
        notify()


def item_outside():
    with for_each([0.1, 0.2]) as rate:
        train()
    train(id="more", rate=rate)


def artifact_item_outside():
    with for_each([train(id="a").model, train(id="b").model]) as model:
        judge(model=model)
    judge(id="more", model=model)


def circular_collect():
    with for_each([1, 2]):
        trained = train()
        pick(models=collect(trained.model))


def circular_list():
    settings = listed()
    with for_each(settings.value):
        trained = train()
    settings.run_after(trained)


def circular_through_a_step():
    with for_each([1, 2]):
        trained = train()
    picked = pick(models=collect(trained.model))
    trained.run_after(picked)


def list_for_one_input():
    with for_each([1, 2]):
        trained = train()
    judge(model=collect(trained.model))


def list_for_one_value():
    with for_each([1, 2]):
        trained = train()
    train(id="more", rate=collect(trained.value))


def list_of_another_type():
    with for_each([1, 2]) as _:
        judged = judge(model=train().model)
    pick(models=[], names=collect(judged.value))


def text_for_a_number():
    with for_each([0.1, "high"]) as rate:
        train(rate=rate)


def text_for_a_number_in_a_part():
    with for_each([{"rate": 0.1}, {"rate": "high"}]) as item:
        train(rate=item.rate)


def type_of_a_part():
    with for_each(listed().value) as item:
        train(epochs=item.rate)


def list_in_a_condition():
    with for_each([1, 2]):
        trained = train()
    with when(collect(trained.value).value == [1]):
        notify()


def loop_without_steps():
    with for_each([1, 2]):
        pass


def item_in_an_id():
    with for_each([1, 2]) as number:
        train(id=f"train-{number}")


def resolver_inside():
    with for_each([1, 2]):
        judge(model=Resolver(strategy=latest(), model=Model).model)


def resolved_list_for_one_input():
    judge(model=Resolver(strategy=latest(3), model=Model).model)


def exit_handler_inside():
    with for_each([1, 2]):
        on_exit(notify())


REFUSED_LATE: dict[Callable[[], None], str] = {
    output_outside: "judge(model=...) takes 'train.model', which for_each(id='for_each-1') makes once per item. "
    "Take what all items made, as a list: collect(train.model).",
    value_outside: "train(rate=...) takes 'train.value', which for_each(id='for_each-1') makes once per item. "
    "Take what all items made, as a list: collect(train.value).",
    output_of_another_loop: "judge(model=...) takes 'train.model', which for_each(id='for_each-1') makes once per "
    "item. Take what all items made, as a list: collect(train.model).",
    output_in_a_condition_outside: "when() takes 'train.value', which for_each(id='for_each-1') makes once per item. "
    "Take what all items made, as a list: collect(train.value).",
    item_outside: "train(rate=...) takes the item of for_each(id='for_each-1') outside of its block, where there is no "
    "item. Move the step into the block, or pass it the whole list.",
    artifact_item_outside: "judge(model=...) takes the item of for_each(id='for_each-1') outside of its block, where "
    "there is no item. Move the step into the block, or pass it the whole list.",
    circular_collect: "pick(models=...) takes collect(train.model) inside for_each(id='for_each-1'), which makes it: a "
    "circular for_each, as no item can wait for all of them. Take train.model itself, or move the step out of the "
    "loop.",
    circular_list: "for_each(id='for_each-1') is circular: it waits for what its own steps come before. These nodes "
    "wait for each other: listed -> for_each-1 -> train -> listed. Move what stands between them into the loop, or "
    "what follows into a loop of its own.",
    circular_through_a_step: "for_each(id='for_each-1') is circular: it waits for what its own steps come before. "
    "These nodes wait for each other: for_each-1 -> train -> pick -> for_each-1. Move what stands between them into "
    "the loop, or what follows into a loop of its own.",
    list_for_one_input: "judge(model=...) takes one channel of Model, got the list of 'train.model'. Declare it as "
    "Input[list[Model]], or loop over it: for_each(collect(train.model)).",
    list_for_one_value: "train(rate=...) takes float, got the list of 'train.value'.",
    list_of_another_type: "pick(names=...) takes a list of str, got the list of 'judge.value'.",
    text_for_a_number: "train(rate=...) takes float, got item 1 of for_each(id='for_each-1'), 'high': "
    "Expected `float`, got `str`.",
    text_for_a_number_in_a_part: "train(rate=...) takes float, got item 1 of for_each(id='for_each-1'), "
    "{'rate': 'high'}: Expected `float`, got `str`.",
    type_of_a_part: "train(epochs=...) takes int, got <item['rate'] of loop 'for_each-1'> of type float.",
    list_in_a_condition: "when() asks for one value, got the list of 'train.value'. Compare in a step that takes the "
    "list.",
    loop_without_steps: "for_each(id='for_each-1') has no step in its block. Write `with for_each(...) as "
    "item:` and call the steps inside.",
    item_in_an_id: "train(id='train-{{item.for_each-1}}') has an unusable id. Use letters, digits, '-', '_' and '.'. "
    "Leave the item out: a loop numbers its steps itself.",
    resolver_inside: "Resolver() stands inside for_each(id='for_each-1'). Resolve before the loop and use what it "
    "found inside; to loop over a list of artifacts: for_each(Resolver.output).",
    resolved_list_for_one_input: "judge(model=...) takes one channel of Model, got the list of 'Resolver.model'. "
    "Declare it as Input[list[Model]], or loop over it: for_each(Resolver.model).",
    exit_handler_inside: "notify() is an exit handler inside for_each(id='for_each-1'). Call it after the loop.",
}


def not_a_list():
    for_each(3)


def text():
    for_each("abc")


def run_parameter_that_is_no_list():
    for_each(RunParameter("epochs", int))


def value_that_is_no_list():
    for_each(counted().value)


def single_artifact():
    for_each(train().model)


def node_itself():
    for_each(listed())


def mixed_artifacts():
    for_each([train().model, Resolver(strategy=latest(), examples=Examples).examples])


def artifact_beside_a_value():
    for_each([train().model, 3])


def no_parallelism():
    for_each([1], parallelism=0)


def missing_part_of_a_written_item():
    with for_each([{"rate": 1}, {"rat": 2}]) as item:
        train(rate=item.rate)


def missing_part_of_a_typed_item():
    with for_each(listed().value) as item:
        train(rate=item.rat)


def branch_on_an_item():
    with for_each([1, 2]) as item:
        if item:
            train()


def arithmetic_on_an_item():
    with for_each([1, 2]) as item:
        train(epochs=item + 1)


def odd_part_in_a_text():
    with for_each([{"the rate": 1}]) as item:
        train(config={"text": f"{item['the rate']}"})


def collect_outside_of_loops():
    collect(train().model)


def collect_twice():
    with for_each([1, 2]):
        trained = train()
    collect(collect(trained.model))


def collect_a_node():
    with for_each([1, 2]):
        trained = train()
    collect(trained)


def join_of_a_list():
    with for_each([1, 2]):
        trained = train()
    one_of(collect(trained.model), train(id="b").model)


def otherwise_after_a_loop():
    with when(counted().value.value == 1):
        notify()
    with for_each([1, 2]), otherwise():
        train()


def strategy_as_text():
    Resolver(strategy="latest", model=Model)


def resolver_of_nothing():
    Resolver(strategy=latest())


def resolver_of_no_type():
    Resolver(strategy=latest(), model="Model")


def option_of_steps():
    Resolver(strategy=latest(), model=Model, retries=3)


def both_ways_of_spans():
    spans(last_spans=2, span_range=(1, 2))


def spans_the_wrong_way_round():
    spans(span_range=(3, 1))


def none_of_the_latest():
    latest(0)


REFUSED_AT_ONCE: dict[Callable[[], None], str] = {
    not_a_list: "for_each() takes a list, a run parameter or a value output that is one, got 3. Write for_each([...]), "
    "or for_each(list(...)).",
    text: "for_each() takes a list, a run parameter or a value output that is one, got 'abc'. Write for_each([...]), "
    "or for_each(list(...)).",
    run_parameter_that_is_no_list: "for_each() takes a list, got run parameter 'epochs' of type int. Declare it as a "
    "list, such as list[float].",
    value_that_is_no_list: "for_each() takes a list, got the value 'counted.value' of type int. Declare it as a list, "
    "such as list[float].",
    single_artifact: "for_each() takes a list, got 'train.model', one artifact of Model. Loop over several: "
    "for_each([one.model, other.model]), or over collect(...) of another loop.",
    node_itself: "for_each() takes a list, got the node 'listed' itself. Pass an output of it.",
    mixed_artifacts: "for_each() takes items of one kind, got a channel of Model and a channel of Examples. Loop over "
    "each kind by itself.",
    artifact_beside_a_value: "for_each() takes items of one kind, got a channel of Model and 3. Loop over each kind by "
    "itself.",
    no_parallelism: "for_each(parallelism=...) takes a whole number of at least 1, got 0.",
    missing_part_of_a_written_item: "Item 1 of loop 'for_each-1', {'rat': 2}, has no 'rate'. Did you mean 'rat'? It "
    "has: rat.",
    missing_part_of_a_typed_item: "An item of loop 'for_each-1' is a Settings and has no 'rat'. Did you mean 'rate'? "
    "It has: rate, name.",
    branch_on_an_item: "The item of loop 'for_each-1' has no value while the pipeline is put together, so `if` or "
    "`bool()` can't work. Branch on it with `with when(x.value == ...):`.",
    arithmetic_on_an_item: "The item of loop 'for_each-1' has no value while the pipeline is put together, so "
    "arithmetic can't work. Compute it inside a component, or pass the computed value as a parameter.",
    odd_part_in_a_text: "The item of loop 'for_each-1' has no value while the pipeline is put together, so a text with "
    "its part 'the rate' can't work. Pass the part itself as a parameter.",
    collect_outside_of_loops: "collect() takes an output of a step in a loop; 'train.model' is made once. Pass it as "
    "it is.",
    collect_twice: "collect() takes an output of a step in a loop; 'train.model' is a list already.",
    collect_a_node: "collect() takes an output of a step in a loop, such as train.model, got <node 'train' of train>.",
    join_of_a_list: "one_of() takes single outputs, and 'train.model' is a list here. Choose inside the loop, or in a "
    "step that takes both lists.",
    otherwise_after_a_loop: "otherwise() stands directly after the block of a when(...), with no step in between.",
    strategy_as_text: "Resolver(strategy=...) takes latest(), latest_blessed(), spans(...) or of_run(...), got "
    "'latest'.",
    resolver_of_nothing: "Resolver() needs an artifact type for each output, such as Resolver(..., model=Model).",
    resolver_of_no_type: "Resolver(model=...) takes an artifact type such as Model, got 'Model'.",
    option_of_steps: "Resolver() takes no option retries=, which is for steps; of those it takes id and after.",
    both_ways_of_spans: "spans() takes either last_spans= or span_range=, such as spans(last_spans=3).",
    spans_the_wrong_way_round: "spans(span_range=...) takes the first and the last span, as (3, 7), got (3, 1).",
    none_of_the_latest: "latest(n=...) takes a whole number of at least 1, got 0.",
}


def message_of(function: Callable[[], None], folder: Path) -> str:
    with pytest.raises(WiringError) as raised:
        check(trace(function, folder))
    return str(raised.value)


@pytest.mark.parametrize("wrong", REFUSED_LATE, ids=lambda function: function.__name__)
def test_rule_says_what_is_wrong_where_and_how_to_repair_it(wrong: Callable[[], None], tmp_path: Path) -> None:
    message = message_of(wrong, tmp_path)

    assert re.fullmatch(r"test_wrong_loops\.py:\d+: (.*)", message), message
    assert message.split(": ", 1)[1] == REFUSED_LATE[wrong]


@pytest.mark.parametrize("wrong", REFUSED_AT_ONCE, ids=lambda function: function.__name__)
def test_call_says_what_is_wrong_and_how_to_repair_it(wrong: Callable[[], None], tmp_path: Path) -> None:
    assert message_of(wrong, tmp_path) == REFUSED_AT_ONCE[wrong]


def test_items_with_run_parameters_in_them_are_checked_when_the_run_knows_them(tmp_path: Path) -> None:
    def fine(rate: Any) -> None:
        with for_each([rate, 0.1]) as item:
            train(rate=item)

    plan = compiled(fine, tmp_path, rate=RunParameter("rate", float))

    assert plan.node("for_each-1").items == [{"$run": "rate"}, 0.1]


def test_node_in_a_loop_is_found_in_the_plan(tmp_path: Path) -> None:
    def fine() -> None:
        with for_each([1]):
            train()

    plan = compiled(fine, tmp_path)

    assert plan.node("train").id == "train"
    with pytest.raises(KeyError):
        plan.node("absent")


def test_run_may_be_named_by_a_run_parameter(tmp_path: Path) -> None:
    def fine(run: Any) -> None:
        judge(model=Resolver(strategy=of_run(run), model=Model).model)

    resolver = compiled(fine, tmp_path, run=RunParameter("run", str)).node("Resolver")

    assert resolver.arguments == {"run": {"$run": "run"}}
    assert resolver.required == ("model",)

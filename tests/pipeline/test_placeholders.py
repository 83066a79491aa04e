"""Promises: run parameters and channels stand where values will, and refuse what would need the value now."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.pipeline import Secret, WiringError, parameters, pipeline
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.plan import Binding
from tests.pipeline.sample_components import Bound, ExampleGen, add, trainer
from tests.pipeline.tracing import compiled, trace

REFUSED: dict[str, Callable[[Any], object]] = {
    "`if` or `bool()`": bool,
    "not": lambda p: not p,
    "and": lambda p: p and 1,
    "if": lambda p: 1 if p else 2,
    "iteration": iter,
    "unpacking": lambda p: [*p],
    "for": list,
    "==": lambda p: p == 1,
    "!=": lambda p: p != 1,
    "<": lambda p: p < 1,
    "<=": lambda p: p <= 1,
    ">": lambda p: p > 1,
    ">=": lambda p: p <= 1,
    "in a list": lambda p: p in [1, 2],
    "contains": lambda p: 1 in p,
    "item": lambda p: p[0],
    "+": lambda p: p + 1,
    "right +": lambda p: 1 + p,
    "text +": lambda p: "a" + p,
    "-": lambda p: p - 1,
    "right -": lambda p: 1 - p,
    "*": lambda p: p * 2,
    "/": lambda p: p / "x",
    "//": lambda p: p // 2,
    "%": lambda p: p % 2,
    "**": lambda p: p**2,
    "|": lambda p: p | 1,
    "&": lambda p: 1 & p,
    "negative": lambda p: -p,
    "positive": lambda p: +p,
    "abs": abs,
    "round": round,
    "int": int,
    "float": float,
    "range": range,
    "len": len,
    "format": lambda p: f"{p:.2f}",
}


@pytest.fixture(params=["run parameter", "channel"])
def promise(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "run parameter":
        return RunParameter("epochs", int)
    return trace(lambda: add(one=1), tmp_path).nodes[0].value


@pytest.mark.parametrize("operation", REFUSED)
def test_operation_is_refused_with_its_repair(operation: str, promise: Any) -> None:
    named = "Channel 'add.value'" if isinstance(promise, Channel) else "Run parameter 'epochs'"

    with pytest.raises(WiringError) as raised:
        REFUSED[operation](promise)

    assert str(raised.value).startswith(f"{named} has no value while the pipeline is put together, so ")


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        (bool, "`if` or `bool()` can't work. Branch on it with `with when(x.value == ...):`."),
        (lambda p: p > 1, "comparison can't work. Compare its value, in a condition: `with when(epochs.value > "
         "...):`."),
        (iter, "iteration can't work. Loop over it with `with for_each(x) as item:`, or pass it whole."),
        (lambda p: p + 1, "arithmetic can't work. Compute it inside a component, or pass the computed value as a "
         "parameter."),
        (int, "conversion to a number can't work. Pass it on as it is: the type is checked when the run starts."),
        (lambda p: p[0], "taking an item can't work. Pass it whole and take the item inside a component."),
        (lambda p: p / "x", '`/` can\'t work. Write f"{epochs}/..." to extend a path.'),
        (lambda p: f"{p:>3}", "the format '>3' can't work. Format it inside a component."),
    ],
)  # fmt: skip
def test_refusal_says_what_to_do_instead(operation: Callable[[Any], object], advice: str) -> None:
    with pytest.raises(WiringError) as raised:
        operation(RunParameter("epochs", int))

    assert str(raised.value).endswith(advice)


def test_comparison_of_a_channel_names_its_value(tmp_path: Path) -> None:
    channel = trace(lambda: add(one=1), tmp_path).nodes[0].value

    with pytest.raises(WiringError) as raised:
        bool(channel > 0.3)

    assert str(raised.value) == (
        "Channel 'add.value' has no value while the pipeline is put together, so comparison can't work. Compare its "
        "value, in a condition: `with when(add.value.value > ...):`."
    )


def test_refusal_inside_a_pipeline_names_its_line(tmp_path: Path) -> None:
    def compares(epochs: int = 1):
        """Compare what isn't there yet."""
        if epochs > 3:
            add(one=1)

    line = compares.__code__.co_firstlineno + 2

    with pytest.raises(WiringError) as raised:
        pipeline(compares).compile()

    assert str(raised.value) == (
        f"test_placeholders.py:{line}: Run parameter 'epochs' has no value while the pipeline is put together, so "
        "comparison can't work. Compare its value, in a condition: `with when(epochs.value > ...):`."
    )


def test_channel_in_an_f_string_is_refused(tmp_path: Path) -> None:
    channel = trace(lambda: add(one=1), tmp_path).nodes[0].value

    with pytest.raises(WiringError, match=r"an f-string can't work\. Pass the channel itself as the argument"):
        f"{channel}"


def test_identity_and_hashing_work(promise: Any) -> None:
    assert promise is promise
    assert {promise: 1}[promise] == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda data: f"{data}/train.csv",
        "{}/train.csv".format,
        lambda data: "%s/train.csv" % data,  # noqa: UP031
        lambda data: os.path.join(data, "train.csv"),
        lambda data: Path(data) / "train.csv",
        lambda data: str(data) + "/train.csv",
    ],
)
def test_text_around_a_run_parameter_keeps_a_token(write: Callable[[RunParameter], object]) -> None:
    written = parameters.to_json(write(RunParameter("data", str)))

    assert written == "{{run.data}}/train.csv"
    assert parameters.substitute(written, {"data": "/here"}, _no_value) == "/here/train.csv"


def test_run_parameter_keeps_its_type_alone_and_becomes_json_in_text() -> None:
    rate = RunParameter("rate", float)
    plain = parameters.to_json({"alone": rate, "list": [rate, 1], "text": f"rate {rate}", "bound": Bound("auc", rate)})

    found = parameters.substitute(plain, {"rate": 0.5}, _no_value)

    assert found == {"alone": 0.5, "list": [0.5, 1], "text": "rate 0.5", "bound": {"metric": "auc", "at_least": 0.5}}


def test_tokens_of_every_kind_reach_the_plan(tmp_path: Path) -> None:
    (tmp_path / "model.py").touch()

    def wired(data: Any, epochs: Any) -> None:
        number = add(one=epochs)
        gen = ExampleGen(input_base=f"{data}/x", null_values=[data])
        config = {"deep": [{"epochs": epochs}], "made": number.value}
        bounds = [Bound("auc", add(id="more", one=1).value)]
        trainer(examples=gen.examples, module_file="model.py", config=config, bounds=bounds, password=Secret("TOKEN"))

    plan = compiled(wired, tmp_path, data=RunParameter("data", str), epochs=RunParameter("epochs", int))

    step = plan.node("Trainer")
    made = {"$value": {"node": "add", "output": "value"}}
    assert plan.node("add").parameters == {"one": {"$run": "epochs"}, "two": 1}
    assert plan.node("ExampleGen").files == {"input_base": "{{run.data}}/x"}
    assert step.parameters["config"] == {"deep": [{"epochs": {"$run": "epochs"}}], "made": made}
    assert step.parameters["password"] == {"$secret": "TOKEN"}
    assert [node.id for node in plan.nodes].index("more") < [node.id for node in plan.nodes].index("Trainer")


def test_value_of_an_earlier_step_is_substituted() -> None:
    token = {"x": {"$value": {"node": "add", "output": "value"}}}

    found = parameters.substitute(token, {}, lambda binding: [binding.node, binding.output])

    assert found == {"x": ["add", "value"]}


def test_secret_stays_a_token_when_values_are_substituted() -> None:
    assert parameters.substitute([{"$secret": "TOKEN"}], {}, _no_value) == [{"$secret": "TOKEN"}]


def _no_value(binding: Binding) -> None:
    raise AssertionError(binding)

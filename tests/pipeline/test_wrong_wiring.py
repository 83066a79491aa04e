"""Rule 5: wrong wiring fails before anything runs; one row a rule, each message to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.artifacts import Model, Schema
from penstock.pipeline import Importer, Secret, WiringError, component, when
from penstock.pipeline.rules import RULES, check
from tests.pipeline.sample_components import (
    Evaluator,
    ExampleGen,
    ExampleValidator,
    Merge,
    Pusher,
    SchemaGen,
    StatisticsGen,
    add,
    trainer,
)
from tests.pipeline.tracing import compiled, trace


class NoJson:
    """Nothing that JSON could carry."""


def gen(**options: Any) -> Any:
    return ExampleGen(input_base="data", **options)


def misspelt_argument():
    StatisticsGen(exampels=gen().examples)


def misspelt_option():
    trainer(examples=gen().examples, module_file="model.py", retires=3)


def misspelt_argument_of_a_named_node():
    StatisticsGen(id="stats", exampels=gen().examples, examples=gen(id="gen2").examples)


def output_as_argument():
    StatisticsGen(examples=gen().examples, statistics="here")


def missing_arguments():
    trainer(epochs=2)


def wrong_artifact_type():
    stats = StatisticsGen(examples=gen().examples)
    trainer(examples=stats.statistics, module_file="model.py")


def node_instead_of_channel():
    StatisticsGen(examples=gen())


def path_instead_of_channel():
    StatisticsGen(examples="data/train")


def list_for_one_input():
    StatisticsGen(examples=[gen().examples])


def wrong_type_in_a_list():
    Merge(parts=[gen().examples, Importer(source_uri="x", artifact_type=Schema).result])


def wrong_value():
    trainer(examples=gen().examples, module_file="model.py", epochs="ten")


def wrong_value_inside():
    trainer(examples=gen().examples, module_file="model.py", bounds=[{"metric": "auc", "at_least": "high"}])


def wrong_choice():
    trainer(examples=gen().examples, module_file="model.py", colour="green")


def function_as_value():
    trainer(examples=gen().examples, module_file="model.py", config={"loss": sorted})


def object_as_value():
    trainer(examples=gen().examples, module_file="model.py", config=NoJson())


def number_as_key():
    trainer(examples=gen().examples, module_file="model.py", config={1: "a"})


def reserved_key():
    trainer(examples=gen().examples, module_file="model.py", config={"$run": "a"})


def channel_as_value():
    trainer(examples=gen().examples, module_file="model.py", config=gen(id="other").examples)


def channel_deep_in_a_value():
    trainer(examples=gen().examples, module_file="model.py", config={"a": [gen(id="other").examples]})


def value_of_another_type():
    number = add(one=1)
    ExampleGen(input_base="data", null_values=["x"])
    add(id="next", one=Evaluator(model=model(), examples=gen(id="g").examples).value, two=number.value)


def node_as_value():
    add(one=add(id="first", one=1))


def number_as_path():
    ExampleGen(input_base=3)


def secret_in_plain():
    trainer(examples=gen().examples, module_file="model.py", password="hunter2")


def secret_as_text():
    Pusher(model=model(), destination="out", label=Secret("TOKEN"))


def module_file_missing():
    trainer(examples=gen().examples, module_file="modle.py")


def module_file_outside():
    trainer(examples=gen().examples, module_file="../model.py")


def module_file_absolute():
    trainer(examples=gen().examples, module_file="/model.py")


def module_file_unimportable():
    trainer(examples=gen().examples, module_file="my-model.py")


def duplicate_id():
    gen()
    gen()


def unusable_id():
    gen(id="a/b")


def plain() -> int:
    return 1


renamed = component(plain)


def component_under_another_name():
    renamed()


def number_that_json_can_not_carry():
    trainer(examples=gen().examples, module_file="model.py", config={"rates": [float("inf")]})


def number_compared_with_text():
    with when(add(one=1).value.value > "3"):
        gen()


def nested_component():
    @component
    def inner() -> None: ...

    inner()


def cycle():
    first, second = add(id="first", one=1), add(id="second", one=1)
    first.run_after(second)
    second.run_after(first)


def node_of_another_pipeline():
    trainer(examples=FOREIGN[0].examples, module_file="model.py")


def foreign_order():
    add(one=1, after=["gen"])


def unknown_output():
    trainer(examples=gen().exmaples, module_file="model.py")


def positional_arguments():
    StatisticsGen(gen().examples)


def model() -> Any:
    return Importer(source_uri="model", artifact_type=Model).result


FOREIGN: list[Any] = []
HERE = r"test_wrong_wiring\.py:\d+: "
TRAINER_TAKES = "It takes: examples, module_file, epochs, rate, bounds, colour, config, password, folder."
MESSAGES: dict[Callable[[], None], str] = {
    misspelt_argument: "StatisticsGen() has no input or parameter 'exampels'. Did you mean 'examples'? "
    "It takes: examples, schema, exclude_splits.",
    misspelt_option: "Trainer() has no input or parameter 'retires'. Did you mean 'retries'? It takes: examples, "
    "module_file, epochs, rate, bounds, colour, config, password, folder.",
    misspelt_argument_of_a_named_node: "StatisticsGen(id='stats') has no input or parameter 'exampels'. "
    "Did you mean 'examples'? It takes: examples, schema, exclude_splits.",
    output_as_argument: "StatisticsGen() makes 'statistics' itself; outputs are not passed. "
    "It takes: examples, schema, exclude_splits.",
    missing_arguments: f"Trainer() needs examples, module_file. {TRAINER_TAKES}",
    wrong_artifact_type: "Trainer(examples=...) takes a channel of Examples, got a channel of ExampleStatistics from "
    "'StatisticsGen.statistics'.",
    node_instead_of_channel: "StatisticsGen(examples=...) takes a channel of Examples, got the node 'ExampleGen' "
    "itself; pass its output 'examples'.",
    path_instead_of_channel: "StatisticsGen(examples=...) takes a channel of Examples, got 'data/train'; to use a "
    "file or folder from outside, wrap it in Importer(...).",
    list_for_one_input: "StatisticsGen(examples=...) takes one channel of Examples, got a list of 1.",
    wrong_type_in_a_list: "Merge(parts=...) takes a channel of Examples, got a channel of Schema from "
    "'Importer.result'.",
    wrong_value: "Trainer(epochs=...) takes int, got 'ten': Expected `int`, got `str`.",
    wrong_value_inside: "Trainer(bounds=...) takes list[tests.pipeline.sample_components.Bound] | None, "
    "got [{'at_least': 'high', 'metric': 'auc'}]: Expected `float`, got `str` - at `$[0].at_least`.",
    wrong_choice: "Trainer(colour=...) takes tests.pipeline.sample_components.Colour, got 'green': "
    "Invalid enum value 'green'.",
    function_as_value: "Trainer(config=...) takes JSON values, got the function sorted, which has no JSON form. "
    "Pass numbers, text, lists, dicts or dataclasses; name code as 'module:function' or a module file.",
    object_as_value: "Trainer(config=...) takes JSON values, got a value of type "
    "tests.pipeline.test_wrong_wiring.NoJson, which has no JSON form. "
    "Pass numbers, text, lists, dicts or dataclasses; name code as 'module:function' or a module file.",
    number_as_key: "Trainer(config=...) takes JSON values, got a dict with the key 1; JSON objects have text keys. "
    "Pass numbers, text, lists, dicts or dataclasses; name code as 'module:function' or a module file.",
    reserved_key: "Trainer(config=...) takes JSON values, got a dict with the key '$run'; keys that begin with '$' are "
    "reserved. Pass numbers, text, lists, dicts or dataclasses; name code as 'module:function' or a module file.",
    channel_as_value: "Trainer(config=...) takes a value, got a channel of Examples from 'other.examples'.",
    channel_deep_in_a_value: "Trainer(config=...) takes a value, got a channel of Examples from 'other.examples'.",
    value_of_another_type: "add(one=...) takes int, got a channel of Boolean.",
    node_as_value: "add(one=...) takes a value, got the node 'first' itself.",
    number_as_path: "ExampleGen(input_base=...) takes a path, got 3.",
    secret_in_plain: "Trainer(password=...) takes Secret('NAME'), the name of an environment variable, "
    "got something else; a plan holds no secrets.",
    secret_as_text: "Pusher(label=...) takes str, got Secret(name='TOKEN'). Declare it as a Secret and use its .value.",
    module_file_missing: "Trainer(module_file=...) names 'modle.py', and there is no such file in the pipeline's "
    "folder. Did you mean 'model.py'? It holds: model.py.",
    module_file_outside: "Trainer(module_file=...) takes a '.py' file below the pipeline's folder, got '../model.py'.",
    module_file_absolute: "Trainer(module_file=...) takes a '.py' file below the pipeline's folder, got '/model.py'.",
    module_file_unimportable: "Trainer(module_file=...) takes a file that can be imported, got 'my-model.py'. "
    "Name files and folders with letters, digits and '_'.",
    unusable_id: "ExampleGen(id='a/b') has an unusable id. Use letters, digits, '-', '_' and '.'.",
    nested_component: "Component 'inner' is defined inside a function (tests.pipeline.test_wrong_wiring:"
    "nested_component.<locals>.inner), where no worker can import it. Move it to module level.",
    component_under_another_name: "Component 'plain' is known to a worker as tests.pipeline.test_wrong_wiring:plain, "
    "and what stands there is no component. Write @component above the function: component(function) under another "
    "name can't be imported.",
    number_that_json_can_not_carry: "Trainer(config=...) takes finite numbers, got inf: a plan is JSON, which has no "
    "others. Pass None or text.",
    number_compared_with_text: "when(): 'add.value' is of type int, and is compared with '3', a str. Compare it with a "
    "value of its own type.",
    cycle: "These nodes wait for each other: first -> second -> first. Remove one of the orderings.",
    node_of_another_pipeline: "Trainer() refers to 'ExampleGen', a node of another pipeline.",
    foreign_order: "add(): after= takes nodes, got 'gen'.",
    positional_arguments: "StatisticsGen() takes keyword arguments only in a pipeline, got 1 positional. "
    "It takes: examples, schema, exclude_splits.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").touch()
    FOREIGN.clear()
    trace(lambda: FOREIGN.append(gen()), tmp_path)
    return tmp_path


def message_of(function: Callable[[], None], folder: Path) -> str:
    with pytest.raises(WiringError) as raised:
        check(trace(function, folder))
    return str(raised.value)


@pytest.mark.parametrize("wrong", MESSAGES, ids=lambda function: function.__name__)
def test_message_says_what_is_wrong_and_how_to_repair_it(wrong: Callable[[], None], folder: Path) -> None:
    message = message_of(wrong, folder)

    assert re.match(HERE, message), message
    assert re.sub(HERE, "", message) == MESSAGES[wrong]


def test_location_is_the_line_of_the_call(folder: Path) -> None:
    line = misspelt_argument.__code__.co_firstlineno + 1

    assert message_of(misspelt_argument, folder).startswith(f"test_wrong_wiring.py:{line}: ")


def test_nodes_of_one_id_are_both_located(folder: Path) -> None:
    message = re.sub(r"\.py:\d+", ".py:N", message_of(duplicate_id, folder))

    assert message == (
        "test_wrong_wiring.py:N: Two nodes have the id 'ExampleGen', the other stands at test_wrong_wiring.py:N. "
        "Give one of them an id of its own: ExampleGen(..., id='ExampleGen2')."
    )


def test_unknown_output_names_the_nearest(folder: Path) -> None:
    assert message_of(unknown_output, folder) == (
        "ExampleGen has no output 'exmaples'. Did you mean 'examples'? It makes: examples."
    )


def test_several_problems_are_told_at_once_and_bounded(folder: Path) -> None:
    def many():
        for number in range(12):
            add(id=f"add{number}", oen=1)

    message = message_of(many, folder)

    assert message.startswith("Pipeline 'many' has 12 problems:\n  test_wrong_wiring.py:")
    assert message.endswith("... and 2 more.")
    assert len(message.splitlines()) == 1 + 10 + 1


def test_every_rule_says_itself() -> None:
    names = [rule.__name__ for rule in RULES]

    assert len(names) == len(set(names))
    assert all(rule.__doc__ for rule in RULES)


def test_none_is_a_value_where_the_annotation_allows_it(folder: Path) -> None:
    plan = compiled(lambda: trainer(examples=gen().examples, module_file="model.py", bounds=None), folder)

    assert plan.node("Trainer").parameters["bounds"] is None


def test_gate_is_no_cycle_for_what_it_depends_on(folder: Path) -> None:
    def fine():
        stats = StatisticsGen(examples=gen().examples)
        schema = SchemaGen(statistics=stats.statistics)
        ExampleValidator(statistics=stats.statistics, schema=schema.schema)

    assert [node.id for node in compiled(fine, folder).nodes][-1] == "ExampleValidator"

"""Pipeline -> Plan: the same plan for the same pipeline, defaults made explicit, gates turned into orderings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.artifacts import Examples, Model, Schema
from penstock.pipeline import Importer, Output, WiringError, component
from penstock.pipeline.plan import Binding, ImporterPlan, OutputPlan, StepPlan
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
from tests.pipeline.tracing import compiled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text("def run_fn(args):\n    return 1\n")
    return tmp_path


def full(**options: Any) -> None:
    gen = ExampleGen(input_base="data")
    stats = StatisticsGen(examples=gen.examples)
    schema = SchemaGen(statistics=stats.statistics)
    ExampleValidator(statistics=stats.statistics, schema=schema.schema)
    train = trainer(examples=gen.examples, module_file="model.py", **options)
    verdict = Evaluator(model=train.model, examples=gen.examples)
    Pusher(model=train.model, destination="out", label="x", after=[verdict])


def gates_of(wired: Callable[..., object], folder: Path) -> dict[str, tuple[str, ...]]:
    return {node.id: node.gated_by for node in compiled(wired, folder).nodes if node.gated_by}


def test_consumers_of_a_gated_artifact_wait_for_the_gate(folder: Path) -> None:
    gates = gates_of(full, folder)

    assert gates == {"Trainer": ("ExampleValidator",), "Evaluator": ("ExampleValidator",), "Pusher": ("Evaluator",)}


def test_what_the_gate_depends_on_does_not_wait_for_it(folder: Path) -> None:
    assert "StatisticsGen" not in gates_of(full, folder)
    assert "SchemaGen" not in gates_of(full, folder)


def test_node_can_opt_out_of_gates(folder: Path) -> None:
    gates = gates_of(lambda: full(gate=False), folder)

    assert "Trainer" not in gates
    assert gates["Evaluator"] == ("ExampleValidator",)


def test_two_gates_on_one_artifact_do_not_wait_for_each_other(folder: Path) -> None:
    def wired() -> None:
        gen = ExampleGen(input_base="data")
        stats = StatisticsGen(examples=gen.examples)
        schema = SchemaGen(statistics=stats.statistics)
        ExampleValidator(id="one", statistics=stats.statistics, schema=schema.schema)
        ExampleValidator(id="two", statistics=stats.statistics, schema=schema.schema)
        Merge(parts=[gen.examples])

    assert gates_of(wired, folder) == {"Merge": ("one", "two")}


def test_gate_over_a_list_of_artifacts_gates_each(folder: Path) -> None:
    def wired() -> None:
        one, two = ExampleGen(id="g1", input_base="a"), ExampleGen(id="g2", input_base="b")
        merged = Merge(parts=[one.examples, two.examples])
        stats = StatisticsGen(examples=merged.merged)
        schema = SchemaGen(statistics=stats.statistics)
        ExampleValidator(statistics=stats.statistics, schema=schema.schema)
        trainer(examples=one.examples, module_file="model.py", id="free")
        trainer(examples=merged.merged, module_file="model.py", id="gated")

    assert gates_of(wired, folder) == {"gated": ("ExampleValidator",)}


def test_gates_that_wait_for_each_other_are_refused_with_a_way_out(folder: Path) -> None:
    def wired() -> None:
        one, two = (Importer(id=name, source_uri=name, artifact_type=Model).result for name in ("m1", "m2"))
        examples = ExampleGen(input_base="data").examples
        first = Evaluator(id="gate1", model=one, examples=examples)
        second = Evaluator(id="gate2", model=two, examples=examples)
        use_one = Pusher(id="use1", model=one, destination="a")
        use_two = Pusher(id="use2", model=two, destination="b")
        first.run_after(use_two)
        second.run_after(use_one)

    with pytest.raises(WiringError) as raised:
        compiled(wired, folder)

    message = str(raised.value)
    assert message.startswith("A gate makes these nodes wait for each other: ")
    assert all(name in message for name in ("gate1", "gate2", "use1", "use2"))
    assert message.endswith("Pass gate=False to the one that must not wait.")


def test_default_made_explicit_changes_nothing(folder: Path) -> None:
    said = compiled(lambda: full(epochs=1, rate=0.1, colour="red", bounds=None), folder)
    silent = compiled(full, folder)

    assert said.node("Trainer").parameters == silent.node("Trainer").parameters


def test_whole_number_and_float_are_one_value_where_a_float_is_declared(folder: Path) -> None:
    plan = compiled(lambda: full(rate=1), folder)

    assert plan.to_json() == compiled(lambda: full(rate=1.0), folder).to_json()


def test_step_holds_what_the_call_and_the_component_say(folder: Path) -> None:
    def wired() -> None:
        gen = ExampleGen(input_base="data", env={"A": "1"}, cache=False, salt="s", timeout=5)
        stats = StatisticsGen(examples=gen.examples, beam_options={"x": 1})
        Merge(parts=[gen.examples, gen.examples], after=[stats])

    plan = compiled(wired, folder)
    gen, stats, merge = plan.node("ExampleGen"), plan.node("StatisticsGen"), plan.node("Merge")

    assert isinstance(gen, StepPlan)
    assert (gen.env, gen.cache, gen.salt, gen.timeout) == ({"A": "1"}, False, "s", 5)
    assert gen.files == {"input_base": "data"}
    assert gen.outputs["examples"] == OutputPlan(
        type="Examples", digest=Examples.DIGEST, properties={k: v.__name__ for k, v in Examples.PROPERTIES.items()}
    )
    assert stats.beam is not None
    assert (stats.beam.parameter, stats.beam.options) == ("beam", {"x": 1})
    assert merge.inputs == {"parts": (Binding(node="ExampleGen", output="examples"),) * 2}
    assert (merge.many, merge.after) == (("parts",), ("StatisticsGen",))


@component(cache=False)
def read_the_world(note: Output[Schema]) -> None:
    """Write what no key can know."""


@pytest.mark.parametrize(("options", "cache"), [({}, False), ({"cache": True}, True), ({"cache": "7d"}, True)])
def test_a_component_may_be_cached_only_where_its_node_says_so(
    folder: Path, options: dict[str, Any], cache: bool
) -> None:
    plan = compiled(lambda: read_the_world(**options), folder)

    step = plan.node("read_the_world")

    assert isinstance(step, StepPlan)
    assert step.cache is cache


def test_pusher_is_an_effect_and_evaluator_a_gate(folder: Path) -> None:
    plan = compiled(full, folder)

    effect = plan.node("Pusher").effect
    assert effect is not None
    assert effect.still_true == "tests.pipeline.sample_components:still_true"
    assert plan.node("Evaluator").gates
    assert plan.node("Pusher").paths == ("destination",)


def test_module_file_counts_with_the_component_that_uses_it(folder: Path) -> None:
    plan = compiled(full, folder)

    assert "model:run_fn" in plan.node("Trainer").code
    assert plan.node("Trainer").modules == {"module_file": "model.py"}
    assert "model:run_fn" not in plan.node("Evaluator").code
    assert plan.sources[plan.node("Trainer").code["model:run_fn"]] == "def run_fn(args):\n    return 1"


def test_importer_is_a_node_of_its_own_kind(folder: Path) -> None:
    def wired() -> None:
        source = Importer(source_uri=Path("a") / "b", artifact_type=Model, properties={"x": 1}, id="imported")
        Pusher(model=source.result, destination="out")

    node = compiled(wired, folder).node("imported")

    assert isinstance(node, ImporterPlan)
    assert (node.uri, node.output.type, node.properties) == ("a/b", "Model", {"x": 1})


def test_nodes_stand_after_those_that_they_depend_on_and_else_as_written(folder: Path) -> None:
    def wired() -> None:
        first = add(id="first", one=1)
        add(id="second", one=2)
        first.run_after(add(id="third", one=3))

    assert [node.id for node in compiled(wired, folder).nodes] == ["second", "third", "first"]


def test_compiling_twice_gives_the_same_bytes(folder: Path) -> None:
    assert compiled(full, folder).to_json() == compiled(full, folder).to_json()


def test_compiling_with_another_hash_seed_gives_the_same_bytes(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.pipeline.test_compiler import full; "
        "from tests.pipeline.tracing import compiled; "
        "sys.stdout.buffer.write(compiled(full, Path(sys.argv[1])).to_json())"
    )

    said = [
        subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert said[0] == said[1] == compiled(full, folder).to_json()

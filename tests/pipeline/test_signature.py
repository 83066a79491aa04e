"""A component's signature is its interface: what it says, and what it may not say."""

import pathlib
from typing import TYPE_CHECKING, Any, Literal

import pytest

from penstock.artifacts import Boolean, Examples, Float, Integer, JsonValue, Model, Schema, String
from penstock.pipeline import Beam, Files, Input, ModuleFile, Output, Secret, WiringError, component
from penstock.pipeline.definition import ComponentSpec, InputSpec
from tests.pipeline import future_components, sample_components
from tests.pipeline.sample_components import Bound, Colour, Report, Scores

if TYPE_CHECKING:
    from decimal import Decimal


def spec_of(function: Any, **options: Any) -> ComponentSpec:
    return component(**options)(function).spec


def test_each_argument_has_its_role() -> None:
    spec = sample_components.StatisticsGen.spec

    assert spec.inputs == {"examples": InputSpec(Examples), "schema": InputSpec(Schema, optional=True)}
    assert {name: kind.TYPE_NAME for name, kind in spec.outputs.items()} == {"statistics": "ExampleStatistics"}
    assert spec.parameters.keys() == {"exclude_splits", "beam"}
    assert spec.argument_names == ["examples", "schema", "exclude_splits"]
    assert (spec.name, spec.summary) == ("StatisticsGen", "Describe examples.")
    assert spec.reference == "tests.pipeline.sample_components:StatisticsGen"


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, "json"),
        (dict[str, Any], "json"),
        (list[Bound], "json"),
        (Bound, "json"),
        (Colour, "json"),
        (Literal["a", "b"], "json"),
        (str | None, "json"),
        (Any, "json"),
        (Files, "files"),
        (Files | None, "files"),
        (ModuleFile, "module"),
        (Secret, "secret"),
        (Secret | None, "secret"),
        (pathlib.Path, "path"),
        (Beam, "beam"),
    ],
)
def test_parameter_kind_follows_the_annotation(annotation: Any, kind: str) -> None:
    def step(x): ...

    step.__annotations__ = {"x": annotation}

    assert spec_of(step).parameters["x"].kind == kind


def test_list_input_takes_many() -> None:
    assert sample_components.Merge.spec.inputs == {"parts": InputSpec(Examples, many=True)}


def test_input_with_a_default_may_be_left_out() -> None:
    def step(one: Input[Model] = None, many: Input[list[Model]] = ()): ...

    assert all(port.optional for port in spec_of(step).inputs.values())


@pytest.mark.parametrize(
    ("annotation", "type_"),
    [(int, Integer), (float, Float), (str, String), (bool, Boolean), (dict, JsonValue), (list[int], JsonValue)],
)
def test_return_annotation_makes_a_value_output(annotation: Any, type_: type) -> None:
    def step(): ...

    step.__annotations__ = {"return": annotation}

    assert spec_of(step).outputs == {"value": type_}
    assert spec_of(step).values == {"value": annotation}


def test_named_tuple_makes_a_value_output_a_field() -> None:
    def step() -> Scores: ...

    spec = spec_of(step)

    assert spec.outputs == {"accuracy": Float, "rows": Integer, "passed": Boolean, "detail": JsonValue}
    assert spec.values == {"accuracy": float, "rows": int, "passed": bool, "detail": dict[str, Any]}


def test_annotations_as_text_are_read_like_others() -> None:
    spec = future_components.Judge.spec

    assert spec.inputs == {"model": InputSpec(Model), "baseline": InputSpec(Model, optional=True)}
    assert spec.outputs == {"report": future_components.Verdict, "score": Float, "passed": Boolean}
    assert spec.parameters["bound"].annotation == future_components.Bound


def test_own_name_and_options_are_kept() -> None:
    def step(model: Input[Model]): ...

    spec = spec_of(step, name="Step", gates="model", effects=True, versions=("numpy",))

    assert (spec.name, spec.gates, spec.effects, spec.versions) == ("Step", "model", True, ("numpy",))


def unannotated(x): ...
def variadic(*rows: int): ...
def keywords(**rows: int): ...
def reserved(cache: bool): ...
def reserved_output(outputs: Output[Model]): ...
def hidden_output(_model: Output[Model]): ...
def no_artifact(x: Input[int]): ...
def no_artifact_list(x: Input[list[str]]): ...
def unknown_name(x: "Decimal"): ...
def returns_artifact() -> Model: ...
def both(rows: Output[Report]) -> Scores: ...


WRONG = [
    (unannotated, {}, "unannotated() gives 'x' no annotation. Write Input[T], Output[T] or a JSON type."),
    (variadic, {}, "variadic() declares *rows; a component names each of its arguments."),
    (keywords, {}, "keywords() declares **rows; a component names each of its arguments."),
    (
        sample_components.Double.function,
        {},
        "Double() takes 'number' by position only. Remove the '/'.",
    ),
    (
        reserved,
        {},
        "reserved() names a parameter 'cache', which every node takes as an option. Rename it.",
    ),
    (reserved_output, {}, "reserved_output() names an output 'outputs', a name that nodes use. Rename it."),
    (hidden_output, {}, "hidden_output() names an output '_model', a name that nodes use. Rename it."),
    (
        no_artifact,
        {},
        "no_artifact(x=...) is declared over <class 'int'>; Input and Output take an artifact type, "
        "such as Examples or a subclass of Artifact of your own.",
    ),
    (
        no_artifact_list,
        {},
        "no_artifact_list(x=...) is declared over <class 'str'>; Input and Output take an artifact type, "
        "such as Examples or a subclass of Artifact of your own.",
    ),
    (
        unknown_name,
        {},
        "unknown_name() has an annotation that can't be read when the pipeline runs: name 'Decimal' is not defined. "
        "Import or define the name at module level, not under TYPE_CHECKING or inside a function.",
    ),
    (
        returns_artifact,
        {},
        "returns_artifact() returns Model, an artifact. Declare a parameter Output[Model] and fill its .path; "
        "return JSON values only.",
    ),
    (both, {}, "both() both fills and returns an output 'rows'. Rename one."),
    (
        sample_components.SchemaGen.function,
        {"gates": "statistic.examples"},
        "SchemaGen() is declared with gates='statistic.examples', and has no input 'statistic'. "
        "Did you mean 'statistics'? Its inputs: statistics.",
    ),
]


@pytest.mark.parametrize(("function", "options", "message"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_impossible_signature_is_refused(function: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(WiringError) as raised:
        spec_of(function, **options)

    assert str(raised.value) == message


def test_unknown_option_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'gate'"):
        component(gate="model")  # type: ignore[call-overload]


def test_component_called_outside_a_pipeline_runs_its_function() -> None:
    assert sample_components.add(2, two=3) == 5
    assert sample_components.add.__name__ == "add"
    assert sample_components.add.__doc__ == "Add."

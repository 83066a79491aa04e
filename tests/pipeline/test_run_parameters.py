"""Run parameters: read from what is typed, checked against their types, completed by their defaults."""

import enum
import json
import pathlib
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.pipeline import ParameterError, Pipeline, WiringError, pipeline
from penstock.pipeline.parameters import RunParameters
from tests.pipeline.sample_components import ExampleGen, Pusher, add


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Window:
    days: int


@pipeline
def penguins(
    data: str,
    epochs: int = 20,
    rate: float = 0.5,
    dry: bool = False,
    label: str | None = None,
    limit: int | None = None,
    splits: list[str] = ["train"],  # noqa: B006
    size: Size = Size.SMALL,
    window: Window = Window(7),  # noqa: B008
    extra: dict[str, Any] = {},  # noqa: B006
):
    ExampleGen(input_base=data)


@pytest.fixture
def declared() -> RunParameters:
    return RunParameters("penguins", penguins.compile().parameters)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("data=5", "5"),
        ("data=", ""),
        ("data=a=b", "a=b"),
        ("epochs=50", 50),
        ("rate=1", 1),
        ("rate=1e-3", 0.001),
        ("dry=True", True),
        ("dry=false", False),
        ("label=5", "5"),
        ("label=null", None),
        ("label=some text", "some text"),
        ("limit=null", None),
        ("limit=3", 3),
        ('splits=["a", "b"]', ["a", "b"]),
        ("size=large", "large"),
        ('window={"days": 3}', {"days": 3}),
        ('extra={"a": [1]}', {"a": [1]}),
    ],
)
def test_typed_text_becomes_a_value_of_the_type(typed: str, value: Any, declared: RunParameters) -> None:
    name = typed.partition("=")[0]

    given = declared.parse([typed])

    assert given == {name: value}
    assert type(given[name]) is type(value)
    assert declared.resolve({"data": "x", **given})[name] == value


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("epochs=ten", "Parameter 'epochs' of pipeline 'penguins' is of type integer, got 'ten'."),
        ("epochs=1.5", "Parameter 'epochs' of pipeline 'penguins' is of type integer, got 1.5."),
        ("rate=1e999", "Parameter 'rate' of pipeline 'penguins' takes finite numbers, got inf."),
        ("rate=nan", "Parameter 'rate' of pipeline 'penguins' takes finite numbers, got nan."),
        ("rate=-inf", "Parameter 'rate' of pipeline 'penguins' takes finite numbers, got -inf."),
        ('extra={"a": [NaN]}', "Parameter 'extra' of pipeline 'penguins' takes finite numbers, got nan."),
        ("rate=fast", "Parameter 'rate' of pipeline 'penguins' is of type number, got 'fast'."),
        ("RATE=1", "Pipeline 'penguins' has no parameter 'RATE'. Did you mean 'rate'? It takes: data, epochs, rate, "
         "dry, label, limit, splits, size, window, extra."),
        ("epochs=true", "Parameter 'epochs' of pipeline 'penguins' is of type integer, got True."),
        ("dry=1", "Parameter 'dry' of pipeline 'penguins' is of type boolean, got 1."),
        ("limit=many", "Parameter 'limit' of pipeline 'penguins' is of type integer or null, got 'many'."),
        ("splits=train", "Parameter 'splits' of pipeline 'penguins' is of type array, got 'train'."),
        ("splits=[1]", "Parameter 'splits' of pipeline 'penguins' is of type string, got 1 as item 0."),
        ("size=huge", "Parameter 'size' of pipeline 'penguins' is one of 'large', 'small', got 'huge'."),
        ("size=SMALL", "Parameter 'size' of pipeline 'penguins' is one of 'large', 'small', got 'SMALL'. "
         "Did you mean 'small'?"),
        ('window={"days": "7"}', "Parameter 'window' of pipeline 'penguins' is of type integer, got '7' as 'days'."),
        ("window={}", "Parameter 'window' of pipeline 'penguins' needs days, got {}."),
        ("epoch=3", "Pipeline 'penguins' has no parameter 'epoch'. Did you mean 'epochs'? It takes: data, epochs, "
         "rate, dry, label, limit, splits, size, window, extra."),
        ("epochs", "-p takes name=value, got 'epochs'. It takes: data, epochs, rate, dry, label, limit, splits, size, "
         "window, extra."),
    ],
)  # fmt: skip
def test_wrong_value_is_refused_with_its_repair(typed: str, message: str, declared: RunParameters) -> None:
    with pytest.raises(ParameterError) as raised:
        declared.resolve({"data": "x", **declared.parse([typed])})

    assert str(raised.value) == message


def test_number_that_is_none_is_refused_in_python_too(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ParameterError, match="'rate' of pipeline 'penguins' takes finite numbers, got nan"):
        penguins.run(data="x", rate=float("nan"), root=tmp_path)


@pipeline
def floats(
    rate: float = 1,
    maybe: float | None = None,
    either: int | float = 1,
    rates: list[float] = [],  # noqa: B006
    by_name: dict[str, float] = {},  # noqa: B006
    anything: Any = None,
    count: int = 1,
):
    add(one=1)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("rate=2", 2.0),
        ("maybe=2", 2.0),
        ("maybe=null", None),
        ("either=2", 2),
        ("rates=[1, 2.5]", [1.0, 2.5]),
        ('by_name={"a": 1}', {"a": 1.0}),
        ("anything=[1]", [1]),
        ("count=2", 2),
    ],
)
def test_number_is_of_the_declared_type_however_it_is_typed(typed: str, value: Any) -> None:
    declared = RunParameters("floats", floats.compile().parameters)

    values = declared.resolve(declared.parse([typed]))

    assert repr(values[typed.partition("=")[0]]) == repr(value)
    assert repr(values["rate"]) == ("2.0" if typed == "rate=2" else "1.0")


def test_pipeline_without_steps_is_refused() -> None:
    @pipeline
    def empty():
        return

    with pytest.raises(WiringError) as raised:
        empty.compile()

    assert str(raised.value) == ("Pipeline 'empty' has no steps: empty() calls no component. Does it return too early?")


def test_parameters_are_passed_by_name() -> None:
    with pytest.raises(ParameterError) as raised:
        floats.run(1)

    assert str(raised.value) == (
        "floats.run() takes run parameters by name, got 1. It takes: rate, maybe, either, rates, by_name, "
        "anything, count."
    )


def test_missing_value_says_how_to_pass_it(declared: RunParameters) -> None:
    with pytest.raises(ParameterError) as raised:
        declared.resolve({})

    assert str(raised.value) == "Pipeline 'penguins' needs a value for data. Pass it with -p data=VALUE."


def test_defaults_fill_in_what_is_not_given(declared: RunParameters) -> None:
    values = declared.resolve({"data": "x"})

    assert values["epochs"] == 20
    assert values["size"] == "small"
    assert values["window"] == {"days": 7}


@dataclass
class Layer:
    rate: float
    size: Size = Size.SMALL
    sizes: tuple[float, int] = (1, 2)


def forms(
    rate: float = 1,
    either: float | int = 1,
    maybe: float | None = None,
    rates: list[float] = [1],  # noqa: B006
    by_name: dict[str, float] = {"a": 1},  # noqa: B006
    layer: Layer | None = Layer(1),  # noqa: B008
    anything: dict[str, Any] = {"a": 1},  # noqa: B006
):
    ExampleGen(input_base="data")


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("rate", 2, "2.0"),
        ("either", 2, "2"),
        ("either", 2.0, "2.0"),
        ("maybe", 2, "2.0"),
        ("maybe", None, "null"),
        ("rates", [1, 2.5], "[1.0, 2.5]"),
        ("by_name", {"b": 3}, '{"b": 3.0}'),
        ("layer", {"size": "large", "rate": 3}, '{"rate": 3.0, "size": "large", "sizes": [1.0, 2]}'),
        ("anything", {"b": [1, {"c": True}]}, '{"b": [1, {"c": true}]}'),
    ],
)
def test_value_takes_the_form_of_its_declared_type(name: str, value: Any, form: str) -> None:
    declared = RunParameters("forms", Pipeline(forms).compile().parameters)

    assert json.dumps(declared.resolve({name: value})[name]) == form


def test_default_that_is_written_out_in_its_shortest_form_is_the_same_value() -> None:
    declared = RunParameters("forms", Pipeline(forms).compile().parameters)
    written = ["rate=1", "either=1", "rates=[1]", 'by_name={"a": 1}', 'layer={"rate": 1}', 'anything={"a": 1}']

    given, defaults = declared.resolve(declared.parse(written)), declared.resolve({})

    assert json.dumps(given) == json.dumps(defaults)


def paths(data: str = "data", day: str = "monday", model: str = "m", serving: pathlib.Path = pathlib.Path("out")):
    ExampleGen(input_base=f"{data}/raw")
    ExampleGen(id="by_day", input_base=f"raw/{day}")
    Pusher(model=_imported(model), destination=serving, label=day)


def _imported(uri: Any) -> Any:
    from penstock.artifacts import Model
    from penstock.pipeline import Importer

    return Importer(source_uri=uri, artifact_type=Model).result


def test_given_path_is_relative_to_where_it_is_typed_and_a_default_to_the_pipeline() -> None:
    declared = RunParameters("paths", Pipeline(paths).compile().parameters)

    values = declared.resolve({"data": "mine", "model": "/abs/m", "serving": "s3://bucket/x"}, base="/where/typed")

    assert values == {"data": "/where/typed/mine", "day": "monday", "model": "/abs/m", "serving": "s3://bucket/x"}
    assert declared.resolve({}, base="/where/typed")["data"] == "data"


def test_text_inside_a_path_is_no_path_itself() -> None:
    declared = RunParameters("paths", Pipeline(paths).compile().parameters)

    values = declared.resolve({"day": "tuesday"}, base="/where/typed")

    assert values["day"] == "tuesday"


def untyped(epochs=3):
    add(one=epochs)


def reserved(root: str = "data"):
    add(one=1)


def no_json(window: object = None):
    add(one=1)


def wrong_default(epochs: int = "ten"):  # type: ignore[assignment]
    add(one=epochs)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (untyped, WiringError, "Pipeline 'untyped' gives its parameter 'epochs' no type. "
         "Write epochs: str, int, float, bool, or another JSON type."),
        (reserved, WiringError, "Pipeline 'reserved' names a parameter 'root', which run(root=...) takes itself. "
         "Rename it."),
        (wrong_default, ParameterError, "Parameter 'epochs' of pipeline 'wrong_default' is of type integer, "
         "got 'ten'."),
    ],
)  # fmt: skip
def test_impossible_declaration_is_refused(function: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        Pipeline(function).compile()

    assert str(raised.value) == message


def test_run_parameter_of_another_type_is_refused_where_it_is_used() -> None:
    def wired(name: str = "x"):
        add(one=name)

    with pytest.raises(WiringError, match=r"add\(one=\.\.\.\) takes int, got run parameter 'name' of type str\.$"):
        Pipeline(wired).compile()


def test_pipeline_is_not_called() -> None:
    with pytest.raises(
        WiringError, match=r"Pipeline 'penguins' isn't called\. Use penguins\.run\(\.\.\.\), or: penstock run"
    ):
        penguins()


@pytest.mark.parametrize("name", ["a/b", "", ".hidden", "a b"])
def test_unusable_pipeline_name_is_refused(name: str) -> None:
    with pytest.raises(WiringError, match="unusable as a folder name"):
        Pipeline(paths, name or "/")

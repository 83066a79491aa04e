"""Components of every kind for the tests of wiring and compiling; nothing here is ever run by a worker."""

import enum
import pathlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from penstock.artifacts import Artifact, Examples, ExampleStatistics, Model, Schema
from penstock.pipeline import Beam, Files, Input, ModuleFile, Output, Secret, component


class Report(Artifact):
    """A type of one's own."""


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Bound:
    metric: str
    at_least: float = 0.0


class Scores(NamedTuple):
    accuracy: float
    rows: int
    passed: bool
    detail: dict[str, Any]


@component
def ExampleGen(examples: Output[Examples], *, input_base: Files, null_values: list[str] | None = None) -> None:
    """Read a CSV."""


@component
def StatisticsGen(
    examples: Input[Examples],
    statistics: Output[ExampleStatistics],
    *,
    schema: Input[Schema] | None = None,
    exclude_splits: tuple[str, ...] = (),
    beam: Beam = Beam(),  # noqa: B008
) -> None:
    """Describe examples."""


@component
def SchemaGen(statistics: Input[ExampleStatistics], schema: Output[Schema]) -> None:
    """Infer a schema."""


@component(gates="statistics.examples")
def ExampleValidator(statistics: Input[ExampleStatistics], schema: Input[Schema], anomalies: Output[Report]) -> None:
    """Refuse examples."""


@component(name="Trainer", versions=("msgspec",))
def trainer(
    examples: Input[Examples],
    model: Output[Model],
    *,
    module_file: ModuleFile,
    epochs: int = 1,
    rate: float = 0.1,
    bounds: list[Bound] | None = None,
    colour: Colour = Colour.RED,
    config: dict[str, Any] | None = None,
    password: Secret | None = None,
    folder: pathlib.Path | None = None,
) -> Scores:
    """Train a model."""
    return Scores(1.0, 3, True, {})


@component(gates="model")
def Evaluator(model: Input[Model], examples: Input[Examples], evaluation: Output[Report]) -> bool:
    """Judge a model."""
    return True


@component(effects=True, still_true="tests.pipeline.sample_components:still_true")
def Pusher(model: Input[Model], pushed: Output[Report], *, destination: pathlib.Path, label: str = "") -> None:
    """Push a model."""


@component
def Merge(parts: Input[list[Examples]], merged: Output[Examples]) -> None:
    """Put examples together."""


@component
def Double(number: int, /) -> int:
    """Declared wrongly: by position only."""
    return 2 * number


@component
def add(one: int, two: int = 1) -> int:
    """Add."""
    return one + two


def still_true(outputs: dict[str, Artifact]) -> bool:
    return bool(outputs)

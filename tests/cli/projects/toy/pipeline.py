"""A pipeline of trivial steps that can be made to fail in each way that has an exit code."""

import pathlib
import time
from collections.abc import Mapping
from typing import ClassVar

from penstock.artifacts import PushedModel
from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import Files, GateFailed, Input, Output, Skip, component, pipeline, step


class Rows(Artifact):
    """Lines of text."""

    PROPERTIES: ClassVar = {"count": int}


class Report(Artifact):
    """What a gate found."""


@component
def read(rows: Output[Rows], *, source: Files) -> None:
    """Copy the lines of all source files."""
    lines = [line for file in source.files for line in pathlib.Path(file.path).read_text().splitlines()]
    step.progress(len(lines), len(lines))
    pathlib.Path(rows.path, "rows.txt").write_text("\n".join(lines))
    rows.properties["count"] = len(lines)


@component(gates="rows")
def inspect(rows: Input[Rows], report: Output[Report], *, accept: bool = True) -> None:
    """Refuse the rows unless told to accept them."""
    pathlib.Path(report.path, "report.txt").write_text("looked at")
    if not accept:
        raise GateFailed("the rows are not acceptable")


@component
def train(rows: Input[Rows], model: Output[Rows], *, behave: str = "well") -> None:
    """Copy the rows, or fail, or take long."""
    print("training on", rows.path)
    if behave == "badly":
        raise ValueError("bad luck")
    if behave == "slowly":
        time.sleep(60)
    pathlib.Path(model.path, "model.txt").write_text(pathlib.Path(rows.path, "rows.txt").read_text().upper())


def still_true(outputs: Mapping[str, Artifact]) -> bool:
    """Say whether the pushed folder is there."""
    return pathlib.Path(outputs["pushed"].properties["pushed_destination"]).is_dir()


@component(effects=True, still_true="pipeline:still_true")
def push(model: Input[Rows], pushed: Output[PushedModel], *, destination: pathlib.Path, blessed: bool = True) -> None:
    """Make a folder."""
    if not blessed:
        raise Skip("the model is not blessed")
    destination.mkdir(parents=True, exist_ok=True)
    pathlib.Path(pushed.path, "pushed.txt").write_text("pushed")
    pushed.properties["pushed_destination"] = str(destination)


@pipeline
def toy(
    source: str = "rows.csv",
    behave: str = "well",
    accept: bool = True,
    blessed: bool = True,
    serving: str = "serving/toy",
    factor: int = 1,
):
    """Read, inspect, train, push."""
    rows = read(source=source)
    inspect(rows=rows.rows, accept=accept)
    model = train(rows=rows.rows, behave=behave)
    push(model=model.model, destination=serving, blessed=blessed)

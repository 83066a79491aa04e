"""A component in a file whose annotations are text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from penstock.artifacts import Artifact, Model
from penstock.pipeline import Input, Output, component


class Verdict(Artifact):
    """What was found."""


@dataclass(frozen=True)
class Bound:
    at_least: float


class Result(NamedTuple):
    score: float
    passed: bool


@component
def Judge(
    model: Input[Model], report: Output[Verdict], *, bound: Bound, baseline: Input[Model] | None = None
) -> Result:
    """Judge a model."""
    return Result(1.0, True)

"""A loop over rates, the best of them, and a push that only a good one gets."""

import os

from penstock.artifacts import Artifact
from penstock.pipeline import Input, Output, collect, component, for_each, pipeline, when


class Note(Artifact):
    """A line of text."""


@component
def train(model: Output[Note], *, rate: float) -> float:
    print(f"training with {rate}")
    with open(os.path.join(model, "rate"), "w") as file:
        file.write(str(rate))
    return rate


@component
def pick(models: Input[list[Note]], best: Output[Note], *, scores: list[float]) -> float:
    with open(os.path.join(best, "best"), "w") as file:
        file.write(f"{max(scores)} of {len(models)}")
    return max(scores)


@component(effects=True)
def push(model: Input[Note], pushed: Output[Note]) -> None:
    with open(os.path.join(pushed, "pushed"), "w") as file:
        file.write("pushed")


@pipeline
def sweep(rates: list[float] = [0.1, 0.2], least: float = 0.0):  # noqa: B006 - a default is data
    with for_each(rates) as rate:
        trained = train(rate=rate)
    best = pick(models=collect(trained.model), scores=collect(trained.value))
    with when(best.value.value > least.value):
        push(model=best.best)

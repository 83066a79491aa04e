"""Retries, timeout and resources of a step: as they are written, as the plan has them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.pipeline import Retry, WiringError
from penstock.pipeline.demands import bytes_of
from penstock.pipeline.plan import Resources, StepPlan
from tests.pipeline.sample_components import add
from tests.pipeline.tracing import compiled


def step_with(tmp_path: Path, **options: object) -> StepPlan:
    (node,) = compiled(lambda: add(one=1, **options), tmp_path).nodes
    assert isinstance(node, StepPlan)
    return node


def test_demands_stand_in_the_plan_as_numbers(tmp_path: Path) -> None:
    step = step_with(tmp_path, retries=3, timeout="30m", cpus=2, memory="4Gi", gpus=1)

    assert step.retries == Retry(3)
    assert step.timeout == 1800
    assert step.resources == Resources(cpus=2, memory=4 << 30, gpus=1)


def test_errors_to_retry_on_are_named_by_type_or_by_text(tmp_path: Path) -> None:
    step = step_with(tmp_path, retries=Retry(2, delay=5, on=(ValueError, "HttpError")))

    assert step.retries == Retry(2, 5.0, ("ValueError", "HttpError"))


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("retries", -1, "can't take retries: -1 is no number of attempts. Write 3"),
        ("retries", Retry(1, on=("not a name",)), "on='not a name' names no error type."),
        ("timeout", "soon", "can't take timeout: 'soon' is no span of time."),
        ("timeout", 0, "can't take timeout: 0 is no span of time."),
        ("cpus", 0, "can't take cpus: 0 is no number of CPUs."),
        ("memory", "4 Gigs", "can't take memory: '4 Gigs' is no size."),
        ("gpus", 0.5, "can't take gpus: 0.5 is no number of GPUs."),
    ],
)
def test_demand_that_cannot_be_understood_is_refused(tmp_path: Path, option: str, value: object, told: str) -> None:
    with pytest.raises(WiringError) as raised:
        step_with(tmp_path, **{option: value})

    assert told in str(raised.value)
    assert "add() can't take" in str(raised.value)


@given(st.integers(1, 999), st.sampled_from(["Ki", "Mi", "Gi", "Ti"]))
def test_binary_sizes_are_powers_of_1024(number: int, unit: str) -> None:
    assert bytes_of(f"{number}{unit}") == number * 1024 ** (1 + ["Ki", "Mi", "Gi", "Ti"].index(unit))

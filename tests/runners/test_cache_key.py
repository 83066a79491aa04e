"""Cache keys: what is an ingredient, what is none, and what is said of a difference."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pipeline.plan import BeamStep, OutputPlan, Resources, StepPlan
from penstock.runners import cache
from penstock.runners.cache import CacheKey
from penstock.runners.explanation import explain

STEP = StepPlan(
    id="train",
    component="steps:train",
    name="Trainer",
    code={"steps:train": "d1"},
    versions=("msgspec",),
    outputs={"model": OutputPlan(type="Model", digest="m:digest")},
    env={"MODE": "fast"},
    salt="s",
)


def key(
    parameters: dict[str, Any] | None = None, inputs: dict[str, list[str]] | None = None, **changes: Any
) -> CacheKey:
    step = msgspec.structs.replace(STEP, **changes)
    return cache.key_of(
        step, parameters or {"epochs": 2}, inputs or {"examples": ["rows-1:a"]}, {"d1": "def train(): ..."}
    )


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (1, 1.0, "parameter x changed from 1 to 1.0"),
        (1, True, "parameter x changed from 1 to true"),
        ([0], [False], "parameter x[0] changed from 0 to false"),
        (
            {"color": "blue", "layers": [1, 2]},
            {"color": "blue", "layers": [1, 3]},
            "parameter x.layers[1] changed from 2 to 3",
        ),
        ({"a": 1}, {"a": 1, "b": 2}, "parameter x.b changed from null to 2"),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}, 'parameter x changed from {"a": 1, "b": 2} to {"a": 2, "b": 1}'),
        ({"a": 1}, {}, 'parameter x changed from {"a": 1} to {}'),
    ],
)
def test_reason_names_what_the_key_tells_apart_and_where_in_a_value_it_is(before: Any, now: Any, reason: str) -> None:
    assert explain({"parameter:x": before}, {"parameter:x": now}) == reason


def test_ingredients_have_names() -> None:
    assert list(key().ingredients) == [
        "code:steps:train",
        "component",
        "env:MODE",
        "input:examples",
        "output:model",
        "parameter:epochs",
        "salt",
        "version:msgspec",
    ]
    assert key().ingredients["version:msgspec"] == msgspec.__version__
    assert key().sources == {"d1": "def train(): ..."}


MISSES: dict[str, tuple[dict[str, Any], str]] = {
    "code": ({"code": {"steps:train": "d2"}}, "code steps:train changed"),
    "new code": ({"code": {"steps:train": "d1", "steps:helper": "d3"}}, "code steps:helper is new"),
    "component": ({"component": "other:train"}, 'component changed from "steps:train" to "other:train"'),
    "environment": ({"env": {"MODE": "slow"}}, 'env MODE changed from "fast" to "slow"'),
    "salt": ({"salt": "t"}, 'salt changed from "s" to "t"'),
    "no salt": ({"salt": ""}, 'salt changed from "s" to null'),
    "output type": ({"outputs": {"model": OutputPlan(type="Model", digest="m:other")}}, "output model changed"),
    "parameter": ({"parameters": {"epochs": 3}}, "parameter epochs changed from 2 to 3"),
    "long parameter": (
        {"parameters": {"epochs": "x" * 60}},
        f'parameter epochs changed from 2 to "{"x" * 36}...',
    ),
    "input": ({"inputs": {"examples": ["rows-1:b"]}}, "input examples changed"),
    "order of inputs": ({"inputs": {"examples": ["rows-1:a", "rows-1:a"]}}, "input examples changed"),
    "several": ({"inputs": {"examples": ["x"]}, "salt": "u"}, "input examples changed and 1 more"),
}
HITS: dict[str, dict[str, Any]] = {
    "node id": {"id": "another"},
    "place of the call": {"where": "pipeline.py:99"},
    "order": {"after": ("x",), "gated_by": ("y",)},
    "beam options": {"beam": BeamStep(parameter="beam", options={"x": 1})},
    "resources": {"resources": Resources(cpus=4.0), "retries": 3, "timeout": 5.0},
    "effect and gate": {"gates": True},
    "declared paths": {"paths": ("p",)},
}


@pytest.mark.parametrize("what", MISSES)
def test_difference_is_another_key_and_is_named(what: str) -> None:
    changes, reason = MISSES[what]

    other = key(**changes)

    assert other.digest != key().digest
    assert explain(key().ingredients, other.ingredients) == reason


@pytest.mark.parametrize("what", HITS)
def test_what_is_no_ingredient_changes_no_key(what: str) -> None:
    assert key(**HITS[what]).digest == key().digest


def test_equal_ingredients_mean_that_the_result_is_gone() -> None:
    assert explain(key().ingredients, key().ingredients) == "its earlier result is gone"


def test_key_is_kept_with_its_ingredients_and_sources(tmp_path: Any) -> None:
    key().write(str(tmp_path))

    kept = msgspec.json.decode((tmp_path / "_key.json").read_bytes())
    assert kept == {"key": key().digest, "ingredients": key().ingredients, "sources": key().sources}
    assert cache.read_key(str(tmp_path / "_key.json")) == key()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_damaged_key_has_no_ingredients(content: bytes, tmp_path: Any) -> None:
    (tmp_path / "_key.json").write_bytes(content)

    assert cache.read_key(str(tmp_path / "_key.json")) is None
    assert explain({}, key().ingredients) == "its earlier key can't be read"


def test_distribution_that_is_not_installed_has_an_empty_version() -> None:
    assert key(versions=("no-such-distribution",)).ingredients["version:no-such-distribution"] == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), json_values))
def test_order_in_which_parameters_are_given_does_not_matter(parameters: dict[str, Any]) -> None:
    backwards = dict(reversed(parameters.items()))

    assert key({"x": 1, **parameters}).digest == key({**backwards, "x": parameters.get("x", 1)}).digest
    assert key({"x": 1, **parameters}).seed >= 0


@settings(max_examples=40, deadline=None)
@given(json_values, json_values)
def test_different_values_have_different_keys(one: Any, other: Any) -> None:
    same = msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")

    assert (key({"x": one}).digest == key({"x": other}).digest) == same

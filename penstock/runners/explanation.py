"""Why a step isn't reused: how its ingredients differ from those of the nearest earlier execution."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from penstock.pipeline.plan import Json
from penstock.pipeline.task import FAILED
from penstock.runners import cache
from penstock.runners.cache import CacheKey
from penstock.runners.layout import KEY, OUTCOME, Layout

RECENT = 20
"""So many earlier executions of a step are looked at."""
PLAIN = frozenset({"parameter", "version", "env", "salt", "component"})
"""Kinds of ingredients that are told with their values; of the others digests are compared."""


@dataclass(frozen=True)
class Difference:
    """One ingredient that differs.

    Attributes:
        ingredient: Its name, "parameter:epochs" or "code:features:preprocessing_fn".
        before: Its value then, None when there was none.
        now: Its value now, None when there is none.
        diff: For code of the user's own, the unified diff of its normalised source.
    """

    ingredient: str
    before: Json
    now: Json
    diff: str = ""

    @property
    def kind(self) -> str:
        """What kind of ingredient it is: code, parameter, input, version, env, output, salt or component."""
        return self.ingredient.partition(":")[0]

    @property
    def name(self) -> str:
        """The ingredient's name within its kind."""
        return self.ingredient.partition(":")[2]

    def __str__(self) -> str:
        """Say it in one line."""
        label = f"{self.kind} {self.name}".rstrip()
        if self.kind in PLAIN:
            path, before, now = _place(self.before, self.now)
            return f"{label}{path} changed from {_short(before)} to {_short(now)}"
        if self.before is None or self.now is None:
            return f"{label} is {'new' if self.before is None else 'gone'}"
        return f"{label} changed"


@dataclass(frozen=True)
class Earlier:
    """An earlier execution of a step, by its ULID, and its key."""

    execution: str
    key: CacheKey


def reason(layout: Layout, pipeline: str, step: str, ingredients: Mapping[str, Json]) -> str:
    """Say in one line why there is no result with these ingredients."""
    folder = os.path.dirname(layout.execution(pipeline, step, "-"))
    found = nearest(layout, pipeline, step, ingredients)
    if found is None:
        return explain({}, ingredients) if any(_key_files(folder, "")) else "no earlier result"
    if not changed(found.key.ingredients, ingredients) and _failed(os.path.join(folder, found.execution, OUTCOME)):
        return "it failed before with the same ingredients"
    return explain(found.key.ingredients, ingredients)


def nearest(
    layout: Layout,
    pipeline: str,
    step: str,
    ingredients: Mapping[str, Json],
    *,
    before: str = "",
    unknown: Collection[str] = (),
) -> Earlier | None:
    """Return the execution whose ingredients differ in the fewest places, the latest of several.

    Args:
        layout: Where executions lie.
        pipeline: The pipeline's name.
        step: The step's id.
        ingredients: What they are compared with.
        before: The ULID of an execution; only earlier ones count.
        unknown: Names of ingredients that aren't compared.

    Returns:
        None when no recent execution has left a key that can be read.
    """
    folder = os.path.dirname(layout.execution(pipeline, step, "-"))
    best: Earlier | None = None
    fewest = 0
    for execution in _key_files(folder, before):
        key = cache.read_key(os.path.join(folder, execution, KEY))
        count = len({*changed(key.ingredients, ingredients)} - {*unknown}) if key else 0
        if key and (best is None or count < fewest):
            best, fewest = Earlier(execution, key), count
    return best


def _key_files(folder: str, before: str) -> Iterator[str]:
    """Yield the recent executions below a step's folder that have a key, the latest first."""
    found = sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else []
    earlier = [execution for execution in found if not before or execution < before]
    for execution in earlier[:RECENT]:
        if os.path.exists(os.path.join(folder, execution, KEY)):
            yield execution


def changed(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[str]:
    """Return the names of the ingredients that differ, sorted."""
    return [name for name in sorted({*before, *now}) if not _same(before.get(name), now.get(name))]


def _same(before: Json, now: Json) -> bool:
    """Say whether two values are the same to a cache key: 1, 1.0 and True are three, as in JSON."""
    if isinstance(before, str) and isinstance(now, str):
        return before == now
    return json.dumps(before, sort_keys=True) == json.dumps(now, sort_keys=True)


def differences(before: CacheKey, now: CacheKey) -> tuple[Difference, ...]:
    """Return every ingredient that differs, with diffs of the code."""
    return tuple(
        Difference(name, before.ingredients.get(name), now.ingredients.get(name), _diff(name, before, now))
        for name in changed(before.ingredients, now.ingredients)
    )


def explain(before: Mapping[str, Json], now: Mapping[str, Json]) -> str:
    """Say in one line why a step isn't reused, from the ingredients of an earlier execution and of today."""
    if not before:
        return "its earlier key can't be read"
    names = changed(before, now)
    if not names:
        return "its earlier result is gone"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return str(Difference(names[0], before.get(names[0]), now.get(names[0]))) + more


def _diff(ingredient: str, before: CacheKey, now: CacheKey) -> str:
    if not ingredient.startswith("code:"):
        return ""
    symbol = ingredient.removeprefix("code:")
    then, today = (key.sources.get(str(key.ingredients.get(ingredient)), "") for key in (before, now))
    lines = difflib.unified_diff(
        then.splitlines(), today.splitlines(), f"{symbol} (before)", f"{symbol} (now)", lineterm=""
    )
    return "\n".join(lines)


def _place(before: Json, now: Json) -> tuple[str, Json, Json]:
    """Return where in a value the only difference is, such as ".layers[1]", and what stands there; "" for the whole."""
    then, today = _parts(before), _parts(now)
    names = changed(then, today)
    if len(names) != 1 or not (then and today):
        return "", before, now
    path, *values = _place(then.get(names[0]), today.get(names[0]))
    return names[0] + path, values[0], values[1]


def _parts(value: Json) -> dict[str, Json]:
    """Return what a value holds by its place in it: ".name" or "[0]"."""
    if isinstance(value, Mapping):
        return {f".{name}": item for name, item in value.items()}
    return {f"[{index}]": item for index, item in enumerate(value)} if isinstance(value, list) else {}


def _failed(outcome: str) -> bool:
    try:
        with open(outcome, "rb") as file:
            state: str = msgspec.json.decode(file.read())["state"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return False
    return state == FAILED


def _short(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

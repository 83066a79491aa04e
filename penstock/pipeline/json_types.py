"""JSON values against the JSON schema of a run parameter's type: what fits, and what typed text means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = Any
Schema = Mapping[str, Json]


def kinds(schema: Schema) -> frozenset[str]:
    """Return the JSON types that a schema allows, such as {"integer", "null"}; none when it doesn't say."""
    return _kinds(schema, schema)


def read(text: str, schema: Schema) -> Json:
    """Read a value as it is typed: text where only text is wanted, else JSON where it is of a type that is wanted."""
    wanted = kinds(schema)
    if wanted == {"string"}:
        return text
    try:
        value = json.loads(text.lower() if "boolean" in wanted and text.lower() in ("true", "false") else text)
    except ValueError:
        return text
    return value if _fits(value, wanted) or "string" not in wanted else text


def mismatch(value: Json, schema: Schema) -> str | None:
    """Say what is wrong with a value, such as "is of type integer, got 'ten'"; None when it fits."""
    return _mismatch(value, schema, schema)


def _mismatch(value: Json, part: Schema, whole: Schema) -> str | None:
    part = _resolved(part, whole)
    if "enum" in part:
        return None if value in part["enum"] else f"is one of {', '.join(map(repr, part['enum']))}, got {value!r:.60}"
    wanted = _kinds(part, whole)
    if not _fits(value, wanted):
        return f"is of type {' or '.join(sorted(wanted))}, got {value!r:.60}"
    arms = [_resolved(arm, whole) for arm in part.get("anyOf", [part])]
    fitting = [arm for arm in arms if _fits(value, _kinds(arm, whole))]
    problems = [_inner_mismatch(value, arm, whole) for arm in fitting]
    return problems[0] if problems and all(problems) else None


def _inner_mismatch(value: Json, part: Schema, whole: Schema) -> str | None:
    """Look into the items of a list and the fields of an object."""
    if isinstance(value, list) and isinstance(part.get("items"), Mapping):
        inner = [(f"item {index}", item, part["items"]) for index, item in enumerate(value)]
    elif isinstance(value, Mapping):
        missing = [name for name in part.get("required", ()) if name not in value]
        if missing:
            return f"needs {', '.join(missing)}, got {value!r:.60}"
        fields = part.get("properties", {})
        inner = [(repr(name), value[name], fields[name]) for name in fields if name in value]
    else:
        inner = []
    found = ((place, _mismatch(item, schema, whole)) for place, item, schema in inner)
    return next((f"{problem} as {place}" for place, problem in found if problem), None)


def _resolved(part: Schema, whole: Schema) -> Schema:
    if "$ref" not in part:
        return part
    found: Schema = whole["$defs"][part["$ref"].rsplit("/", 1)[-1]]
    return found


def _kinds(part: Schema, whole: Schema) -> frozenset[str]:
    part = _resolved(part, whole)
    if "enum" in part:
        return frozenset(map(_kind_of, part["enum"]))
    if "anyOf" in part:
        return frozenset().union(*(_kinds(arm, whole) for arm in part["anyOf"]))
    return frozenset([part["type"]]) if "type" in part else frozenset()


def _kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    exact = {str: "string", int: "integer", float: "number", type(None): "null", dict: "object"}
    return exact.get(type(value), "array")


def _fits(value: Json, wanted: frozenset[str]) -> bool:
    found = _kind_of(value)
    return not wanted or found in wanted or (found == "integer" and "number" in wanted)

"""Parameter values: into JSON with tokens at compile time, out of it with real values at run time.

A value fits the JSON schema of its type or it is refused, and so is text that is typed for it.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from penstock.pipeline.annotations import Secret
from penstock.pipeline.channel import TOKEN, Channel, Promise, RunParameter
from penstock.pipeline.errors import ParameterError, closest, listing, nearest
from penstock.pipeline.loop_item import ITEM_TOKEN, LoopItem, place_of
from penstock.pipeline.plan import Binding, Json, RunParameterPlan
from penstock.pipeline.predicate import COMPARISONS, Operand, Predicate

TOKEN_KEYS = ("$run", "$value", "$secret", "$item")
Schema = Mapping[str, Json]


def to_json(value: Any) -> Json:
    """Turn a parameter's value into JSON; promises become tokens.

    Raises:
        TypeError: A value in it has no JSON form.
    """
    return msgspec.to_builtins(_with_tokens(value), enc_hook=_no_json_form, order="deterministic")


def _with_tokens(value: Any) -> Any:
    if isinstance(value, RunParameter | Channel | Secret | LoopItem):
        return _token(value)
    if isinstance(value, Predicate | Operand):
        return _condition(value)
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a dict with the key {key!r}; JSON objects have text keys")
            if key.startswith("$"):
                raise TypeError(f"a dict with the key {key!r}; keys that begin with '$' are reserved")
        return {key: _with_tokens(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_tokens(item) for item in value]
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: _with_tokens(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def _token(value: RunParameter | Channel | Secret | LoopItem) -> Json:
    if isinstance(value, LoopItem):
        place = place_of(value)
        return {"$item": {"node": place.loop.id, "path": list(place.path)}}
    if isinstance(value, Channel):
        return {"$value": {"node": value.node.id, "output": value.output} | ({"many": True} if value.many else {})}
    return {"$run" if isinstance(value, RunParameter) else "$secret": value.name}


def _condition(value: Predicate | Operand) -> Json:
    if isinstance(value, Operand):
        token = _with_tokens(value.source)
        return {"$property": {**token["$value"], "name": value.name}} if value.name else token
    of = [_with_tokens(each) for each in value.of]
    return {"op": value.op, "left": of[0], "right": of[1]} if value.op in COMPARISONS else {"op": value.op, "of": of}


def _no_json_form(value: Any) -> Any:
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.tolist()  # scalars and arrays alike; numpy itself is never imported here
    raise TypeError(f"{_name(value)}, which has no JSON form")


def _name(value: Any) -> str:
    if inspect.isroutine(value):
        return f"the function {value.__qualname__}"
    return f"a value of type {type(value).__module__}.{type(value).__qualname__}"


def promises_in(value: object) -> list[Promise]:
    """Return all promises in an argument, at any depth."""
    if isinstance(value, Promise):
        return [value]
    if isinstance(value, Mapping):
        items = list(value.values())
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        items = [getattr(value, name) for name in value.__dataclass_fields__]
    else:
        items = list(value) if isinstance(value, list | tuple) else []
    return [promise for item in items for promise in promises_in(item)]


def has_tokens(value: Json) -> bool:
    """Say whether a JSON value waits for something that only the run knows."""
    if isinstance(value, Mapping):
        return any(key in value for key in TOKEN_KEYS) or any(has_tokens(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_tokens(item) for item in value)
    return isinstance(value, str) and (TOKEN.search(value) or ITEM_TOKEN.search(value)) is not None


def leading_run_parameter(path: Json) -> str | None:
    """Return the run parameter that a path is or begins with, None when it begins with plain text."""
    if isinstance(path, Mapping):
        return path.get("$run")
    found = TOKEN.match(path) if isinstance(path, str) else None
    return found[1] if found else None


def substitute(value: Json, run: Mapping[str, Json], values: Callable[[Binding], Json]) -> Json:
    """Replace the tokens by the run's parameters and by value outputs; secrets stay tokens.

    Args:
        value: JSON with tokens.
        run: The run's parameters by name.
        values: Returns the value of an output that is already made.
    """
    if isinstance(value, Mapping):
        if "$run" in value:
            return run[value["$run"]]
        if "$value" in value:
            return values(msgspec.convert(value["$value"], Binding))
        return {key: substitute(item, run, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [substitute(item, run, values) for item in value]
    if isinstance(value, str):
        return TOKEN.sub(lambda match: as_text(run[match[1]]), value)
    return value


def as_text(value: Json) -> str:
    """Return how a value stands inside a string."""
    return value if isinstance(value, str) else json.dumps(value)


def convert(value: Json, annotation: Any) -> Any:
    """Turn substituted JSON into what the component's annotation asks for.

    Raises:
        msgspec.ValidationError: The value doesn't fit.
    """
    return msgspec.convert(value, annotation, dec_hook=_decode)


def _decode(kind: type, value: Any) -> Any:
    if issubclass(kind, pathlib.PurePath) and isinstance(value, str):
        return kind(value)
    if isinstance(value, kind):
        return value
    raise msgspec.ValidationError(f"Expected `{kind.__name__}`, got `{type(value).__name__}`")


@dataclass(frozen=True)
class RunParameters:
    """The run parameters of one pipeline, as its plan declares them."""

    pipeline: str
    declared: tuple[RunParameterPlan, ...]

    def resolve(self, given: Mapping[str, Json], base: str | None = None) -> dict[str, Json]:
        """Check given values, bring them into the form of their types and add the defaults.

        Args:
            given: Values by name.
            base: The folder that given relative paths are relative to; None keeps them as they are.

        Raises:
            ParameterError: A name is unknown, a value is missing or of the wrong type.
        """
        known = {parameter.name: parameter for parameter in self.declared}
        for name in given:
            if name not in known:
                raise ParameterError(
                    f"Pipeline {self.pipeline!r} has no parameter {name!r}.{nearest(name, known)} "
                    f"It takes: {listing(known)}."
                )
        missing = [name for name, parameter in known.items() if parameter.required and name not in given]
        if missing:
            raise ParameterError(
                f"Pipeline {self.pipeline!r} needs a value for {listing(missing)}. Pass it with -p {missing[0]}=VALUE."
            )
        values = {name: given.get(name, parameter.default) for name, parameter in known.items()}
        for name in given:
            check_json(self.pipeline, known[name], values[name])
            values[name] = as_declared(values[name], known[name].json_schema)
            if known[name].path and base is not None:
                values[name] = absolute(values[name], base)
        return values

    def parse(self, assignments: Iterable[str]) -> dict[str, Json]:
        """Read "name=value" texts: text parameters as they stand, others as JSON.

        Raises:
            ParameterError: An assignment has no "=", or a value isn't of the parameter's type.
        """
        schemas = {parameter.name: parameter.json_schema for parameter in self.declared}
        given: dict[str, Json] = {}
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise ParameterError(f"-p takes name=value, got {assignment!r}. It takes: {listing(schemas)}.")
            given[name] = read(text, schemas.get(name, {}))
        return given


def check_json(pipeline: str, parameter: RunParameterPlan, value: Json) -> None:
    """Check a run parameter's value against its type.

    Raises:
        ParameterError: It doesn't fit.
    """
    problem = mismatch(value, parameter.json_schema)
    if problem:
        end = "" if problem.endswith("?") else "."
        raise ParameterError(f"Parameter {parameter.name!r} of pipeline {pipeline!r} {problem}{end}")


def absolute(value: Json, base: str) -> Json:
    """Return a local path joined to `base`; URLs and absolute paths stay as they are."""
    if not isinstance(value, str) or "://" in value:
        return value
    return os.path.normpath(os.path.join(base, os.path.expanduser(value)))


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
        if "number" not in wanted or "string" in wanted:
            return text
        try:
            value = float(text)  # "nan" and "inf" are numbers, if none that can be used
        except ValueError:
            return text
    return value if _fits(value, wanted) or "string" not in wanted else text


def mismatch(value: Json, schema: Schema) -> str | None:
    """Say what is wrong with a value, such as "is of type integer, got 'ten'"; None when it fits."""
    odd = not_finite(value)
    return _mismatch(value, schema, schema) if odd is None else f"takes finite numbers, got {odd}"


def not_finite(value: Json) -> float | None:
    """Return a NaN or infinity in a value, which JSON can't carry; None when there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((odd for odd in map(not_finite, items) if odd is not None), None)


def as_declared(value: Json, schema: Schema) -> Json:
    """Return a value that fits in the one form its type has: 1 for a float is 1.0, fields left out get their defaults.

    What is the same to the component is so in texts that it stands in and in cache keys, however it was written.
    """
    return _as_declared(value, schema, schema)


def _as_declared(value: Json, part: Schema, whole: Schema) -> Json:
    part = _resolved(part, whole)
    if "anyOf" in part:
        arms = sorted(part["anyOf"], key=lambda arm: _kind_of(value) not in _kinds(arm, whole))
        fitting = (arm for arm in arms if _mismatch(value, arm, whole) is None)
        return _as_declared(value, next(fitting, {}), whole)
    if isinstance(value, list | tuple):
        first, rest = part.get("prefixItems", []), part.get("items") or {}
        return [_as_declared(item, [*first, *[rest] * len(value)][index], whole) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        fields, rest = part.get("properties", {}), part.get("additionalProperties") or {}
        full = {name: value.get(name, field.get("default")) for name, field in fields.items()}
        kept = {name: item for name, item in full.items() if name in value or "default" in fields[name]}
        kept |= value
        return {name: _as_declared(item, fields.get(name, rest), whole) for name, item in kept.items()}
    return float(value) if _kind_of(value) == "integer" and part.get("type") == "number" else value


def _mismatch(value: Json, part: Schema, whole: Schema) -> str | None:
    part = _resolved(part, whole)
    if "enum" in part:
        if value in part["enum"]:
            return None
        close = closest(value, filter(_is_text, part["enum"])) if _is_text(value) else None
        meant = f". Did you mean {close!r}?" if close else ""
        return f"is one of {', '.join(map(repr, part['enum']))}, got {value!r:.60}{meant}"
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


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    exact = {str: "string", int: "integer", float: "number", type(None): "null", dict: "object"}
    return exact.get(type(value), "array")


def _fits(value: Json, wanted: frozenset[str]) -> bool:
    found = _kind_of(value)
    return not wanted or found in wanted or (found == "integer" and "number" in wanted)

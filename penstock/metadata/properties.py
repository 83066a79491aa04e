"""Property values to and from ML Metadata, without loss.

ML Metadata keeps 6 digits of a float, cuts strings at a NUL, refuses NaN and infinities, and has no lists. So what it
can't carry exactly is written as JSON text, and the artifact lists the names of such properties (``JSON_NAMES``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from penstock.metadata.errors import StoreError

RESERVED = "penstock:"
JSON_NAMES = RESERVED + "json"
KINDS: dict[type, int] = {
    int: metadata_store_pb2.INT,
    float: metadata_store_pb2.DOUBLE,
    str: metadata_store_pb2.STRING,
    list: metadata_store_pb2.STRING,  # JSON text, as TFX keeps split_names
    dict: metadata_store_pb2.STRING,
}
_FIELD_OF_KIND = {
    metadata_store_pb2.INT: "int_value",
    metadata_store_pb2.DOUBLE: "double_value",
    metadata_store_pb2.STRING: "string_value",
    metadata_store_pb2.BOOLEAN: "bool_value",
}
_CLASSES_OF_KIND: dict[int, tuple[type, ...]] = {
    metadata_store_pb2.INT: (int,),
    metadata_store_pb2.DOUBLE: (int, float),
    metadata_store_pb2.STRING: (object,),
    metadata_store_pb2.BOOLEAN: (int,),
}
_INT64 = range(-(2**63), 2**63)
_EXACT_IN_FLOAT = range(-(2**53), 2**53)
_FLOAT_LIMITS = (1e-290, 1e290)


def write_properties(artifact: Any, properties: Mapping[str, Any], kinds: Mapping[str, int]) -> None:
    """Set an artifact proto's properties (declared ones, in ``kinds``) and custom properties (the others).

    Raises:
        StoreError: A name is reserved, a value isn't JSON, or isn't what the type declares.
    """
    as_json: list[str] = []
    for name, value in properties.items():
        if name.startswith(RESERVED):
            raise StoreError(
                f"Property {name!r} of {artifact.type or 'an artifact'} is refused: names that begin with "
                f"{RESERVED!r} are the store's own. Use another name."
            )
        if _write(artifact, name, value, kinds.get(name)):
            as_json.append(name)
    if as_json:
        artifact.custom_properties[JSON_NAMES].string_value = json.dumps(as_json)


def read_properties(artifact: Any) -> dict[str, Any]:
    """Give an artifact proto's properties as they were written, without the store's own."""
    values = {name: _plain(value) for name, value in artifact.properties.items()}
    for name, value in artifact.custom_properties.items():
        if not name.startswith(RESERVED):
            values[name] = _plain(value)
    if JSON_NAMES in artifact.custom_properties:
        for name in json.loads(artifact.custom_properties[JSON_NAMES].string_value):
            values[name] = json.loads(values[name])
    return values


def _write(artifact: Any, name: str, value: Any, kind: int | None) -> bool:
    """Set one property; True when its text is JSON."""
    field = _exact_field(value)
    if kind == metadata_store_pb2.DOUBLE and isinstance(value, int):
        field = "double_value" if value in _EXACT_IN_FLOAT and _is_short(value) else None
    if kind is not None and kind in _FIELD_OF_KIND and value is not None:
        _check_kind(artifact, name, value, kind)
        if kind == metadata_store_pb2.STRING and field != "string_value":
            artifact.properties[name].string_value = _to_json(artifact, name, value)
            return True
        if field is not None:
            # A bool in a declared int is 0 or 1; protobuf would refuse it as it is.
            exact = int(value) if kind == metadata_store_pb2.INT else value
            setattr(artifact.properties[name], _FIELD_OF_KIND[kind], exact)
            return False
        if isinstance(value, float) and math.isfinite(value):
            artifact.properties[name].double_value = value  # rounded, for other readers; ours is the JSON below
    if field is not None:
        setattr(artifact.custom_properties[name], field, value)
        return False
    artifact.custom_properties[name].string_value = _to_json(artifact, name, value)
    return True


def _exact_field(value: Any) -> str | None:
    """The field of an ML Metadata value that carries this one exactly, or None."""
    if isinstance(value, bool):
        return "bool_value"
    if isinstance(value, int):
        return "int_value" if value in _INT64 else None
    if isinstance(value, float):
        return "double_value" if _is_short(value) else None
    if isinstance(value, str):
        return "string_value" if "\0" not in value and _is_utf8(value) else None
    return None


def _is_short(value: float) -> bool:
    low, high = _FLOAT_LIMITS
    return value == 0.0 or (low < abs(value) < high and float(f"{value:.6g}") == value)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates
        return False
    return True


def _check_kind(artifact: Any, name: str, value: Any, kind: int) -> None:
    if not isinstance(value, _CLASSES_OF_KIND[kind]):
        declared = metadata_store_pb2.PropertyType.Name(kind)
        raise StoreError(
            f"Property {name!r} of {artifact.type} is declared as {declared}, "
            f"got {type(value).__name__} {str(value)[:40]!r}. Set a value of the declared type."
        )


def _to_json(artifact: Any, name: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"Property {name!r} of {artifact.type or 'an artifact'} is no JSON value: {error}. "
            f"Use numbers, strings, lists and dicts (int(x), float(x), x.tolist() for numpy)."
        ) from error


def _plain(value: Any) -> Any:
    field = value.WhichOneof("value")
    return None if field is None else getattr(value, field)

"""The change of a schema by which an anomaly could be accepted, as text to follow in an editor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import Message

from penstock.components.validation.anomalies import Anomaly
from penstock.components.validation.domain_rules import MAX_EXAMPLES, shortened
from penstock.components.validation.draft import Draft


def patch_lines(anomaly: Anomaly) -> list[str]:
    """Return what to change for the data to fit: at most a line about the feature and one about its domain."""
    if anomaly.withdrawn:
        return [f"in {kind} {anomaly.name!r} set lifecycle_stage: DEPRECATED" for kind in anomaly.withdrawn]
    if anomaly.after is None:
        return []
    if anomaly.before is None:
        return ["add " + _addition(anomaly.after)]
    before, after = _fields(anomaly.before.feature), _fields(anomaly.after.feature)
    changes = ", ".join(dict.fromkeys(_changes(before, after)))
    lines = [f"in feature {anomaly.name!r} {changes}"] if changes else []
    return lines + list(_domain_changes(anomaly.before, anomaly.after))


def _addition(draft: Draft) -> str:
    feature = f"feature {{ {_one_line(draft.feature)} }}"
    if draft.domain is None:
        return feature
    return f"{feature} and string_domain {{ name: {_quoted(draft.domain.name)} {_values(list(draft.domain.value))} }}"


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield f"remove {_outermost_gone(path, after)}"
        elif path not in before:
            yield f"set {path}: {_shown(after[path])}"
        elif before[path] != after[path]:
            if path.endswith("domain.value"):
                yield f"add to {path}: {_added(before[path], after[path])}"
            else:
                yield f"set {path}: {_shown(after[path])} (now {_shown(before[path])})"


def _outermost_gone(path: str, after: dict[str, Any]) -> str:
    steps = path.split(".")
    for length in range(1, len(steps)):
        outer = ".".join(steps[:length])
        if not any(left.startswith(outer + ".") for left in after):
            return outer
    return path


def _domain_changes(before: Draft, after: Draft) -> Iterator[str]:
    if before.domain is not None and after.domain is not None and before.domain.value != after.domain.value:
        yield (
            f"in string_domain {_quoted(before.domain.name)} add "
            f"{_added(list(before.domain.value), list(after.domain.value))}"
        )


def _fields(message: Message, prefix: str = "") -> dict[str, Any]:
    """Return the leaves that are set, by dotted path; a repeated field is one leaf."""
    leaves: dict[str, Any] = {}
    for field, value in message.ListFields():
        path = prefix + field.name
        if isinstance(value, Message):
            leaves |= _fields(value, path + ".") or {path: "{}"}
        elif field.enum_type is not None and isinstance(value, int):
            leaves[path] = field.enum_type.values_by_number[value].name
        elif isinstance(value, str | bytes | int | float):
            leaves[path] = value
        else:
            leaves[path] = list(value)
    return leaves


def _added(before: list[Any], after: list[Any]) -> str:
    return _values([value for value in after if value not in set(before)])


def _values(values: list[Any]) -> str:
    shown = " ".join(f"value: {_quoted(value)}" for value in values[:MAX_EXAMPLES])
    left = len(values) - MAX_EXAMPLES
    return f"{shown} and {left} more" if left > 0 else shown


def _shown(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(_shown(each) for each in value[:MAX_EXAMPLES])
        return f"[{shown}]" if len(value) <= MAX_EXAMPLES else f"[{shown}, …]"
    if isinstance(value, Message):
        return "{ " + _one_line(value) + " }"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_line(message: Message) -> str:
    return str(text_format.MessageToString(message, as_one_line=True))


def _quoted(value: str) -> str:
    return json.dumps(shortened(value), ensure_ascii=False)

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
        place = f"in the struct_domain of feature {'.'.join(anomaly.path[:-1])!r} " if anomaly.path else ""
        return [f"{place}add {_addition(anomaly.after)}"]
    changes = ", ".join(change_words(fields_of(anomaly.before.feature), fields_of(anomaly.after.feature)))
    lines = [f"in feature {anomaly.name!r} {changes}"] if changes else []
    return lines + list(_domain_changes(anomaly.before, anomaly.after))


def _addition(draft: Draft) -> str:
    feature = f"feature {{ {one_line(draft.feature)} }}"
    if draft.domain is None:
        return feature
    return f"{feature} and string_domain {{ name: {_quoted(draft.domain.name)} {_values(list(draft.domain.value))} }}"


def change_words(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return how to get from one message's fields to another's, such as "set type: BYTES (now FLOAT)"."""
    return list(dict.fromkeys(_changes(before, after)))


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield f"remove {_outermost_gone(path, after)}"
        elif path not in before:
            yield f"set {path}: {_shown(after[path])}"
        elif before[path] != after[path]:
            if isinstance(before[path], list) and isinstance(after[path], list):
                yield from _list_changes(path, before[path], after[path])
            else:
                yield f"set {path}: {_shown(after[path])} (now {_shown(before[path])})"


def _list_changes(path: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    if not all(isinstance(value, str) for value in (*before, *after)):
        yield f"set {path}: {_shown(after)} (now {_shown(before)})"
        return
    if set(after) - set(before):
        yield f"add to {path}: {_added(before, after)}"
    if set(before) - set(after):
        yield f"remove from {path}: {_added(after, before)}"


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


def fields_of(message: Message, prefix: str = "") -> dict[str, Any]:
    """Return the leaves that are set, by dotted path; a repeated field is one leaf."""
    leaves: dict[str, Any] = {}
    for field, value in message.ListFields():
        path = prefix + field.name
        if isinstance(value, Message):
            leaves |= fields_of(value, path + ".") or {path: "{}"}
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
        return "{ " + one_line(value) + " }"
    return f"{value:g}" if isinstance(value, float) else str(value)


def one_line(message: Message) -> str:
    """Return a message in text format, in one line."""
    return str(text_format.MessageToString(message, as_one_line=True))


def _quoted(value: str) -> str:
    return json.dumps(shortened(value), ensure_ascii=False)

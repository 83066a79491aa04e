"""What a step has made: value outputs, artifacts digested where they lie, their manifests."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from penstock.data import files
from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import parameters
from penstock.pipeline.definition import SINGLE_VALUE, ComponentSpec, load_symbol
from penstock.pipeline.errors import UserCodeError, listing
from penstock.pipeline.task import OutputInfo, Task, TaskOutput

VALUE_FILE = "value.json"


def values_of(task: Task, spec: ComponentSpec, returned: Any) -> dict[str, Any]:
    """Return the value outputs in what a component's function returned, as JSON values by name.

    Raises:
        UserCodeError: Something else was returned than is declared.
    """
    if not spec.values:
        if returned is not None:
            raise UserCodeError(
                f"{spec.name}() returned {returned!r:.60} and declares no value, so it would be lost. Annotate what it "
                f"returns (-> {type(returned).__name__}), or return nothing."
            )
        return {}
    single = list(spec.values) == [SINGLE_VALUE]
    if not single and not hasattr(returned, "_asdict"):
        raise UserCodeError(
            f"{spec.name}() declares that it returns a NamedTuple of {listing(spec.values)}, and returned "
            f"{returned!r:.60}."
        )
    named = {SINGLE_VALUE: returned} if single else returned._asdict()
    checked: dict[str, Any] = {}
    for name, annotation in spec.values.items():
        try:
            plain = parameters.to_json(named.get(name))
            checked[name] = parameters.to_json(parameters.convert(plain, annotation))
            json.dumps(checked[name], allow_nan=False)
        except (TypeError, ValueError) as error:  # msgspec's are ValueErrors
            raise UserCodeError(
                f"{spec.name}() declares that it returns {name}: {inspect.formatannotation(annotation)}, "
                f"and returned {named.get(name)!r:.60} ({error})."
            ) from None
    return checked


def write_value(task: Task, name: str, value: Any) -> OutputInfo:
    """Write a value output as an artifact of its own, and digest it."""
    os.makedirs(task.outputs[name].path, exist_ok=True)
    with open(os.path.join(task.outputs[name].path, VALUE_FILE), "w", encoding="utf-8") as file:
        json.dump(value, file, sort_keys=True)
    return finish(task, name, {"value": value})


def finish(task: Task, name: str, properties: Mapping[str, Any]) -> OutputInfo:
    """Digest one output where it lies and write its manifest."""
    output = task.outputs[name]
    if not os.path.exists(output.path) or (os.path.isdir(output.path) and not os.listdir(output.path)):
        raise UserCodeError(
            f"{task.step} left its output {name!r} empty. Write files into {name}.path, a folder made for it."
        )
    entries = files.hash_tree(output.path)
    in_folder = os.path.isdir(output.path)
    return OutputInfo(
        type=output.type,
        digest=_digest(output, entries),
        bytes_digest=files.write_manifest(output.path, entries) if in_folder else entries[0].sha256,
        properties=_properties(task, name, properties),
        bytes=sum(entry.size for entry in entries),
        files=len(entries),
    )


def _properties(task: Task, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = parameters.to_json(dict(properties))
    except TypeError as error:
        raise UserCodeError(
            f"{task.step} sets {name}.properties to what JSON can't carry: {error}. Use numbers, text, lists and dicts."
        ) from None
    return plain


def _digest(output: TaskOutput, entries: list[files.FileHash]) -> str:
    if output.digest == Artifact.DIGEST:
        return files.digest_entries(entries)
    try:
        found: str = load_symbol(output.digest)(output.path)
    except Exception as error:
        raise UserCodeError(f"What lies at {output.path} is no valid {output.type}: {error}") from error
    return found


def salvage(task: Task, made: Mapping[str, Artifact]) -> dict[str, OutputInfo]:
    """Digest what a refusing gate has written, so that it can be looked at."""
    salvaged: dict[str, OutputInfo] = {}
    for name, artifact in made.items():
        with suppress(UserCodeError):  # what isn't whole isn't published; the refusal itself counts
            salvaged[name] = finish(task, name, artifact.properties)
    return salvaged


def import_outside(task: Task) -> dict[str, OutputInfo]:
    """Digest an artifact from outside where it lies."""
    name, output = next(iter(task.outputs.items()))
    entries = files.hash_tree(output.path)
    info = OutputInfo(
        type=output.type,
        digest=_digest(output, entries),
        bytes_digest=files.digest_entries(entries),
        uri=output.path,
        properties=task.parameters,
        bytes=sum(entry.size for entry in entries),
        files=len(entries),
    )
    return {name: info}

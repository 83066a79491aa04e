"""What a step has made: value outputs, artifacts digested where they lie, their manifests."""

from __future__ import annotations

import inspect
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from penstock.data import files
from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import parameters
from penstock.pipeline.definition import SINGLE_VALUE, ComponentSpec, load_symbol
from penstock.pipeline.errors import MAX_FAILURES, UserCodeError, listing
from penstock.pipeline.task import OutputInfo, Task, TaskOutput
from penstock.runners.secrecy import refuse_secrets

VALUE_FILE = "value.json"
LARGEST_VALUE = 1_000_000
"""Bytes of JSON that a value or a property may take: the metadata store holds them, and every reader of it."""


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
            size = _json_bytes(checked[name], allow_nan=False)
        except (TypeError, ValueError) as error:  # msgspec's are ValueErrors
            raise UserCodeError(
                f"{spec.name}() declares that it returns {name}: {inspect.formatannotation(annotation)}, "
                f"and returned {named.get(name)!r:.60} ({error})."
            ) from None
        refuse_secrets(task, f"returns {name!r}", checked[name])
        if size > LARGEST_VALUE:
            raise UserCodeError(
                f"{spec.name}() returned {size / 1e6:,.1f} MB as {name}: a value is kept in the metadata store, so it "
                f"takes {LARGEST_VALUE / 1e6:.0f} MB at most. Write it to a file instead: declare an output "
                f"({_free_name(spec)}: Output[Artifact]) and write into {_free_name(spec)}.path."
            )
    return checked


def _json_bytes(value: Any, *, allow_nan: bool) -> int:
    """Return how long a value is as JSON.

    Raises:
        ValueError: It holds what JSON or UTF-8 can't carry: NaN, infinity, half of a surrogate pair.
    """
    return len(json.dumps(value, allow_nan=allow_nan, ensure_ascii=False).encode())


def _free_name(spec: ComponentSpec) -> str:
    taken = {*spec.inputs, *spec.outputs, *spec.parameters}
    return next(name for name in ("data", "result", "output", "written") if name not in taken)


def write_value(task: Task, name: str, value: Any) -> OutputInfo:
    """Write a value output as an artifact of its own, and digest it."""
    os.makedirs(task.outputs[name].path, exist_ok=True)
    with open(os.path.join(task.outputs[name].path, VALUE_FILE), "w", encoding="utf-8") as file:
        json.dump(value, file, sort_keys=True)
    return finish(task, name, {"value": value})


def finish(task: Task, name: str, properties: Mapping[str, Any]) -> OutputInfo:
    """Digest one output where it lies and write its manifest.

    Raises:
        UserCodeError: It is empty, or holds what can't be kept.
    """
    output = task.outputs[name]
    _check_contents(task, name)
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
        sizes = {key: _json_bytes(value, allow_nan=True) for key, value in plain.items()}
    except (TypeError, ValueError) as error:
        raise UserCodeError(
            f"{task.step} sets {name}.properties to what JSON can't carry: {error}. Use numbers, text, lists and dicts."
        ) from None
    for key, value in plain.items():
        refuse_secrets(task, f"sets {name}.properties[{key!r}]", {key: value})
    key = max(sizes, key=sizes.__getitem__, default="")
    if key and sizes[key] > LARGEST_VALUE:
        raise UserCodeError(
            f"{task.step} sets {name}.properties[{key!r}] to {sizes[key] / 1e6:,.1f} MB: a property is kept in the "
            f"metadata store, so it takes {LARGEST_VALUE / 1e6:.0f} MB at most. Write it into {name}.path instead."
        )
    for odd in (each for each, value in plain.items() if parameters.not_finite(value) is not None):
        logging.getLogger(__name__).warning(
            "%s.properties[%r] holds %s, which JSON can't carry: None is recorded in its place.",
            name, odd, parameters.not_finite(plain[odd]),
        )  # fmt: skip
    return plain


def _check_contents(task: Task, name: str) -> None:
    """See to it that an output lasts by itself; its links are made relative, since it is moved as a whole.

    Raises:
        UserCodeError: It holds pipes, sockets or devices, or links that lead elsewhere, nowhere or back up.
    """
    folder, own = os.path.split(task.outputs[name].path)
    home = os.path.join(os.path.realpath(folder), own)
    problems = list(_unfit(home, home))
    if problems:
        more = f" and {len(problems) - MAX_FAILURES} more" if len(problems) > MAX_FAILURES else ""
        raise UserCodeError(
            f"{task.step} left in its output {name!r}: {'; '.join(problems[:MAX_FAILURES])}{more}. An output holds "
            f"files, folders and links to what is inside it, so that it lasts when all else is gone. Copy what a link "
            f"leads to: shutil.copy(...), shutil.copytree(...)."
        )


def _unfit(path: str, home: str) -> Iterator[str]:
    """Yield what can't be kept of an output that lies at `home`, at a path in it and below."""
    told = os.path.basename(home) if path == home else os.path.relpath(path, home)
    if os.path.islink(path):
        problem = _link_problem(path, home)
        if problem:
            yield f"{told}, a link to {os.readlink(path)!r}, {problem}"
    elif os.path.isdir(path):
        with os.scandir(path) as entries:
            inner = sorted(entry.path for entry in entries if entry.is_symlink() or not entry.is_file())
        for each in inner:
            yield from _unfit(each, home)
    elif os.path.exists(path):
        kind = files.odd_kind(os.stat(path).st_mode)
        if kind:
            yield f"{told}, a {kind}"


def _link_problem(path: str, home: str) -> str:
    """Say what is wrong with a link, "" when nothing is; a good one is made relative."""
    folder, target = os.path.realpath(os.path.dirname(path)), os.path.realpath(path)
    if not os.path.exists(path):
        return "which isn't there"
    if f"{folder}{os.sep}".startswith(target + os.sep):
        return "a folder above it"
    if not target.startswith(home + os.sep):
        return "outside of it"
    inside = os.path.relpath(target, folder)
    if os.readlink(path) != inside:
        os.unlink(path)
        os.symlink(inside, path)
    return ""


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

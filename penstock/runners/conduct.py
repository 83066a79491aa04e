"""How a step has behaved: what it did to its inputs, and what it left where nothing of its own belongs."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from penstock.data import files
from penstock.pipeline.errors import MAX_FAILURES, PlatformError, UserCodeError, listing
from penstock.pipeline.parameters import absolute
from penstock.pipeline.task import Failure, Task, TaskArtifact
from penstock.runners.layout import KEY, OUTCOME
from penstock.runners.seal import alterations

SHA256_LENGTH = 64
ALTERED = "altered its input"
REPAIR = "What was altered is made again by the next run"


def check_input(task: Task, name: str, given: TaskArtifact) -> Mapping[str, files.Stamp]:
    """See to it that a step is given what was published.

    Returns:
        The stamps of its files.

    Raises:
        PlatformError: The files were altered since.
    """
    found = files.stamps(given.path)
    published = len(given.bytes_digest) == SHA256_LENGTH  # an importer's artifact lies outside, and isn't
    problems = alterations(given.path, given.bytes_digest, found) if published else []
    if problems:
        raise PlatformError(
            f"{task.step} can't use its input {name!r}, which was altered after it was published: {problems[0]} "
            f"It lies at {given.path}. {REPAIR}."
        )
    return found


def tell_in_log(task: Task, failure: Failure) -> None:
    """Write into a step's log why it has failed: whoever looks there first finds it."""
    told = failure.traceback or f"{failure.type}: {failure.message}"
    with suppress(OSError), open(task.log, "a", encoding="utf-8", errors="backslashreplace") as log:  # a full disk
        log.write(told.rstrip("\n") + "\n")


def judge(task: Task, inputs: Mapping[tuple[str, str], Mapping[str, files.Stamp]], names: Collection[str]) -> None:
    """Compare what a step has left with what it found.

    Args:
        task: The step.
        inputs: The stamps of each input's files by (input, path), as they were.
        names: What the working directory held.

    Raises:
        UserCodeError: It has altered an input, or left files beside its outputs.
    """
    complaints = [*_altered(task, inputs), *_beside_outputs(task), *_in_final_place(task)]
    appeared = sorted(_appeared(task, names))
    if appeared:
        logging.getLogger(__name__).warning(
            "While the step ran, %s appeared in the working directory %s; files there are neither kept nor recorded.",
            listing(appeared),
            task.code_root,
        )
    if complaints:
        raise UserCodeError(" ".join(complaints))


def _altered(task: Task, inputs: Mapping[tuple[str, str], Mapping[str, files.Stamp]]) -> Iterator[str]:
    for (name, path), then in inputs.items():
        changes = list(_changes(then, files.stamps(path), os.path.basename(path)))
        if changes:
            more = f" and {len(changes) - MAX_FAILURES} more" if len(changes) > MAX_FAILURES else ""
            yield (
                f"{task.step} {ALTERED} {name!r}: {', '.join(changes[:MAX_FAILURES])}{more}. Inputs are read "
                f"only: copy what is to be changed into an output or a temporary folder. {REPAIR}."
            )


def _changes(then: Mapping[str, files.Stamp], now: Mapping[str, files.Stamp], single: str) -> Iterator[str]:
    for name in sorted(then.keys() | now.keys()):
        is_folder = name.endswith("/") or (not name and len(then) > 1)
        if then.get(name) != now.get(name) and not is_folder:
            verb = "deleted" if name not in now else "added" if name not in then else "changed"
            yield f"{name or single} was {verb}"


def _beside_outputs(task: Task) -> Iterator[str]:
    expected = {KEY, OUTCOME, *(os.path.basename(output.path) for output in task.outputs.values())}
    found = os.listdir(task.staging) if os.path.isdir(task.staging) else []
    left = sorted(set(found) - expected)
    if left:
        yield (
            f"{task.step} left {listing(left)} beside its outputs. Write into {_example(task)}.path, a folder made for "
            f"it, or into a temporary folder: tempfile.mkdtemp()."
        )


def _in_final_place(task: Task) -> Iterator[str]:
    """Yield that a step has written to where its outputs are moved to in the end; what it wrote there goes."""
    finals = {os.path.dirname(output.uri) for output in task.outputs.values()}
    for final in finals:
        if os.path.basename(final) == task.execution and os.path.exists(final):
            shutil.rmtree(final, ignore_errors=True)
            name = _example(task)
            yield (
                f"{task.step} wrote to the final place of its outputs, {name}.uri. Write into {name}.path: it is moved "
                f"there when the step has ended."
            )


def _example(task: Task) -> str:
    return next((name for name in task.outputs if name not in task.values), "an output")


def _appeared(task: Task, before: Collection[str]) -> Iterator[str]:
    """Yield the new names in the working directory, but for hidden ones, bytecode, and what a parameter names."""
    told = [absolute(value, task.code_root) for value in task.parameters.values()]
    for name in os.listdir(task.code_root) if os.path.isdir(task.code_root) else ():
        path = os.path.join(task.code_root, name)
        asked_for = any(isinstance(place, str) and f"{place}{os.sep}".startswith(path + os.sep) for place in told)
        if name not in before and not name.startswith((".", "__")) and not asked_for:
            yield name

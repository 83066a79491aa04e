"""Task -> Outcome: calls the component's function and digests what it made; knows neither store nor scheduler."""

from __future__ import annotations

import errno
import inspect
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec

from penstock.data import disk, files
from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import parameters, step
from penstock.pipeline.annotations import FileEntry, Files, ModuleFile, Secret
from penstock.pipeline.beam import Beam
from penstock.pipeline.definition import Component, ComponentSpec, load_symbol
from penstock.pipeline.errors import GateFailed, ParameterError, PenstockError, PlatformError, Skip, UserCodeError
from penstock.pipeline.task import (
    COMPLETE,
    FAILED,
    SKIPPED,
    Facts,
    Failure,
    Outcome,
    OutputInfo,
    Progress,
    Task,
    TaskArtifact,
)
from penstock.runners import conduct, outputs
from penstock.runners.secrecy import said_without_secrets, without_secrets

LONGEST_MESSAGE, LONGEST_TRACEBACK = 4_000, 100_000
"""Characters of an error that are recorded."""

Report = Callable[[Progress], None]


def execute(task: Task, report: Report) -> Outcome:
    """Run one task in this process, fill its staging folder and say what came of it.

    Never raises for what the component does: an exception becomes the outcome's failure. What it says is free of the
    task's secrets.
    """
    meter = Meter()
    context = step.StepContext(
        task.execution,
        task.run,
        task.step,
        lambda said: report(Progress(execution=task.execution, **said_without_secrets(parameters.to_json(said), task))),
    )
    step.enter(context)
    made: dict[str, Artifact] = {}
    before: Surroundings | None = None
    try:
        before = look_around(task)
        outcome = _run(task, made)
    except Skip as skip:
        outcome = Outcome(execution=task.execution, state=SKIPPED, reason=_clean(str(skip), task))
    except GateFailed as refusal:
        outcome = failed(task, refusal, outputs.salvage(task, made))
    except BaseException as error:
        outcome = failed(task, error, {})
    finally:
        step.enter(None)
    if before is not None:
        outcome = _judged(task, before, outcome)
    facts = meter.facts(context, _bytes_in(task), sum(info.bytes for info in outcome.outputs.values()))
    return msgspec.structs.replace(outcome, facts=facts)


def failed(task: Task, error: BaseException, outputs: dict[str, OutputInfo]) -> Outcome:
    """Return the outcome of a task that an error has ended."""
    failure = describe(error, task)
    reason = failure.message if failure.gate else f"{failure.type}: {failure.message}"
    return Outcome(execution=task.execution, state=FAILED, outputs=outputs, failure=failure, reason=reason)


def _judged(task: Task, before: Surroundings, outcome: Outcome) -> Outcome:
    """Return the outcome, failed where the step has done what no step may."""
    try:
        conduct.judge(task, before.inputs, before.names)
    except UserCodeError as error:
        if outcome.failure is None or outcome.failure.gate:
            return failed(task, error, {})
        worse = msgspec.structs.replace(outcome.failure, message=_both(outcome.failure.message, str(error)))
        return msgspec.structs.replace(outcome, failure=worse, reason=_both(outcome.reason, str(error)))
    return outcome


def _both(first: str, second: str) -> str:
    """Return two sentences as one text."""
    return f"{first.removesuffix('.')}. {second}"


@dataclass(frozen=True)
class Surroundings:
    """What a step finds: the stamps of each input's files by (input, path), and the names in its working directory."""

    inputs: Mapping[tuple[str, str], Mapping[str, files.Stamp]]
    names: frozenset[str]


def look_around(task: Task) -> Surroundings:
    """Take note of what a step finds; some microseconds a file, nothing is read.

    Raises:
        PlatformError: An input isn't as it was published: what came of it would stand under a wrong digest.
    """
    found: dict[tuple[str, str], Mapping[str, files.Stamp]] = {}
    for name, given in task.inputs.items():
        for each in given:
            found[name, each.path] = conduct.check_input(task, name, each)
    names = os.listdir(task.code_root) if os.path.isdir(task.code_root) else ()
    return Surroundings(found, frozenset(names))


class Meter:
    """Wall and CPU time of a step since now, its children's included."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), step.cpu_seconds()

    def facts(self, context: step.StepContext, bytes_in: int, bytes_out: int) -> Facts:
        """Return all that was measured."""
        return Facts(
            wall=round(time.perf_counter() - self._wall, 6),
            cpu=round(step.cpu_seconds() - self._cpu, 6),
            parts={name: round(seconds, 6) for name, seconds in context.parts.items()},
            peak_memory=step.peak_memory() + max(context.helped, default=0),
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            worker=os.getpid(),
        )


def _run(task: Task, made: dict[str, Artifact]) -> Outcome:
    if not task.component:
        return Outcome(execution=task.execution, state=COMPLETE, outputs=outputs.import_outside(task))
    with step.timed("bind"):
        component = load_component(task)
        arguments = bind(task, component.spec, made)
        if task.precondition:
            _apply(load_symbol(task.precondition), arguments)
    with step.timed("function"), _alone():
        returned = component.function(**arguments)
    values = outputs.values_of(task, component.spec, returned)
    with step.timed("digest"):
        infos = {name: outputs.finish(task, name, artifact.properties) for name, artifact in made.items()}
        infos |= {name: outputs.write_value(task, name, value) for name, value in values.items()}
    return Outcome(execution=task.execution, state=COMPLETE, outputs=infos, values=values)


@contextmanager
def _alone() -> Iterator[None]:
    """End a process that the block has forked and that comes out of it too: the parent alone says what came of it."""
    process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(0)


def _bytes_in(task: Task) -> int:
    """Return the bytes of a task's inputs and source files."""
    given = sum(file.size for found in task.files.values() for file in found.files)
    with suppress(OSError):  # an input that the step has removed is told of elsewhere
        given += sum(files.content_bytes(each.path) for found in task.inputs.values() for each in found)
    return given


def _apply(check: Callable[..., None], arguments: Mapping[str, Any]) -> None:
    """Call a precondition with those of the step's arguments that it names, or with all when it takes any."""
    named = inspect.signature(check).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in named.values())
    check(**{name: value for name, value in arguments.items() if takes_all or name in named})


def load_component(task: Task) -> Component[Any]:
    """Import the component that a task names.

    Raises:
        UserCodeError: The module can't be imported, or what it holds under the name is no component.
    """
    module, _, _ = task.component.partition(":")
    file = os.path.join(task.code_root, *module.split(".")) + ".py"
    try:
        found = load_symbol(task.component)
    except PenstockError as error:
        raise UserCodeError(f"{error} Was the file changed while the pipeline runs?") from error
    except Exception:
        ModuleFile(file, module).load()
        raise
    if not isinstance(found, Component):
        raise UserCodeError(f"{task.component} is a {type(found).__name__}, no @component function.")
    return found


def bind(task: Task, spec: ComponentSpec, made: dict[str, Artifact]) -> dict[str, Any]:
    """Return the function's keyword arguments for a task; the outputs among them are added to `made` too."""
    arguments: dict[str, Any] = {}
    for name, port in spec.inputs.items():
        found = [_artifact(port.type, item) for item in task.inputs.get(name, ())]
        if port.many:
            arguments[name] = found
        elif found:
            arguments[name] = found[0]
        else:
            arguments[name] = None
    for name, kind in spec.outputs.items():
        if name not in spec.values:
            made[name] = kind(task.outputs[name].path, task.outputs[name].uri)
            os.makedirs(made[name].path, exist_ok=True)
    for name, parameter in spec.parameters.items():
        arguments[name] = _parameter(task, name, parameter.kind, parameter.annotation)
    return arguments | made


def _parameter(task: Task, name: str, kind: str, annotation: Any) -> Any:
    if kind == "beam":
        beam = task.beam
        return Beam(beam.profile, beam.runner, beam.workers, beam.options) if beam else Beam()
    if kind == "files":
        given = task.files.get(name)
        return given and Files(
            given.base,
            tuple(FileEntry(f.path, f.name, f.size, f.sha256) for f in given.files),
            given.span,
            given.version,
        )
    if kind == "module":
        path = task.modules.get(name)
        return path and ModuleFile(os.path.join(task.code_root, path), path.removesuffix(".py").replace("/", "."))
    value = task.parameters[name]
    if kind == "path" and isinstance(value, str):
        value = parameters.absolute(value, task.code_root)
    try:
        return parameters.convert(_reveal(value), annotation)
    except msgspec.ValidationError as error:
        raise ParameterError(
            f"{task.step}({name}=...) takes {inspect.formatannotation(annotation)}, got {value!r:.60}: {error}"
        ) from None


def _reveal(value: Any) -> Any:
    if isinstance(value, dict):
        return Secret(value["$secret"]) if "$secret" in value else {key: _reveal(item) for key, item in value.items()}
    return [_reveal(item) for item in value] if isinstance(value, list) else value


def _artifact(kind: type[Artifact], given: TaskArtifact) -> Artifact:
    return kind(
        given.path,
        given.uri,
        dict(given.properties),
        id=given.id,
        digest=given.digest,
        bytes_digest=given.bytes_digest,
    )


def describe(error: BaseException, task: Task) -> Failure:
    """Say what went wrong and whose turn it is."""
    if disk.is_full(error) and not isinstance(error, PlatformError):
        error = full_disk(error, os.path.normpath(os.path.join(task.staging, *[os.pardir] * 3)))
    where, user = locate(error, task.code_root)
    fault = getattr(error, "fault", None)
    if fault is None and isinstance(error, OSError) and error.errno == errno.EROFS:
        fault = "platform"
    if fault is None:
        fault = "user code" if user else "platform"
    error = error.with_traceback(_inner(error.__traceback__))
    message = _shortened(_clean(str(error) or type(error).__name__, task), LONGEST_MESSAGE)
    if isinstance(error, IsADirectoryError) and any(o.path == error.filename for o in task.outputs.values()):
        message = _both(message, "An output's path is a folder made for it: write files inside")
    return Failure(
        type=type(error).__name__,
        message=message,
        fault=fault,
        where=where,
        traceback=_shortened_lines(_clean("".join(traceback.format_exception(error)), task)),
        gate=isinstance(error, GateFailed),
        kinds=tuple(kind.__name__ for kind in type(error).__mro__[:-1]),
    )


def _shortened_lines(text: str) -> str:
    """Return a traceback whose frames stay whole: only lines and texts that nobody can read are shortened."""
    lines = [_shortened(line, LONGEST_MESSAGE) for line in text.splitlines(keepends=True)]
    return _shortened("".join(lines), LONGEST_TRACEBACK)


def _inner(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this file that it begins with, unless there are no others."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
        inner = inner.tb_next
    return inner or trace


def _shortened(text: str, limit: int) -> str:
    """Return a text whose middle is left out where it is longer than the limit."""
    left_out = len(text) - limit
    return f"{text[: limit // 2]} ... {left_out:,} characters ... {text[-limit // 2 :]}" if left_out > 0 else text


def full_disk(error: BaseException, root: str) -> PlatformError:
    """Return what to tell of an error that came from a full disk: which disk it is, and what to do."""
    scratch = tempfile.gettempdir()
    tightest, room = disk.tightest([root, scratch])
    other = "set TMPDIR to another folder" if tightest == scratch else "choose another root with --root DIR"
    told = PlatformError(
        f"A disk is full ({str(error) or type(error).__name__:.200}). That of {tightest} has {room / 1e6:,.1f} MB "
        f"left: free some there, or {other}. Nothing half-made is left behind."
    )
    told.__cause__ = error
    return told


def locate(error: BaseException, code_root: str) -> tuple[str, bool]:
    """Return "model.py:41" of the innermost frame below the code root, in the error or its causes."""
    current: BaseException | None = error
    found = ""
    while current is not None:
        for frame in traceback.extract_tb(current.__traceback__):
            if is_local(frame.filename, code_root):
                found = f"{os.path.relpath(frame.filename, code_root)}:{frame.lineno}"
        if isinstance(current, SyntaxError) and current.filename and is_local(current.filename, code_root):
            found = f"{os.path.relpath(current.filename, code_root)}:{current.lineno}"
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found, bool(found)


def is_local(path: str, code_root: str) -> bool:
    """Say whether a file is the user's own: below the code root and not installed there."""
    return path.startswith(code_root + os.sep) and "site-packages" not in path


def _clean(text: str, task: Task) -> str:
    """Return a text as it may be recorded: secrets masked, and nothing in it that UTF-8 can't carry."""
    return without_secrets(text, task).encode("utf-8", "backslashreplace").decode("utf-8")

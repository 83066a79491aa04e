"""The whole boundary between scheduler and worker: a Task goes over, an Outcome comes back."""

from __future__ import annotations

from typing import Any

import msgspec

COMPLETE, FAILED, SKIPPED, CANCELED = "COMPLETE", "FAILED", "SKIPPED", "CANCELED"

CUT_OFF = 98
"""The exit code of a worker that can't say what came of its task: the step has closed its connection."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what crosses the boundary; JSON on the wire."""


class TaskArtifact(Message, frozen=True, kw_only=True):
    """One input: where it lies and what is recorded of it."""

    type: str
    path: str
    uri: str = ""
    id: int = 0
    digest: str = ""
    bytes_digest: str = ""
    properties: dict[str, Any] = {}


class TaskFile(Message, frozen=True, kw_only=True):
    """One source file of a `Files` parameter."""

    path: str
    name: str
    size: int
    sha256: str


class TaskFiles(Message, frozen=True, kw_only=True):
    """A `Files` parameter, resolved."""

    base: str
    files: tuple[TaskFile, ...]
    span: int | None = None
    version: int | None = None


class TaskOutput(Message, frozen=True, kw_only=True):
    """One output: the staging path to fill, its final place, its type's digest function."""

    path: str
    uri: str
    type: str
    digest: str


class TaskBeam(Message, frozen=True, kw_only=True):
    """The Beam profile of the step."""

    parameter: str
    profile: str
    runner: str
    workers: int = 1
    options: dict[str, Any] = {}


class Task(Message, frozen=True, kw_only=True):
    """One step made concrete.

    Attributes:
        component: "module:name"; empty for an importer, whose single output is an artifact from outside to be digested.
        execution: The ULID of the execution.
        staging: The folder that becomes the execution's folder; the worker writes nowhere else.
        code_root: Where the user's modules are imported from.
        log: The file that the step's output goes to.
        timeout: Seconds after which the scheduler ends it.
        memory: Bytes that the step asks for, 0 when it doesn't say.
    """

    run: str
    pipeline: str
    step: str
    execution: str
    attempt: int
    component: str
    staging: str
    code_root: str
    log: str
    seed: int
    inputs: dict[str, tuple[TaskArtifact, ...]] = {}
    many: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    paths: tuple[str, ...] = ()
    files: dict[str, TaskFiles] = {}
    modules: dict[str, str] = {}
    outputs: dict[str, TaskOutput] = {}
    values: tuple[str, ...] = ()
    timeout: float | None = None
    memory: int = 0
    precondition: str = ""
    env: dict[str, str] = {}
    beam: TaskBeam | None = None


class OutputInfo(Message, frozen=True, kw_only=True):
    """What came of one output: recorded properties, both digests, size in bytes and number of files.

    `uri` is set for what lies outside the execution's folder, an importer's artifact.
    """

    type: str
    digest: str
    bytes_digest: str
    uri: str = ""
    properties: dict[str, Any] = {}
    bytes: int = 0
    files: int = 0


class Failure(Message, frozen=True, kw_only=True):
    """Why a step failed.

    Attributes:
        fault: pipeline author, user code, data or platform.
        where: "model.py:41" of the innermost frame below the code root, or "".
        traceback: Whole, the user's frames included.
        gate: True when a gate refused its input; the outputs are published all the same.
        kinds: The error's type and its bases by name, for what a step's `retries` name.
    """

    type: str
    message: str
    fault: str
    where: str = ""
    traceback: str = ""
    gate: bool = False
    kinds: tuple[str, ...] = ()


class Facts(Message, frozen=True, kw_only=True):
    """What a step cost: wall and CPU seconds, the CPU seconds of its named parts, peak memory in bytes.

    Parts are `bind` (importing the component, making its arguments), `function`, `digest`, and those that the component
    names by `step.timed`; the latter lie within `function`.
    """

    wall: float = 0.0
    cpu: float = 0.0
    parts: dict[str, float] = {}
    peak_memory: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    worker: int = 0


class Outcome(Message, frozen=True, kw_only=True):
    """What came of a task; `outcome.json` beside the outputs, so that a crash before publishing loses nothing."""

    execution: str
    state: str
    outputs: dict[str, OutputInfo] = {}
    values: dict[str, Any] = {}
    reason: str = ""
    failure: Failure | None = None
    facts: Facts = Facts()


class Progress(Message, tag_field="event", tag="progress", frozen=True, kw_only=True):
    """A step's own report."""

    execution: str
    done: float
    total: float | None = None
    metrics: dict[str, Any] = {}


class Finished(Message, tag_field="event", tag="finished", frozen=True, kw_only=True):
    """A worker's last word on a task; `spent` is true when the step has left something behind that can't be undone."""

    outcome: Outcome
    spent: bool = False


WorkerEvent = Progress | Finished
task_decoder = msgspec.json.Decoder(Task)
outcome_decoder = msgspec.json.Decoder(Outcome)
event_decoder = msgspec.json.Decoder(WorkerEvent)
encode = msgspec.json.Encoder().encode

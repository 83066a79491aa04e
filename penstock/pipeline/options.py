"""The options that every node takes, and the names that they and nodes keep from components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.pipeline.plan import Retry


@dataclass(frozen=True)
class NodeOptions:
    """What a call of a component takes beside its own inputs and parameters.

    Attributes:
        id: The node's name in the pipeline; the component's name by default.
        after: Nodes that must have finished before, without handing over data.
        gate: False lets this node use an artifact that a gate has refused.
        cache: False runs the step every time; "7d" reuses no result that is older than that. By default what the
            component says: True, but False for those that read what the cache can't see, such as a database.
        salt: Any text; a new one makes the cache miss.
        env: Environment variables of the step's worker.
        beam_options: Beam pipeline options for this step.
        retries: Further attempts after a failure that may pass; a `Retry` says after which, and how soon.
        timeout: Seconds, or a span such as "30m", after which an attempt is ended and counts as failed.
        cpus, gpus: How many the step keeps busy; it starts when as many are free. A data step has a data worker for
            each CPU, unless the run says how many.
        memory: Bytes, or a size such as "4Gi", that it needs; it starts when as much is free.
    """

    id: str | None = None
    after: Sequence[Any] = ()
    gate: bool = True
    cache: bool | str | None = None
    salt: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    beam_options: Mapping[str, Any] = field(default_factory=dict)
    retries: int | Retry = 0
    timeout: float | str | None = None
    cpus: float | None = None
    memory: int | str | None = None
    gpus: int | None = None


OPTION_NAMES = tuple(NodeOptions.__dataclass_fields__)
RESERVED_OUTPUTS = (
    "id", "component", "arguments", "options", "outputs", "where", "run_after", "after", "branch", "on_exit",
    "loops",
)  # fmt: skip

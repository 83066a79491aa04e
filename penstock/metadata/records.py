"""What the store remembers, as frozen dataclasses: artifacts, executions, runs and how they hang together.

Times are seconds since 1970 (UTC); ids of runs and executions are ULIDs; artifact ids are the store's integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ArtifactState = Literal["LIVE", "DELETED"]
ExecutionState = Literal["RUNNING", "COMPLETE", "CACHED", "FAILED", "CANCELED", "SKIPPED"]
FinalState = Literal["COMPLETE", "FAILED", "CANCELED", "SKIPPED"]
RunState = Literal["RUNNING", "COMPLETE", "FAILED", "CANCELED"]


@dataclass(frozen=True)
class ArtifactRecord:
    """An artifact as recorded.

    ``uri`` is relative to the root, or an absolute path or URL for what is external. ``pipeline``, ``run``, ``step``,
    ``output`` and ``execution`` (a ULID) tell who made it and are "" for what came from outside.
    """

    id: int
    type: str
    uri: str
    name: str = ""
    digest: str = ""
    bytes_digest: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    state: ArtifactState = "LIVE"
    created: float = 0.0
    pipeline: str = ""
    run: str = ""
    step: str = ""
    output: str = ""
    execution: str = ""


@dataclass(frozen=True)
class ExecutionRecord:
    """One recorded attempt of a step.

    ``component`` is ``"module:name"``; ``cached_from`` the ULID of the execution whose outputs a CACHED one reuses;
    ``ended`` is 0.0 while it runs; ``facts`` holds what was measured (``wall_s``, ``cpu_s``, ``peak_bytes``,
    ``seed``, ``log``...).
    """

    id: int
    ulid: str
    component: str
    state: ExecutionState
    pipeline: str
    run: str
    step: str
    cache_key: str = ""
    cached_from: str = ""
    reason: str = ""
    error: str = ""
    attempt: int = 1
    started: float = 0.0
    ended: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, list[ArtifactRecord]] = field(default_factory=dict)
    outputs: dict[str, list[ArtifactRecord]] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run of a pipeline; ``facts`` holds the commit, packages, platform, user, command and parameters."""

    id: str
    pipeline: str
    state: RunState = "RUNNING"
    started: float = 0.0
    ended: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    hidden: bool = False


@dataclass(frozen=True)
class NewArtifact:
    """An artifact about to be recorded: an output to be published, or an input from outside the root.

    ``name``, where given, is unique among the artifacts of the type. ``properties`` are JSON values.
    """

    type: str
    uri: str
    name: str = ""
    digest: str = ""
    bytes_digest: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewExecution:
    """An execution about to be recorded.

    ``inputs`` are ids of recorded artifacts, or ``NewArtifact`` for what is external: one with the same type, URI and
    digest is found again rather than recorded twice.
    """

    ulid: str
    component: str
    pipeline: str
    run: str
    step: str
    attempt: int = 1
    started: float = 0.0
    inputs: Mapping[str, Sequence[int | NewArtifact]] = field(default_factory=dict)
    cache_key: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CachedExecution:
    """A step that need not run: ``source`` has made its outputs before."""

    execution: NewExecution
    source: ExecutionRecord


@dataclass(frozen=True)
class LineageEdge:
    """An artifact that went into an execution or came out of it, at a place (``name``, ``index``)."""

    artifact: int
    execution: str
    kind: Literal["input", "output"]
    name: str
    index: int


@dataclass(frozen=True)
class LineageGraph:
    """Artifacts by id, executions by ULID, and the edges between them.

    The executions carry no ``inputs`` and ``outputs`` of their own: what lies on the way is in ``edges``.
    """

    artifacts: dict[int, ArtifactRecord]
    executions: dict[str, ExecutionRecord]
    edges: tuple[LineageEdge, ...]

    def edges_of(self, node: int | str, kind: Literal["input", "output"]) -> list[LineageEdge]:
        """Give the edges of one kind at an artifact (by id) or execution (by ULID), by name and index."""
        mine = (edge for edge in self.edges if edge.kind == kind and node in (edge.artifact, edge.execution))
        return sorted(mine, key=lambda edge: (edge.name, edge.index, edge.execution))

    def producers(self, artifact: int) -> list[ExecutionRecord]:
        """Give the executions in the graph that put out this artifact; cached ones count."""
        return [self.executions[edge.execution] for edge in self.edges_of(artifact, "output")]

    def consumers(self, artifact: int) -> list[ExecutionRecord]:
        """Give the executions in the graph that took this artifact in."""
        return [self.executions[edge.execution] for edge in self.edges_of(artifact, "input")]

    def inputs_of(self, execution: str) -> list[ArtifactRecord]:
        """Give the artifacts in the graph that went into this execution, by name and index."""
        return [self.artifacts[edge.artifact] for edge in self.edges_of(execution, "input")]

    def outputs_of(self, execution: str) -> list[ArtifactRecord]:
        """Give the artifacts in the graph that came out of this execution, by name and index."""
        return [self.artifacts[edge.artifact] for edge in self.edges_of(execution, "output")]

"""The metadata store: what happened in every run, in the domain's verbs.

``MetadataStore`` is the protocol, ``MlmdStore`` keeps it in ML Metadata: a SQLite file, or memory for tests.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2 as pb

from penstock.metadata import client
from penstock.metadata.artifact_types import Artifact
from penstock.metadata.client import Client
from penstock.metadata.errors import StoreError
from penstock.metadata.protos import TypeTable
from penstock.metadata.reading import Direction
from penstock.metadata.records import (
    ArtifactRecord,
    ArtifactState,
    CachedExecution,
    ExecutionRecord,
    FinalState,
    LineageGraph,
    NewArtifact,
    NewExecution,
    RunRecord,
    RunState,
)
from penstock.metadata.writing import StoreWriter

SCHEMA_VERSION = 10
"""The database schema that ml-metadata 1.15 to 1.21 write."""


class MetadataStore(Protocol):
    """Remembers runs, executions and artifacts; every verb raises ``StoreError`` when the store itself fails.

    Writing verbs are atomic. URIs are kept as they are given: relative to the root for what the root holds.
    """

    def register_types(self, *types: type[Artifact]) -> None:
        """Declare artifact types with their properties; types that nobody declared are registered by name alone."""

    def begin_run(self, run: RunRecord) -> None:
        """Record a run; one that is recorded already (a resumed run) keeps its start and takes the rest."""

    def end_run(self, run: str, state: RunState, ended: float, facts: Mapping[str, Any] | None = None) -> RunRecord:
        """Record how a run ended; ``facts`` are added to those recorded. An unknown run raises ``StoreError``."""

    def hide_run(self, run: str) -> None:
        """Leave a run out of ``runs`` from now on; its executions and artifacts stay."""

    def abandon(self, run: str, ended: float) -> list[ExecutionRecord]:
        """Close a run whose process is dead: what is RUNNING becomes CANCELED, the run FAILED unless it had ended.

        Gives the executions that were canceled. Done in two transactions, and safe to repeat.
        """

    def begin(self, execution: NewExecution) -> ExecutionRecord:
        """Record that an execution starts: state RUNNING, with its inputs.

        Raises:
            StoreError: The run isn't begun, an input artifact isn't recorded, or the ULID is taken.
        """

    def publish(
        self,
        ulid: str,
        state: FinalState,
        outputs: Mapping[str, Sequence[int | NewArtifact]] | None = None,
        *,
        ended: float,
        facts: Mapping[str, Any] | None = None,
        error: str = "",
        reason: str = "",
    ) -> dict[str, list[ArtifactRecord]]:
        """Record in one transaction how an execution ended and what it made, and make a COMPLETE one findable by key.

        Args:
            ulid: A RUNNING execution, of this or an earlier process.
            state: Its final state; a FAILED one may have outputs too (a gate).
            outputs: New artifacts, or ids of recorded ones (an importer's), by output name.
            ended: When it ended.
            facts: Added to the facts that ``begin`` recorded.
            error: What went wrong, "" when nothing did.
            reason: Why it ran; "" keeps what ``begin`` recorded.

        Returns:
            The recorded outputs, by name and in the given order.

        Raises:
            StoreError: The execution is unknown or not RUNNING, or an output can't be recorded; nothing is changed.
        """

    def record_cached(self, executions: Sequence[CachedExecution]) -> list[ExecutionRecord]:
        """Record cache hits of one run in one transaction: today's inputs, the source's outputs, ``cached_from``."""

    def record_skipped(self, executions: Sequence[NewExecution]) -> list[ExecutionRecord]:
        """Record steps of one run that were skipped, with their ``reason``, in one transaction."""

    def put_external(self, artifact: NewArtifact) -> ArtifactRecord:
        """Find the artifact of this type, URI and digest from outside the root, or record it."""

    def mark_deleted(self, artifact_ids: Iterable[int]) -> None:
        """Note that the files of these artifacts are gone; the artifacts stay in the lineage.

        Raises:
            StoreError: One of them isn't recorded; nothing is changed.
        """

    def find_cached(self, key: str) -> ExecutionRecord | None:
        """Give the newest COMPLETE execution with this cache key and all outputs LIVE; None when there is none."""

    def artifact(self, id: int) -> ArtifactRecord | None:
        """Give an artifact; None when it isn't recorded."""

    def artifacts(
        self,
        type: str | None = None,
        *,
        run: str | None = None,
        pipeline: str | None = None,
        step: str | None = None,
        state: ArtifactState | None = "LIVE",
        limit: int | None = None,
    ) -> list[ArtifactRecord]:
        """List artifacts that meet all the given conditions, newest first; ``run`` and ``step`` are who made them."""

    def find_artifact_by_uri(self, uri: str) -> ArtifactRecord | None:
        """Give the artifact at exactly this URI, the newest LIVE one if several are; None when there is none."""

    def find_external(self, artifact: NewArtifact) -> ArtifactRecord | None:
        """Give the recorded artifact from outside with this type, URI and digest; None when there is none."""

    def run(self, id: str) -> RunRecord | None:
        """Give a run by its id, or by the only beginning or end of an id that fits; None when none does.

        Raises:
            StoreError: Several runs fit.
        """

    def runs(self, pipeline: str | None = None, limit: int | None = None, *, hidden: bool = False) -> list[RunRecord]:
        """List runs, newest first; ``hidden`` ones on request."""

    def execution(self, ulid: str) -> ExecutionRecord | None:
        """Give an execution with its inputs and outputs; None when it isn't recorded."""

    def executions(self, run: str) -> list[ExecutionRecord]:
        """List a run's executions in the order in which they were recorded; empty when the run isn't recorded."""

    def history(self, pipeline: str, step: str, limit: int | None = None) -> list[ExecutionRecord]:
        """List a step's executions over all runs, newest first; empty when it never ran."""

    def running(self, run: str | None = None) -> list[ExecutionRecord]:
        """List executions in state RUNNING: of one run, or of all runs that haven't ended."""

    def lineage(
        self, artifact_ids: Sequence[int], direction: Direction = "up", depth: int | None = None
    ) -> LineageGraph:
        """Give what artifacts were made from ("up") or what came from them ("down"), ``depth`` executions far.

        Up follows the executions that made an artifact; down follows every use, cached ones too. The start is in the
        graph; an unknown id isn't.
        """

    def producers(self, artifact_ids: Iterable[int]) -> dict[int, list[ExecutionRecord]]:
        """Give the executions that made artifacts or took them from the cache, by artifact id, the newest first.

        They carry no ``inputs`` and ``outputs``; an artifact that nothing put out isn't there.
        """

    def close(self) -> None:
        """Let go of the store; later calls raise ``StoreError``."""


class MlmdStore(StoreWriter):
    """A ``MetadataStore`` in ML Metadata. Threads may share it; processes open their own.

    >>> store = MlmdStore.in_memory()
    >>> store.begin_run(RunRecord("01RUN", "penguins"))
    >>> store.begin(NewExecution("01EXE", "annotate:annotate", "penguins", "01RUN", "annotate")).state
    'RUNNING'
    >>> made = store.publish("01EXE", "COMPLETE", {"notes": [NewArtifact("Notes", "a/notes")]}, ended=1.0)
    >>> made["notes"][0].run
    '01RUN'
    """

    def __init__(self, client: Client) -> None:
        super().__init__(client, TypeTable(client))
        self._release: Callable[[], object] = lambda: None

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = True, patience: float = 30.0) -> MlmdStore:
        """Open the store in a SQLite file.

        Args:
            path: The file; its folder must exist.
            create: Whether to make the file when there is none.
            patience: Seconds to wait while other processes write.

        Raises:
            StoreError: There is none and ``create`` is false, it isn't a metadata store, it was written by another
                ml-metadata, it can't be read and written, or it stayed locked. The file is left as it was.
        """
        file = Path(path).absolute()
        if not create and not file.exists():
            raise StoreError(f"No metadata store at {file}. Run a pipeline first, or choose the root of one that ran.")
        config = _config()
        config.sqlite.filename_uri = str(file)
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        opened = client.prepare_file(file, SCHEMA_VERSION)
        try:
            store = cls(Client(config, str(file), patience, file))
        except BaseException:
            client.release_file(opened)
            raise
        store._release = weakref.finalize(store, client.release_file, opened)
        return store

    @classmethod
    def in_memory(cls) -> MlmdStore:
        """Make an empty store that lives as long as the object: the test double."""
        config = _config()
        config.fake_database.SetInParent()
        return cls(Client(config, "in memory"))

    def close(self) -> None:
        """See ``MetadataStore.close``."""
        self._client.close()
        self._release()

    def __enter__(self) -> MlmdStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _config() -> pb.ConnectionConfig:
    return pb.ConnectionConfig(retry_options=pb.RetryOptions(max_num_retries=1))


def _keeps_the_protocol(store: MlmdStore) -> MetadataStore:
    return store  # checked by mypy

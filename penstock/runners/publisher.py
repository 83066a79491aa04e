"""Outcome -> published: the execution's folder is renamed into place once, then the store learns of it."""

from __future__ import annotations

import logging
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from penstock.metadata.errors import StoreError
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, FinalState, NewArtifact
from penstock.metadata.store import MetadataStore
from penstock.pipeline.task import SKIPPED, Outcome, Task, encode, outcome_decoder
from penstock.runners.layout import KEY, OUTCOME, Layout


@dataclass(frozen=True)
class Publisher:
    """Makes outcomes visible; only the scheduler has one, so an orphaned worker can never publish."""

    store: MetadataStore
    layout: Layout

    def publish(self, task: Task, outcome: Outcome) -> dict[str, list[ArtifactRecord]]:
        """Publish what a worker has made and digested.

        Returns:
            The recorded artifacts by output name; empty where nothing was made.

        Raises:
            OSError: The folder can't be completed, a full disk for one; nothing is visible then.
            StoreError: The metadata store refused.
        """
        if not outcome.outputs:
            self._clear(task)
            return self._record(task.pipeline, task.step, outcome)
        with open(os.path.join(task.staging, OUTCOME), "wb") as file:
            file.write(encode(outcome))
        final = self.layout.execution(task.pipeline, task.step, task.execution)
        os.makedirs(os.path.dirname(final), exist_ok=True)
        os.rename(task.staging, final)
        return self._record(task.pipeline, task.step, outcome)

    def adopt(self, execution: ExecutionRecord) -> bool:
        """Publish an execution whose scheduler died between the rename and the store.

        Returns:
            False when it never got as far as the rename, or can't be published; nothing is left of it then.
        """
        folder = self.layout.execution(execution.pipeline, execution.step, execution.ulid)
        path = os.path.join(folder, OUTCOME)
        if not os.path.exists(path):
            return False
        try:
            with open(path, "rb") as file:
                outcome = outcome_decoder.decode(file.read())
            self._record(execution.pipeline, execution.step, outcome)
        except (msgspec.DecodeError, StoreError) as error:
            logging.getLogger(__name__).warning("%s can't be published and is removed: %s", folder, error)
            shutil.rmtree(folder)
            return False
        return True

    def discard(self, task: Task, outcome: Outcome) -> None:
        """Record a failure and drop what was made, in its final place too once the failure is recorded."""
        self._clear(task)
        self._record(task.pipeline, task.step, Outcome(
            execution=outcome.execution, state=outcome.state, reason=outcome.reason, failure=outcome.failure,
            facts=outcome.facts,
        ))  # fmt: skip
        shutil.rmtree(self.layout.execution(task.pipeline, task.step, task.execution), ignore_errors=True)

    def _clear(self, task: Task) -> None:
        """Remove what an attempt has made, all but its key: what failed is explained too."""
        kept = self.layout.kept_key(task.run, task.step)
        with suppress(OSError):  # a full disk, or a log's folder that was removed: the key is no more than useful
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            os.replace(os.path.join(task.staging, KEY), kept)
        shutil.rmtree(task.staging, ignore_errors=True)

    def _record(self, pipeline: str, step: str, outcome: Outcome) -> dict[str, list[ArtifactRecord]]:
        made = {name: [self._artifact(pipeline, step, outcome, name)] for name in outcome.outputs}
        facts = outcome.facts
        states: dict[str, FinalState] = {"COMPLETE": "COMPLETE", "FAILED": "FAILED", "SKIPPED": "SKIPPED"}
        return self.store.publish(
            outcome.execution,
            states.get(outcome.state, "CANCELED"),
            made,
            ended=time.time(),
            facts={
                "wall_s": facts.wall,
                "cpu_s": facts.cpu,
                "cpu_parts_s": facts.parts,
                "peak_bytes": facts.peak_memory,
                "bytes_in": facts.bytes_in,
                "bytes_out": facts.bytes_out,
                "worker": facts.worker,
            },
            error=outcome.failure.traceback or outcome.failure.message if outcome.failure else "",
            reason=outcome.reason if outcome.state in (SKIPPED, "FAILED") else "",
        )

    def _artifact(self, pipeline: str, step: str, outcome: Outcome, name: str) -> NewArtifact:
        info = outcome.outputs[name]
        folder = self.layout.execution(pipeline, step, outcome.execution)
        return NewArtifact(
            type=info.type,
            uri=self.layout.relative(info.uri or os.path.join(folder, name)),
            digest=info.digest,
            bytes_digest=info.bytes_digest,
            properties=info.properties,
        )

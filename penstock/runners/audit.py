"""Whether what a run used and made is still what was published when the run ends, and which step was at work if not."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from penstock.data import files
from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.errors import MAX_FAILURES
from penstock.pipeline.runner import StepResult
from penstock.runners import seal
from penstock.runners.conduct import ALTERED, REPAIR

TOLERANCE = 0.004
"""Seconds by which the clock of a file system may be behind: one tick."""


@dataclass(frozen=True)
class Span:
    """When a step was at work, in seconds since the epoch."""

    step: str
    began: float
    ended: float


def problems(results: Mapping[str, StepResult], spans: Collection[Span], folder: str) -> list[str]:
    """Look at all artifacts of a run once; some microseconds a file, and only what was changed since is read.

    What a failed step did to its own inputs is told there and not repeated.

    Args:
        results: What came of each step.
        spans: When the steps were at work.
        folder: The root's artifacts; what lies elsewhere is nobody's to keep.

    Returns:
        A sentence or two for each artifact that was altered, `MAX_FAILURES` at most.
    """
    found: list[str] = []
    for name, artifact, maker in _published(results.values(), folder):
        differing = seal.alterations(artifact.path, artifact.bytes_digest, files.stamps(artifact.path))
        if not differing or len(found) == MAX_FAILURES:
            continue
        at = seal.changed_at(artifact.path)
        at_work = [span.step for span in spans if span.began - TOLERANCE <= at <= span.ended]
        suspects = [step for step in at_work if step != maker]
        if any(step in results and _confessed(results[step]) for step in suspects):
            continue
        who = " and ".join(map(repr, suspects)) or "no step of this run"
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        found.append(
            f"Output {name!r} of step {maker!r} was altered after it was published, at {clock} while {who} ran: "
            f"{differing[0]} It lies at {artifact.path}. {REPAIR}."
        )
    return found


def _published(results: Iterable[StepResult], folder: str) -> Iterator[tuple[str, Artifact, str]]:
    seen: set[str] = set()
    for result in results:
        for name, artifacts in result.outputs.items():
            for artifact in artifacts:
                if artifact.path not in seen and artifact.path.startswith(os.path.join(folder, "")):
                    seen.add(artifact.path)
                    yield name, artifact, result.id


def _confessed(result: StepResult) -> bool:
    return result.failure is not None and ALTERED in result.failure.message

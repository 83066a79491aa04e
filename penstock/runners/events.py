"""A run's events: one line of JSON each in events.jsonl, and told to every observer."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from penstock.pipeline.plan import AnyNode, LoopPlan, Plan, dependencies
from penstock.pipeline.runner import RunObserver, StepResult
from penstock.pipeline.task import Failure, Progress


class RunLog:
    """Writes and tells what happens; see `RunObserver` for the events."""

    def __init__(self, run: str, folder: str, observers: tuple[RunObserver, ...]) -> None:
        self._run = run
        self._observers = observers
        os.makedirs(folder, exist_ok=True)
        self._file = open(os.path.join(folder, "events.jsonl"), "ab", buffering=0)  # noqa: SIM115 - closed in `close`

    def run_started(self, plan: Plan, root: str, code_root: str) -> None:
        """Tell that the run begins, and which steps it has."""
        told = [*map(_step, plan.nodes)]
        self._tell("run_started", pipeline=plan.name, root=root, code_root=code_root, steps=told)

    def loop_expanded(self, loop: LoopPlan, items: Sequence[str], iterations: Iterable[Iterable[AnyNode]]) -> None:
        """Tell which steps a loop has, now that its items are known."""
        steps = [{**_step(node), "item": number} for number, nodes in enumerate(iterations) for node in nodes]
        self._tell("loop_expanded", step=loop.id, items=list(items), steps=steps)

    def step_started(self, step: str, attempt: int, reason: str) -> None:
        """Tell that a worker has a step, and why it isn't reused."""
        self._tell("step_started", step=step, attempt=attempt, reason=reason)

    def step_progress(self, step: str, progress: Progress) -> None:
        """Pass on a step's own report."""
        self._tell("step_progress", step=step, done=progress.done, total=progress.total, metrics=progress.metrics)

    def step_retried(self, step: str, attempt: int, attempts: int, failure: Failure, delay: float) -> None:
        """Tell that an attempt of so many has failed and another follows."""
        told = f"attempt {attempt} of {attempts} failed: {failure.type}: {failure.message}"
        self._tell("step_retried", step=step, attempt=attempt, reason=told, delay=round(delay, 3))

    def step_finished(self, result: StepResult) -> None:
        """Tell how a step ended."""
        self._tell(
            "step_finished",
            step=result.id,
            state=result.state,
            reason=result.reason,
            seconds=result.seconds,
            log=result.log,
            failure=msgspec.json.decode(msgspec.json.encode(result.failure)),
            withheld=result.withheld,
            gate=result.gate,
        )

    def run_finished(self, state: str, seconds: float, problems: tuple[str, ...]) -> None:
        """Tell how the run ended."""
        self._tell("run_finished", state=state, seconds=seconds, problems=list(problems))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _tell(self, event: str, **details: Any) -> None:
        told = {"event": event, "at": round(time.time(), 3), "run": self._run, **details}
        for observer in self._observers:
            try:
                observer.event(told)
            except Exception:  # somebody who watches doesn't end the run
                logging.getLogger(__name__).exception("An observer of run %s failed; it is told no more.", self._run)
                self._observers = tuple(other for other in self._observers if other is not observer)
        if not self._file.closed:
            try:
                self._file.write(msgspec.json.encode(told) + b"\n")
            except OSError:
                self._file.close()  # a disk that is full ends this file, not the run


def _step(node: AnyNode) -> dict[str, Any]:
    return {"id": node.id, "name": getattr(node, "name", type(node).__name__), "needs": sorted(dependencies(node))}

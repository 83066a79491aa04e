"""The driver of a partial run: what the selection leaves outside is taken from earlier runs, or left out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.metadata.records import NewExecution
from penstock.pipeline.errors import DataError, PenstockError
from penstock.pipeline.iterations import depth
from penstock.pipeline.plan import AnyNode, StepPlan
from penstock.runners.cache import CacheKey
from penstock.runners.driver import Drive, Driver, component_of
from penstock.runners.layout import new_id
from penstock.runners.selection import Scope, earlier_result, scope_of

NO_KEY = CacheKey({}, {})


@dataclass
class PartialDriver(Driver):
    """Drives the nodes inside the request's selection as any driver does."""

    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scope = scope_of(self.plan, self.request.selection)

    def drive(self, node: AnyNode) -> Drive:
        """See `Driver.drive`; what is left out has neither a task nor a source."""
        left_out = self.left_out(node.id)
        if left_out:
            return Drive(self._unexecuted(node, {}, left_out), NO_KEY, left_out)
        return self._taken(node) if self.scope.takes(node.id) else super().drive(node)

    def left_out(self, node_id: str) -> str:
        """See `Driver.left_out`."""
        option = self.scope.leaves_out(node_id)
        return f"left out by {option}" if option else ""

    def _taken(self, node: AnyNode) -> Drive:
        """Reuse what the node would make today where that is known, else what it made last."""
        outside = f"outside {self.scope.takes(node.id)}"
        same: Mapping[str, Any] | None = None
        with suppress(PenstockError):  # its source files may be gone: it isn't to run
            drive = super().drive(node)
            same = drive.execution.facts["parameters"] if isinstance(node, StepPlan) and depth(node.id) else None
            if drive.source is not None:
                reason = f"{outside}, {drive.reason}"
                return replace(drive, reason=reason, execution=replace(drive.execution, reason=reason))
        unknown = depth(node.id) and same is None  # which item an earlier result was of
        source = None if unknown else earlier_result(self.store, self.plan.name, node.id, same)
        if source is None and depth(node.id):
            raise DataError(f"There is no earlier result of {node.id!r} for its item, and it is {outside}. Run it too.")
        if source is None or self.cache.damage(source):
            raise DataError(f"The earlier result of {node.id!r}, which is {outside}, is gone or damaged. Run it too.")
        reason = f"{outside}, taken from run {source.run}"
        inputs = {name: [record.id for record in records] for name, records in source.inputs.items()}
        return Drive(self._unexecuted(node, inputs, reason), NO_KEY, reason, source=source)

    def _unexecuted(self, node: AnyNode, inputs: Mapping[str, list[int]], reason: str) -> NewExecution:
        return NewExecution(
            ulid=new_id(),
            component=component_of(node),
            pipeline=self.plan.name,
            run=self.run,
            step=node.id,
            started=time.time(),
            inputs=inputs,
            reason=reason,
        )

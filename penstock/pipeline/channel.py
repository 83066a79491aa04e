"""Promises of values that don't exist yet: channels between nodes and run parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.errors import WiringError
from penstock.pipeline.predicate import Operand, Properties

if TYPE_CHECKING:
    from penstock.pipeline.node import Node

TOKEN = re.compile(r"\{\{run\.([A-Za-z_]\w*)\}\}")
"""How a run parameter stands inside a string until the run gives it a value."""


class Promise:
    """Refuses every operation that would need the value now."""

    def _describe(self) -> str:
        raise NotImplementedError

    def _spelled(self) -> str:
        return "x"

    def _refuse(self, operation: str, instead: str) -> NoReturn:
        raise WiringError(
            f"{self._describe()} has no value while the pipeline is put together, so {operation} can't work. {instead}"
        )

    def __bool__(self) -> bool:
        self._refuse("`if` or `bool()`", "Branch on it with `with when(x.value == ...):`.")

    def __iter__(self) -> Iterator[Any]:
        self._refuse("iteration", "Loop over it with `with for_each(x) as item:`, or pass it whole.")

    def _compare(self, other: object) -> NoReturn:
        self._refuse("comparison", f"Compare its value, in a condition: `with when({self._spelled()}.value > ...):`.")

    def _compute(self, other: object) -> NoReturn:
        self._refuse("arithmetic", "Compute it inside a component, or pass the computed value as a parameter.")

    def _convert(self) -> NoReturn:
        self._refuse("conversion to a number", "Pass it on as it is: the type is checked when the run starts.")

    def _item(self, key: object) -> NoReturn:
        self._refuse("taking an item", "Pass it whole and take the item inside a component.")

    __lt__ = __le__ = __gt__ = __ge__ = _compare
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __pow__ = __rpow__ = _compute
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _compute
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _compute
    __neg__ = __pos__ = __abs__ = __round__ = __invert__ = __int__ = __float__ = __index__ = __len__ = _convert
    __getitem__ = __contains__ = _item

    def __eq__(self, other: object) -> bool:
        self._compare(other)

    __hash__ = object.__hash__


@dataclass(frozen=True, eq=False, repr=False)
class RunParameter(Promise):
    """A parameter of the run, inside the pipeline function; it may stand in any JSON parameter and in f-strings."""

    name: str
    annotation: Any

    @property
    def value(self) -> Operand:
        """The parameter inside a condition: `when(epochs.value > 3)`."""
        return Operand(self)

    def _describe(self) -> str:
        return f"Run parameter {self.name!r}"

    def _spelled(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<run parameter {self.name!r}>"

    def __str__(self) -> str:
        return f"{{{{run.{self.name}}}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            self._refuse(f"the format {spec!r}", "Format it inside a component.")
        return str(self)

    def __fspath__(self) -> str:
        return str(self)

    def __truediv__(self, other: object) -> Any:
        self._refuse("`/`", f'Write f"{{{self.name}}}/..." to extend a path.')


@dataclass(frozen=True, eq=False, repr=False)
class Channel(Promise):
    """The promise of one output of a node, before it exists."""

    node: Node
    output: str
    type: type[Artifact]
    many: bool = False
    """Whether it stands for a list: collected out of a loop, or found by a resolver."""

    @property
    def value(self) -> Operand:
        """The value inside a condition: `when(verdict.accuracy.value > 0.9)`."""
        return Operand(self)

    @property
    def properties(self) -> Properties:
        """The artifact's properties inside a condition: `when(verdict.blessing.properties["blessed"] == 1)`."""
        return Properties(self)

    def _describe(self) -> str:
        return f"Channel '{self.node.id}.{self.output}'"

    def _spelled(self) -> str:
        return f"{self.node.id}.{self.output}"

    def __repr__(self) -> str:
        return f"<channel '{self.node.id}.{self.output}' of {self.type.TYPE_NAME}>"

    def __format__(self, spec: str) -> str:
        self._refuse("an f-string", "Pass the channel itself as the argument.")

"""Evaluates tensorflow-transform's analysis graph in this process, without a Beam pipeline.

TFT describes an analysis as a graph of operations (`analysis_graph_builder.build`) and has a Beam implementation of
each. On one machine most of what that costs is Beam's: stages, pickles and a thread pool for a handful of sums. Here
the same operations run over the same combiners, folded batch by batch; what is not in the table is left to Beam.
"""

from __future__ import annotations

from typing import Any

from tensorflow_transform import nodes

from penstock.components.transform.analysis_streams import Setting
from penstock.components.transform.analyzer_operations import OPERATIONS
from penstock.components.transform.vocabulary_operations import KNOWN_ORDERINGS


class Evaluator(nodes.Visitor):  # type: ignore[misc]
    """Visits an analysis graph; the collections it returns are `Later`s and `Stream`s."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def visit(self, operation_def: Any, input_values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the operation's outputs."""
        outputs = OPERATIONS[type(operation_def)](operation_def, input_values, self._setting)
        several: tuple[Any, ...] = outputs if isinstance(outputs, tuple) else (outputs,)
        return several

    def validate_value(self, value: Any) -> None:
        """Takes every value: the operations only ever make the two kinds."""


class _Inspector(nodes.Visitor):  # type: ignore[misc]
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def visit(self, operation_def: Any, input_values: tuple[Any, ...]) -> tuple[Any, ...]:
        ordering = getattr(operation_def, "vocab_ordering_type", KNOWN_ORDERINGS[0])
        known = ordering in KNOWN_ORDERINGS and not getattr(operation_def, "key_fn", None)
        if type(operation_def) not in OPERATIONS or not known:
            self.unknown.append(operation_def.label)
        return (None,) * int(operation_def.num_outputs)

    def validate_value(self, value: Any) -> None:
        pass


def unknown_operations(root: Any) -> list[str]:
    """Returns the labels of the operations that only Beam can evaluate."""
    inspector = _Inspector()
    nodes.Traverser(inspector).visit_value_node(root)
    return inspector.unknown


def evaluate(root: Any, setting: Setting) -> Any:
    """Returns the value of the graph's last operation, the transform model."""
    return nodes.Traverser(Evaluator(setting)).visit_value_node(root).get()[0]

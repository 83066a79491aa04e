"""The collections of an analysis in process: lists that are computed when asked for, and passes over the data.

A collection is a plain list, in the order of the data. Only what has an element a batch is a `Stream`: it is never
held, each batch is folded into every accumulator of its pass.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf

Batch = Mapping[str, np.ndarray[Any, Any]]


class Later:
    """A collection that is computed at most once, when first asked for.

    Nothing is computed while the graph is visited, so every analyzer of a phase has joined the phase's pass over
    the data before that pass begins.
    """

    def __init__(self, compute: Callable[[], list[Any]]) -> None:
        self._compute: Callable[[], list[Any]] | None = compute
        self._value: list[Any] = []

    def get(self) -> list[Any]:
        """Returns the elements."""
        if self._compute is not None:
            self._value = self._compute()
            self._compute = None
        return self._value

    def then(self, function: Callable[[list[Any]], list[Any]]) -> Later:
        """Returns what `function` makes of the elements, later."""
        return Later(lambda: function(self.get()))


class Fold:
    """One accumulator that a pass fills."""

    def __init__(self, state: Any, add: Callable[[Any, Any], Any]) -> None:
        self.state = state
        self._add = add

    def add(self, element: Any) -> None:
        """Takes in one batch's element."""
        self.state = self._add(self.state, element)


class Pass:
    """One pass over the rows: a graph's outputs batch by batch, folded into every accumulator of a phase."""

    def __init__(self, outputs: Callable[[], Iterable[Batch]]) -> None:
        self._outputs = outputs
        self._folds: list[tuple[Callable[[Batch], Any], Fold]] = []
        self._done = False

    def join(self, select: Callable[[Batch], Any], fold: Fold) -> Callable[[], Any]:
        """Adds an accumulator; returns a function that runs the pass if need be and gives the final state."""
        self._folds.append((select, fold))

        def state() -> Any:
            self._run()
            return fold.state

        return state

    def _run(self) -> None:
        if self._done:
            return
        for batch in self._outputs():
            for select, fold in self._folds:
                fold.add(select(batch))
        self._done = True


class Stream:
    """What `Pass` yields, or tuples of some of its tensors: the only collections with an element a batch."""

    def __init__(self, source: Pass, select: Callable[[Batch], Any] = lambda batch: batch) -> None:
        self._source = source
        self._select = select

    def extract(self, keys: tuple[str, ...] | str) -> Stream:
        """Returns the stream of the tensors named `keys`."""
        if isinstance(keys, str):
            return Stream(self._source, lambda batch: batch[keys])
        return Stream(self._source, lambda batch: tuple(batch[key] for key in keys))

    def combine(self, function: beam.CombineFn) -> Later:
        """Returns the one accumulator of a Beam combiner over all elements."""
        state = self._source.join(self._select, Fold(function.create_accumulator(), function.add_input))
        return Later(lambda: [function.extract_output(function.compact(state()))])

    def fold(self, state: Any, add: Callable[[Any, Any], Any]) -> Callable[[], Any]:
        """Returns a function that gives the state after all elements."""
        return self._source.join(self._select, Fold(state, add))


class Setting:
    """What operations need besides their inputs: the traced graph, where models and assets are made, the data."""

    def __init__(
        self,
        graph: tf.Graph,
        folder: str,
        saved_model: Callable[[Any, list[Any]], Any],
        apply: Callable[[Any], Iterable[Batch]],
    ) -> None:
        self.graph = graph
        self.folder = folder
        self.saved_model = saved_model
        self.apply = apply


def combined(function: beam.CombineFn, elements: Iterable[Any]) -> Any:
    """Returns what a Beam combiner makes of the elements."""
    state = function.create_accumulator()
    for element in elements:
        state = function.add_input(state, element)
    return function.extract_output(function.compact(state))


def combined_by_key(function: beam.CombineFn, pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Returns what a Beam combiner makes of the values of each key."""
    grouped: dict[Any, list[Any]] = collections.defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return [(key, combined(function, values)) for key, values in grouped.items()]

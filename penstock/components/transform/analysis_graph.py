"""Evaluates tensorflow-transform's analysis graph in this process, without a Beam pipeline.

TFT describes an analysis as a graph of operations (`analysis_graph_builder.build`) and has a Beam implementation of
each. On one machine most of what that costs is Beam's: stages, pickles and a thread pool for a handful of sums. The
operations here are the same ones over the same combiners, folded batch by batch; what is not in the table is left
to Beam (`is_known`). A collection is a plain list, in the order of the data.
"""

from __future__ import annotations

import collections
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, analyzers, nodes, tf_utils
from tensorflow_transform.beam import analyzer_impls, beam_nodes
from tensorflow_transform.beam import impl as tft_impl

Batch = Mapping[str, np.ndarray[Any, Any]]
_Ordering = analyzers._VocabOrderingType
_MUTUAL_INFORMATION = (_Ordering.MUTUAL_INFORMATION, _Ordering.WEIGHTED_MUTUAL_INFORMATION)
_BY_FREQUENCY = (_Ordering.FREQUENCY, _Ordering.WEIGHTED_FREQUENCY)


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


class Evaluator(nodes.Visitor):  # type: ignore[misc]
    """Visits an analysis graph; the collections it returns are `Later`s and `Stream`s."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def visit(self, operation_def: Any, input_values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the operation's outputs."""
        outputs = _OPERATIONS[type(operation_def)](operation_def, input_values, self._setting)
        several: tuple[Any, ...] = outputs if isinstance(outputs, tuple) else (outputs,)
        return several

    def validate_value(self, value: Any) -> None:
        """Takes every value: the operations only ever make the two kinds."""


class _Inspector(nodes.Visitor):  # type: ignore[misc]
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def visit(self, operation_def: Any, input_values: tuple[Any, ...]) -> tuple[Any, ...]:
        ordering = getattr(operation_def, "vocab_ordering_type", _Ordering.FREQUENCY)
        known = ordering in (*_MUTUAL_INFORMATION, *_BY_FREQUENCY) and not getattr(operation_def, "key_fn", None)
        if type(operation_def) not in _OPERATIONS or not known:
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


def _flatten(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    return Later(lambda: [element for collection in inputs for element in collection.get()])


def _create_saved_model(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    return Later(lambda: [setting.saved_model(operation, _flatten(operation, inputs, setting).get())])


def _apply_saved_model(operation: Any, inputs: Sequence[Later], setting: Setting) -> Stream:
    return Stream(Pass(lambda: setting.apply(inputs[0].get()[0])))


def _extract(operation: Any, inputs: Sequence[Any], setting: Setting) -> Any:
    keys = operation.keys
    if isinstance(inputs[0], Stream):
        return inputs[0].extract(keys)
    many = isinstance(keys, tuple)
    return inputs[0].then(lambda dicts: [tuple(d[key] for key in keys) if many else d[keys] for d in dicts])


def _tensor_binding(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    name, dtype, is_asset = operation.tensor_name, operation.dtype_enum, operation.is_asset_filepath
    return inputs[0].then(lambda values: [tft_impl._TensorBinding(v, name, dtype, is_asset) for v in values])


def _combined(function: beam.CombineFn, elements: Iterable[Any]) -> Any:
    state = function.create_accumulator()
    for element in elements:
        state = function.add_input(state, element)
    return function.extract_output(function.compact(state))


def _combined_by_key(function: beam.CombineFn, pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    grouped: dict[Any, list[Any]] = collections.defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return [(key, _combined(function, values)) for key, values in grouped.items()]


def _merge(function: beam.CombineFn, inputs: Sequence[Later]) -> Later:
    return inputs[0].then(lambda accumulators: [_combined(function, accumulators)])


def _outputs(operation: Any, inputs: Sequence[Later], setting: Setting) -> tuple[Later, ...]:
    def output(index: int) -> Later:
        return inputs[0].then(lambda results: [results[0][index]])

    return tuple(output(index) for index in range(operation.num_outputs))


def _accumulate_by_key(operation: Any, inputs: Sequence[Stream], setting: Setting) -> Later:
    combiner = operation.combiner

    def add(states: dict[Any, Any], batch: Any) -> dict[Any, Any]:
        for key, values in analyzer_impls._split_inputs_by_key(batch):
            states[key] = combiner.add_input(states.get(key, combiner.create_accumulator()), values)
        return states

    states = inputs[0].fold({}, add)
    return Later(lambda: [(key, combiner.compact(state)) for key, state in states().items()])


def _merge_by_key(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    function = analyzer_impls._CombinerWrapper(operation.combiner, is_combining_accumulators=True)
    return inputs[0].then(lambda pairs: _combined_by_key(function, pairs))


def _format_keys(operation: Any, inputs: Sequence[Later], setting: Setting) -> tuple[Later, ...]:
    dtypes = [info.dtype for info in operation.combiner.output_tensor_infos()]
    merged = inputs[0].then(lambda pairs: [t.value for t in analyzer_impls._merge_outputs_by_key(pairs, dtypes)])

    def output(index: int) -> Later:
        return merged.then(lambda values: [values[index]])

    return tuple(output(index) for index in range(1 + len(dtypes)))


def _format_large(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    text = tf.compat.as_str_any
    return inputs[0].then(lambda pairs: [(text(",".join(map(text, value))), key) for key, value in pairs])


def _bucket_boundaries(operation: Any, inputs: Sequence[Later], setting: Setting) -> tuple[Later, ...]:
    joined = inputs[0].then(lambda matrices: list(analyzer_impls._join_boundary_rows(matrices[0])))

    def output(index: int) -> Later:
        return joined.then(lambda values: [values[index]])

    return tuple(output(index) for index in range(4))


def _mean_function(ordering: Any) -> beam.CombineFn:
    return analyzer_impls._WeightedMeanCombineFn(
        output_shape=(None,), compute_weighted=ordering == _Ordering.WEIGHTED_MUTUAL_INFORMATION
    )


def _vocabulary_accumulate(operation: Any, inputs: Sequence[Stream], setting: Setting) -> Later:
    ordering = operation.vocab_ordering_type
    if ordering in _MUTUAL_INFORMATION:
        weighted = ordering == _Ordering.WEIGHTED_MUTUAL_INFORMATION
        function = _mean_function(ordering)

        def add_means(states: dict[Any, Any], batch: Any) -> dict[Any, Any]:
            for key, value in analyzer_impls._flatten_to_key_and_means_accumulator_list(batch, weighted):
                states[key] = function.add_input(states.get(key, function.create_accumulator()), value)
            return states

        means = inputs[0].fold({}, add_means)
        return Later(lambda: list(means().items()))

    def add_counts(counts: collections.Counter[Any], batch: Any) -> collections.Counter[Any]:
        if ordering == _Ordering.WEIGHTED_FREQUENCY:
            for token, weight in analyzer_impls._flatten_value_and_weights_to_list_of_tuples(batch):
                counts[token] += weight
        else:
            counts.update(analyzer_impls._flatten_value_to_list(batch))
        return counts

    counts = inputs[0].fold(collections.Counter(), add_counts)
    return Later(lambda: list(counts().items()))


def _vocabulary_merge(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    if operation.vocab_ordering_type in _MUTUAL_INFORMATION:
        return inputs[0].then(lambda pairs: _mutual_information(operation, pairs))

    def merge(pairs: list[Any]) -> list[Any]:
        totals: dict[Any, Any] = {}
        for token, count in pairs:
            totals[token] = totals[token] + count if token in totals else count
        return [(count, token) for token, count in totals.items()]

    return inputs[0].then(merge)


def _mutual_information(operation: Any, pairs: list[Any]) -> list[Any]:
    """Returns ((information, frequency), token) for every token; as TFT's `_MutualInformationTransformMerge`."""
    merged = _combined_by_key(_mean_function(operation.vocab_ordering_type), pairs)
    sentinels = (tf_utils.GLOBAL_Y_COUNT_SENTINEL_STRING, tf_utils.GLOBAL_Y_COUNT_SENTINEL_INT)
    overall = [state for token, state in merged if token in sentinels]
    if not overall:
        return []
    least = operation.min_diff_from_avg
    if least is None:
        least = analyzers.calculate_recommended_min_diff_from_avg(overall[0].count * overall[0].weight)
    results = [
        analyzer_impls._calculate_mutual_information_for_feature_value(
            pair, overall[0], operation.use_adjusted_mutual_info, least
        )
        for pair in merged
        if pair[0] not in sentinels
    ]
    return [((information, frequency), token) for token, (information, _, frequency) in results]


def _vocabulary_count(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    return inputs[0].then(lambda pairs: [np.int64(max(len(pairs), 1))])


def _vocabulary_prune(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    least_frequency = operation.frequency_threshold or 0
    least_information = operation.informativeness_threshold

    def keeps(metric: Any) -> bool:
        information, frequency = metric if isinstance(metric, tuple) else (float("inf"), metric)
        return bool(frequency >= least_frequency and information >= least_information)

    def prune(pairs: list[Any]) -> list[Any]:
        if least_frequency > 0 or least_information > float("-inf"):
            pairs = [pair for pair in pairs if keeps(pair[0])]
        pairs = [(metric[0] if isinstance(metric, tuple) else metric, token) for metric, token in pairs]
        if operation.input_dtype != tf.string.name:
            pairs = [(metric, tf.compat.as_bytes(tf.compat.as_str_any(token))) for metric, token in pairs]
        if operation.top_k is None:
            return pairs
        best = sorted(pairs, reverse=True)[: operation.top_k]
        return list(analyzer_impls.maybe_add_empty_vocabulary_dummy(best, operation.input_dtype))

    return inputs[0].then(prune)


def _vocabulary_write(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    def write(pairs: list[Any]) -> list[Any]:
        reserved = inputs[1].get()[0] if len(inputs) > 1 else None
        return [np.array(_write_vocabulary(operation, _ordered(operation, pairs, reserved), setting.folder))]

    return inputs[0].then(write)


def _ordered(operation: Any, pairs: list[Any], reserved: Any) -> list[bytes]:
    """Returns the lines of a vocabulary file."""
    if operation.input_is_sorted and reserved is None:
        to_line = analyzer_impls._count_and_token_to_bytes
        return [to_line(*pair) if operation.store_frequency else pair[1] for pair in pairs]
    by_hash = {"key": lambda pair: hashlib.sha1(pair[1]).digest()}  # noqa: S324 - TFT's order, no secret
    order = by_hash if operation.fingerprint_shuffle else {"reverse": True}
    lines = analyzer_impls._OrderElementsFn(operation.store_frequency, order, operation.input_dtype)
    return list(lines.process(None, [pairs], reserved))


def _write_vocabulary(operation: Any, lines: Sequence[bytes], folder: str) -> str:
    path = os.path.join(folder, operation.vocab_filename)
    if operation.file_format == "tfrecord_gzip":
        path += ".tfrecord.gz"
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for line in lines:
                writer.write(line)
    else:
        with open(path, "wb") as file:
            file.writelines(line + b"\n" for line in lines)
    return path


def _reserved_tokens(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    return Later(lambda: [[tf_utils.fetch_vocabulary_reserved_tokens(setting.graph, operation.name)]])


_OPERATIONS: dict[type, Callable[[Any, Any, Setting], Any]] = {
    beam_nodes.ExtractInputForSavedModel: lambda operation, inputs, setting: Later(lambda: []),
    beam_nodes.CreateSavedModel: _create_saved_model,
    beam_nodes.ApplySavedModel: _apply_saved_model,
    beam_nodes.ExtractFromDict: _extract,
    beam_nodes.CreateTensorBinding: _tensor_binding,
    beam_nodes.Flatten: _flatten,
    analyzer_nodes.AddKey: lambda operation, inputs, setting: inputs[0].then(
        lambda values: [(operation.key, value) for value in values]
    ),
    analyzer_nodes.FlattenLists: lambda operation, inputs, setting: inputs[0].then(
        lambda lists: [element for elements in lists for element in elements]
    ),
    analyzer_nodes.CacheableCombineAccumulate: lambda operation, inputs, setting: inputs[0].combine(
        analyzer_impls._CombinerWrapper(operation.combiner, is_combining_accumulators=False)
    ),
    analyzer_nodes.CacheableCombineMerge: lambda operation, inputs, setting: _merge(
        analyzer_impls._CombinerWrapper(operation.combiner, is_combining_accumulators=True), inputs
    ),
    analyzer_nodes.PackedCombineAccumulate: lambda operation, inputs, setting: inputs[0].combine(
        analyzer_impls._PackedCombinerWrapper(operation.combiners, is_combining_accumulators=False)
    ),
    analyzer_nodes.PackedCombineMerge: lambda operation, inputs, setting: _merge(
        analyzer_impls._PackedCombinerWrapper(operation.combiners, is_combining_accumulators=True), inputs
    ),
    analyzer_nodes.ExtractCombineMergeOutputs: _outputs,
    analyzer_nodes.ExtractPackedCombineMergeOutputs: _outputs,
    analyzer_nodes.CacheableCombinePerKeyAccumulate: _accumulate_by_key,
    analyzer_nodes.CacheableCombinePerKeyMerge: _merge_by_key,
    analyzer_nodes.CacheableCombinePerKeyFormatKeys: _format_keys,
    analyzer_nodes.CacheableCombinePerKeyFormatLarge: _format_large,
    analyzer_nodes.ScaleAndFlattenPerKeyBucketBouandaries: _bucket_boundaries,
    analyzer_nodes.VocabularyAccumulate: _vocabulary_accumulate,
    analyzer_nodes.VocabularyMerge: _vocabulary_merge,
    analyzer_nodes.VocabularyCount: _vocabulary_count,
    analyzer_nodes.VocabularyPrune: _vocabulary_prune,
    analyzer_nodes.VocabularyOrderAndWrite: _vocabulary_write,
    analyzer_nodes.ExtractVocabularyReservedTokens: _reserved_tokens,
}
"""The operations that are evaluated here; TFT's Beam implementation of each is the reference."""

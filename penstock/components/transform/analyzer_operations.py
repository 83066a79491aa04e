"""The operations of an analysis graph, evaluated in process; TFT's Beam implementation of each is the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tensorflow_transform import analyzer_nodes
from tensorflow_transform.beam import analyzer_impls, beam_nodes
from tensorflow_transform.beam import impl as tft_impl

from penstock.components.transform import vocabulary_operations
from penstock.components.transform.analysis_streams import Later, Pass, Setting, Stream, combined, combined_by_key


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


def _merge(function: beam.CombineFn, inputs: Sequence[Later]) -> Later:
    return inputs[0].then(lambda accumulators: [combined(function, accumulators)])


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
    return inputs[0].then(lambda pairs: combined_by_key(function, pairs))


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


OPERATIONS: dict[type, Callable[[Any, Any, Setting], Any]] = {
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
    analyzer_nodes.VocabularyAccumulate: vocabulary_operations.vocabulary_accumulate,
    analyzer_nodes.VocabularyMerge: vocabulary_operations.vocabulary_merge,
    analyzer_nodes.VocabularyCount: vocabulary_operations.vocabulary_count,
    analyzer_nodes.VocabularyPrune: vocabulary_operations.vocabulary_prune,
    analyzer_nodes.VocabularyOrderAndWrite: vocabulary_operations.vocabulary_write,
    analyzer_nodes.ExtractVocabularyReservedTokens: vocabulary_operations.reserved_tokens,
}
"""The operations that are evaluated here; TFT's Beam implementation of each is the reference."""

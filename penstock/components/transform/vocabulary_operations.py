"""The vocabulary operations of an analysis, evaluated in process; TFT's Beam implementations are the reference."""

from __future__ import annotations

import collections
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzers, tf_utils
from tensorflow_transform.beam import analyzer_impls

from penstock.components.transform.analysis_streams import Later, Setting, Stream, combined_by_key

_Ordering = analyzers._VocabOrderingType
_MUTUAL_INFORMATION = (_Ordering.MUTUAL_INFORMATION, _Ordering.WEIGHTED_MUTUAL_INFORMATION)
KNOWN_ORDERINGS = (*_MUTUAL_INFORMATION, _Ordering.FREQUENCY, _Ordering.WEIGHTED_FREQUENCY)


def _mean_function(ordering: Any) -> beam.CombineFn:
    return analyzer_impls._WeightedMeanCombineFn(
        output_shape=(None,), compute_weighted=ordering == _Ordering.WEIGHTED_MUTUAL_INFORMATION
    )


def vocabulary_accumulate(operation: Any, inputs: Sequence[Stream], setting: Setting) -> Later:
    """Counts tokens, or means of labels by token."""
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


def vocabulary_merge(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    """Returns (metric, token) pairs."""
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
    merged = combined_by_key(_mean_function(operation.vocab_ordering_type), pairs)
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


def vocabulary_count(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    """Returns the size of the vocabulary."""
    return inputs[0].then(lambda pairs: [np.int64(max(len(pairs), 1))])


def vocabulary_prune(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    """Keeps the tokens that pass the thresholds, the best `top_k` of them."""
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


def vocabulary_write(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    """Writes the vocabulary file and returns its path."""

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


def reserved_tokens(operation: Any, inputs: Sequence[Later], setting: Setting) -> Later:
    """Returns the tokens that the user reserved."""
    return Later(lambda: [[tf_utils.fetch_vocabularyreserved_tokens(setting.graph, operation.name)]])

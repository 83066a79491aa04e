"""`fn_args.data_accessor`: stored examples as a `tf.data.Dataset`, batches made by whole columns.

A window of rows is decoded into one tensor a column; an epoch is a permutation of row numbers, a batch one
gather a column. No Python runs per row, and none per batch.
"""

from __future__ import annotations

import dataclasses
import glob
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from penstock.components import row_tensors
from penstock.data import codec, examples
from penstock.data.raw_feature import RawFeature, columns_of, features_of, is_list, raw_features
from penstock.pipeline.errors import DataError, UserCodeError, listing, nearest

SHUFFLE_ROWS = 65_536
"""Rows that are shuffled among each other, and kept decoded at a time, unless asked otherwise."""

LARGEST_SEED = 2**31


@dataclasses.dataclass(frozen=True)
class TensorFlowDatasetOptions:
    """How to make a dataset; names and meanings of `tfxio.TensorFlowDatasetOptions`.

    Attributes:
        batch_size: Rows a batch.
        drop_final_batch: Whether a last, smaller batch is left out.
        num_epochs: Passes over the data; None repeats forever.
        shuffle: Whether to shuffle, within `shuffle_buffer_size` rows.
        shuffle_buffer_size: Rows shuffled among each other; larger data is shuffled window by window.
        shuffle_seed: By default the step's seed.
        label_key: Splits this feature off: elements become (features, label).
    """

    batch_size: int
    drop_final_batch: bool = False
    num_epochs: int | None = None
    shuffle: bool = True
    shuffle_buffer_size: int = SHUFFLE_ROWS
    shuffle_seed: int | None = None
    label_key: str | None = None


@dataclasses.dataclass(frozen=True)
class RecordBatchesOptions:
    """How to make record batches; names and meanings of `tfxio.RecordBatchesOptions`."""

    batch_size: int
    drop_final_batch: bool = False
    num_epochs: int | None = 1


class DataAccessor:
    """Reads the files that `fn_args` names.

    Attributes:
        features: What the rows hold where no schema is given: the transformed features, or the raw ones.
        seed: The step's seed.
    """

    def __init__(self, features: Sequence[RawFeature] | None = None, seed: int = 0) -> None:
        self.features = features
        self.seed = seed

    def tf_dataset_factory(
        self,
        file_pattern: str | Sequence[str],
        options: TensorFlowDatasetOptions,
        schema: Any = None,
    ) -> Any:
        """Returns a `tf.data.Dataset` of batches.

        Args:
            file_pattern: `fn_args.train_files` or `fn_args.eval_files`, or any patterns of shards.
            options: Batch size, epochs, shuffling, label.
            schema: A `Schema` proto of what to read; by default everything the files hold.

        Returns:
            Elements are dicts by name, or (dict, label) with `label_key`. A feature with a fixed shape is a tensor
            (batch, *shape). A missing value of any other scalar is its sentinel ("", NaN, the least int64) in a
            tensor (batch, 1), as in the signature `raw`; a feature of several values, and a sparse feature of the
            schema, is a `tf.SparseTensor`.

        Raises:
            DataError: A pattern matches no file.
            UserCodeError: There is no feature `label_key`.
        """
        files = _matched(file_pattern)
        features = self._features(files[0], schema)
        if options.label_key is not None:
            _check_label(options.label_key, features)
        return _dataset(_Rows(files, features), options, self.seed)

    def record_batch_factory(
        self,
        file_pattern: str | Sequence[str],
        options: RecordBatchesOptions,
        schema: Any = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yields record batches of stored rows, in order; see `tf_dataset_factory` for the arguments."""
        files = _matched(file_pattern)
        columns = columns_of(self._features(files[0], schema))
        epoch = 0
        while options.num_epochs is None or epoch < options.num_epochs:
            for batch in examples.read_batches(files, columns, options.batch_size):
                if batch.num_rows == options.batch_size or not options.drop_final_batch:
                    yield batch
            epoch += 1

    def _features(self, file: str, schema: Any) -> tuple[RawFeature, ...]:
        stored = pq.read_schema(file)
        known = raw_features(schema) if schema is not None else self.features
        if known is None:
            return features_of(stored)
        types = {field.name: field.type for field in stored}
        return tuple(
            dataclasses.replace(f, scalar=f.scalar and not is_list(types[f.name]))
            for f in known
            if types.keys() >= set(f.columns)
        )


def _matched(file_pattern: str | Sequence[str]) -> list[str]:
    patterns = [file_pattern] if isinstance(file_pattern, str) else list(file_pattern)
    files = [name for pattern in patterns for name in sorted(glob.glob(pattern)) if os.path.isfile(name)]
    if not files:
        raise DataError(f"No file matches {listing(map(repr, patterns))}. Pass fn_args.train_files or eval_files.")
    return files


def _check_label(label: str, features: Sequence[RawFeature]) -> None:
    names = [feature.name for feature in features]
    if label not in names:
        raise UserCodeError(
            f"label_key={label!r} is no feature of the examples.{nearest(label, names)} They hold: {listing(names)}."
        )


class _Rows:
    """Shards as windows of tensors."""

    def __init__(self, files: Sequence[str], features: Sequence[RawFeature]) -> None:
        self.files = files
        self.features = features

    @property
    def count(self) -> int:
        """How many rows the shards hold."""
        return sum(pq.read_metadata(file).num_rows for file in self.files)

    @property
    def fixed(self) -> bool:
        """Whether every feature is one dense tensor, so that rows can be gathered."""
        return all(f.required or f.scalar for f in self.features)

    def windows(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Yields `rows` rows at a time, fewer the last time."""
        return _regrouped(examples.read_batches(self.files, columns_of(self.features)), rows)

    def tensors(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """Returns the tensors of some rows."""
        fixed = [f for f in self.features if f.required or f.scalar]
        several = [f for f in self.features if not (f.required or f.scalar)]
        dense = codec.dense(batch, fixed)
        shaped = {f.name: dense[f.name].reshape(batch.num_rows, *_row_shape(f)) for f in fixed}
        return {
            **{f.name: tf.constant(shaped[f.name], row_tensors.dtype_of(f)) for f in fixed},
            **row_tensors.from_batch(batch, several),
        }

    def specs(self) -> dict[str, tf.TypeSpec]:
        """Returns the types of the tensors."""
        sparse = row_tensors.type_specs([f for f in self.features if not (f.required or f.scalar)])
        fixed = [f for f in self.features if f.required or f.scalar]
        return {f.name: tf.TensorSpec([None, *_row_shape(f)], row_tensors.dtype_of(f)) for f in fixed} | sparse


def _row_shape(feature: RawFeature) -> tuple[int, ...]:
    return (1,) if feature.shape is None else feature.shape


def _regrouped(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yields batches of exactly `rows` rows, but for the last."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        waiting.append(batch)
        held += batch.num_rows
        while held >= rows:
            table = pa.Table.from_batches(waiting).combine_chunks()
            yield table.slice(0, rows).to_batches()[0]
            waiting = table.slice(rows).to_batches()
            held -= rows
    if held:
        yield pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]


def _dataset(rows: _Rows, options: TensorFlowDatasetOptions, default_seed: int) -> Any:
    seed = (default_seed if options.shuffle_seed is None else options.shuffle_seed) % LARGEST_SEED
    window = max(options.shuffle_buffer_size // options.batch_size, 1) * options.batch_size
    if not rows.fixed:
        dataset = _in_python(rows, options, window, seed)
    elif rows.count <= window:
        held = rows.tensors(next(rows.windows(rows.count)))
        dataset = _gathered(held, rows.count, options, seed, epochs=options.num_epochs)
    else:
        dataset = _by_window(rows, options, window, seed)
    if options.label_key is not None:
        label = options.label_key
        dataset = dataset.map(lambda row: ({k: v for k, v in row.items() if k != label}, row[label]))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _gathered(
    held: Mapping[str, Any], rows: Any, options: TensorFlowDatasetOptions, seed: int, *, epochs: int | None
) -> Any:
    """Returns batches of tensors that are all in memory."""
    order = tf.data.Dataset.range(rows)
    if options.shuffle:
        order = order.shuffle(tf.cast(rows, tf.int64), seed=seed)
    batches = order.repeat(epochs).batch(options.batch_size, drop_remainder=options.drop_final_batch)
    return batches.map(lambda chosen: {name: tf.gather(tensor, chosen) for name, tensor in held.items()})


def _by_window(rows: _Rows, options: TensorFlowDatasetOptions, window: int, seed: int) -> Any:
    """Returns batches of data that is decoded window by window; windows hold whole batches."""
    first = rows.features[0].name
    windows = tf.data.Dataset.from_generator(
        lambda: map(rows.tensors, rows.windows(window)), output_signature=rows.specs()
    )
    batches = windows.flat_map(
        lambda held: _gathered(held, tf.shape(held[first], tf.int64)[0], options, seed, epochs=1)
    )
    return batches.repeat(options.num_epochs)


def _in_python(rows: _Rows, options: TensorFlowDatasetOptions, window: int, seed: int) -> Any:
    """Returns batches of data with features of several values, which can't be gathered."""
    epochs = itertools.count()

    def batches() -> Iterator[dict[str, Any]]:
        random = np.random.default_rng((seed, next(epochs)))
        for held in rows.windows(window):
            shuffled = held.take(pa.array(random.permutation(held.num_rows))) if options.shuffle else held
            for start in range(0, held.num_rows, options.batch_size):
                batch = shuffled.slice(start, options.batch_size)
                if batch.num_rows == options.batch_size or not options.drop_final_batch:
                    yield rows.tensors(batch)

    dataset = tf.data.Dataset.from_generator(batches, output_signature=rows.specs())
    return dataset.repeat(options.num_epochs)

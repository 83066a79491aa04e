"""Reading a `TransformGraph` with TensorFlow alone: the function, its raw features, what each output is made from.

Layout, as `tft.TFTransformOutput` reads it: `transform_fn/` (a SavedModel), `transformed_metadata/` (the schema of
what comes out) and `metadata/` (the schema of what goes in). Importing tensorflow-transform costs seconds and its
layer belongs to Keras 2, so training, evaluation and serving go through this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import tensorflow as tf

from penstock.components import row_tensors
from penstock.data.protos import read_schema
from penstock.data.raw_feature import RawFeature, raw_features

TRANSFORM_FN = "transform_fn"
RAW_SCHEMA = "metadata"
TRANSFORMED_SCHEMA = "transformed_metadata"
RAW_SCHEMA_FILE = os.path.join(RAW_SCHEMA, "schema.pbtxt")
TRANSFORMED_SCHEMA_FILE = os.path.join(TRANSFORMED_SCHEMA, "schema.pbtxt")


class TransformOutput:
    """A transform graph, loaded when first applied.

    It answers what `run_fn` asks of `tft.TFTransformOutput`: the transformed features, the vocabularies.

    Attributes:
        path: Folder of the TransformGraph artifact.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @cached_property
    def features(self) -> tuple[RawFeature, ...]:
        """The raw features that `preprocessing_fn` was given, the label among them."""
        return raw_features(read_schema(os.path.join(self.path, RAW_SCHEMA_FILE)))

    @cached_property
    def transformed_features(self) -> tuple[RawFeature, ...]:
        """What `preprocessing_fn` returned, the label among them, sorted by name."""
        return raw_features(read_schema(os.path.join(self.path, TRANSFORMED_SCHEMA_FILE)))

    def vocabulary_path(self, name: str) -> str:
        """Returns the file of a vocabulary.

        Args:
            name: The `vocab_filename` given in `preprocessing_fn`.

        Raises:
            KeyError: There is none; the message lists the vocabularies there are.
        """
        assets = os.path.join(self.path, TRANSFORM_FN, "assets")
        names = sorted(os.listdir(assets)) if os.path.isdir(assets) else []
        if name not in names:
            known = ", ".join(names) or "none"
            raise KeyError(
                f"The transform graph has no vocabulary {name!r}; it has: {known}. "
                "Pass vocab_filename= to the vocabulary in preprocessing_fn."
            )
        return os.path.join(assets, name)

    def vocabulary(self, name: str) -> list[bytes]:
        """Returns the terms of a vocabulary, in order; see `vocabulary_path`."""
        with open(self.vocabulary_path(name), "rb") as file:
            return file.read().splitlines()

    def vocabulary_size(self, name: str) -> int:
        """Returns the number of terms of a vocabulary, out-of-vocabulary buckets not counted."""
        return len(self.vocabulary(name))

    @cached_property
    def loaded(self) -> Any:
        """The SavedModel; a trackable that owns the tables and constants of the function."""
        return tf.saved_model.load(os.path.join(self.path, TRANSFORM_FN))

    @cached_property
    def function(self) -> Any:
        """The concrete function: dict of tensors by raw name -> dict of tensors by transformed name."""
        function = self.loaded.transform_fn
        return getattr(function, "concrete_functions", [function])[0]

    @property
    def output_names(self) -> list[str]:
        """Names of what comes out, sorted."""
        return sorted(self.function.structured_outputs)

    def apply(self, tensors: Mapping[str, Any], rows: Any) -> dict[str, Any]:
        """Returns the transformed tensors, in a graph or eagerly.

        Args:
            tensors: Raw tensors by name, dense or sparse as `row_tensors` makes them. Features left out are fed as
                absent: use only outputs that don't read them.
            rows: The number of rows.
        """
        absent = [f for f in self.features if f.name not in tensors]
        given = {**tensors, **row_tensors.absent(absent, rows)}
        named = {name: given[name] for name in self._input_specs}
        result: dict[str, Any] = self.function(*tf.nest.flatten(named, expand_composites=True))
        return result

    def reads(self, outputs: Iterable[str]) -> tuple[RawFeature, ...]:
        """Returns the raw features that the values of these outputs are computed from."""
        graph = self.function.graph
        packed = tf.nest.pack_sequence_as(graph.structured_outputs, graph.outputs, expand_composites=True)
        sinks = tf.nest.flatten({name: packed[name] for name in outputs}, expand_composites=True)
        read = {self._input_owner[op] for op in _ancestors(sinks) if op in self._input_owner}
        return tuple(feature for feature in self.features if feature.name in read)

    @property
    def _input_specs(self) -> dict[str, Any]:
        specs: dict[str, Any] = self.function.structured_input_signature[0][0]
        return specs

    @cached_property
    def _input_owner(self) -> dict[str, str]:
        """Raw name by the name of the placeholder of each of its parts."""
        parts = {
            name: [name] * len(tf.nest.flatten(spec, expand_composites=True))
            for name, spec in self._input_specs.items()
        }
        owners = [owner for name in sorted(parts) for owner in parts[name]]
        return {tensor.op.name: owner for tensor, owner in zip(self.function.graph.inputs, owners, strict=False)}


def _ancestors(tensors: Iterable[Any]) -> set[str]:
    """Returns the names of all operations that the tensors' values come from."""
    waiting = [tensor.op for tensor in tensors]
    seen = {op.name for op in waiting}
    while waiting:
        for tensor in waiting.pop().inputs:
            if tensor.op.name not in seen:
                seen.add(tensor.op.name)
                waiting.append(tensor.op)
    return seen

"""Analyzes data with a `preprocessing_fn` in this process and writes the resulting transform graph.

`preprocessing_fn` is traced twice: once for its analyzers, once with their results in place. Beam's route
traces it five times and saves a model a phase.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow_transform import annotators, graph_tools, impl_helper
from tensorflow_transform.beam import analysis_graph_builder
from tensorflow_transform.beam import impl as tft_impl
from tensorflow_transform.tf_metadata import metadata_io

from penstock.components import row_tensors
from penstock.components.transform import analysis_graph, analysis_streams
from penstock.data.raw_feature import RawFeature, columns_of

Batches = Callable[[Sequence[str]], Iterable[pa.RecordBatch]]
"""Gives the rows of the analysis, of the named columns; called once a phase."""


class NeedsBeam(Exception):
    """Raised before any data is read when an analyzer is known to Beam only; says which."""


@dataclass(frozen=True)
class Traced:
    """A traced `preprocessing_fn` and where its parts are kept."""

    preprocessing_fn: Callable[..., Any]
    features: tuple[RawFeature, ...]
    graph: Any
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    folder: str

    @property
    def specs(self) -> dict[str, tf.TypeSpec]:
        """The types that `preprocessing_fn` is given."""
        return row_tensors.type_specs(self.features)

    def sources(self, sinks: Sequence[Any]) -> list[Any]:
        """Returns the tensors without inputs that any of the tensors `sinks` is computed from."""
        return list(graph_tools.retrieve_sources([s.op for s in sinks], ignore_control_dependencies=True))

    def features_among(self, sources: Sequence[Any]) -> tuple[RawFeature, ...]:
        """Returns the features whose tensors are among `sources`."""
        names = {source.name for source in sources}
        return tuple(f for f in self.features if names & {t.name for t in _parts(self.inputs[f.name])})


def _parts(tensor: Any) -> list[Any]:
    return list(tf.nest.flatten(tensor, expand_composites=True))


def trace(preprocessing_fn: Callable[..., Any], features: Sequence[RawFeature], folder: str) -> Traced:
    """Returns the traced function; `folder` takes temporary assets."""
    specs = row_tensors.type_specs(features)
    graph, inputs, outputs = impl_helper.trace_preprocessing_function(preprocessing_fn, specs, False, folder)
    return Traced(preprocessing_fn, tuple(features), graph, inputs, outputs, folder)


def analyze(traced: Traced, batches: Batches, destination: str) -> None:
    """Writes the transform graph: `transform_fn/` and `transformed_metadata/`.

    Args:
        traced: The function.
        batches: The rows to analyze.
        destination: The folder of the TransformGraph artifact.

    Raises:
        NeedsBeam: An analyzer of the function has no local implementation.
    """
    asset_map = annotators.get_asset_annotations(traced.graph)
    annotators.clear_asset_annotations(traced.graph)
    fingerprint = graph_tools.get_analyzers_fingerprint(traced.graph, traced.inputs)
    root, _, _ = analysis_graph_builder.build(traced.graph, traced.inputs, traced.outputs)
    unknown = analysis_graph.unknown_operations(root)
    if unknown:
        raise NeedsBeam(", ".join(unknown))
    models = _Models(traced, batches, fingerprint, os.path.join(destination, "transform_fn"))
    setting = analysis_streams.Setting(traced.graph, traced.folder, models.create, models.apply)
    analysis_graph.evaluate(root, setting)
    write_metadata(models.metadata, asset_map, destination)


def write_metadata(metadata: Any, asset_map: Mapping[str, str], destination: str) -> None:
    """Writes the schema of the transformed rows where `tft.TFTransformOutput` looks for it."""
    folder = os.path.join(destination, "transformed_metadata")
    metadata_io.write_metadata(metadata, folder)
    if asset_map:
        with open(os.path.join(folder, "asset_map"), "w", encoding="utf-8") as file:
            json.dump(dict(asset_map), file, sort_keys=True)


class _Models:
    """Makes and applies the models of an analysis: one a phase, and the transform itself."""

    def __init__(self, traced: Traced, batches: Batches, fingerprint: Any, transform_fn: str) -> None:
        self._traced = traced
        self._batches = batches
        self._fingerprint = fingerprint
        self._transform_fn = transform_fn
        self.metadata: Any = None

    def create(self, operation: Any, bindings: Sequence[Any]) -> Any:
        """Returns the model of an operation CreateSavedModel: what `apply` takes, or the folder of the last one."""
        replacements = tft_impl._get_tensor_replacement_map(None, *bindings)
        if operation.label == "CreateSavedModel":
            self._save(self._transform_fn, replacements, {})
            return self._transform_fn
        outputs = dict(operation.output_signature)
        sources = self._traced.sources(list(outputs.values()))
        features = self._traced.features_among(sources)
        if not bindings and all(source.dtype != tf.resource for source in sources):
            return features, self._pruned(features, outputs)
        return features, self._reloaded(features, outputs, replacements)

    def apply(self, model: tuple[tuple[RawFeature, ...], Callable[..., Any]]) -> Iterable[Any]:
        """Yields a model's outputs, a dict of arrays for each batch of rows."""
        features, function = model
        for batch in self._batches(columns_of(features)):
            yield function(row_tensors.from_batch(batch, features), batch.num_rows)

    def _pruned(self, features: Sequence[RawFeature], outputs: Mapping[str, Any]) -> Callable[..., Any]:
        """Returns the first phase's model: the part of the traced graph that its analyzers read."""
        feeds = [part for f in features for part in _parts(self._traced.inputs[f.name])]
        holder = wrap_function.VariableHolder(share_variables=True)
        wrapped = wrap_function.WrappedFunction(self._traced.graph, variable_holder=holder)
        pruned = wrapped.prune(feeds, list(outputs.values()))

        def apply(tensors: Mapping[str, Any], rows: int) -> dict[str, Any]:
            arguments = [part for f in features for part in _parts(tensors[f.name])]
            results = pruned(*map(tf.convert_to_tensor, arguments))
            return dict(zip(outputs, map(np.asarray, results), strict=True))

        return apply

    def _reloaded(
        self, features: Sequence[RawFeature], outputs: Mapping[str, Any], replacements: Mapping[str, Any]
    ) -> Callable[..., Any]:
        """Returns the model of a phase that has tables or results of earlier phases in it, by way of TFT."""
        folder = os.path.join(self._traced.folder, f"phase-{len(os.listdir(self._traced.folder))}")
        self._save(folder, replacements, {name: tensor.name for name, tensor in outputs.items()})
        read = {f.name for f in features}
        others = [f for f in self._traced.features if f.name not in read]
        state = tft_impl._RunMetaGraphDoFn._GraphStateV2(folder, {f.name for f in self._traced.features}, [])

        def apply(tensors: Mapping[str, Any], rows: int) -> dict[str, Any]:
            results = state.callable_get_outputs({**tensors, **row_tensors.absent(others, rows)})
            return {name: np.asarray(result) for name, result in results.items()}

        return apply

    def _save(self, folder: str, replacements: Mapping[str, Any], names: Mapping[str, str]) -> None:
        impl_helper.trace_and_write_v2_saved_model(
            folder,
            self._traced.preprocessing_fn,
            self._traced.specs,
            self._traced.folder,
            self._fingerprint,
            replacements,
            names,
            None,
        )
        inside = os.path.join(folder, impl_helper.METADATA_DIR_NAME)
        if os.path.isdir(inside):
            self.metadata = metadata_io.read_metadata(inside)
            shutil.rmtree(inside)

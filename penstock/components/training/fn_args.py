"""What `run_fn` receives: TFX's `FnArgs`, field for field, so that a TFX user's module file works here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from penstock.components.training.data_accessor import DataAccessor
from penstock.components.transform_graph import TransformOutput


@dataclass(frozen=True)
class FnArgs:
    """Arguments of the user's `run_fn`.

    Attributes:
        train_files: Patterns of the files to train on, for `data_accessor`.
        eval_files: Patterns of the files to evaluate on.
        train_steps: Steps to train, or None where none were asked for.
        eval_steps: Steps to evaluate, or None for all.
        schema_path: File of the schema of the raw rows, or None.
        transform_graph_path: Folder of the TransformGraph, or None.
        serving_model_dir: Where the SavedModel must be written; `save_model` does.
        eval_model_dir: A second folder for a model that only an evaluator needs.
        model_run_dir: For logs, checkpoints and histories; recorded as the ModelRun.
        working_dir: Scratch, removed after the step.
        data_accessor: Reads the files as a `tf.data.Dataset` or as record batches.
        base_model: Folder of the model to start from, or None.
        hyperparameters: What a Tuner found, or None.
        custom_config: What the pipeline passed.
        seed: Already set for Python, numpy and Keras; pass it to what has a seed of its own.
    """

    train_files: list[str]
    eval_files: list[str]
    train_steps: int | None
    eval_steps: int | None
    schema_path: str | None
    transform_graph_path: str | None
    serving_model_dir: str
    eval_model_dir: str
    model_run_dir: str
    working_dir: str
    data_accessor: DataAccessor
    base_model: str | None = None
    hyperparameters: Mapping[str, Any] | None = None
    custom_config: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def schema_file(self) -> str | None:
        """TFX's older name of `schema_path`."""
        return self.schema_path

    @property
    def transform_output(self) -> str | None:
        """TFX's name of `transform_graph_path`, for `tft.TFTransformOutput(fn_args.transform_output)`."""
        return self.transform_graph_path

    @cached_property
    def transform(self) -> TransformOutput | None:
        """The transform graph, its features and vocabularies, without importing tensorflow-transform."""
        return TransformOutput(self.transform_graph_path) if self.transform_graph_path else None

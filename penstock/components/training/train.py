"""Calls the user's `run_fn` and checks what it left behind."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras

from penstock.components.model_contract import (
    CONTRACT_FILE,
    EVAL_FOLDER,
    SERVING_FOLDER,
    ModelContract,
    read_contract,
    serving_folder,
)
from penstock.components.saved_model_digest import is_saved_model
from penstock.components.training.data_accessor import DataAccessor
from penstock.components.training.fn_args import FnArgs
from penstock.components.transform_graph import TransformOutput
from penstock.data import examples as rows
from penstock.data.protos import SCHEMA_FILE, read_schema
from penstock.data.raw_feature import RawFeature, columns_of, raw_features
from penstock.pipeline.errors import DataError, Unsupported, UserCodeError, listing

BACKEND = "tensorflow"
ARGUMENTS_FILE = "arguments.json"
HYPERPARAMETERS_FILE = "best_hyperparameters.txt"

SAVE_HINT = (
    "End run_fn with penstock.components.training.save_model(model, fn_args, label=..., task=...), or write a "
    "SavedModel to fn_args.serving_model_dir"
)


def train(run_fn: Callable[[FnArgs], Any], fn_args: FnArgs) -> ModelContract | None:
    """Runs the user's function under fixed seeds.

    Returns:
        The contract of the model, or None where the function wrote a SavedModel of its own without one.

    Raises:
        Unsupported: Keras runs on another backend than TensorFlow.
        UserCodeError: The function raised, or left no usable model in `serving_model_dir`.
    """
    if keras.backend.backend() != BACKEND:
        raise Unsupported(
            f"Trainer runs Keras on TensorFlow; here it runs on {keras.backend.backend()!r}. "
            f"Set KERAS_BACKEND={BACKEND} for the step."
        )
    # A reused worker has trained before; layer names and seeds would go on counting.
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(fn_args.seed)
    write_arguments(fn_args)
    try:
        run_fn(fn_args)
    except (UserCodeError, DataError):
        raise
    except Exception as error:
        raise UserCodeError(f"run_fn failed: {type(error).__name__}: {error}") from error
    return check_model(fn_args.serving_model_dir)


def check_model(folder: str) -> ModelContract | None:
    """Checks that a folder holds a SavedModel with signatures; returns its contract where it has one.

    Raises:
        UserCodeError: It doesn't.
    """
    if not is_saved_model(folder):
        found = listing(sorted(os.listdir(folder))) if os.path.isdir(folder) else "nothing"
        raise UserCodeError(
            f"run_fn saved no model: fn_args.serving_model_dir ({folder}) must hold a SavedModel, it holds: {found}. "
            f"{SAVE_HINT}."
        )
    from tensorflow.core.protobuf import saved_model_pb2

    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        saved = saved_model_pb2.SavedModel.FromString(file.read())
    names = [name for name in saved.meta_graphs[0].signature_def if not name.startswith("__")]
    if not names:
        raise UserCodeError(
            f"The SavedModel in fn_args.serving_model_dir ({folder}) has no signatures, so nothing can call it. "
            f"{SAVE_HINT} with signatures=."
        )
    return read_contract(folder) if os.path.isfile(os.path.join(folder, CONTRACT_FILE)) else None


def make_fn_args(
    *,
    examples: str,
    transform_graph: str | None,
    schema: str | None,
    model: str,
    model_run: str,
    working_dir: str,
    train_splits: list[str],
    eval_splits: list[str],
    **others: Any,
) -> FnArgs:
    """Returns the arguments of `run_fn` from the folders of the step's artifacts; `others` go to `FnArgs` as they are.

    Raises:
        NoDataError: A split is not among those of the examples.
    """
    transform = TransformOutput(transform_graph) if transform_graph else None
    seed = others.get("seed", 0)
    return FnArgs(
        train_files=_patterns(examples, train_splits),
        eval_files=_patterns(examples, eval_splits),
        schema_path=os.path.join(schema, SCHEMA_FILE) if schema else None,
        transform_graph_path=transform_graph,
        serving_model_dir=os.path.join(model, SERVING_FOLDER),
        eval_model_dir=os.path.join(model, EVAL_FOLDER),
        model_run_dir=model_run,
        working_dir=working_dir,
        data_accessor=DataAccessor(_features(examples, transform, schema), seed),
        **others,
    )


def _patterns(examples: str, splits: list[str]) -> list[str]:
    for split in splits:
        rows.split_files(examples, split)
    return [os.path.join(examples, f"Split-{split}", "*.parquet") for split in splits]


def _features(examples: str, transform: TransformOutput | None, schema: str | None) -> tuple[RawFeature, ...] | None:
    """Returns what the examples hold: transformed features where they are wired, raw ones otherwise."""
    stored = set(rows.arrow_schema(examples).names)
    if transform is not None and stored >= set(columns_of(transform.transformed_features)):
        return transform.transformed_features
    return raw_features(read_schema(schema)) if schema else None


def read_hyperparameters(folder: str | None) -> Mapping[str, Any] | None:
    """Returns the values of a HyperParameters artifact, or None where none is wired."""
    if folder is None:
        return None
    with open(os.path.join(folder, HYPERPARAMETERS_FILE), encoding="utf-8") as file:
        values: dict[str, Any] = json.load(file)
    return values


def write_arguments(fn_args: FnArgs) -> None:
    """Writes what `run_fn` was asked to do into the model run, so that a ModelRun is never empty; no paths."""
    asked = {
        "seed": fn_args.seed,
        "train_steps": fn_args.train_steps,
        "eval_steps": fn_args.eval_steps,
        "custom_config": fn_args.custom_config,
        "hyperparameters": fn_args.hyperparameters,
    }
    os.makedirs(fn_args.model_run_dir, exist_ok=True)
    with open(os.path.join(fn_args.model_run_dir, ARGUMENTS_FILE), "w", encoding="utf-8") as file:
        json.dump(asked, file, indent=2, sort_keys=True)


def model_properties(contract: ModelContract) -> dict[str, Any]:
    """Returns what is recorded of a model, so that later steps are checked before anything heavy is imported.

    `transformed_features` are the outputs of the signature `transform`, the label among them where it is made there.
    """
    made = [contract.label] if contract.label_from == "transform" and contract.has_transform else []
    return {
        "task": contract.task,
        "label": contract.label,
        "label_from": contract.label_from,
        "classes": list(contract.classes),
        "features": columns_of(contract.features),
        "transformed_features": [*contract.transformed_features, *made],
    }


def base_model_folder(model: str | None) -> str | None:
    """Returns the SavedModel of the model to start from, as TFX passes it."""
    return serving_folder(model) if model else None


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Returns a scratch folder for `fn_args.working_dir`."""
    return tempfile.TemporaryDirectory(prefix="penstock-train-")

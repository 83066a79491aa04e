"""What a model is saved with: its contract, worked out from the model, the transform graph and the caller's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from penstock.components.model_contract import TASKS, LabelSource, ModelContract
from penstock.components.training.fn_args import FnArgs
from penstock.components.transform_graph import TransformOutput
from penstock.data.protos import read_schema
from penstock.data.raw_feature import RawFeature, raw_features
from penstock.pipeline.errors import UserCodeError, listing, nearest


@dataclass(frozen=True)
class Wanted:
    """What the caller of `save_model` said; the fields are its arguments."""

    label: str
    task: str
    classes: Sequence[str | bytes] | None = None
    features: Sequence[str] | None = None
    label_from: LabelSource | None = None
    from_logits: bool = False


@dataclass(frozen=True)
class ServingPlan:
    """What is to be saved.

    Attributes:
        contract: The contract that the SavedModel will keep.
        inputs: Names of what the model itself reads, sorted.
        transform: The graph before it, or None.
        from_logits: Whether the model's outputs still need their sigmoid or softmax.
    """

    contract: ModelContract
    inputs: tuple[str, ...]
    transform: TransformOutput | None
    from_logits: bool


def plan_serving(model: Any, fn_args: FnArgs, wanted: Wanted) -> ServingPlan:
    """Returns what to save.

    Raises:
        UserCodeError: A name is unknown, the classes don't fit the task, or the label would be an input.
    """
    classes = _class_names(wanted.task, wanted.classes)
    if fn_args.transform is None:
        contract = _contract_on_raw(model, fn_args, wanted, classes)
        inputs = tuple(feature.name for feature in contract.features)
    else:
        contract = _contract_on_transformed(model, fn_args.transform, wanted, classes)
        inputs = contract.transformed_features
    return ServingPlan(contract, inputs, fn_args.transform, wanted.from_logits)


def _contract_on_raw(model: Any, fn_args: FnArgs, wanted: Wanted, classes: tuple[str, ...]) -> ModelContract:
    if fn_args.schema_path is None:
        raise UserCodeError(
            "save_model needs to know the raw columns: wire Trainer(schema=...) or Trainer(transform_graph=...)."
        )
    raw = raw_features(read_schema(fn_args.schema_path))
    _check_label(wanted.label, [f.name for f in raw], "The columns")
    inputs = _inputs(model, wanted, [f.name for f in raw])
    read = tuple(f for f in raw if f.name in inputs)
    return ModelContract(wanted.task, wanted.label, "raw", read, classes=classes)  # type: ignore[arg-type]


def _contract_on_transformed(
    model: Any, transform: TransformOutput, wanted: Wanted, classes: tuple[str, ...]
) -> ModelContract:
    made = transform.output_names
    raw_names = [f.name for f in transform.features]
    known = list(dict.fromkeys([*made, *raw_names]))
    _check_label(wanted.label, known, "preprocessing_fn returns, and the raw columns are")
    inputs = _inputs(model, wanted, made)
    read = transform.reads(inputs)
    _check_no_leak(wanted.label, read)
    label_reads = transform.reads([wanted.label]) if wanted.label in made else ()
    usual: LabelSource = "raw" if wanted.label in raw_names and classes else "transform"
    return ModelContract(
        task=wanted.task,  # type: ignore[arg-type]
        label=wanted.label,
        label_from=wanted.label_from or (usual if wanted.label in made else "raw"),
        features=read,
        label_features=tuple(f for f in label_reads if f not in read),
        classes=classes,
        transformed_features=inputs,
    )


def _check_label(label: str, known: Sequence[str], said: str) -> None:
    if label not in known:
        raise UserCodeError(
            f"save_model(label={label!r}): there is no such column.{nearest(label, known)} {said}: {listing(known)}."
        )


def _class_names(task: str, classes: Sequence[str | bytes] | None) -> tuple[str, ...]:
    if task not in TASKS:
        raise UserCodeError(f"save_model(task={task!r}) must be one of {listing(TASKS)}.{nearest(task, TASKS)}")
    names = tuple(tf.compat.as_str_any(name) for name in classes or (("0", "1") if task == "binary" else ()))
    if task == "regression" and names:
        raise UserCodeError("save_model(classes=...) has no meaning for a regression; leave it out.")
    if task == "binary" and len(names) != 2:
        raise UserCodeError(f"save_model(task='binary') takes two classes, the positive one last, got {len(names)}.")
    if task == "multiclass" and len(names) < 2:
        raise UserCodeError(
            "save_model(task='multiclass') needs classes=..., in the order of the model's outputs. For a label that "
            "went through a vocabulary: classes=fn_args.transform.vocabulary('...')."
        )
    return names


def _inputs(model: Any, wanted: Wanted, known: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of what the model reads, sorted."""
    label = wanted.label
    named = list(wanted.features) if wanted.features is not None else _named_inputs(model)
    chosen = named if named is not None else [name for name in known if name != label]
    for name in chosen:
        if name not in known:
            raise UserCodeError(
                f"The model reads {name!r}, which the training rows don't have.{nearest(name, known)} "
                f"They have: {listing(known)}. Name keras.Input(name=...) as in the rows, or pass features=."
            )
    if label in chosen:
        raise UserCodeError(f"The model reads its own label {label!r}. Leave it out of the model's inputs.")
    return tuple(sorted(chosen))


def _named_inputs(model: Any) -> list[str] | None:
    """Returns the names of a functional model's inputs; None for any other model."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, Mapping):
        return list(structure)
    inputs = getattr(model, "inputs", None)
    return [tensor.name for tensor in inputs] if inputs else None


def _check_no_leak(label: str, read: Sequence[RawFeature]) -> None:
    if any(feature.name == label for feature in read):
        raise UserCodeError(
            f"A feature of the model is computed from the label column {label!r}, so the label would have to be known "
            "to predict it. Drop that feature from the model's inputs."
        )

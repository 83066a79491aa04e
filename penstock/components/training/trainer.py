"""Trainer: run the user's `run_fn` on the examples and keep the model that it saves."""

from dataclasses import dataclass
from typing import Any

from penstock.artifacts import Examples, HyperParameters, Model, ModelRun, Schema, TransformGraph
from penstock.pipeline import DataError, Input, ModuleFile, Output, component
from penstock.pipeline.settings import settings


@settings
@dataclass(frozen=True)
class TrainArgs:
    """How to train: `num_steps` of `run_fn`'s choice of batch (None: as the function likes), over which splits."""

    num_steps: int | None = None
    splits: tuple[str, ...] = ("train",)


@settings
@dataclass(frozen=True)
class EvalArgs:
    """How to evaluate while training: steps (None: all), over which splits."""

    num_steps: int | None = None
    splits: tuple[str, ...] = ("eval",)


def check_splits(
    examples: Input[Examples], train_args: TrainArgs = TrainArgs(), eval_args: EvalArgs = EvalArgs(), **_: Any
) -> None:
    """Refuses splits that the examples don't have, before anything heavy is imported."""
    known = examples.properties.get("split_names") or []
    for parameter, splits in (("train_args", train_args.splits), ("eval_args", eval_args.splits)):
        unknown = [split for split in splits if known and split not in known]
        if unknown:
            raise DataError(
                f"Trainer({parameter}=...) names the split {unknown[0]!r}, the examples have: {', '.join(known)}."
            )


@component(versions=("tensorflow", "keras"), precondition="penstock.components.training.trainer:check_splits")
def Trainer(
    examples: Input[Examples],
    model: Output[Model],
    model_run: Output[ModelRun],
    *,
    transform_graph: Input[TransformGraph] | None = None,
    schema: Input[Schema] | None = None,
    base_model: Input[Model] | None = None,
    hyperparameters: Input[HyperParameters] | None = None,
    module_file: ModuleFile,
    train_args: TrainArgs = TrainArgs(),
    eval_args: EvalArgs = EvalArgs(),
    custom_config: dict[str, Any] | None = None,
    seed: int = 0,
) -> None:
    """Train a model by a user's `run_fn(fn_args)`, as TFX calls it.

    Args:
        examples: Transformed examples, or raw ones where there is no transform.
        model: The SavedModel that `run_fn` wrote, under the model contract.
        model_run: `arguments.json`, and the logs, checkpoints and histories that `run_fn` wrote to
            `fn_args.model_run_dir`.
        transform_graph: The transform to graft into the model, so that it takes raw rows.
        schema: The schema of the raw rows; needed to save a model that has no transform.
        base_model: A model to start from.
        hyperparameters: What a Tuner found.
        module_file: Defines `run_fn`.
        train_args: Steps and splits to train on.
        eval_args: Steps and splits to evaluate on.
        custom_config: Passed on as `fn_args.custom_config`.
        seed: Set for Python, numpy, Keras and the shuffling of `data_accessor`; equal seeds train equal models on one
            CPU family.
    """
    from penstock.components.training import train

    with train.scratch() as working_dir:
        fn_args = train.make_fn_args(
            examples=examples.path,
            transform_graph=transform_graph.path if transform_graph else None,
            schema=schema.path if schema else None,
            model=model.path,
            model_run=model_run.path,
            working_dir=working_dir,
            train_splits=list(train_args.splits),
            eval_splits=list(eval_args.splits),
            train_steps=train_args.num_steps,
            eval_steps=eval_args.num_steps,
            base_model=train.base_model_folder(base_model.path if base_model else None),
            hyperparameters=train.read_hyperparameters(hyperparameters.path if hyperparameters else None),
            custom_config=custom_config or {},
            seed=seed,
        )
        contract = train.train(module_file.function("run_fn"), fn_args)
    if contract is not None:
        model.properties |= train.model_properties(contract)

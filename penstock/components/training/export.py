"""`save_model`: one SavedModel with all signatures of the model contract, the transform graph grafted in.

What is written needs TensorFlow alone to be served, and takes raw rows: the transform that training saw is part of
it. See `penstock/components/model_contract.py` for what each signature promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from penstock.components import row_tensors
from penstock.components.model_contract import LabelSource, Task, write_contract
from penstock.components.training.fn_args import FnArgs
from penstock.components.training.serving_module import ServingModule
from penstock.components.training.serving_plan import Wanted, plan_serving
from penstock.data.raw_feature import RawFeature
from penstock.pipeline.errors import UserCodeError

TOLERANCE = 1e-5
"""How far a saved model's scores may be from the trained one's: rounding, where graphs are optimised differently."""


def save_model(
    model: Any,
    fn_args: FnArgs,
    *,
    label: str,
    task: Task,
    classes: Sequence[str | bytes] | None = None,
    features: Sequence[str] | None = None,
    label_from: LabelSource | None = None,
    from_logits: bool = False,
) -> str:
    """Saves a trained model for serving, evaluation and push; call it at the end of `run_fn`.

    Args:
        model: A Keras 3 model, or any callable with `variables`, that takes a dict of tensors by name (what
            `fn_args.data_accessor` yields) and returns scores (batch, outputs).
        fn_args: The arguments of `run_fn`.
        label: The label, by its raw name or as `preprocessing_fn` named it.
        task: "binary", "multiclass" or "regression".
        classes: Names of the classes in the order of the model's outputs; two for a binary task, the positive one
            last, ("0", "1") by default. For a label that went through a vocabulary:
            `fn_args.transform.vocabulary(...)`.
        features: What the model reads, where it can't be told from the model's named inputs; by default everything
            but the label.
        label_from: Whether an evaluator compares with the "raw" label or with the one that the "transform" makes; by
            default raw where `label` is a raw column and the task has classes, else transform.
        from_logits: Whether the outputs still need their sigmoid or softmax.

    Returns:
        The folder of the SavedModel, `fn_args.serving_model_dir`.

    Raises:
        UserCodeError: Names, classes or the shape of the scores don't fit; the message says which.
    """
    plan = plan_serving(model, fn_args, Wanted(label, task, classes, features, label_from, from_logits))
    module = ServingModule(model, plan)
    tf.saved_model.save(module, fn_args.serving_model_dir, signatures=module.signatures())
    write_contract(plan.contract, fn_args.serving_model_dir)
    _verify(module, fn_args.serving_model_dir)
    return fn_args.serving_model_dir


def _verify(module: ServingModule, folder: str) -> None:
    """Loads what was saved and compares its scores with the model's own.

    Raises:
        UserCodeError: They differ: a variable of the model isn't among its `variables`.
    """
    loaded = tf.saved_model.load(folder)
    if "raw" not in loaded.signatures:
        return
    features = module.contract.features
    sample = {f.name: tf.constant(_sample(f), row_tensors.dtype_of(f)) for f in features}
    saved = loaded.signatures["raw"](**sample)["scores"].numpy()
    own = module.from_raw(**sample)["scores"].numpy()
    if not np.allclose(saved, own, TOLERANCE, TOLERANCE, equal_nan=True):
        raise UserCodeError(
            f"The saved model gives other scores than the model in memory: {saved.ravel()[:3]} and {own.ravel()[:3]}. "
            "A variable of the model is missing from model.variables."
        )


def _sample(feature: RawFeature) -> Any:
    """Returns a row of zeros or empty strings, a row of ones, and a row without a value where one may be missing."""
    zero, one = (b"", b"a") if feature.dtype == "string" else (0, 1)
    shape = feature.shape or (1,)
    rows = [zero, one, feature.missing if not feature.required else zero]
    return np.stack([np.full(shape, value, feature.numpy_type) for value in rows])

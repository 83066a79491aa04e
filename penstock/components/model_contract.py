"""The model contract: what every `Model` promises to whoever evaluates, validates, pushes or serves it.

A `Model` artifact is a folder::

    <model>/Format-Serving/                      a SavedModel (TFX's layout name)
    <model>/Format-Serving/penstock_model.json   this contract; inside, so that it survives a copy

The SavedModel loads with TensorFlow alone (no penstock, tensorflow-transform or Keras). Its signatures:

``serving_default``
    input ``examples``: string (batch,), serialized ``tf.Example``; a missing feature is simply absent.
    The label isn't asked for.
``raw`` (where every feature has a fixed number of values)
    one dense tensor per feature of ``features``, named as the feature: (batch, 1), or (batch, *shape) when the
    schema requires a value in every row. int64, float32 or string. Missing: the feature's ``missing`` sentinel
    (``""``, NaN, the least int64). No label.
``transform`` (only where the model was trained behind a transform graph)
    the tensors of ``raw`` and those of ``label_features`` -> the transformed features *and* the transformed
    label, dense and named as `preprocessing_fn` named them (ragged or sparse outputs are left out).
``transform_examples`` (instead of ``transform``, where a feature has a varying number of values)
    the same from ``examples``: string (batch,), serialized ``tf.Example`` with ``features`` and ``label_features``.

``serving_default`` and ``raw`` have the outputs

``scores``
    float32. Binary: (batch, 1), the probability of ``classes[1]``. Multiclass: (batch, len(classes)),
    probabilities in the order of ``classes``. Regression: (batch, outputs), usually (batch, 1).
``classes`` (binary and multiclass only)
    string, the shape of ``scores``: ``classes[i, j]`` names what ``scores[i, j]`` is the score of, as in
    TensorFlow Serving's classification. Binary: (batch, 1), always the positive class.

Where an evaluator takes the true label from: ``label_from == "raw"`` means the raw column ``label``: a class
is found by ``str(value)`` in ``classes``, a regression target is the value. ``label_from == "transform"``
means the output ``label`` of the signature ``transform``: an integer is the *index* of a class, a string its
name, a regression target the value.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Literal, cast

from penstock.data.codec import RawFeature

SERVING_FOLDER = "Format-Serving"
EVAL_FOLDER = "Format-TFMA"
CONTRACT_FILE = "penstock_model.json"
CONTRACT_VERSION = 1

Task = Literal["binary", "multiclass", "regression"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
LabelSource = Literal["raw", "transform"]


@dataclasses.dataclass(frozen=True)
class ModelContract:
    """What a model asks for and what it gives back; the module's docstring says what each name means.

    Attributes:
        task: What is predicted.
        label: Name of the label: a raw column, or an output of `preprocessing_fn`; see `label_from`.
        label_from: Where the true label is to be taken from.
        features: Inputs of the signature `raw`, in order. Never the label.
        label_features: Further inputs of the signature `transform`: what only the label is made from.
        classes: Names of the classes, in the order of the scores; empty for a regression. Two for a binary
            task, the positive class last.
        transformed_features: What the model itself reads, by the names `preprocessing_fn` gave; empty where
            there is no transform.
    """

    task: Task
    label: str
    label_from: LabelSource
    features: tuple[RawFeature, ...]
    label_features: tuple[RawFeature, ...] = ()
    classes: tuple[str, ...] = ()
    transformed_features: tuple[str, ...] = ()

    @property
    def has_transform(self) -> bool:
        """Whether the SavedModel has the signature `transform`."""
        return bool(self.transformed_features)


def serving_folder(model: str) -> str:
    """Returns the SavedModel folder of a `Model` artifact; `model` itself when it already is a SavedModel."""
    inside = os.path.join(model, SERVING_FOLDER)
    return inside if os.path.isdir(inside) else model


def write_contract(contract: ModelContract, saved_model: str) -> None:
    """Writes `penstock_model.json` into a SavedModel folder, the same bytes for the same contract."""
    document = {"contract": CONTRACT_VERSION, **dataclasses.asdict(contract)}
    document["features"] = [feature.to_json() for feature in contract.features]
    document["label_features"] = [feature.to_json() for feature in contract.label_features]
    with open(os.path.join(saved_model, CONTRACT_FILE), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, sort_keys=True)
        file.write("\n")


def read_contract(model: str) -> ModelContract:
    """Reads the contract of a `Model` artifact or of a SavedModel folder.

    Raises:
        FileNotFoundError: The folder holds no contract; the message says which helper writes one.
        ValueError: It was written under another version of the contract.
    """
    path = os.path.join(serving_folder(model), CONTRACT_FILE)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{path} is missing: this SavedModel was not saved under Penstock's model contract. "
            "Save it in run_fn with save_model(model, fn_args, label=..., task=...) of "
            "penstock.components.training."
        )
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if document["contract"] != CONTRACT_VERSION:
        raise ValueError(
            f"{path} follows version {document['contract']} of the model contract; this Penstock reads "
            f"version {CONTRACT_VERSION}. Train the model again."
        )
    return ModelContract(
        task=cast(Task, document["task"]),
        label=document["label"],
        label_from=cast(LabelSource, document["label_from"]),
        features=tuple(RawFeature.from_json(feature) for feature in document["features"]),
        label_features=tuple(RawFeature.from_json(feature) for feature in document["label_features"]),
        classes=tuple(document["classes"]),
        transformed_features=tuple(document["transformed_features"]),
    )

"""A model read by its contract: scores of raw rows, and the label where the transform graph makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from penstock.components.evaluation.metrics import BINARY, MULTICLASS
from penstock.components.model_contract import ModelContract, read_contract, serving_folder
from penstock.data.codec import dense, encode_examples
from penstock.pipeline.errors import UserCodeError, listing

PROBABILITY_SLACK = 1e-4
"""How far outside [0, 1] rounding may put a probability."""

Array = np.ndarray[Any, Any]


class Predictor:
    """A loaded SavedModel.

    Args:
        model: Path of a `Model` artifact.

    Raises:
        UserCodeError: It holds no SavedModel, no contract, or not the signatures that the contract promises.
    """

    def __init__(self, model: str) -> None:
        self.folder = serving_folder(model)
        try:
            self.contract: ModelContract = read_contract(model)
        except (FileNotFoundError, ValueError) as error:
            raise UserCodeError(str(error)) from error
        # Kept whole: signatures hold their variables by weak references only.
        self._saved = _load(self.folder)
        # Only tf.Examples have a place for a varying number of values.
        self._dense_inputs = all(feature.scalar or feature.required for feature in self.contract.features)
        self._predict = self._signature("raw" if self._dense_inputs else "serving_default")

    def scores(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64]:
        """Return the scores of raw rows: (n,), or (n, classes) for a multiclass model.

        Raises:
            DataFormatError: A column of the batch isn't what the model takes.
            UserCodeError: The scores aren't what the contract promises: NaN, no probabilities, a wrong shape.
        """
        outputs = self._call(self._predict, self._inputs(batch))
        if "scores" not in outputs:
            raise UserCodeError(
                f"The model's signature gives no 'scores', it gives: {listing(outputs)}. Export it with save_model."
            )
        return checked_scores(outputs["scores"].numpy(), batch.num_rows, self.contract)

    def transformed(self, batch: pa.RecordBatch, name: str) -> Array:
        """Return one transformed feature of raw rows, flat: (n,).

        Raises:
            DataFormatError: A column of the batch isn't what the transform takes.
            UserCodeError: The signature `transform` (or `transform_examples`) doesn't give the feature, or not one
                value a row.
        """
        features = (*self.contract.features, *self.contract.label_features)
        fixed = all(feature.scalar or feature.required for feature in features)
        signature = "transform" if fixed else "transform_examples"
        inputs = dense(batch, features) if fixed else {"examples": encode_examples(batch, features)}
        outputs = self._call(self._signature(signature), inputs)
        if name not in outputs:
            raise UserCodeError(f"The model's signature {signature!r} gives no {name!r}, it gives: {listing(outputs)}.")
        values: Array = outputs[name].numpy()
        if values.size != batch.num_rows:
            raise UserCodeError(
                f"The transformed feature {name!r} has the shape {values.shape} for {batch.num_rows} rows; "
                f"a label is one value a row."
            )
        return values.reshape(-1)

    def _inputs(self, batch: pa.RecordBatch) -> Mapping[str, Any]:
        if self._dense_inputs:
            return dense(batch, self.contract.features)
        return {"examples": encode_examples(batch, self.contract.features)}

    def _call(self, signature: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        try:
            outputs: dict[str, Any] = signature(**{name: tf.constant(own) for name, own in inputs.items()})
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise UserCodeError(f"The model failed on raw rows: {error}") from error
        return outputs

    def _signature(self, name: str) -> Any:
        signatures = self._saved.signatures
        if name not in signatures:
            raise UserCodeError(
                f"{self.folder} has no signature {name!r}, it has: {listing(signatures)}. "
                f"Export the model with save_model of penstock.components.training."
            )
        return signatures[name]


def checked_scores(scores: Array, rows: int, contract: ModelContract) -> npt.NDArray[np.float64]:
    """Return scores as the metrics want them: (rows,), or (rows, classes) for a multiclass model.

    Raises:
        UserCodeError: They have another shape, aren't finite, or aren't probabilities where these are promised.
    """
    width = len(contract.classes) if contract.task == MULTICLASS else 1
    if scores.shape not in ((rows, width), (rows,) if width == 1 else (rows, width)):
        raise UserCodeError(
            f"A {contract.task} model gives scores of the shape ({rows}, {width}) for {rows} rows, "
            f"this one gave {scores.shape}."
        )
    broken = int(np.sum(~np.isfinite(scores)))
    if broken:
        raise UserCodeError(
            f"{broken:,} of {scores.size:,} scores are NaN or infinite; such a model is never blessed. "
            f"Look for missing values that are not imputed, or a training that diverged."
        )
    if contract.task in (BINARY, MULTICLASS):
        lowest, highest = float(scores.min(initial=0.0)), float(scores.max(initial=1.0))
        if lowest < -PROBABILITY_SLACK or highest > 1 + PROBABILITY_SLACK:
            raise UserCodeError(
                f"Scores of a {contract.task} model are probabilities, this one gives {lowest:.4g} to "
                f"{highest:.4g}. End it with a sigmoid or softmax, or export with it."
            )
        scores = np.clip(scores, 0.0, 1.0)
    return scores.astype(np.float64).reshape(rows if width == 1 else (rows, width))


def _load(folder: str) -> Any:
    if not os.path.isfile(os.path.join(folder, "saved_model.pb")):
        raise UserCodeError(f"{folder} holds no saved_model.pb, so there is no model to evaluate.")
    return tf.saved_model.load(folder)

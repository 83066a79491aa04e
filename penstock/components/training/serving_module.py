"""The functions of the model contract around a trained model, as they are saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import tensorflow as tf

from penstock.components import row_tensors
from penstock.components.model_contract import ModelContract
from penstock.components.training.serving_plan import ServingPlan
from penstock.data.raw_feature import RawFeature
from penstock.data.tensors import from_raw, raw_signature
from penstock.pipeline.errors import UserCodeError, listing

Tensors = Mapping[str, Any]
T = TypeVar("T")


class ServingModule(tf.Module):  # type: ignore[misc]
    """The functions that are saved. Weights and the transform's tables are attributes, so that they are saved too."""

    def __init__(self, model: Any, plan: ServingPlan) -> None:
        super().__init__()
        self.weights = [getattr(variable, "value", variable) for variable in model.variables]
        self.tables = plan.transform.loaded if plan.transform else None
        self._model: Callable[[], Any] = _untracked(model)
        self._plan: Callable[[], ServingPlan] = _untracked(plan)
        self._predict = tf.function(self._scored, autograph=False)

    @property
    def contract(self) -> ModelContract:
        """What the functions promise."""
        return self._plan().contract

    def signatures(self) -> dict[str, Any]:
        """Returns the traced functions by the name of their signature."""
        contract = self.contract
        traced = {"serving_default": _traced_on_examples(self.from_examples)}
        if _has_dense(contract.features):
            traced["raw"] = _traced(self.from_raw, contract.features)
        with_label = (*contract.features, *contract.label_features)
        if contract.has_transform and _has_dense(with_label):
            traced["transform"] = _traced(self.transformed, with_label)
        elif contract.has_transform:
            traced["transform_examples"] = _traced_on_examples(self.transformed_examples)
        return traced

    def from_examples(self, examples: Any) -> dict[str, Any]:
        """The signature `serving_default`."""
        features = self.contract.features
        parsed = row_tensors.parse_examples(examples, features)
        if self._plan().transform is None:
            parsed = row_tensors.to_model(parsed, features)
        return self._classified(self._predict(parsed, tf.shape(examples, tf.int64)[0]))

    def from_raw(self, **tensors: Any) -> dict[str, Any]:
        """The signature `raw`."""
        features = self.contract.features
        given: Mapping[str, Any] = tensors
        if self._plan().transform is not None:
            given = from_raw(tensors, features)
        return self._classified(self._predict(dict(given), _row_count(tensors)))

    def transformed(self, **tensors: Any) -> dict[str, Any]:
        """The signature `transform`."""
        contract = self.contract
        return self._transformed(from_raw(tensors, (*contract.features, *contract.label_features)), _row_count(tensors))

    def transformed_examples(self, examples: Any) -> dict[str, Any]:
        """The signature `transform_examples`."""
        contract = self.contract
        parsed = row_tensors.parse_examples(examples, (*contract.features, *contract.label_features))
        return self._transformed(parsed, tf.shape(examples, tf.int64)[0])

    def _transformed(self, given: Tensors, rows: Any) -> dict[str, Any]:
        plan = self._plan()
        contract = plan.contract
        assert plan.transform is not None
        made = plan.transform.apply(given, rows)
        wanted = [*contract.transformed_features, *([contract.label] if contract.label in made else [])]
        return {name: made[name] for name in wanted if isinstance(made[name], tf.Tensor)}

    def _scored(self, tensors: Tensors, rows: Any) -> Any:
        plan = self._plan()
        if plan.transform is not None:
            tensors = plan.transform.apply(tensors, rows)
        inputs = {name: tensors[name] for name in plan.inputs}
        return _as_scores(_call(self._model(), inputs), plan.contract, plan.from_logits)

    def _classified(self, scores: Any) -> dict[str, Any]:
        contract = self.contract
        if not contract.classes:
            return {"scores": scores}
        shown = contract.classes[1:] if contract.task == "binary" else contract.classes
        classes = tf.broadcast_to(tf.constant([shown]), tf.shape(scores))
        return {"classes": classes, "scores": scores}


def _untracked(value: T) -> Callable[[], T]:
    """Hides an object from TensorFlow's tracking: a model that is tracked is saved a second time, with its layers."""
    return lambda: value


def _call(model: Any, inputs: Tensors) -> Any:
    try:
        return model(inputs, training=False)
    except TypeError as error:
        if "training" not in str(error):
            raise
        return model(inputs)


def _has_dense(features: Sequence[RawFeature]) -> bool:
    """Whether every feature has a place in a dense signature."""
    return all(feature.scalar or feature.required for feature in features)


def _traced(function: Callable[..., Any], features: Sequence[RawFeature]) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(**raw_signature(features))


def _traced_on_examples(function: Callable[..., Any]) -> Any:
    spec = tf.TensorSpec([None], tf.string, name="examples")
    return tf.function(function, autograph=False).get_concrete_function(spec)


def _row_count(tensors: Tensors) -> Any:
    return tf.shape(next(iter(tensors.values())), tf.int64)[0]


def _as_scores(outputs: Any, contract: ModelContract, from_logits: bool) -> Any:
    """Returns float32 scores in the contract's shape.

    Raises:
        UserCodeError: The model's outputs have another number of columns.
    """
    if not isinstance(outputs, tf.Tensor):
        raise UserCodeError(
            f"The model returned {type(outputs).__name__}; a model must return one tensor of scores, (batch, outputs)."
        )
    scores = tf.cast(outputs, tf.float32)
    if scores.shape.rank == 1:
        scores = tf.expand_dims(scores, 1)
    width = scores.shape[-1]
    expected = {"binary": (1, 2), "multiclass": (len(contract.classes),)}.get(contract.task)
    if scores.shape.rank != 2 or (expected and width not in expected):
        wanted = f"(batch, {' or '.join(map(str, expected or ('outputs',)))})"
        raise UserCodeError(
            f"The model's outputs have the shape {tuple(outputs.shape)}; for task={contract.task!r}"
            f"{f' with the classes {listing(contract.classes)}' if contract.classes else ''} scores are {wanted}."
        )
    if from_logits and contract.task != "regression":
        scores = tf.sigmoid(scores) if width == 1 else tf.nn.softmax(scores)
    return scores[:, 1:] if contract.task == "binary" and width == 2 else scores

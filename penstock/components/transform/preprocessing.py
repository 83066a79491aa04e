"""The user's `preprocessing_fn`, guarded: what it asks for, what it raises and what it returns are checked.

Everything is checked while the function is traced, before any row is read, and said in the user's terms.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from penstock.pipeline.errors import UserCodeError, listing, nearest

FUNCTION_NAME = "preprocessing_fn"
OUTPUT_TYPES = (tf.int64, tf.float32, tf.string)


class _Inputs(dict[str, Any]):
    """The raw tensors by name; asking for an unknown one says which there are."""

    def __missing__(self, name: str) -> Any:
        raise KeyError(f"there is no column {name!r}.{nearest(name, self)} The schema has: {listing(self)}.")


class Preprocessing:
    """A callable with the meaning of the user's function; TFT calls it once for every trace.

    Attributes:
        error: What the user's function raised last, if anything.
    """

    def __init__(self, function: Callable[..., Any], origin: str, custom_config: Mapping[str, Any] | None) -> None:
        self.error: BaseException | None = None
        self._function = function
        self._origin = origin
        self._arguments = _extra_arguments(function, custom_config)

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Calls the user's function and checks what it returns.

        Raises:
            UserCodeError: It raised, or what it returned can't be stored.
        """
        try:
            outputs = self._function(_Inputs(inputs), **self._arguments)
        except Exception as error:
            text = error.args[0] if isinstance(error, KeyError) and error.args else error
            self.error = UserCodeError(f"{self._origin} failed: {type(error).__name__}: {text}")
            raise self.error from error
        try:
            check_outputs(outputs, self._origin)
        except UserCodeError as error:
            self.error = error
            raise
        return dict(outputs)


def _extra_arguments(function: Callable[..., Any], custom_config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Gives `custom_config` to a function that takes it, as TFX does."""
    if "custom_config" in inspect.signature(function).parameters:
        return {"custom_config": dict(custom_config or {})}
    return {}


def check_outputs(outputs: Any, origin: str) -> None:
    """Checks what `preprocessing_fn` returned.

    Raises:
        UserCodeError: Not a dict by name, empty, no tensor, a type that can't be stored, or no batch dimension.
    """
    if not isinstance(outputs, Mapping):
        raise UserCodeError(f"{origin} must return a dict of tensors by name, it returned {type(outputs).__name__}.")
    if not outputs:
        raise UserCodeError(f"{origin} returned an empty dict; return at least one tensor by name.")
    for name, tensor in outputs.items():
        _check_output(name, tensor, origin)


def _check_output(name: Any, tensor: Any, origin: str) -> None:
    if not isinstance(name, str):
        raise UserCodeError(f"{origin} must name its outputs by strings, got the name {name!r}.")
    if not isinstance(tensor, tf.Tensor | tf.SparseTensor | tf.RaggedTensor):
        raise UserCodeError(
            f"{origin} returned {type(tensor).__name__} for {name!r}; return a Tensor, SparseTensor or RaggedTensor."
        )
    if tensor.dtype not in OUTPUT_TYPES:
        wider = "tf.float32" if tensor.dtype.is_floating else "tf.int64"
        raise UserCodeError(
            f"{origin} returned {name!r} as {tensor.dtype.name}; outputs are int64, float32 or string. "
            f"Cast it: tf.cast({name}, {wider})."
        )
    if tensor.shape.rank == 0:
        raise UserCodeError(
            f"{origin} returned the scalar {name!r}; every output needs one value a row, its first dimension "
            f"is the batch. To repeat it: tf.fill(tf.shape(x)[:1], {name})."
        )


def origin_of(function: Callable[..., Any]) -> str:
    """Returns how messages name the function: "preprocessing_fn in features.py"."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    file = code.co_filename.rsplit("/", 1)[-1] if code else "the module file"
    return f"{FUNCTION_NAME} in {file}"

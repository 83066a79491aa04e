"""The true labels: from a raw column or a transformed feature to values or indices of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.components.evaluation.metrics import REGRESSION
from penstock.pipeline.errors import DataError, listing, nearest

MAX_SHOWN = 5

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Labels:
    """Labels of rows: (n,) values or indices of classes, and (n,) False where a row has none."""

    values: npt.NDArray[np.generic]
    present: npt.NDArray[np.bool_]


def labels_of_column(column: pa.Array, name: str, task: str, classes: Sequence[str]) -> Labels:
    """Return the labels in a raw column: a class by its text, a regression target by its value.

    A null, a NaN, and an empty text that is no class mean that the row has no label.

    Raises:
        DataError: A value is no class of the model, or no finite number.
    """
    if task == REGRESSION:
        return _numbers(_as_numbers(column, name), name)
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    indices = np.array([_class_index(value, classes) for value in values] or [0], np.int64)
    _check_known([value for value, index in zip(values, indices, strict=False) if index == _UNKNOWN], name, classes)
    codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    found = indices[codes]
    present = column.is_valid().to_numpy(zero_copy_only=False) & (found >= 0)
    return Labels(np.maximum(found, 0), present)


def labels_of_feature(
    values: Array, incomplete: npt.NDArray[np.bool_], name: str, task: str, classes: Sequence[str]
) -> Labels:
    """Return the labels in a transformed feature: an integer is the index of a class, a text its name.

    What `preprocessing_fn` makes of missing raw values is a label when it is a class, and no label when it isn't,
    such as the -1 of a vocabulary.

    Args:
        values: (n,) as the signature `transform` gave them.
        incomplete: (n,) True where a raw column that the label is made from is missing.
        name: The feature's name, for messages.
        task: The model's task.
        classes: Its classes, in the order of their indices.

    Raises:
        DataError: A value is no class of the model, or no finite number.
    """
    if values.dtype == object:
        known = np.array([value if _texts(value)[0] in classes else b"" for value in values.tolist()], object)
        return labels_of_column(pa.array(np.where(incomplete, known, values)), name, task, classes)
    if task == REGRESSION:
        return _numbers(values.astype(np.float64), name)
    is_class = np.isin(values, np.arange(len(classes)))
    unknown = np.unique(values[~is_class & ~incomplete]).tolist()
    _check_known(unknown, name, [str(i) for i in range(len(classes))])
    return Labels(np.where(is_class, values, 0).astype(np.int64), is_class)


_NO_LABEL, _UNKNOWN = -1, -2


def _class_index(value: Any, classes: Sequence[str]) -> int:
    for text in _texts(value):
        if text in classes:
            return classes.index(text)
    return _NO_LABEL if value in ("", b"") or (isinstance(value, float) and math.isnan(value)) else _UNKNOWN


def _texts(value: Any) -> list[str]:
    """Return how a class may be written: a bool and a whole float also as an integer."""
    if isinstance(value, bytes):
        return [value.decode("utf-8", "backslashreplace")]
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return [str(value), str(int(value))]
    return [str(value)]


def _check_known(unknown: list[Any], name: str, classes: Sequence[str]) -> None:
    if not unknown:
        return
    shown = ", ".join(repr(_texts(value)[0])[:40] for value in unknown[:MAX_SHOWN])
    more = f" and {len(unknown) - MAX_SHOWN} more" if len(unknown) > MAX_SHOWN else ""
    raise DataError(
        f"The label {name!r} has values that the model doesn't know: {shown}{more}."
        f"{nearest(_texts(unknown[0])[0], classes)} Its classes: {listing(classes)}. "
        f"Train on data with these values, or leave the rows out."
    )


def _as_numbers(column: pa.Array, name: str) -> npt.NDArray[np.float64]:
    try:
        numbers = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"The label {name!r} is a column of {column.type}; the model predicts numbers. "
            f"Name the numeric column in Evaluator(label=...)."
        ) from error
    values: npt.NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
    return values


def _numbers(values: npt.NDArray[np.float64], name: str) -> Labels:
    present = ~np.isnan(values)
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DataError(f"The label {name!r} is infinite in {infinite:,} row(s). Correct or leave out these rows.")
    return Labels(np.where(present, values, 0.0), present)

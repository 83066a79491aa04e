"""Evaluating a model on stored examples: raw rows to scores, labels from rows or transform, metrics by slice."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.components.evaluation.accumulators import problem_for
from penstock.components.evaluation.evaluation import Evaluation
from penstock.components.evaluation.metrics import Metric, check_slices, check_task
from penstock.components.evaluation.predictor import Predictor
from penstock.components.evaluation.report import Report
from penstock.components.evaluation.truth import Labels, labels_of_column, labels_of_feature
from penstock.components.model_contract import ModelContract
from penstock.data.errors import DataFormatError
from penstock.data.examples import arrow_schema, count_rows, read_batches, split_files
from penstock.data.raw_feature import columns_of
from penstock.pipeline import step
from penstock.pipeline.errors import DataError, listing, nearest

BATCH_ROWS = 16_384

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Truth:
    """Where the label is taken from: a raw column, or a feature that the transform makes."""

    name: str
    transformed: bool


def evaluate(
    examples: str,
    model: str,
    *,
    metrics: Sequence[Metric],
    slices: Sequence[Sequence[str]],
    splits: Sequence[str],
    label: str | None = None,
) -> Report:
    """Evaluate a model on splits of examples.

    Args:
        examples: Path of an `Examples` artifact, raw rows.
        model: Path of a `Model` artifact.
        metrics: What to compute beyond what is recorded for every model of the task, and the bounds.
        slices: Groups of raw columns.
        splits: Names of splits, read one after the other.
        label: A raw column, or a transformed feature; by default what the model's contract says.

    Raises:
        DataError: A column is absent or holds what the model can't take, a label is unknown, no row has one.
        UserCodeError: The model breaks its contract.
        WiringError: A metric doesn't fit the model's task, or holds slices to bounds and there are none.
    """
    check_slices(slices, metrics)
    predictor = Predictor(model)
    contract = predictor.contract
    for metric in metrics:
        check_task(metric, contract.task, contract.classes)
    evaluation = Evaluation(problem_for(contract.task, contract.classes, list(metrics)), slices)
    try:
        present = arrow_schema(examples).names
        truth = find_truth(contract, label, present)
        columns = columns_to_read(contract, truth, slices, present)
        for batch in _batches(examples, splits, columns):
            labels = _labels(predictor, truth, batch)
            evaluation.add(batch, labels.values, predictor.scores(batch), labels.present)
    except DataFormatError as error:
        raise DataError(str(error)) from error
    _check_rows(evaluation, truth, splits)
    return Report(evaluation, metrics, truth.name, splits)


def find_truth(contract: ModelContract, label: str | None, columns: Sequence[str]) -> Truth:
    """Return where the label comes from.

    Raises:
        DataError: Neither the examples nor the model's transform have it.
    """
    if label is None or label == contract.label:
        truth = Truth(contract.label, contract.label_from == "transform")
    else:
        truth = Truth(label, label not in columns and label in contract.transformed_features)
    if not truth.transformed and truth.name not in columns:
        raise DataError(
            f"The label {truth.name!r} is no column of the examples.{nearest(truth.name, columns)} "
            f"They have: {listing(columns)}."
        )
    return truth


def columns_to_read(
    contract: ModelContract, truth: Truth, slices: Sequence[Sequence[str]], present: Sequence[str]
) -> list[str]:
    """Return the columns of the model, the label and the slices, each once, in the order of the examples.

    Raises:
        DataError: The examples lack one of them.
    """
    wanted = dict.fromkeys(columns_of(contract.features), "The model reads")
    if truth.transformed:
        wanted |= dict.fromkeys(columns_of(contract.label_features), "The label is made from")
    else:
        wanted[truth.name] = "The label is"
    wanted |= {name: "A slice is by" for columns in slices for name in columns if name not in wanted}
    for name, why in wanted.items():
        if name not in present:
            raise DataError(
                f"{why} the column {name!r}, and the examples have none.{nearest(name, present)} "
                f"They have: {listing(present)}."
            )
    return [name for name in present if name in wanted]


def _batches(examples: str, splits: Sequence[str], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    total = sum(count_rows(examples, split) for split in splits)
    done = 0
    for split in splits:
        for batch in read_batches(split_files(examples, split), columns, BATCH_ROWS):
            yield batch
            done += batch.num_rows
            step.progress(done, total, unit="rows")


def _labels(predictor: Predictor, truth: Truth, batch: pa.RecordBatch) -> Labels:
    contract = predictor.contract
    if not truth.transformed:
        return labels_of_column(batch.column(truth.name), truth.name, contract.task, contract.classes)
    values = predictor.transformed(batch, truth.name)
    incomplete = _missing(batch, columns_of(contract.label_features))
    return labels_of_feature(values, incomplete, truth.name, contract.task, contract.classes)


def _missing(batch: pa.RecordBatch, columns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return (n,) True where any of the columns has no value."""
    missing = np.zeros(batch.num_rows, np.bool_)
    for name in columns:
        missing |= batch.column(name).is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    return missing


def _check_rows(evaluation: Evaluation, truth: Truth, splits: Sequence[str]) -> None:
    rows, unlabelled = evaluation.overall().count, evaluation.unlabelled
    named = ", ".join(splits)
    if not rows and not unlabelled:
        raise DataError(f"There are no rows in: {named}. Name other splits in Evaluator(example_splits=...).")
    if not rows:
        raise DataError(
            f"None of the {unlabelled:,} rows in {named} has a value of the label {truth.name!r}: "
            f"nothing can be evaluated."
        )
    if unlabelled:
        _log.warning("%s of %s rows have no label %r and are left out", unlabelled, rows + unlabelled, truth.name)
    for columns in evaluation.overflowed():
        _log.warning("Too many slices by %s; they are left out", ", ".join(columns))

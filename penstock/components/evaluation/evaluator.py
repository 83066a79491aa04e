"""`Evaluator`: measures a model on raw examples, overall and by slices, and blesses it when its bounds hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from penstock.artifacts import Examples, Model, ModelBlessing, ModelEvaluation
from penstock.components.evaluation.metrics import Metric, check_slices, check_task
from penstock.pipeline import DataError, Input, Output, component
from penstock.pipeline.errors import listing, nearest

DEFAULT_SPLITS = ("eval",)


@component(versions=("tensorflow",), precondition="penstock.components.evaluation.evaluator:check_arguments")
def Evaluator(
    examples: Input[Examples],
    model: Input[Model],
    evaluation: Output[ModelEvaluation],
    blessing: Output[ModelBlessing],
    *,
    metrics: list[Metric] | None = None,
    slices: list[list[str]] | None = None,
    label: str | None = None,
    example_splits: list[str] | None = None,
) -> None:
    """Measure a model on raw examples, overall and by slices, and bless it when its bounds hold.

    The model predicts from raw rows, as it will when it serves. Rows without a label are counted and left out.
    A model without bounds is blessed, and the blessing says that nothing was held against it. A metric that is
    undefined (an AUC where one class doesn't occur) doesn't meet its bound, and the reason says why.

    Args:
        examples: Raw examples, not the transformed ones.
        model: The model; its `penstock_model.json` says what it reads and predicts.
        evaluation: `metrics.json` (overall, slices, bounds) and `plots.json` (confusion, calibration, ROC).
        blessing: TFX's marker file `BLESSED` or `NOT_BLESSED`; properties `blessed` (0 or 1) and `reasons`.
        metrics: What to compute beyond what is recorded for every model of the task, and the bounds.
        slices: Groups of raw columns, such as [["island"], ["island", "sex"]]; a missing value is a slice.
        label: A raw column, or a feature that `preprocessing_fn` makes; by default the model's own label.
        example_splits: The splits to measure on, together; by default "eval".
    """
    from penstock.components.evaluation import report
    from penstock.components.evaluation.evaluate_model import evaluate

    splits = example_splits or list(DEFAULT_SPLITS)
    measured = evaluate(
        examples.path, model.path, metrics=metrics or [], slices=slices or [], splits=splits, label=label
    )
    verdict = measured.verdict()
    report.write_report(evaluation.path, measured, verdict)
    evaluation.properties.update(report.evaluation_properties(measured))
    report.write_blessing(blessing.path, verdict)
    blessing.properties.update(blessed=int(verdict.blessed), reasons=verdict.reasons)


def check_arguments(
    examples: Examples,
    model: Model,
    *,
    metrics: Sequence[Metric] | None = None,
    slices: Sequence[Sequence[str]] | None = None,
    label: str | None = None,
    example_splits: Sequence[str] | None = None,
) -> None:
    """Check label, slices, splits and metrics against what is recorded of the examples and the model.

    What isn't recorded isn't checked here; the step itself checks it once more.

    Raises:
        DataError: The examples have no such column or split.
        WiringError: A metric doesn't fit the model's task, or holds slices to bounds and there are none.
    """
    check_slices(slices or [], metrics or [])
    columns: Mapping[str, str] = examples.properties.get("columns") or {}
    if columns:
        made = model.properties.get("transformed_features") or []
        _check_columns([label] if label else [], "label", list(dict.fromkeys([*columns, *made])))
        _check_columns([name for group in slices or [] for name in group], "slices", list(columns))
    known_splits: Sequence[str] = examples.properties.get("split_names") or []
    for split in (example_splits or DEFAULT_SPLITS) if known_splits else ():
        if split not in known_splits:
            raise DataError(
                f"Evaluator(example_splits=...) names {split!r}, which is no split of the examples."
                f"{nearest(split, known_splits)} They have: {listing(known_splits)}."
            )
    if task := model.properties.get("task"):
        for metric in metrics or []:
            check_task(metric, task, tuple(model.properties.get("classes") or ()))


def _check_columns(names: Iterable[str], argument: str, known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise DataError(
                f"Evaluator({argument}=...) names {name!r}, which is no column of the examples."
                f"{nearest(name, known)} They have: {listing(known)}."
            )

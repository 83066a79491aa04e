"""What an evaluation leaves behind: `metrics.json`, `plots.json`, the blessing's file, and recorded properties."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from penstock.components.evaluation.accumulators import recorded
from penstock.components.evaluation.evaluation import Evaluation, SliceTotals
from penstock.components.evaluation.metrics import Metric, Totals, value, why_undefined
from penstock.components.evaluation.ranking import ScoreCounts
from penstock.components.evaluation.slicing import MAX_SLICES
from penstock.components.evaluation.verdict import Judgement, Verdict, judge

METRICS_FILE = "metrics.json"
PLOTS_FILE = "plots.json"
FORMAT = 1
CALIBRATION_BUCKETS = 10
ROC_POINTS = 101


@dataclass(frozen=True)
class Report:
    """An evaluation with what was asked of it, and the verdict.

    Attributes:
        metrics: What was asked for; what is recorded for every model of the task comes on top.
        label: The column or transformed feature that holds the truth.
    """

    evaluation: Evaluation
    metrics: Sequence[Metric]
    label: str
    splits: Sequence[str]

    @cached_property
    def overall(self) -> Totals:
        """The totals of all labelled rows."""
        return self.evaluation.overall()

    @cached_property
    def slices(self) -> list[tuple[dict[str, Any], Totals]]:
        """Each slice's raw values by column, and its totals."""
        return [(slice_key(found), found.totals) for found in self.evaluation.slices()]

    def verdict(self) -> Verdict:
        """Hold the evaluation against the bounds of its metrics."""
        return judge(self.metrics, self.overall, self.slices, self.evaluation.overflowed())

    def reported(self) -> list[Metric]:
        """Return every metric once: recorded ones first, then what was asked for beyond them."""
        problem = self.evaluation.problem
        every = [*recorded(problem.task, problem.classes), *self.metrics]
        return list({metric.key: metric for metric in every}.values())


def slice_key(found: SliceTotals) -> dict[str, Any]:
    """Return the raw values of a slice by column as JSON values; bytes as text."""
    return {
        column: own.decode("utf-8", "backslashreplace") if isinstance(own, bytes) else own
        for column, own in zip(found.columns, found.key, strict=True)
    }


def metric_values(metrics: Sequence[Metric], totals: Totals) -> dict[str, float | None]:
    """Return the values by key; None where one isn't defined."""
    values = {metric.key: value(metric, totals) for metric in metrics}
    return {key: None if math.isnan(number) else number for key, number in values.items()}


def metrics_document(report: Report, verdict: Verdict) -> dict[str, Any]:
    """Return the content of `metrics.json`: values by metric, null with a reason where one is undefined."""
    evaluation, metrics, overall = report.evaluation, report.reported(), report.overall
    return {
        "format": FORMAT,
        "task": evaluation.problem.task,
        "label": report.label,
        "classes": list(evaluation.problem.classes),
        "splits": list(report.splits),
        "rows": overall.count,
        "rows_without_label": evaluation.unlabelled,
        "auc_error": max((ranking.auc_error for ranking in overall.rankings.values()), default=0.0),
        "overall": metric_values(metrics, overall),
        "undefined": _undefined(metrics, overall),
        "slices": [
            {
                "slice": key,
                "metrics": metric_values(metrics, totals),
                "undefined": _undefined(metrics, totals),
            }
            for key, totals in report.slices
        ],
        "slices_left_out": [
            {"columns": list(columns), "reason": f"more than {MAX_SLICES:,} slices"}
            for columns in evaluation.overflowed()
        ],
        "blessed": verdict.blessed,
        "bounds": [_judgement_document(judgement) for judgement in verdict.judgements],
    }


def plots_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of `plots.json`: confusion matrix, and per ranked class calibration and ROC."""
    classes = evaluation.problem.classes
    curves = {index: evaluation.score_counts(index) for index in evaluation.problem.ranked}
    return {
        "format": FORMAT,
        "classes": list(classes),
        "confusion": evaluation.confusion(),
        "calibration": {classes[index]: calibration(counts) for index, counts in curves.items()},
        "roc": {classes[index]: roc(counts) for index, counts in curves.items()},
    }


def calibration(counts: ScoreCounts) -> list[dict[str, float]]:
    """Return per tenth of the scores' range how many rows it has, their mean score and share of positives."""
    weights = counts.positives + counts.negatives
    bucket = np.minimum((counts.scores * CALIBRATION_BUCKETS).astype(np.int64), CALIBRATION_BUCKETS - 1)
    rows = np.bincount(bucket, weights, CALIBRATION_BUCKETS)
    scores = np.bincount(bucket, weights * counts.scores, CALIBRATION_BUCKETS)
    positives = np.bincount(bucket, counts.positives, CALIBRATION_BUCKETS)
    return [
        {
            "from": i / CALIBRATION_BUCKETS,
            "rows": int(rows[i]),
            "mean_prediction": float(scores[i] / rows[i]),
            "mean_label": float(positives[i] / rows[i]),
        }
        for i in np.flatnonzero(rows).tolist()
    ]


def roc(counts: ScoreCounts) -> list[dict[str, float]]:
    """Return points of the ROC curve, at most `ROC_POINTS`, from strict to lenient thresholds."""
    positives, negatives = int(counts.positives.sum()), int(counts.negatives.sum())
    if not positives or not negatives:
        return []
    true = np.cumsum(counts.positives[::-1]) / positives
    false = np.cumsum(counts.negatives[::-1]) / negatives
    chosen = np.unique(np.linspace(0, len(true) - 1, min(ROC_POINTS, len(true))).round().astype(np.int64))
    thresholds = counts.scores[::-1]
    return [
        {
            "threshold": float(thresholds[i]),
            "true_positive_rate": float(true[i]),
            "false_positive_rate": float(false[i]),
        }
        for i in chosen.tolist()
    ]


def write_report(folder: str, report: Report, verdict: Verdict) -> None:
    """Write `metrics.json` and `plots.json` into a folder."""
    _write_json(os.path.join(folder, METRICS_FILE), metrics_document(report, verdict))
    _write_json(os.path.join(folder, PLOTS_FILE), plots_document(report.evaluation))


def write_blessing(folder: str, verdict: Verdict) -> None:
    """Write TFX's empty marker file, `BLESSED` or `NOT_BLESSED`, into a folder."""
    with open(os.path.join(folder, "BLESSED" if verdict.blessed else "NOT_BLESSED"), "wb"):
        pass


def evaluation_properties(report: Report) -> dict[str, Any]:
    """Return what is recorded of the evaluation, so that it can be shown without opening a file."""
    evaluation = report.evaluation
    overall = metric_values(report.reported(), report.overall)
    return {
        "task": evaluation.problem.task,
        "label": report.label,
        "rows": report.overall.count,
        "rows_without_label": evaluation.unlabelled,
        "slices": len(report.slices),
        "metrics": {key: number for key, number in overall.items() if number is not None},
    }


def _undefined(metrics: Sequence[Metric], totals: Totals) -> dict[str, str]:
    return {metric.key: why_undefined(metric, totals) for metric in metrics if math.isnan(value(metric, totals))}


def _judgement_document(judgement: Judgement) -> dict[str, Any]:
    return {
        "metric": judgement.metric.key,
        "slice": dict(judgement.slice),
        "value": None if math.isnan(judgement.value) else judgement.value,
        "at_least": judgement.metric.at_least,
        "at_most": judgement.metric.at_most,
        "holds": judgement.holds,
        "reason": judgement.reason,
    }


def _write_json(path: str, document: Mapping[str, Any]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, allow_nan=False, ensure_ascii=False)
        file.write("\n")

"""Custom rules evaluated on statistics, such as "mean(fare) < 50 and missing_fraction(company) <= 0.1"."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, Histogram

from penstock.components.validation.feature_view import FeatureView, examples_of, view_of, views
from penstock.components.validation.rule_syntax import ARITHMETIC, COMPARISONS, TWO_ARGUMENTS, parse, shown
from penstock.pipeline.errors import ParameterError, listing, nearest

Figure = float | None


def _numeric(name: str) -> Callable[[FeatureView], Figure]:
    def of(view: FeatureView) -> Figure:
        numbers = view.statistics.num_stats
        weighted = numbers.weighted_numeric_stats
        has_weighted = view.by_weight and name in weighted.DESCRIPTOR.fields_by_name
        return float(getattr(weighted if has_weighted else numbers, name)) if view.range is not None else None

    return of


def _string(name: str) -> Callable[[FeatureView], Figure]:
    return lambda view: (
        float(getattr(view.statistics.string_stats, name)) if view.statistics.HasField("string_stats") else None
    )


FUNCTIONS: dict[str, Callable[[FeatureView], Figure]] = {
    "mean": _numeric("mean"),
    "std_dev": _numeric("std_dev"),
    "median": _numeric("median"),
    "min": _numeric("min"),
    "max": _numeric("max"),
    "num_zeros": _numeric("num_zeros"),
    "num_nan": lambda view: float(view.nans) if view.statistics.HasField("num_stats") else None,
    "unique": _string("unique"),
    "avg_length": _string("avg_length"),
    "num_missing": lambda view: view.missing,
    "num_present": lambda view: view.present,
    "missing_fraction": lambda view: view.missing / view.rows if view.rows else 0.0,
    "num_values": lambda view: view.values,
    "min_num_values": lambda view: float(view.common.min_num_values),
    "max_num_values": lambda view: float(view.common.max_num_values),
    "avg_num_values": lambda view: float(view.common.avg_num_values),
}
"""Figures of a feature by name; None where its type has no such figure."""


@dataclass
class Evaluation:
    """What came of an expression.

    Attributes:
        holds: Whether it is true.
        features: The features that it names, in order.
        figures: What was read, such as "mean(fare) = 62.1".
        skipped: Whether it compares with previous statistics that there aren't.
    """

    holds: bool = True
    features: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    skipped: bool = False


class _NoPreviousError(Exception):
    """An expression compares with previous statistics, and there are none."""


def evaluate(
    rule: str, dataset: DatasetFeatureStatistics, previous: DatasetFeatureStatistics | None, by_weight: bool = False
) -> Evaluation:
    """Evaluate an expression on one data set.

    Args:
        rule: The expression.
        dataset: What it is about.
        previous: What `previous(...)` is about; without it a rule that asks for it is skipped.
        by_weight: Whether counts are weights.

    Raises:
        WiringError: It isn't one of this language.
        ParameterError: It names a feature or a figure that there isn't, or reckons with what is no number.
    """
    evaluator = _Evaluator(rule, dataset, previous, by_weight)
    tree = parse(rule)
    try:
        value = evaluator.value(tree, dataset)
    except _NoPreviousError:
        evaluator.found.skipped = True
        return evaluator.found
    except (ZeroDivisionError, OverflowError) as error:
        value = False
        evaluator.found.figures.append(f"no value: {error}")
    evaluator.found.holds = bool(value)
    return evaluator.found


class _Evaluator:
    def __init__(
        self, rule: str, dataset: DatasetFeatureStatistics, previous: DatasetFeatureStatistics | None, by_weight: bool
    ) -> None:
        self.found = Evaluation()
        self._rule, self._dataset, self._previous, self._by_weight = shown(rule), dataset, previous, by_weight

    def value(self, node: ast.expr, dataset: DatasetFeatureStatistics) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BoolOp):
            values = [bool(self.value(each, dataset)) for each in node.values]
            return all(values) if isinstance(node.op, ast.And) else any(values)
        if isinstance(node, ast.UnaryOp):
            value = self.value(node.operand, dataset)
            return not value if isinstance(node.op, ast.Not) else -self._number(value)
        if isinstance(node, ast.BinOp):
            left, right = (self._number(self.value(side, dataset)) for side in (node.left, node.right))
            return ARITHMETIC[type(node.op)](left, right)
        if isinstance(node, ast.Compare):
            return all(self._comparisons(node, dataset))
        if isinstance(node, ast.Call):
            return self._call(node, dataset)
        return self._of_all(node, dataset)

    def _comparisons(self, node: ast.Compare, dataset: DatasetFeatureStatistics) -> Iterator[bool]:
        left = self._number(self.value(node.left, dataset))
        for sign, other in zip(node.ops, node.comparators, strict=True):
            right = self._number(self.value(other, dataset))
            yield bool(COMPARISONS[type(sign)](left, right))
            left = right

    def _number(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ParameterError(f"The rule {self._rule} reckons with {value!r}, which is no number.")
        return float(value)

    def _of_all(self, node: ast.expr, dataset: DatasetFeatureStatistics) -> float:
        name = ast.unparse(node)
        if name != "num_examples":
            raise ParameterError(
                f"The rule {self._rule} names {name!r} by itself; only num_examples stands so. For a feature's "
                f"figure: 'mean({name})'."
            )
        return self._read(name, examples_of(dataset, self._by_weight), dataset)

    def _call(self, node: ast.Call, dataset: DatasetFeatureStatistics) -> Any:
        name = ast.unparse(node.func)
        if name == "previous":
            if self._previous is None:
                raise _NoPreviousError
            return self.value(node.args[0], self._previous)
        feature = self._feature(node.args[0])
        view = view_of(dataset, feature, self._by_weight)
        if view is None:
            known = [each.name for each in views(dataset)]
            raise ParameterError(
                f"The rule {self._rule} names the feature {feature!r}, which the statistics don't have."
                f"{nearest(feature, known)} They have: {listing(known)}."
            )
        if feature not in self.found.features:
            self.found.features.append(feature)
        figure = (
            self._two_arguments(name, view, node.args[1], dataset) if name in TWO_ARGUMENTS else FUNCTIONS[name](view)
        )
        if figure is None:
            raise ParameterError(
                f"The rule {self._rule}: there is no {name} of {feature!r}, which is described as {view.type_name}."
            )
        return self._read(ast.unparse(node), figure, dataset)

    def _feature(self, node: ast.expr) -> str:
        return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)

    def _two_arguments(
        self, name: str, view: FeatureView, argument: ast.expr, dataset: DatasetFeatureStatistics
    ) -> Figure:
        if name == "custom":
            return self._custom(view, self._feature(argument))
        if name == "correlation":
            return self._correlation(view.name, self._feature(argument), dataset)
        if name == "frequency":
            if not view.statistics.HasField("string_stats"):
                return None
            return view.strings.get(self._feature(argument), 0.0) / view.values if view.values else 0.0
        histogram = view.histogram(Histogram.QUANTILES)
        share = self._number(self.value(argument, self._dataset))
        if histogram is None or not histogram.buckets:
            return None
        position = share * len(histogram.buckets)
        if not 0.0 <= share <= 1.0 or abs(position - round(position)) > 1e-9:
            raise ParameterError(
                f"The rule {self._rule}: the statistics hold quantiles in {len(histogram.buckets)} equal steps, so "
                f"{share!r} can't be told. Make more with StatsOptions(num_quantiles_histogram_buckets=...)."
            )
        at = round(position)
        return float(histogram.buckets[at - 1].high_value if at else histogram.buckets[0].low_value)

    def _custom(self, view: FeatureView, statistic: str) -> float:
        found = view.custom(statistic)
        if found is None or found.WhichOneof("val") != "num":
            known = [each.name for each in view.statistics.custom_stats if each.WhichOneof("val") == "num"]
            raise ParameterError(
                f"The rule {self._rule} names {statistic!r}, which is no number that StatsOptions(custom_statistics="
                f"...) has told of {view.name!r}.{nearest(statistic, known)} It has: {listing(known)}."
            )
        return float(found.num)

    def _correlation(self, left: str, right: str, dataset: DatasetFeatureStatistics) -> float:
        for cross in dataset.cross_features:
            names = {".".join(cross.path_x.step), ".".join(cross.path_y.step)}
            if names == {left, right} and cross.HasField("num_cross_stats"):
                return float(cross.num_cross_stats.correlation)
        raise ParameterError(
            f"The rule {self._rule}: the statistics hold no correlation of {left!r} and {right!r}. Ask for it: "
            f"StatsOptions(cross_features=[[{left!r}, {right!r}]])."
        )

    def _read(self, name: str, figure: float, dataset: DatasetFeatureStatistics) -> float:
        told = name if dataset is self._dataset else f"previous({name})"
        text = f"{told} = {figure:g}"
        if text not in self.found.figures:
            self.found.figures.append(text)
        return figure

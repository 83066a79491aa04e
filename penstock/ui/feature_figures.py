"""The figures of one feature on one side of a comparison, as terminal, page and JSON tell them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from penstock.components.validation.feature_view import FeatureView
from penstock.components.validation.value_counts import INVALID_UTF8, LONG_VALUE
from penstock.ui import formats

VALUE_LENGTH = 80
"""Characters of a value of the data that are shown; the statistics hold up to a kilobyte, foreign ones more."""

MOST_VALUES = 20
"""Frequent values that are listed."""

RANKED = 3
STAND_INS = {INVALID_UTF8: "(not UTF-8)", LONG_VALUE: "(over a kilobyte)"}


@dataclass(frozen=True)
class FeatureFigures:
    """What is told of a feature; None where it has no such figure.

    Attributes:
        name: Its name, whole.
        kind: "int", "float", "string", "bytes" or "struct"; "compound" for what is made of other features.
        count: In how many rows it is present, or their weight.
        missing: In how many it is missing, or their weight.
        values: How many values there are in all, or their weight.
        least_values: The fewest values of a row in which it is present.
        most_values: The most of them.
        unique: How many distinct values there are.
        mean_length: The mean length of a value, in characters of text or in bytes.
        longest: The greatest length of a value in bytes.
        top: Frequent values, cut to a line, with their counts.
        further: Figures beyond these, by name: a semantic type, a statistic of the user's own.
    """

    name: str
    kind: str
    count: float
    missing: float
    values: float
    least_values: int
    most_values: int
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    median: float | None = None
    max: float | None = None
    zeros: int | None = None
    nan: int | None = None
    unique: int | None = None
    mean_length: float | None = None
    longest: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    further: tuple[tuple[str, str], ...] = ()

    @property
    def missing_share(self) -> float:
        """In which share of the rows it is missing; 0.0 without rows."""
        rows = self.count + self.missing
        return self.missing / rows if rows else 0.0

    @property
    def zero_share(self) -> float | None:
        """Which share of the values is zero."""
        return None if self.zeros is None else self.zeros / self.values if self.values else 0.0

    @property
    def values_a_row(self) -> str:
        """How many values a row holds, such as "0 to 3"; "" where it is always one."""
        if not self.is_list:
            return ""
        least, most = self.least_values, self.most_values
        return f"{least:,}" if least == most else f"{least:,} to {most:,}"

    @property
    def is_list(self) -> bool:
        """Whether rows hold several values, or none."""
        return self.count > 0 and (self.least_values, self.most_values) != (1, 1)


def figures_of(view: FeatureView) -> FeatureFigures:
    """Return the figures of a feature."""
    least, most = view.value_counts[0]
    kind = view.statistics.WhichOneof("stats")
    return FeatureFigures(
        name=view.name,
        kind=view.type_name.lower() if kind else "compound",
        count=view.present,
        missing=view.missing,
        values=view.values,
        least_values=least,
        most_values=most,
        further=tuple(_further(view)),
        **(_OF_KIND[kind](view) if kind in _OF_KIND else {}),
    )


def document_of(figures: FeatureFigures) -> dict[str, Any]:
    """Return figures as JSON values: what there is none of is left out, what is no number in JSON is a word."""
    found = {each.name: _plain(getattr(figures, each.name)) for each in fields(figures)}
    found = {
        name: value for name, value in found.items() if value is not None and name not in ("top", "kind", "further")
    }
    described = {"type": figures.kind, **found, "missing_share": figures.missing_share}
    if figures.top:
        described["top"] = [value for value, _ in figures.top[:3]]
        described["top_values"] = [{"value": value, "count": _plain(count)} for value, count in figures.top]
    if figures.further:
        described["further"] = dict(figures.further)
    return described


def shown_value(value: str) -> str:
    """Return a frequent value as people read it: TFDV's stand-ins in words, an empty one in quotation marks."""
    return STAND_INS.get(value, value) or "“”"


def _further(view: FeatureView) -> Iterator[tuple[str, str]]:
    """Yield how many values are NaN, and the custom statistics that are a number, a text or a ranking."""
    if view.nans:
        yield "NaN", f"{view.nans:,}"
    for each in view.statistics.custom_stats:
        kind = each.WhichOneof("val")
        name = formats.visible(each.name.replace("_", " "), VALUE_LENGTH)
        if kind == "num":
            yield name, formats.measure(each.num)
        elif kind == "str":
            yield name, formats.visible(each.str, VALUE_LENGTH)
        elif kind == "rank_histogram":
            ranked = each.rank_histogram.buckets[:RANKED]
            shown = [f"{formats.visible(bucket.label, VALUE_LENGTH)} {bucket.sample_count:,.0f}" for bucket in ranked]
            yield name, ", ".join(shown)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return int(value) if isinstance(value, float) and value == int(value) and abs(value) < 2**53 else value


def _numbers(view: FeatureView) -> Mapping[str, Any]:
    numbers = view.statistics.num_stats
    middle = numbers.weighted_numeric_stats if view.by_weight else numbers
    found: dict[str, Any] = {"zeros": int(numbers.num_zeros), "nan": view.nans}
    if view.range is not None:
        low, high = view.range
        found |= {"mean": middle.mean, "std": middle.std_dev, "min": low, "median": middle.median, "max": high}
    return found


def _strings(view: FeatureView) -> Mapping[str, Any]:
    strings = view.statistics.string_stats
    counted = strings.weighted_string_stats if view.by_weight else strings
    ranked = [(each.label, each.sample_count) for each in counted.rank_histogram.buckets[:MOST_VALUES]]
    top = ranked or [(each.value, each.frequency) for each in counted.top_values[:MOST_VALUES]]
    return {
        "unique": int(strings.unique),
        "mean_length": strings.avg_length,
        "top": tuple((formats.visible(value, VALUE_LENGTH), float(count)) for value, count in top),
    }


def _blobs(view: FeatureView) -> Mapping[str, Any]:
    blobs = view.statistics.bytes_stats
    return {"unique": int(blobs.unique), "mean_length": blobs.avg_num_bytes, "longest": blobs.max_num_bytes}


_OF_KIND: Mapping[str, Callable[[FeatureView], Mapping[str, Any]]] = {
    "num_stats": _numbers,
    "string_stats": _strings,
    "bytes_stats": _blobs,
}

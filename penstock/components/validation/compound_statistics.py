"""Statistics of sparse and weighted features: how well the columns that belong together fit together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics

from penstock.components.validation.compound_rules import Compound, compounds_of
from penstock.components.validation.presence_statistics import lengths_of

Lengths = npt.NDArray[np.float64]


class CompoundStatistics:
    """Of one sparse or weighted feature: rows that miss a part, and how lengths differ from the value's."""

    def __init__(self, compound: Compound) -> None:
        self.name = compound.name
        self._sparse = isinstance(compound, schema_pb2.SparseFeature)
        self._value, self._others = parts_of(compound)
        self._missing_value = 0
        self._missing = dict.fromkeys(self._others, 0)
        self._differences: dict[str, tuple[int, int] | None] = dict.fromkeys(self._others)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows; a column that it doesn't have is missing in all of them."""
        value_there, value_length = _presence(batch, self._value)
        parts = {name: _presence(batch, name) for name in self._others}
        any_there = np.logical_or.reduce([value_there, *(there for there, _ in parts.values())])
        self._missing_value += int(np.count_nonzero(any_there & ~value_there))
        for name, (there, length) in parts.items():
            self._missing[name] += int(np.count_nonzero(any_there & ~there))
            difference = (length - value_length)[any_there]
            if len(difference):
                self._widen(name, int(difference.min()), int(difference.max()))

    def merge(self, other: CompoundStatistics) -> None:
        """Add the rows of `other`."""
        self._missing_value += other._missing_value
        for name, missing in other._missing.items():
            self._missing[name] += missing
        for name, found in other._differences.items():
            if found is not None:
                self._widen(name, *found)

    def _widen(self, name: str, least: int, most: int) -> None:
        known = self._differences[name]
        self._differences[name] = (min(least, known[0]), max(most, known[1])) if known else (least, most)

    def proto(self) -> FeatureNameStatistics:
        """Return the custom statistics, under TFDV's names."""
        feature = FeatureNameStatistics()
        feature.path.step.append(self.name)
        feature.custom_stats.add(name="missing_value", num=self._missing_value)
        bounds = {name: found or (0, 0) for name, found in self._differences.items()}
        if not self._sparse:
            (weight,) = self._others
            feature.custom_stats.add(name="missing_weight", num=self._missing[weight])
            feature.custom_stats.add(name="min_weight_length_diff", num=bounds[weight][0])
            feature.custom_stats.add(name="max_weight_length_diff", num=bounds[weight][1])
            return feature
        for statistic, numbers in (
            ("missing_index", self._missing),
            ("max_length_diff", {name: most for name, (_, most) in bounds.items()}),
            ("min_length_diff", {name: least for name, (least, _) in bounds.items()}),
        ):
            histogram = feature.custom_stats.add(name=statistic).rank_histogram
            for name in sorted(numbers):
                histogram.buckets.add(label=name, sample_count=numbers[name])
        return feature


def parts_of(compound: Compound) -> tuple[str, list[str]]:
    """Return the column of the values, and the columns of the indices, or the one of the weights."""
    if isinstance(compound, schema_pb2.SparseFeature):
        return compound.value_feature.name, [index.name for index in compound.index_feature]
    return ".".join(compound.feature.step), [".".join(compound.weight_feature.step)]


def compound_statistics(hints: schema_pb2.Schema | None) -> list[CompoundStatistics]:
    """Return empty statistics of every sparse and weighted feature in use."""
    return [CompoundStatistics(each) for each in compounds_of(hints).values()] if hints is not None else []


def _presence(batch: pa.RecordBatch, name: str) -> tuple[npt.NDArray[np.bool_], Lengths]:
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.bool_), np.zeros(batch.num_rows)
    column = batch.column(name)
    there: npt.NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    return there, lengths_of(column) if lists else there.astype(np.float64)

"""Statistics of one column, gathered batch by batch and merged: its presence and its values."""

from __future__ import annotations

import math
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0.schema_pb2 import NaturalLanguageDomain
from tensorflow_metadata.proto.v0.statistics_pb2 import CommonStatistics, FeatureNameStatistics

from penstock.components.validation.language_statistics import LanguageStatistics
from penstock.components.validation.quantiles import Floats, Quantiles, constant_histogram, quantiles_histogram
from penstock.components.validation.semantic_statistics import Categories, TextMeaning
from penstock.components.validation.stats_options import DEFAULT_OPTIONS, StatsOptions
from penstock.components.validation.value_statistics import Blobs, Numbers, Strings
from penstock.components.validation.weighted_statistics import (
    WeightedNumbers,
    WeightedPresence,
    WeightedStrings,
    lengths_of,
)


class Kind(Enum):
    """What a column's values are described as."""

    INT = "int"
    FLOAT = "float"
    STRING = "string"
    BYTES = "bytes"
    CATEGORICAL = "categorical"
    """Integers that are names: counted like strings, reported as integers."""


_PROTO_TYPES = {
    Kind.INT: FeatureNameStatistics.INT,
    Kind.FLOAT: FeatureNameStatistics.FLOAT,
    Kind.STRING: FeatureNameStatistics.STRING,
    Kind.BYTES: FeatureNameStatistics.BYTES,
    Kind.CATEGORICAL: FeatureNameStatistics.INT,
}


class Presence:
    """In how many rows a feature is present, and with how many values."""

    def __init__(self, *, lists: bool) -> None:
        self._lists = lists
        self._lengths = Quantiles()
        self.rows = 0
        self.present = 0
        self.values = 0
        self._least = math.inf
        self._most = 0

    def add(self, column: pa.Array) -> None:
        """Add a column (rows,) of values or lists."""
        present = len(column) - column.null_count
        self.rows += len(column)
        self.present += present
        if not self._lists:
            self.values += present
            if present:
                self._least = self._most = 1
            return
        lengths = np.asarray(pc.drop_null(pc.list_value_length(column)), dtype=np.float64)
        if len(lengths):
            self.values += int(lengths.sum())
            self._least = min(self._least, int(lengths.min()))
            self._most = max(self._most, int(lengths.max()))
            self._lengths.add(lengths)

    def merge(self, other: Presence) -> None:
        """Add the rows of `other`."""
        self.rows += other.rows
        self.present += other.present
        self.values += other.values
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)
        self._lengths.merge(other._lengths)

    def proto(self) -> CommonStatistics:
        """Return the common part of a feature's statistics."""
        common = CommonStatistics(
            num_non_missing=self.present, num_missing=self.rows - self.present, tot_num_values=self.values
        )
        if self.present:
            common.min_num_values = int(self._least)
            common.max_num_values = self._most
            common.avg_num_values = self.values / self.present
            histogram = (
                quantiles_histogram(self._lengths.distribution())
                if self._lists
                else constant_histogram(1.0, self.present)
            )
            common.num_values_histogram.CopyFrom(histogram)
        return common


class ColumnStatistics:
    """All that is gathered of one column.

    Args:
        name: The column's name.
        kind: What its values are.
        lists: Whether a row holds a list of values.
        image: Whether the schema says that the values are images.
        language: What the schema says of values that are the tokens of a language.
        options: What is asked for.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        *,
        lists: bool,
        image: bool = False,
        language: NaturalLanguageDomain | None = None,
        options: StatsOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.name = name
        self.kind = kind
        self._lists = lists
        self._presence = Presence(lists=lists)
        self._values: Numbers | Strings | Blobs = _new_values(kind)
        self._meaning = _new_meaning(kind, image, options)
        self._language: LanguageStatistics | None = None
        if language is not None and kind in (Kind.STRING, Kind.CATEGORICAL):
            self._language = LanguageStatistics(language, integers=kind is Kind.CATEGORICAL)
        self._weighted = WeightedColumn(kind) if options.weight_feature is not None else None

    def add(self, column: pa.Array, weights: Floats | None = None) -> None:
        """Add the column of one batch (rows,), null where the feature is missing, and the weights of its rows."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        self._presence.add(column)
        values = pc.list_flatten(column) if self._lists else column
        if pa.types.is_boolean(values.type) or pa.types.is_integer(values.type):
            values = values.cast(pa.int64())
        if self._weighted is not None and weights is not None:
            self._weighted.add(column, values, weights, lists=self._lists)
        if not pa.types.is_null(values.type):
            there = values.drop_null() if values.null_count else values
            self._values.add(there)
            if self._meaning is not None:
                self._meaning.add(there)
            if self._language is not None:
                self._language.add(column, values, lists=self._lists)

    def merge(self, other: ColumnStatistics) -> None:
        """Add the rows of `other`, which come after those seen here."""
        self._presence.merge(other._presence)
        self._values.merge(other._values)  # type: ignore[arg-type]  # both were made for the same kind
        if self._meaning is not None and other._meaning is not None:
            self._meaning.merge(other._meaning)  # type: ignore[arg-type]  # as above
        if self._language is not None and other._language is not None:
            self._language.merge(other._language)
        if self._weighted is not None and other._weighted is not None:
            self._weighted.merge(other._weighted)

    def proto(self, options: StatsOptions = DEFAULT_OPTIONS) -> FeatureNameStatistics:
        """Return the feature's statistics."""
        feature = FeatureNameStatistics(type=_PROTO_TYPES[self.kind])
        feature.path.step.append(self.name)
        common = self._presence.proto()
        if self._weighted is not None:
            common.weighted_common_stats.CopyFrom(self._weighted.presence.proto())
        if isinstance(self._values, Numbers):
            feature.num_stats.CopyFrom(self._values.proto(options))
            feature.num_stats.common_stats.CopyFrom(common)
        elif isinstance(self._values, Strings):
            feature.string_stats.CopyFrom(self._values.proto(self._presence.values, options))
            feature.string_stats.common_stats.CopyFrom(common)
        else:
            feature.bytes_stats.CopyFrom(self._values.proto(self._presence.values))
            feature.bytes_stats.common_stats.CopyFrom(common)
        if self._weighted is not None:
            self._weighted.complete(feature, options)
        if self._meaning is not None:
            feature.custom_stats.extend(self._meaning.custom_statistics())
        if self._language is not None:
            feature.custom_stats.extend(self._language.custom_statistics())
        return feature


class WeightedColumn:
    """The weighted part of one column's statistics."""

    def __init__(self, kind: Kind) -> None:
        self.presence = WeightedPresence()
        self._values: WeightedNumbers | WeightedStrings | None = None
        if kind is not Kind.BYTES:
            self._values = WeightedNumbers() if kind in (Kind.INT, Kind.FLOAT) else WeightedStrings()

    def add(self, column: pa.Array, values: pa.Array, weights: Floats, *, lists: bool) -> None:
        """Add a column (rows,), its values without lists, and the weights of its rows (rows,)."""
        self.presence.add(column, weights, lists=lists)
        if self._values is None or pa.types.is_null(values.type):
            return
        of_values = np.repeat(weights, lengths_of(column).astype(np.int64)) if lists else weights
        if values.null_count:
            of_values = of_values[values.is_valid().to_numpy(zero_copy_only=False)]
            values = values.drop_null()
        self._values.add(values, of_values)

    def merge(self, other: WeightedColumn) -> None:
        """Add the rows of `other`."""
        self.presence.merge(other.presence)
        if self._values is not None and other._values is not None:
            self._values.merge(other._values)  # type: ignore[arg-type]  # both were made for the same kind

    def complete(self, feature: FeatureNameStatistics, options: StatsOptions) -> None:
        """Add the weighted part to a feature's statistics."""
        if isinstance(self._values, WeightedNumbers):
            feature.num_stats.weighted_numeric_stats.CopyFrom(self._values.proto(options))
        elif self._values is not None:
            feature.string_stats.weighted_string_stats.CopyFrom(self._values.proto(options))


def _new_values(kind: Kind) -> Numbers | Strings | Blobs:
    if kind in (Kind.INT, Kind.FLOAT):
        return Numbers()
    return Blobs() if kind is Kind.BYTES else Strings()


def _new_meaning(kind: Kind, image: bool, options: StatsOptions) -> TextMeaning | Categories | None:
    if image:
        return TextMeaning(known_as_images=True)
    if not options.enable_semantic_domain_stats:
        return None
    if kind is Kind.INT:
        return Categories()
    return TextMeaning() if kind is Kind.STRING else None

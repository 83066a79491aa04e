"""Statistics of one feature with values, gathered batch by batch and merged: its presence and its values."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics

from penstock.components.validation.language_statistics import LanguageStatistics
from penstock.components.validation.presence_statistics import Presence, WeightedPresence, flattened
from penstock.components.validation.quantiles import Floats
from penstock.components.validation.semantic_statistics import Categories, TextMeaning
from penstock.components.validation.stats_options import DEFAULT_OPTIONS, StatsOptions
from penstock.components.validation.value_statistics import Blobs, Numbers, Strings
from penstock.components.validation.weighted_statistics import WeightedNumbers, WeightedStrings


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


class ColumnStatistics:
    """All that is gathered of one feature with values.

    Args:
        path: The column's name; of a field of structs, the names that lead to it.
        kind: What its values are.
        levels: How deep its lists are nested; 0 for one value a row.
        image: Whether the schema says that the values are images.
        language: Counts the tokens of a language, where that is what the values are.
        options: What is asked for.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        kind: Kind,
        *,
        levels: int,
        image: bool = False,
        language: LanguageStatistics | None = None,
        options: StatsOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.path = path
        self.kind = kind
        self._levels = levels
        self._presence = Presence(levels)
        self._values: Numbers | Strings | Blobs = _new_values(kind)
        self._meaning = _new_meaning(kind, image, options)
        self._language = language
        self._weighted = WeightedColumn(kind, levels) if options.weighs(path[0]) else None

    def add(self, column: pa.Array, weights: Floats | None = None) -> None:
        """Add the column of one batch (rows,), null where the feature is missing, and the weights of its rows."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        self._presence.add(column)
        values, of_values = flattened(column, weights, self._levels)
        if pa.types.is_boolean(values.type) or pa.types.is_integer(values.type):
            values = values.cast(pa.int64())
        if self._weighted is not None and weights is not None and of_values is not None:
            self._weighted.add(column, weights, values, of_values)
        if not pa.types.is_null(values.type):
            there = values.drop_null() if values.null_count else values
            self._values.add(there)
            if self._meaning is not None:
                self._meaning.add(there)
            if self._language is not None:
                self._language.add(column, values, lists=self._levels > 0)

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

    def leaves(self) -> Iterator[ColumnStatistics]:
        """Yield the features with values: itself."""
        yield self

    def protos(self, options: StatsOptions = DEFAULT_OPTIONS) -> Iterator[FeatureNameStatistics]:
        """Yield the feature's statistics."""
        feature = FeatureNameStatistics(type=_PROTO_TYPES[self.kind])
        feature.path.step.extend(self.path)
        common = self._presence.proto(options.num_values_histogram_buckets)
        if self._weighted is not None:
            self._weighted.presence.add_to(common)
        if isinstance(self._values, Numbers):
            feature.num_stats.CopyFrom(self._values.proto(options))
            feature.num_stats.common_stats.CopyFrom(common)
        elif isinstance(self._values, Strings):
            feature.string_stats.CopyFrom(self._values.proto(self._presence.leaves, options))
            feature.string_stats.common_stats.CopyFrom(common)
        else:
            feature.bytes_stats.CopyFrom(self._values.proto(self._presence.leaves))
            feature.bytes_stats.common_stats.CopyFrom(common)
        if self._weighted is not None:
            self._weighted.complete(feature, options)
        if self._meaning is not None:
            feature.custom_stats.extend(self._meaning.custom_statistics())
        if self._language is not None:
            feature.custom_stats.extend(self._language.custom_statistics())
        yield feature


class WeightedColumn:
    """The weighted part of one column's statistics."""

    def __init__(self, kind: Kind, levels: int) -> None:
        self.presence = WeightedPresence(levels)
        self._values: WeightedNumbers | WeightedStrings | None = None
        if kind is not Kind.BYTES:
            self._values = WeightedNumbers() if kind in (Kind.INT, Kind.FLOAT) else WeightedStrings()

    def add(self, column: pa.Array, weights: Floats, values: pa.Array, of_values: Floats) -> None:
        """Add a column (rows,) and the weights of its rows (rows,), its values (n,) and their weights (n,)."""
        self.presence.add(column, weights)
        if self._values is None or pa.types.is_null(values.type):
            return
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

"""Statistics of structs: their presence, and the features in them, each under the path that leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics

from penstock.components.validation.column_statistics import ColumnStatistics
from penstock.components.validation.presence_statistics import Presence, WeightedPresence, flattened
from penstock.components.validation.quantiles import Floats
from penstock.components.validation.stats_options import DEFAULT_OPTIONS, StatsOptions


class StructStatistics:
    """All that is gathered of one feature with structs; as in TFDV, a field is missing where its struct hasn't one.

    Args:
        path: The column's name; of a struct in a struct, the names that lead to it.
        levels: How deep its lists are nested; 0 for one struct a row.
        fields: The features in it, in their order.
        weighted: Whether rows have weights.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        levels: int,
        fields: Sequence[ColumnStatistics | StructStatistics],
        *,
        weighted: bool,
    ) -> None:
        self.path = path
        self._levels = levels
        self._fields = list(fields)
        self._presence = Presence(levels)
        self._weighted = WeightedPresence(levels) if weighted else None

    def add(self, column: pa.Array, weights: Floats | None = None) -> None:
        """Add the column of one batch (rows,), null where the feature is missing, and the weights of its rows."""
        self._presence.add(column)
        if self._weighted is not None and weights is not None:
            self._weighted.add(column, weights)
        structs, of_structs = flattened(column, weights, self._levels)
        if structs.null_count:
            there = structs.is_valid()
            structs = structs.filter(there)
            if of_structs is not None:
                of_structs = of_structs[there.to_numpy(zero_copy_only=False)]
        for field, values in zip(self._fields, structs.flatten(), strict=True):
            field.add(values, of_structs)

    def merge(self, other: StructStatistics) -> None:
        """Add the rows of `other`, which come after those seen here."""
        self._presence.merge(other._presence)
        if self._weighted is not None and other._weighted is not None:
            self._weighted.merge(other._weighted)
        for ours, theirs in zip(self._fields, other._fields, strict=True):
            ours.merge(theirs)  # type: ignore[arg-type]  # both were made for the same type

    def leaves(self) -> Iterator[ColumnStatistics]:
        """Yield the features with values in it, at any depth."""
        for field in self._fields:
            yield from field.leaves()

    def protos(self, options: StatsOptions = DEFAULT_OPTIONS) -> Iterator[FeatureNameStatistics]:
        """Yield the statistics of the structs, then those of their fields."""
        feature = FeatureNameStatistics(type=FeatureNameStatistics.STRUCT)
        feature.path.step.extend(self.path)
        common = self._presence.proto(options.num_values_histogram_buckets)
        if self._weighted is not None:
            self._weighted.add_to(common)
        feature.struct_stats.common_stats.CopyFrom(common)
        yield feature
        for field in self._fields:
            yield from field.protos(options)

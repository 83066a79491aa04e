"""Statistics of a set of examples in one pass: gathered by range, merged in the order of the ranges."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.column_statistics import ColumnStatistics, Kind
from penstock.data.errors import UnsupportedDataError

DATASET_NAME = "All Examples"
"""TFDV's name of the statistics of all rows, as opposed to a slice."""


class RangeStatistics:
    """What one range of rows contributes; pickled, it is small and says which range it is.

    Args:
        columns: The Arrow schema of the examples; all ranges have the same.
        number: The range's place among the ranges of its split.
        hints: A schema that says which integers are categories and which strings are images.

    Raises:
        UnsupportedDataError: A column has a type that can't be described.
    """

    def __init__(self, columns: pa.Schema, number: int = 0, hints: schema_pb2.Schema | None = None) -> None:
        self.number = number
        self.rows = 0
        categorical, images = _hinted(hints)
        self.columns: list[ColumnStatistics] = []
        for field in columns:
            lists = _is_list(field.type)
            kind = _kind(field)
            if kind is Kind.INT and field.name in categorical:
                kind = Kind.CATEGORICAL
            elif kind is Kind.STRING and field.name in images:
                kind = Kind.BYTES
            self.columns.append(ColumnStatistics(field.name, kind, lists=lists))

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows whose columns are those of the schema, in its order."""
        self.rows += batch.num_rows
        for statistics, column in zip(self.columns, batch.columns, strict=True):
            statistics.add(column)

    def merge(self, other: RangeStatistics) -> None:
        """Add the rows of a range that comes after this one."""
        self.rows += other.rows
        for ours, theirs in zip(self.columns, other.columns, strict=True):
            ours.merge(theirs)

    def proto(self) -> DatasetFeatureStatisticsList:
        """Return the statistics in TFDV's format, features in the order of the columns."""
        dataset = DatasetFeatureStatistics(name=DATASET_NAME, num_examples=self.rows)
        dataset.features.extend(column.proto() for column in self.columns)
        return DatasetFeatureStatisticsList(datasets=[dataset])


def merge_ranges(ranges: Iterable[RangeStatistics]) -> RangeStatistics:
    """Merge the ranges of one split, whatever order they come in, in the order of their numbers.

    Returns:
        The first range, which has taken in the others.

    Raises:
        ValueError: There are no ranges, or two have the same number.
    """
    ordered = sorted(ranges, key=lambda each: each.number)
    if not ordered or len({each.number for each in ordered}) < len(ordered):
        raise ValueError(f"Ranges to merge need distinct numbers, got {[each.number for each in ordered]}.")
    whole = ordered[0]
    for following in ordered[1:]:
        whole.merge(following)
    return whole


def describe_table(table: pa.Table, hints: schema_pb2.Schema | None = None) -> DatasetFeatureStatisticsList:
    """Return the statistics of a table in memory."""
    statistics = RangeStatistics(table.schema, hints=hints)
    for batch in table.to_batches(max_chunksize=16384):
        statistics.add(batch)
    return statistics.proto()


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _kind(field: pa.Field) -> Kind:
    kind = field.type.value_type if _is_list(field.type) else field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return Kind.INT
    if pa.types.is_floating(kind):
        return Kind.FLOAT
    # A column without any value has no type; like TFDV, say string.
    if any(test(kind) for test in (pa.types.is_null, *_TEXT_TESTS)):
        return Kind.STRING
    raise UnsupportedDataError(
        f"Column {field.name!r} is of type {field.type}, which can't be described. Columns hold integers, floats, "
        f"strings, binaries, or lists of these (one level).",
        column=field.name,
    )


_TEXT_TESTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def _hinted(schema: schema_pb2.Schema | None) -> tuple[set[str], set[str]]:
    features = schema.feature if schema is not None else []
    categorical = {
        feature.name
        for feature in features
        if feature.type == schema_pb2.INT
        and (
            feature.int_domain.is_categorical
            or feature.WhichOneof("domain_info") in ("bool_domain", "natural_language_domain")
        )
    }
    return categorical, {feature.name for feature in features if feature.WhichOneof("domain_info") == "image_domain"}

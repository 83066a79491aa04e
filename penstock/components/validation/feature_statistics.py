"""Which statistics are made of a feature: by its Arrow type, and by what a schema says of its values."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.column_statistics import ColumnStatistics, Kind
from penstock.components.validation.feature_paths import Path
from penstock.components.validation.language_statistics import LanguageStatistics, Vocabulary
from penstock.components.validation.stats_options import StatsOptions
from penstock.components.validation.struct_statistics import StructStatistics
from penstock.data.errors import UnsupportedDataError
from penstock.data.raw_feature import is_list


def statistics_of(
    path: Path,
    kind: pa.DataType,
    known: dict[Path, schema_pb2.Feature],
    options: StatsOptions,
    vocabularies: Mapping[str, Vocabulary],
) -> ColumnStatistics | StructStatistics:
    """Return empty statistics for a column, or for a field of structs.

    Args:
        path: The column's name; of a field of structs, the names that lead to it.
        kind: Its Arrow type.
        known: What a schema says of features, by their paths.
        options: What is asked for.
        vocabularies: The tokens of vocabularies by their name in a schema.

    Raises:
        UnsupportedDataError: The type can't be described.
    """
    levels, value = 0, kind
    while is_list(value):
        levels, value = levels + 1, value.value_type
    if pa.types.is_struct(value):
        fields = [statistics_of((*path, each.name), each.type, known, options, vocabularies) for each in value]
        return StructStatistics(path, levels, fields, weighted=options.weighs(path[0]))
    plain, feature = _kind(path, kind, value), known.get(path, schema_pb2.Feature())
    meaning = feature.WhichOneof("domain_info")
    if plain is Kind.INT and _is_categorical(feature):
        plain = Kind.CATEGORICAL
    elif plain is Kind.STRING and meaning == "image_domain":
        plain = Kind.BYTES
    language = None
    if meaning == "natural_language_domain" and plain in (Kind.STRING, Kind.CATEGORICAL) and levels <= 1:
        domain = feature.natural_language_domain
        integers = plain is Kind.CATEGORICAL
        language = LanguageStatistics(domain, integers=integers, vocabulary=vocabularies.get(domain.vocabulary))
    return ColumnStatistics(path, plain, levels=levels, image=plain is Kind.BYTES, language=language, options=options)


def _kind(path: Path, column: pa.DataType, kind: pa.DataType) -> Kind:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return Kind.INT
    if pa.types.is_floating(kind):
        return Kind.FLOAT
    # A column without any value has no type; like TFDV, say string.
    if any(test(kind) for test in (pa.types.is_null, *_TEXT_TESTS)):
        return Kind.STRING
    name = ".".join(path)
    raise UnsupportedDataError(
        f"Column {name!r} is of type {column}, which can't be described. Columns hold integers, floats, strings, "
        f"binaries, and lists or structs of these.",
        column=name,
    )


_TEXT_TESTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def _is_categorical(feature: schema_pb2.Feature) -> bool:
    return feature.type == schema_pb2.INT and (
        feature.int_domain.is_categorical
        or feature.WhichOneof("domain_info") in ("bool_domain", "natural_language_domain")
    )

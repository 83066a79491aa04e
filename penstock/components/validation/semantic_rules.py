"""Rules about what values mean: images, natural language, a domain that the statistics suggest, a derived feature.

They read custom statistics under TFDV's names, which StatisticsGen makes for what its schema or its options ask.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import NaturalLanguageStatistics

from penstock.components.validation.draft import Draft, Finding, Rule
from penstock.components.validation.feature_view import FeatureView

DOMAIN_INFO = "domain_info"
"""The custom statistic that names a domain, such as "image_domain {}"."""

IMAGE_FORMATS = "image_format_histogram"
"""The custom statistic that counts values by image format."""

UNKNOWN_FORMAT = "UNKNOWN"
LANGUAGE_STATISTICS = "nl_statistics"

_NO_LANGUAGE_STATISTICS = Finding(
    AnomalyInfo.STATS_NOT_AVAILABLE,
    "Natural language stats are not computed.",
    "Constraints specified in natural language domain cannot be verified because natural language stats have not been "
    "computed.",
)


def suggested_domain(view: FeatureView) -> schema_pb2.Feature | None:
    """Return a feature with the one domain that custom statistics suggest; None where they suggest none."""
    suggested = [each.str for each in view.statistics.custom_stats if each.name == DOMAIN_INFO]
    if len(suggested) != 1:
        return None
    try:
        feature = text_format.Parse(suggested[0], schema_pb2.Feature())
    except text_format.ParseError:
        return None
    return feature if feature.WhichOneof("domain_info") and len(feature.ListFields()) == 1 else None


def domain_is_known(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A feature that the statistics suggest a domain for has a domain."""
    suggested = suggested_domain(view)
    if draft.feature.WhichOneof("domain_info") is None and suggested is not None:
        draft.feature.MergeFrom(suggested)
        told = f"Updated semantic domain for feature: {draft.feature.name}"
        yield Finding(AnomalyInfo.SEMANTIC_DOMAIN_UPDATE, "Updated semantic domain", told)


def enough_images(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """At least the wanted fraction of the values are images of a format that TensorFlow decodes."""
    if draft.feature.WhichOneof("domain_info") != "image_domain":
        return
    domain, formats = draft.feature.image_domain, view.custom(IMAGE_FORMATS)
    if not domain.HasField("minimum_supported_image_fraction") or formats is None:
        return
    counts = {bucket.label: bucket.sample_count for bucket in formats.rank_histogram.buckets}
    total = sum(counts.values())
    fraction = 1.0 - counts.get(UNKNOWN_FORMAT, 0.0) / total if total else 1.0
    wanted = domain.minimum_supported_image_fraction
    if fraction < wanted:
        domain.minimum_supported_image_fraction = fraction
        told = (
            f"Fraction of values containing TensorFlow supported images: {fraction:f} is lower than the threshold set "
            f"in the Schema: {wanted:f}."
        )
        yield Finding(AnomalyInfo.LOW_SUPPORTED_IMAGE_FRACTION, "Low supported image fraction", told)


def language_fits(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """Tokens are in the vocabulary, long enough, and in as many sequences as wanted."""
    if draft.feature.WhichOneof("domain_info") != "natural_language_domain":
        return
    domain = draft.feature.natural_language_domain
    coverage = domain.coverage
    asked = coverage.HasField("min_coverage") or coverage.HasField("min_avg_token_length")
    if not (asked or domain.token_constraints):
        return
    statistics = _language_statistics(view)
    if statistics is None or (asked and view.type == schema_pb2.INT and not statistics.avg_token_length):
        # Integers without a vocabulary have neither coverage nor length.
        draft.feature.ClearField("natural_language_domain")
        yield _NO_LANGUAGE_STATISTICS
        return
    yield from _coverage_holds(statistics, coverage)
    yield from _tokens_hold(statistics, draft.feature)


def _language_statistics(view: FeatureView) -> NaturalLanguageStatistics | None:
    packed, statistics = view.custom(LANGUAGE_STATISTICS), NaturalLanguageStatistics()
    return statistics if packed is not None and packed.any.Unpack(statistics) else None


def _coverage_holds(
    statistics: NaturalLanguageStatistics, coverage: schema_pb2.FeatureCoverageConstraints
) -> Iterator[Finding]:
    found = statistics.feature_coverage
    if coverage.HasField("min_coverage") and found < coverage.min_coverage:
        told = (
            f"Fraction of tokens in the vocabulary: {found:g} is lower than the threshold set in the Schema: "
            f"{coverage.min_coverage:g}."
        )
        coverage.min_coverage = found
        yield Finding(AnomalyInfo.FEATURE_COVERAGE_TOO_LOW, "Feature coverage is too low.", told)
    length = statistics.avg_token_length
    if coverage.HasField("min_avg_token_length") and length < coverage.min_avg_token_length:
        told = (
            f"Average token length is: {length:g} which is lower than the threshold set in the Schema: "
            f"{coverage.min_avg_token_length:g}."
        )
        coverage.min_avg_token_length = length
        yield Finding(
            AnomalyInfo.FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH, "Average token length is too short.", told
        )


def _tokens_hold(statistics: NaturalLanguageStatistics, feature: schema_pb2.Feature) -> Iterator[Finding]:
    known = {_token(each, "int_token", "string_token"): each for each in statistics.token_statistics}
    for constraint in feature.natural_language_domain.token_constraints:
        token = _token(constraint, "int_value", "string_value")
        if token is None:
            continue
        if token not in known:
            feature.ClearField("natural_language_domain")
            yield _NO_LANGUAGE_STATISTICS
            return
        yield from _token_holds(known[token], str(token), constraint)


def _token(
    message: NaturalLanguageStatistics.TokenStatistics | schema_pb2.SequenceValueConstraints, integer: str, text: str
) -> int | str | None:
    value: int | str | None = None
    for name in (integer, text):
        if value is None and message.HasField(name):
            value = getattr(message, name)
    return value


def _token_holds(
    found: NaturalLanguageStatistics.TokenStatistics, token: str, limit: schema_pb2.SequenceValueConstraints
) -> Iterator[Finding]:
    share = found.fraction_of_sequences
    with_value = f"Fraction of sequences with value: {token} is: {share:g} which is"
    if limit.HasField("min_fraction_of_sequences") and limit.min_fraction_of_sequences > share:
        told = f"{with_value} lower than the threshold set in the Schema: {limit.min_fraction_of_sequences:g}."
        limit.min_fraction_of_sequences = share
        short = "Value occurs in too small a fraction of sequences."
        yield Finding(AnomalyInfo.SEQUENCE_VALUE_TOO_SMALL_FRACTION, short, told)
    if limit.HasField("max_fraction_of_sequences") and limit.max_fraction_of_sequences < share:
        told = f"{with_value} higher than the threshold set in the Schema: {limit.max_fraction_of_sequences:g}."
        limit.max_fraction_of_sequences = share
        short = "Value occurs in too large a fraction of sequences."
        yield Finding(AnomalyInfo.SEQUENCE_VALUE_TOO_LARGE_FRACTION, short, told)
    least, most = found.per_sequence_min_frequency, found.per_sequence_max_frequency
    within = "times within a sequence, which is"
    if limit.HasField("min_per_sequence") and limit.min_per_sequence > least:
        told = f"Value: {token} occurs at least: {least:g} {within} lower than the threshold set in the Schema: "
        told += f"{limit.min_per_sequence}."
        limit.min_per_sequence = int(least)
        short = "Value has too few per-sequence occurrences."
        yield Finding(AnomalyInfo.SEQUENCE_VALUE_TOO_FEW_OCCURRENCES, short, told)
    if limit.HasField("max_per_sequence") and limit.max_per_sequence < most:
        told = f"Value: {token} occurs at most: {most:g} {within} higher than the threshold set in the Schema: "
        told += f"{limit.max_per_sequence}."
        limit.max_per_sequence = int(most)
        short = "Value has too many per-sequence occurrences."
        yield Finding(AnomalyInfo.SEQUENCE_VALUE_TOO_MANY_OCCURRENCES, short, told)


def derived_source_is_known(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """A feature that was derived for validation says so in the schema, in its source and its stage."""
    feature = draft.feature
    if view.statistics.HasField("validation_derived_source") and not feature.HasField("validation_derived_source"):
        feature.lifecycle_stage = schema_pb2.VALIDATION_DERIVED
        feature.validation_derived_source.CopyFrom(view.statistics.validation_derived_source)
        told = "Derived source not set in schema."
        yield Finding(AnomalyInfo.DERIVED_FEATURE_INVALID_SOURCE, told, told)
    # TFDV asks for both stages at once, which no feature can have; the reference page names the meaning.
    stages = (schema_pb2.VALIDATION_DERIVED, schema_pb2.DISABLED)
    if feature.HasField("validation_derived_source") and feature.lifecycle_stage not in stages:
        feature.lifecycle_stage = schema_pb2.VALIDATION_DERIVED
        told = "Derived feature has wrong lifecycle."
        yield Finding(AnomalyInfo.DERIVED_FEATURE_BAD_LIFECYCLE, told, told)


def unchecked_meaning(view: FeatureView, feature: schema_pb2.Feature) -> list[str]:
    """Return a line for what the schema asks of images, and the statistics don't tell."""
    asked = feature.WhichOneof("domain_info") == "image_domain" and feature.image_domain.HasField(
        "minimum_supported_image_fraction"
    )
    if not asked or view.custom(IMAGE_FORMATS) is not None:
        return []
    return [
        f"feature {view.name!r}: image_domain.minimum_supported_image_fraction was not checked: the statistics don't "
        f"count image formats. Make them with StatsOptions(enable_semantic_domain_stats=True)."
    ]


MEANING_RULES: tuple[Rule, ...] = (enough_images, language_fits, domain_is_known)
"""All but the one about derived features, which comes last of all rules."""

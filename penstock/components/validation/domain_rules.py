"""Rules about a feature's values: its domain of strings, booleans, integers, floats or images."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo
from tensorflow_metadata.proto.v0.statistics_pb2 import FeatureNameStatistics, Histogram

from penstock.components.validation.draft import Draft, Finding, Rule
from penstock.components.validation.feature_view import FeatureView
from penstock.components.validation.numbers_in_text import parse_float, parse_int
from penstock.pipeline.errors import nearest

MAX_EXAMPLES = 5
MAX_CHARACTERS = 40

_OUT_OF_RANGE = "Out-of-range values"
_INVALID = "Invalid values"
_NOT_BOOLEAN = "Non-boolean values"
_DOMAINS_OF_BYTES = (None, "natural_language_domain", "image_domain", "url_domain")


def bytes_have_no_domain(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """Bytes without meaning as text have no domain but that of language, images or URLs."""
    kind = draft.feature.WhichOneof("domain_info")
    if view.statistics.type != FeatureNameStatistics.BYTES or kind in _DOMAINS_OF_BYTES:
        return
    draft.feature.ClearField(kind)
    yield Finding(
        AnomalyInfo.DOMAIN_INVALID_FOR_TYPE,
        "Invalid domain type",
        f"Data is marked as BYTES with incompatible domain_info: {kind}",
    )


def strings_in_domain(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """All but the tolerated fraction of the strings are values of the feature's domain."""
    feature = draft.feature
    kind = feature.WhichOneof("domain_info")
    domain = {"string_domain": feature.string_domain, "domain": draft.domain}.get(kind)
    if domain is None:
        return
    if view.has_invalid_utf8:
        feature.ClearField(kind)
        told = "Found strings that were not valid UTF8 strings."
        yield Finding(AnomalyInfo.ENUM_TYPE_INVALID_UTF8, "Invalid UTF8 strings", told)
        return
    known = set(domain.value)
    strange = {label: count for label, count in view.strings.items() if label not in known}
    constraints = feature.distribution_constraints
    tolerated = 1.0 - constraints.min_domain_mass if feature.HasField("distribution_constraints") else 0.0
    if not strange or sum(strange.values()) <= tolerated * view.values:
        return
    brief = _main_examples(strange, view.values, domain)
    domain.value.extend(strange)
    listed = [f"{_escaped(label)} ({_percentage(count, view.values)})" for label, count in strange.items()]
    yield Finding(
        AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES,
        "Unexpected string values",
        f"Examples contain values missing from the schema: {', '.join(listed)}.",
        brief,
    )


def _main_examples(strange: dict[str, float], total: float, domain: schema_pb2.StringDomain) -> str:
    frequent = sorted(strange, key=lambda label: (-strange[label], label))[:MAX_EXAMPLES]
    shown = [f"{shortened(_escaped(label))!r} ({_percentage(strange[label], total)})" for label in frequent]
    left = len(strange) - len(shown)
    near = nearest(frequent[0], domain.value)
    return f"{', '.join(shown)}{f' and {left} more' if left else ''} aren't in the domain.{near}"


def booleans_in_domain(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """The values of a feature with a `bool_domain` are 0 and 1, or the domain's two strings."""
    feature = draft.feature
    if feature.WhichOneof("domain_info") != "bool_domain":
        return
    if view.type == schema_pb2.INT:
        yield from _boolean_integers(view, feature)
    elif view.type == schema_pb2.FLOAT:
        yield from _boolean_floats(view, feature)
    elif view.is_text:
        yield from _boolean_strings(view, feature)


def _boolean_integers(view: FeatureView, feature: schema_pb2.Feature) -> Iterator[Finding]:
    interval = _integers(view)
    if not isinstance(interval, tuple) or (interval[0] >= 0 and interval[1] <= 1):
        return
    least, most = interval
    # Data that did fit holds 0 and 1, so unlike in TFDV the new domain does too: other splits must fit it as well.
    feature.int_domain.min, feature.int_domain.max = min(least, 0), max(most, 1)
    small = least < 0
    yield Finding(
        AnomalyInfo.BOOL_TYPE_SMALL_INT if small else AnomalyInfo.BOOL_TYPE_BIG_INT,
        _NOT_BOOLEAN,
        f"Integers (such as {least if small else most:g}) not in {{0, 1}}: converting to an integer.",
    )


def _boolean_floats(view: FeatureView, feature: schema_pb2.Feature) -> Iterator[Finding]:
    strange = _not_a_boolean(view)
    if strange:
        feature.float_domain.SetInParent()
        if view.range is not None:
            feature.float_domain.min, feature.float_domain.max = min(view.range[0], 0.0), max(view.range[1], 1.0)
        told = f"{strange} not in {{0, 1}}: converting to float_domain."
        yield Finding(AnomalyInfo.BOOL_TYPE_UNEXPECTED_FLOAT, _NOT_BOOLEAN, told)


def _not_a_boolean(view: FeatureView) -> str:
    for extreme in view.range or ():
        if extreme not in (0.0, 1.0):
            return f"Floats (such as {extreme:g})"
    if view.nans:
        return "Floats (such as NaN)"
    for histogram in view.histograms:
        for bucket in histogram.buckets:
            between = bucket.low_value > 0.0 and bucket.high_value < 1.0
            if histogram.type == Histogram.QUANTILES and bucket.sample_count > 0 and between:
                return "Float values falling between 0 and 1"
    return ""


def _boolean_strings(view: FeatureView, feature: schema_pb2.Feature) -> Iterator[Finding]:
    domain = feature.bool_domain
    valid = {getattr(domain, name) for name in ("true_value", "false_value") if domain.HasField(name)}
    strange = next((label for label in view.strings if label not in valid), None)
    if strange is not None:
        feature.ClearField("bool_domain")
        expected = "{" + ", ".join(f'"{label}"' for label in sorted(valid)) + "}"
        told = f'Saw unexpected value "{_escaped(strange)}" instead of {expected}.'
        yield Finding(AnomalyInfo.BOOL_TYPE_UNEXPECTED_STRING, _NOT_BOOLEAN, told)


def integers_in_domain(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """The values of a feature with an `int_domain` are integers, as numbers or strings, within its bounds."""
    feature = draft.feature
    if feature.WhichOneof("domain_info") != "int_domain":
        return
    interval, domain = _integers(view), feature.int_domain
    if isinstance(interval, str):
        feature.ClearField("int_domain")
        told = f'String values that were not ints were found, such as "{_escaped(interval)}".'
        yield Finding(AnomalyInfo.INT_TYPE_NOT_INT_STRING, _INVALID, told)
        return
    if interval is None:
        return
    least, most = interval
    if domain.HasField("min") and least < domain.min:
        domain.min = least
        yield Finding(AnomalyInfo.INT_TYPE_SMALL_INT, _OUT_OF_RANGE, f"Unexpectedly small value: {least}.")
    if domain.HasField("max") and most > domain.max:
        domain.max = most
        yield Finding(AnomalyInfo.INT_TYPE_BIG_INT, _OUT_OF_RANGE, f"Unexpectedly large value: {most}.")


def _integers(view: FeatureView) -> tuple[int, int] | str | None:
    """Return the least and greatest integer, or a string that is no integer, or None without either."""
    if view.type == schema_pb2.INT and view.range is not None:
        # Statistics hold floats: the ends of the 64-bit range are beyond it by one.
        least, most = (min(max(int(bound), -(2**63)), 2**63 - 1) for bound in view.range)
        return least, most
    if view.type == schema_pb2.FLOAT or not view.strings:
        return None
    numbers = []
    for label in view.strings:
        number = parse_int(label)
        if number is None:
            return label
        numbers.append(number)
    return min(numbers), max(numbers)


def floats_in_domain(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """The values of a feature with a `float_domain` are floats, as numbers or strings, within its bounds."""
    feature = draft.feature
    if feature.WhichOneof("domain_info") != "float_domain":
        return
    domain, numbers = feature.float_domain, _floats(view)
    if isinstance(numbers, str):
        feature.ClearField("float_domain")
        told = f'String values that were not floats were found, such as "{_escaped(numbers)}".'
        yield Finding(AnomalyInfo.FLOAT_TYPE_STRING_NOT_FLOAT, _INVALID, told)
        return
    if domain.disallow_nan and (view.nans or any(map(math.isnan, numbers))):
        domain.disallow_nan = False
        yield Finding(AnomalyInfo.FLOAT_TYPE_HAS_NAN, _INVALID, "Float feature has NaN values.")
    numbers = [number for number in numbers if not math.isnan(number)]
    if numbers:
        yield from _float_bounds_hold(domain, min(numbers), max(numbers))


def _float_bounds_hold(domain: schema_pb2.FloatDomain, least: float, most: float) -> Iterator[Finding]:
    rounded = schema_pb2.FloatDomain(min=least, max=most)  # the domain's bounds have single precision, so compare in it
    if domain.HasField("min") and rounded.min < domain.min:
        told = f"Unexpectedly low values: {least:g}<{domain.min:g}(upto six significant digits)"
        domain.min = rounded.min
        yield Finding(AnomalyInfo.FLOAT_TYPE_SMALL_FLOAT, _OUT_OF_RANGE, told)
    if domain.HasField("max") and rounded.max > domain.max:
        told = f"Unexpectedly high value: {most:g}>{domain.max:g}(upto six significant digits)"
        domain.max = rounded.max
        yield Finding(AnomalyInfo.FLOAT_TYPE_BIG_FLOAT, _OUT_OF_RANGE, told)
    if domain.disallow_inf and (math.isinf(least) or math.isinf(most)):
        domain.disallow_inf = False
        yield Finding(AnomalyInfo.FLOAT_TYPE_HAS_INF, _INVALID, "Float feature has Inf values.")


def _floats(view: FeatureView) -> list[float] | str:
    """Return the extremes, or all floats among the strings, or a string that is none."""
    if view.type == schema_pb2.FLOAT:
        return list(view.range or ())
    numbers = []
    for label in view.strings if view.type == schema_pb2.BYTES else ():
        number = parse_float(label)
        if number is None:
            return label
        numbers.append(number)
    return numbers


def images_small_enough(view: FeatureView, draft: Draft) -> Iterator[Finding]:
    """No image has more bytes than the `image_domain` allows."""
    feature = draft.feature
    limited = feature.WhichOneof("domain_info") == "image_domain" and feature.image_domain.HasField(
        "max_image_byte_size"
    )
    found = int(view.statistics.bytes_stats.max_num_bytes_int)
    if limited and found > feature.image_domain.max_image_byte_size:
        allowed = feature.image_domain.max_image_byte_size
        feature.image_domain.max_image_byte_size = found
        yield Finding(
            AnomalyInfo.MAX_IMAGE_BYTE_SIZE_EXCEEDED,
            "Num bytes exceeds the max byte size.",
            f"The largest image has bytes: {found}. The max allowed byte size is: {allowed}.",
        )


def _escaped(label: str) -> str:
    return json.dumps(label, ensure_ascii=False)[1:-1]


def shortened(text: str) -> str:
    """Return `text` cut to 40 characters, for messages."""
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _percentage(count: float, total: float) -> str:
    if not total:
        return "?"
    percent = 100.0 * count / total
    return "<1%" if percent < 1.0 else f"~{math.floor(percent)}%"


DOMAIN_RULES: tuple[Rule, ...] = (
    bytes_have_no_domain,
    strings_in_domain,
    booleans_in_domain,
    integers_in_domain,
    floats_in_domain,
    images_small_enough,
)
"""All of them, in the order in which they are applied; a feature has one domain, so at most two apply."""

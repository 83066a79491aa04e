"""What values seem to mean: natural language, images, integers that are categories; by TFDV's measures and names.

Every value counts, in batches of any size and in any order, so that the outcome depends on the data alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0.statistics_pb2 import CustomStatistic

from penstock.components.validation.semantic_rules import DOMAIN_INFO, IMAGE_FORMATS, UNKNOWN_FORMAT

ENOUGH_VALUES = 100
"""A column with fewer values gets no meaning."""

ENOUGH_MATCHES = 0.8
"""The fraction of the values that must fit a meaning."""

MOST_CATEGORIES = 50
"""Integers with more distinct values are numbers."""

ENOUGH_OF_A_CATEGORY = 10
"""Categories occur this often on average."""

_CROPPED_AT = 100
_WORDS = 3
_SHORTEST, _LONGEST = 2.5, 8.0
_SIGNATURES = {"bmp": b"BM", "gif": b"GIF8", "jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
_SIGNATURE_BYTES = 8


class TextMeaning:
    """How many of a column's strings or binaries look like natural language, and how many are which image.

    Args:
        known_as_images: Whether the schema says that the values are images; language isn't looked for then.
    """

    def __init__(self, *, known_as_images: bool = False) -> None:
        self._known_as_images = known_as_images
        self._values = 0
        self._sentences = 0
        self._unreadable = 0
        self._formats: Counter[str] = Counter()

    def add(self, values: pa.Array) -> None:
        """Add strings or binaries (n,) without nulls."""
        if not len(values):
            return
        self._values += len(values)
        starts = pc.value_counts(pc.binary_slice(values.cast(pa.large_binary()), 0, _SIGNATURE_BYTES)).to_pylist()
        for entry in starts:
            self._formats[_image_format(entry["values"])] += entry["counts"]
        if self._known_as_images:
            return
        try:
            distinct = pc.value_counts(values.cast(pa.large_string()))
        except pa.ArrowInvalid:
            self._unreadable += len(values)
            return
        sentences = _are_sentences(distinct.field("values"))
        self._sentences += int(pc.sum(pc.if_else(sentences, distinct.field("counts"), 0)).as_py() or 0)

    def merge(self, other: TextMeaning) -> None:
        """Add the values of `other`."""
        self._values += other._values
        self._sentences += other._sentences
        self._unreadable += other._unreadable
        self._formats += other._formats

    def custom_statistics(self) -> list[CustomStatistic]:
        """Return what was found; the formats of known images are told whatever they are."""
        pictures = self._values - self._formats[UNKNOWN_FORMAT]
        if self._known_as_images:
            return [self._histogram()]
        if self._values < ENOUGH_VALUES:
            return []
        if pictures >= ENOUGH_MATCHES * self._values:
            return [CustomStatistic(name=DOMAIN_INFO, str="image_domain {}"), self._histogram()]
        share = self._sentences / self._values
        if self._unreadable or share < ENOUGH_MATCHES:
            return []
        return [
            CustomStatistic(name=DOMAIN_INFO, str="natural_language_domain {}"),
            CustomStatistic(name="natural_language_match_rate", num=share),
        ]

    def _histogram(self) -> CustomStatistic:
        statistic = CustomStatistic(name=IMAGE_FORMATS)
        for name in sorted(name for name, count in self._formats.items() if count):
            statistic.rank_histogram.buckets.add(label=name, sample_count=self._formats[name])
        return statistic


class Categories:
    """Whether a column's integers are so few distinct ones, so often repeated, that they look like categories."""

    def __init__(self) -> None:
        self._values = 0
        self._distinct: set[int] | None = set()

    def add(self, values: pa.Array) -> None:
        """Add integers (n,) without nulls."""
        self._values += len(values)
        if self._distinct is not None:
            self._take(pc.unique(values).to_pylist())

    def merge(self, other: Categories) -> None:
        """Add the values of `other`."""
        self._values += other._values
        if self._distinct is None or other._distinct is None:
            self._distinct = None
        else:
            self._take(other._distinct)

    def _take(self, found: Iterable[int]) -> None:
        distinct = (self._distinct or set()).union(found)
        self._distinct = distinct if len(distinct) <= MOST_CATEGORIES else None

    def custom_statistics(self) -> list[CustomStatistic]:
        """Return the domain that fits, for what isn't a boolean or a constant."""
        if self._distinct is None or len(self._distinct) < 2 or self._distinct == {0, 1}:
            return []
        if self._values < max(ENOUGH_VALUES, ENOUGH_OF_A_CATEGORY * len(self._distinct)):
            return []
        bounds = f"min: {min(self._distinct)} max: {max(self._distinct)}"
        return [CustomStatistic(name=DOMAIN_INFO, str=f"int_domain {{ {bounds} is_categorical: true }}")]


def _image_format(start: bytes) -> str:
    return next((name for name, sign in _SIGNATURES.items() if start.startswith(sign)), UNKNOWN_FORMAT)


def _are_sentences(texts: pa.Array) -> pa.Array:
    """Return whether each text has at least three words, of 2.5 to 8 letters on average, in its first 100 letters."""
    cropped = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(texts, 0, _CROPPED_AT))
    words = pc.list_value_length(pc.utf8_split_whitespace(cropped))
    letters = pc.utf8_length(pc.replace_substring_regex(cropped, r"\s+", ""))
    mean = pc.divide(letters.cast(pa.float64()), words.cast(pa.float64()))
    wordy = pc.greater_equal(words, _WORDS)
    return pc.and_(wordy, pc.and_(pc.greater_equal(mean, _SHORTEST), pc.less_equal(mean, _LONGEST)))

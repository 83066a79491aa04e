"""Statistics of sequences of tokens, for columns with a `natural_language_domain`; by TFDV's measures.

A row is a sequence, its values are the tokens. With a vocabulary a token is covered that stands in it, integers being
places in it from 0. Without one, strings count as covered, and of integers only the tokens that the domain asks about
are counted. What the domain names as out of the vocabulary is never covered.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import CustomStatistic, NaturalLanguageStatistics

from penstock.components.validation.presence_statistics import lengths_of
from penstock.components.validation.quantiles import Quantiles, quantiles_histogram
from penstock.components.validation.semantic_rules import LANGUAGE_STATISTICS

Token = int | str

Vocabulary = tuple[str, ...]
"""Tokens in their order, distinct."""


class _TokenCounts:
    def __init__(self) -> None:
        self.frequency = 0
        self.sequences = 0
        self.least: int | None = None
        self.most = 0

    def add(self, times: npt.NDArray[np.int64]) -> None:
        self.frequency += int(times.sum())
        self.sequences += int(np.count_nonzero(times))
        self._widen(int(times.min()), int(times.max()))

    def merge(self, other: _TokenCounts) -> None:
        self.frequency += other.frequency
        self.sequences += other.sequences
        if other.least is not None:
            self._widen(other.least, other.most)

    def _widen(self, least: int, most: int) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.most = max(self.most, most)


class LanguageStatistics:
    """Coverage, lengths and the asked tokens of one column of sequences.

    Args:
        domain: What the schema says of the column.
        integers: Whether the tokens are integers.
        vocabulary: The tokens that there are, if they are known.
    """

    def __init__(
        self, domain: schema_pb2.NaturalLanguageDomain, *, integers: bool, vocabulary: Vocabulary | None = None
    ) -> None:
        self._integers = integers
        self._vocabulary = pa.array(vocabulary, pa.string()) if vocabulary is not None else None
        coverage = domain.coverage
        self._excluded: list[Token] = list(
            coverage.excluded_int_tokens if integers else coverage.excluded_string_tokens
        )
        self._unknown: list[str] = list(coverage.oov_string_tokens)
        self._excluded_words: list[str] = list(coverage.excluded_string_tokens)
        asked = ((each.HasField("int_value"), each) for each in domain.token_constraints)
        tokens = [each.int_value if integer else each.string_value for integer, each in asked if integer is integers]
        self._tokens: dict[Token, _TokenCounts] = {token: _TokenCounts() for token in tokens}
        self._sequences = 0
        self._counted = 0
        self._known = 0
        self._letters = 0
        self._token_lengths, self._sequence_lengths = Quantiles(), Quantiles()

    def add(self, column: pa.Array, values: pa.Array, *, lists: bool) -> None:
        """Add a column (rows,) of tokens or lists of tokens, and its values without lists."""
        lengths = lengths_of(column) if lists else column.is_valid().to_numpy(zero_copy_only=False).astype(np.float64)
        self._sequences += len(column) - column.null_count
        tokens = values if lists else values.drop_null()
        if not len(tokens):
            return
        some = lengths[lengths > 0.0]
        self._sequence_lengths.add(some)
        owners = np.repeat(np.arange(len(some)), some.astype(np.int64))
        for token, counts in self._tokens.items():
            there = pc.fill_null(pc.equal(tokens, token), False).to_numpy(zero_copy_only=False)
            counts.add(np.bincount(owners[there], minlength=len(some)))
        self._cover(tokens.drop_null())

    def _cover(self, tokens: pa.Array) -> None:
        counted = tokens.filter(pc.invert(pc.is_in(tokens, pa.array(self._excluded, tokens.type))))
        if self._integers and self._vocabulary is not None:
            counted = _words(counted, self._vocabulary)
            counted = counted.filter(pc.invert(pc.is_in(counted, pa.array(self._excluded_words, pa.string()))))
        self._counted += len(counted)
        if self._integers and self._vocabulary is None:
            return
        known = counted.drop_null()
        known = known.filter(pc.invert(pc.is_in(known, pa.array(self._unknown, known.type))))
        if not self._integers and self._vocabulary is not None:
            known = known.filter(pc.is_in(known, self._vocabulary.cast(known.type)))
        letters = pc.utf8_length(known) if pa.types.is_string(known.type) else pc.binary_length(known)
        self._known += len(known)
        self._letters += pc.sum(letters).as_py() or 0
        self._token_lengths.add(letters.to_numpy(zero_copy_only=False).astype(np.float64))

    def merge(self, other: LanguageStatistics) -> None:
        """Add the rows of `other`."""
        self._sequences += other._sequences
        self._counted += other._counted
        self._known += other._known
        self._letters += other._letters
        self._token_lengths.merge(other._token_lengths)
        self._sequence_lengths.merge(other._sequence_lengths)
        for token, counts in self._tokens.items():
            counts.merge(other._tokens[token])

    def custom_statistics(self) -> list[CustomStatistic]:
        """Return TFDV's `nl_statistics`; without its positions, reported sequences and rank histogram."""
        found = NaturalLanguageStatistics()
        if not self._integers or self._vocabulary is not None:
            found.feature_coverage = self._known / self._counted if self._counted else 0.0
            found.avg_token_length = self._letters / self._known if self._known else 0.0
        if self._counted:
            lengths = self._sequence_lengths.distribution()
            found.min_sequence_length, found.max_sequence_length = int(lengths.values[0]), int(lengths.values[-1])
            found.sequence_length_histogram.CopyFrom(quantiles_histogram(lengths))
        if self._known:
            found.token_length_histogram.CopyFrom(quantiles_histogram(self._token_lengths.distribution()))
        for token, counts in self._tokens.items():
            self._add_token(found, token, counts)
        statistic = CustomStatistic(name=LANGUAGE_STATISTICS)
        statistic.any.Pack(found)
        return [statistic]

    def _add_token(self, found: NaturalLanguageStatistics, token: Token, counts: _TokenCounts) -> None:
        entry = found.token_statistics.add()
        if isinstance(token, int):
            entry.int_token = token
        else:
            entry.string_token = token
        if counts.sequences:
            entry.frequency = counts.frequency
            entry.fraction_of_sequences = counts.sequences / self._sequences
            entry.per_sequence_min_frequency = counts.least or 0
            entry.per_sequence_max_frequency = counts.most
            entry.per_sequence_avg_frequency = counts.frequency / counts.sequences


def _words(places: pa.Array, vocabulary: pa.Array) -> pa.Array:
    """Return the words at some places of a vocabulary; null beyond it."""
    within = pc.and_(pc.greater_equal(places, 0), pc.less(places, len(vocabulary)))
    return pc.take(vocabulary, pc.if_else(within, places, pa.scalar(None, pa.int64())))

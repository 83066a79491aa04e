"""Statistics that anybody may have written: every kind of feature, odd numbers, empty and contradictory parts."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import strategies as st
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    CommonStatistics,
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
    Histogram,
)

ODD = [0.0, -0.0, 1e308, -1e308, 5e-324, math.inf, -math.inf, 1e15, 0.1]
NUMBERS = st.floats(-100, 100) | st.sampled_from(ODD)
COUNTS = st.sampled_from([0, 1, 5, 10**9])


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    made = Histogram(type=draw(st.sampled_from([Histogram.STANDARD, Histogram.QUANTILES])), num_nan=draw(COUNTS))
    for low, high in pairwise(sorted(draw(st.lists(NUMBERS, max_size=8)))):
        made.buckets.add(low_value=low, high_value=high, sample_count=draw(COUNTS))
    return made


@st.composite
def common(draw: st.DrawFn) -> CommonStatistics:
    return CommonStatistics(
        num_non_missing=draw(COUNTS),
        num_missing=draw(COUNTS),
        tot_num_values=draw(COUNTS),
        min_num_values=draw(st.integers(0, 1)),
        max_num_values=draw(st.integers(1, 3)),
        avg_num_values=1.0,
    )


@st.composite
def features(draw: st.DrawFn, name: str) -> FeatureNameStatistics:
    made = FeatureNameStatistics(type=draw(st.integers(0, 4)))
    made.path.step.append(name)
    kind = draw(st.sampled_from(["num_stats", "string_stats", "bytes_stats", "struct_stats", ""]))
    if not kind:
        return made
    own = getattr(made, kind)
    own.common_stats.CopyFrom(draw(common()))
    if kind == "num_stats":
        numbers = st.just(math.nan) | NUMBERS
        own.mean, own.std_dev, own.min, own.median, own.max = (draw(numbers) for _ in range(5))
        own.num_zeros = draw(COUNTS)
        own.histograms.extend(draw(st.lists(histograms(), max_size=2)))
    elif kind == "string_stats":
        own.unique = draw(COUNTS)
        for value in draw(st.sets(st.text(max_size=3), max_size=4)):
            own.rank_histogram.buckets.add(label=value, sample_count=draw(COUNTS))
    return made


@st.composite
def statistics(draw: st.DrawFn) -> DatasetFeatureStatisticsList:
    """Statistics of one split, with or without slices."""
    names = ["All Examples", *draw(st.sets(st.sampled_from(["one", "two"])))]
    datasets = []
    for name in names:
        made = DatasetFeatureStatistics(name=name, num_examples=draw(COUNTS))
        made.features.extend(draw(features(each)) for each in draw(st.sets(st.sampled_from("abc"))))
        datasets.append(made)
    return DatasetFeatureStatisticsList(datasets=datasets)

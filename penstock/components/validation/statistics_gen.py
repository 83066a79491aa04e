"""`StatisticsGen`: describes every split of examples, in TFDV's format."""

from __future__ import annotations

from penstock.artifacts import Examples, ExampleStatistics, Schema
from penstock.components.validation.leakage_config import LeakageChecks
from penstock.components.validation.split_selection import kept_splits
from penstock.components.validation.stats_options import StatsOptions
from penstock.pipeline import Beam, Files, Input, ModuleFile, Output, component


@component(versions=("tfx-bsl",))
def StatisticsGen(
    examples: Input[Examples],
    statistics: Output[ExampleStatistics],
    *,
    schema: Input[Schema] | None = None,
    exclude_splits: list[str] | None = None,
    stats_options: StatsOptions | None = None,
    leakage: LeakageChecks | None = None,
    module_file: ModuleFile | None = None,
    vocabularies: Files | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Describe every split of examples in one pass: presence, moments, quantiles, frequent values.

    Counts, moments and extremes are exact, whatever the shards. Quantiles are exact for up to 512 distinct numbers,
    and right to within 1% of the rows beyond. Counts of strings and the number of distinct ones are exact for up to
    4,096 distinct ones; beyond, a count is too low by at most 1/4096 of the values, and the number of distinct ones is
    right to within 6.25%. What is only within bounds may depend on the shards of the examples, never on the workers.

    Args:
        examples: What to describe.
        statistics: `Split-<name>/FeatureStats.pb`, a `DatasetFeatureStatisticsList` that TFDV and Facets read; with
            `leakage` also `Leakage.json`.
        schema: Says which integers are categories (their values are then counted like strings) and which strings
            are images (their sizes are then described). Without it all integers are numbers.
            It also names the sparse and weighted features, whose parts are then held against each other.
        exclude_splits: Splits that are not described.
        stats_options: Weights, slices, a sample, numbers of buckets, meanings, correlations.
        leakage: What must not leak between the splits, nor from the label into a feature: measured in the same pass,
            on all rows whatever the sample. `ExampleValidator` stops on it.
        module_file: The file with the classes that `StatsOptions(custom_statistics=...)` names.
        vocabularies: Files of tokens, one a line, each named as a `natural_language_domain` of the schema names its
            vocabulary, such as "words.txt" for "words": what of a text they cover is then told, of integers too.
        beam: Filled in by the executor.
    """
    from penstock.components.validation.statistics_files import more_of
    from penstock.components.validation.statistics_ranges import Description, write_all_statistics
    from penstock.data.examples import split_names
    from penstock.data.protos import read_schema

    splits = kept_splits("StatisticsGen", split_names(examples.path), exclude_splits)
    hints = read_schema(schema.path) if schema is not None else None
    options = stats_options or StatsOptions()
    more = more_of(options, module_file, [each.path for each in vocabularies.files] if vocabularies is not None else [])
    description = Description(examples.path, splits, hints, options, leakage, more)
    write_all_statistics(beam, description, statistics.path)
    statistics.properties.update(span=examples.properties.get("span", 0), split_names=splits)

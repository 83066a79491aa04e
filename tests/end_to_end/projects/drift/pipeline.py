"""Each span is held against the one before it, which a resolver finds."""

from penstock.artifacts import ExampleStatistics
from penstock.components import (
    CsvExampleGen,
    DistributionValidator,
    DistributionValidatorConfig,
    FeatureComparator,
    Resolver,
    StatisticsGen,
)
from penstock.pipeline import latest, pipeline


@pipeline
def drift(data: str = "data/{SPAN}", span: int = 1):
    gen = CsvExampleGen(input_base=data, span=span)
    described = StatisticsGen(examples=gen.examples)
    before = Resolver(strategy=latest(), statistics=ExampleStatistics)
    DistributionValidator(
        statistics=described.statistics,
        baseline_statistics=before.statistics,
        config=DistributionValidatorConfig([FeatureComparator("kind", infinity_norm=0.2)]),
        fail_on="never",
    )

"""A pipeline whose steps describe small tables in place of examples: two spans, a schema and what breaks it."""

import pathlib

import numpy as np
import pyarrow as pa

from penstock.artifacts import Artifact, ExampleStatistics
from penstock.components import (
    DistributionValidator,
    DistributionValidatorConfig,
    ExampleValidator,
    FeatureComparator,
    SchemaGen,
)
from penstock.components.validation.dataset_statistics import describe_table
from penstock.data import protos
from penstock.pipeline import Output, component, pipeline


class Notes(Artifact):
    """Something without a picture."""


@component
def remark(notes: Output[Notes]) -> None:
    """Write a line."""
    pathlib.Path(notes.path, "notes.txt").write_text("all is well")


@component
def describe(statistics: Output[ExampleStatistics], *, factor: float = 1.0) -> None:
    """Describe 200 fares, payments and tips by split."""
    rng = np.random.default_rng(3)
    for split in ("train", "eval"):
        columns = {
            "fare": rng.integers(1, 20, 200) * factor,
            "payment": ["Cash" if cash else "Card" if factor == 1 else "Prcard" for cash in rng.random(200) < 0.6],
            "tips": [None if missing else 1.5 for missing in rng.random(200) < 0.25],
        }
        protos.write_statistics(statistics.path, split, describe_table(pa.table(columns)))


@pipeline
def described():
    """Describe two spans, and hold the second against the first's schema."""
    remark()
    before = describe(id="before")
    after = describe(factor=2.0, id="after")
    schema = SchemaGen(statistics=before.statistics)
    ExampleValidator(statistics=after.statistics, schema=schema.schema, fail_on="never")
    DistributionValidator(
        statistics=after.statistics,
        baseline_statistics=before.statistics,
        fail_on="never",
        config=DistributionValidatorConfig(features=[FeatureComparator("payment", infinity_norm=0.1)]),
    )

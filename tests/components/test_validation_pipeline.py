"""The validation components wired in a pipeline and run by the real runner: parameters survive the plan."""

import random

import pytest

from tests.cli.conftest import Shell

PIPELINE = """
from penstock.components import (
    CsvExampleGen, CustomRule, DistributionValidator, DistributionValidatorConfig, ExampleDiff, ExampleValidator,
    FeatureComparator, LeakageChecks, SchemaGen, StatisticsGen, StatsOptions,
)
from penstock.pipeline import pipeline


@pipeline
def trips(data: str = "data", before: str = "before", dearest: float = 100.0):
    gen = CsvExampleGen(input_base=data)
    stats = StatisticsGen(
        examples=gen.examples,
        stats_options=StatsOptions(slice_features=[["payment"]], cross_features=[["fare", "trip"]]),
        leakage=LeakageChecks(max_duplicate_fraction=0.0),
    )
    earlier = CsvExampleGen(input_base=before, id="earlier")
    earlier_stats = StatisticsGen(examples=earlier.examples, id="earlier-stats")
    schema = SchemaGen(statistics=earlier_stats.statistics)
    ExampleValidator(
        statistics=stats.statistics,
        schema=schema.schema,
        previous_statistics=earlier_stats.statistics,
        custom_rules=[CustomRule(f"mean(fare) < {dearest}"), CustomRule("rules:few_payments")],
        module_file="rules.py",
    )
    DistributionValidator(
        statistics=stats.statistics,
        baseline_statistics=earlier_stats.statistics,
        config=DistributionValidatorConfig([FeatureComparator("payment", infinity_norm=0.9)]),
        include_split_pairs=[["eval", "train"]],
    )
    ExampleDiff(examples=gen.examples, baseline_examples=earlier.examples, identifier_features=["trip"])
"""

RULES = """
def few_payments(statistics):
    payment = next(each for each in statistics.features if each.path.step[0] == "payment")
    return {"payment": "too many ways to pay"} if payment.string_stats.unique > WAYS else None


WAYS = 2
"""


@pytest.fixture
def project(tmp_path):
    """A shell in a folder with a pipeline, its rules and the data of two spans."""
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "rules.py").write_text(RULES)
    for span in ("data", "before"):
        (tmp_path / span).mkdir()
        numbers = random.Random(span)
        rows = [f"{trip},{numbers.random() * 50:.3f},{numbers.choice(['Cash', 'Card'])}" for trip in range(400)]
        (tmp_path / span / "trips.csv").write_text("\n".join(["trip,fare,payment", *rows]) + "\n")
    return Shell(tmp_path)


def test_all_validation_components_run_and_are_cached(project):
    first = project("run", "pipeline.py")
    again = project("run", "pipeline.py")

    assert (first.code, again.code) == (0, 0), first.err + first.out
    steps = project("runs", "--json").json()[0]["steps"]
    assert {step["state"] for step in steps} == {"CACHED"}
    assert {"ExampleValidator", "DistributionValidator", "ExampleDiff"} <= {step["id"] for step in steps}


def test_a_changed_rule_validates_again_and_stops_the_gate(project):
    project("run", "pipeline.py")
    rules = project.folder / "rules.py"
    rules.write_text(rules.read_text().replace("WAYS = 2", "WAYS = 1"))

    said = project("run", "pipeline.py")

    assert said.code == 4
    assert "too many ways to pay" in said.out + said.err


def test_a_rule_takes_its_bound_from_the_run(project):
    said = project("run", "pipeline.py", "-p", "dearest=5")

    assert said.code == 4
    assert "mean(fare) < 5" in said.out + said.err

"""Rows, their statistics, a curated schema and the gate: what most bad input needs, and nothing heavy."""

from penstock.components import CsvExampleGen, ExampleValidator, ImportSchemaGen, StatisticsGen
from penstock.pipeline import pipeline


@pipeline
def table(data: str = "data"):
    """Hold walkers against what a person wrote down about them."""
    gen = CsvExampleGen(input_base=data)
    stats = StatisticsGen(examples=gen.examples)
    schema = ImportSchemaGen(schema_file="schema.pbtxt")
    ExampleValidator(statistics=stats.statistics, schema=schema.schema)

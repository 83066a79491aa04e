"""The data half of examples/taxi, whose features.py belongs beside this file: from CSV files to transformed rows."""

from penstock.components import CsvExampleGen, ExampleValidator, SchemaGen, StatisticsGen, Transform
from penstock.pipeline import pipeline


@pipeline
def trips(data: str = "data"):
    """Describe, check and transform trips."""
    gen = CsvExampleGen(input_base=data)
    stats = StatisticsGen(examples=gen.examples)
    schema = SchemaGen(statistics=stats.statistics)
    ExampleValidator(statistics=stats.statistics, schema=schema.schema)
    Transform(examples=gen.examples, schema=schema.schema, module_file="features.py")

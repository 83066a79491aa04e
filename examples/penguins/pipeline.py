"""From a CSV of penguins to a pushed model that knows where it came from: `penstock run pipeline.py`."""

from penstock.components import (
    CsvExampleGen,
    Evaluator,
    ExampleValidator,
    Metric,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.pipeline import pipeline


@pipeline
def penguins(data: str = "data", epochs: int = 20, serving_dir: str = "serving/penguins"):
    """Predict the species of a penguin; push the model when it is right nine times in ten on every island."""
    gen = CsvExampleGen(input_base=data, null_values=["NA"])
    stats = StatisticsGen(examples=gen.examples)
    schema = SchemaGen(statistics=stats.statistics)
    ExampleValidator(statistics=stats.statistics, schema=schema.schema)
    xf = Transform(examples=gen.examples, schema=schema.schema, module_file="features.py")
    train = Trainer(
        examples=xf.transformed_examples,
        transform_graph=xf.transform_graph,
        schema=schema.schema,
        module_file="model.py",
        custom_config={"epochs": epochs},
    )
    verdict = Evaluator(
        examples=gen.examples,
        model=train.model,
        label="species",
        metrics=[Metric("accuracy", at_least=0.9)],
        slices=[["island"]],
    )
    Pusher(model=train.model, model_blessing=verdict.blessing, push_destination=serving_dir)

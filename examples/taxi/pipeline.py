"""Will a Chicago taxi driver get a big tip? `penstock run pipeline.py -p data=<folder of chicago_taxi.csv>`."""

from penstock.components import (
    CsvExampleGen,
    Evaluator,
    ExampleValidator,
    Metric,
    Pusher,
    SchemaGen,
    StatisticsGen,
    TrainArgs,
    Trainer,
    Transform,
)
from penstock.pipeline import pipeline


@pipeline
def taxi(data: str = "data", train_steps: int = 500, serving_dir: str = "serving/taxi"):
    """Predict whether the tip is over a fifth of the fare; the label is made in `preprocessing_fn`."""
    gen = CsvExampleGen(input_base=data)
    stats = StatisticsGen(examples=gen.examples)
    schema = SchemaGen(statistics=stats.statistics)
    ExampleValidator(statistics=stats.statistics, schema=schema.schema)
    xf = Transform(examples=gen.examples, schema=schema.schema, module_file="features.py")
    train = Trainer(
        examples=xf.transformed_examples,
        transform_graph=xf.transform_graph,
        schema=schema.schema,
        module_file="model.py",
        train_args=TrainArgs(num_steps=train_steps),
    )
    verdict = Evaluator(
        examples=gen.examples,
        model=train.model,
        label="big_tip",
        metrics=[Metric("auc", at_least=0.85), Metric("accuracy")],
        slices=[["payment_type"]],
    )
    Pusher(model=train.model, model_blessing=verdict.blessing, push_destination=serving_dir)

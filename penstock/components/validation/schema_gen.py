"""`SchemaGen`: infers a schema from statistics, as a first draft to curate."""

from __future__ import annotations

from penstock.artifacts import ExampleStatistics, Schema
from penstock.components.validation.split_selection import kept_splits
from penstock.pipeline import Input, Output, component


@component
def SchemaGen(
    statistics: Input[ExampleStatistics],
    schema: Output[Schema],
    *,
    infer_feature_shape: bool = True,
    exclude_splits: list[str] | None = None,
    max_string_domain_size: int = 100,
) -> None:
    """Infer types, presence, shapes and domains that every split fits.

    The train split comes first; each further one loosens what it doesn't fit. A column without a value in one of them
    may be missing; it stays in use.

    Args:
        statistics: What the schema is inferred from.
        schema: `schema.pbtxt`. Curate a copy of it and import that with `ImportSchemaGen`.
        infer_feature_shape: Whether a feature with the same number of values in every example gets a fixed shape.
            Otherwise it gets a number of values, and `preprocessing_fn` sees it as sparse.
        exclude_splits: Splits that the schema is not inferred from.
        max_string_domain_size: Strings with at most so many distinct values get a domain of these.
    """
    from penstock.components.validation.feature_inference import Inference
    from penstock.components.validation.schema_inference import infer_schema
    from penstock.data.protos import read_statistics, split_names_of, write_schema

    splits = kept_splits("SchemaGen", split_names_of(statistics.path), exclude_splits)
    described = [read_statistics(statistics.path, split) for split in splits]
    write_schema(schema.path, infer_schema(described, Inference(infer_feature_shape, max_string_domain_size)))

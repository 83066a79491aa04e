"""Transform: fit a `preprocessing_fn` to the data, write it as a graph, apply the graph to every split."""

from typing import Any

from penstock.artifacts import Examples, Schema, TransformGraph
from penstock.pipeline import Beam, DataError, Input, ModuleFile, Output, component, step


def check_splits(
    examples: Input[Examples],
    analyze_splits: list[str] | None = None,
    transform_splits: list[str] | None = None,
    **_: Any,
) -> None:
    """Refuses splits that the examples don't have, before anything heavy is imported."""
    known = examples.properties.get("split_names") or []
    for parameter, wanted in (("analyze_splits", analyze_splits), ("transform_splits", transform_splits)):
        unknown = [split for split in wanted or [] if known and split not in known]
        if unknown:
            raise DataError(
                f"Transform({parameter}=...) names the split {unknown[0]!r}, the examples have: {', '.join(known)}."
            )


@component(
    versions=("tensorflow", "tensorflow-transform"),
    precondition="penstock.components.transform.transform:check_splits",
)
def Transform(
    examples: Input[Examples],
    schema: Input[Schema],
    transform_graph: Output[TransformGraph],
    transformed_examples: Output[Examples],
    *,
    module_file: ModuleFile,
    analyze_splits: list[str] | None = None,
    transform_splits: list[str] | None = None,
    custom_config: dict[str, Any] | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Transform examples by a tensorflow-transform `preprocessing_fn`.

    Args:
        examples: The raw rows.
        schema: Their schema. A column that may be missing is a `tf.SparseTensor` in `preprocessing_fn`, one with a
            `shape` and `presence.min_fraction: 1` is dense, as in TFX.
        transform_graph: The function with the results of its analyzers, as `tft.TFTransformOutput` reads it.
        transformed_examples: The transformed rows, in the same splits and order.
        module_file: Defines `preprocessing_fn(inputs)`, or `preprocessing_fn(inputs, custom_config)`.
        analyze_splits: Splits that means, vocabularies and the like are computed from; by default "train", or all
            where there is no such split.
        transform_splits: Splits to transform; by default all.
        custom_config: Passed to `preprocessing_fn`.
        beam: Where the data work runs.
    """
    from penstock.components.transform import fit, transform_beam
    from penstock.data import examples as rows
    from penstock.data.protos import read_schema

    splits = rows.split_names(examples.path)
    analyzed = analyze_splits or (["train"] if "train" in splits else splits)
    files = {split: rows.split_files(examples.path, split) for split in transform_splits or splits}
    with step.timed("analyze"):
        fit.fit(
            module_file.function("preprocessing_fn"),
            read_schema(schema.path),
            [file for split in analyzed for file in rows.split_files(examples.path, split)],
            transform_graph.path,
            runner=beam,
            custom_config=custom_config,
        )
    work = transform_beam.ranges(files, transformed_examples.path)
    with step.timed("apply"):
        transform_beam.apply_ranges(beam, transform_graph.path, work)
    columns = rows.arrow_schema(transformed_examples.path)
    transformed_examples.properties |= {
        "span": examples.properties.get("span", 0),
        "version": examples.properties.get("version", 0),
        "split_names": list(files),
        "columns": rows.column_types(columns),
        "rows": {split: rows.count_rows(transformed_examples.path, split) for split in files},
    }

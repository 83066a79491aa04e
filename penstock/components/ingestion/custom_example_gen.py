"""CustomExampleGen: rows from a function of one's own become examples."""

from collections.abc import Callable
from functools import partial
from typing import Any

from penstock.artifacts import Examples
from penstock.components.ingestion.example_gen import Choice, check_choice, ingest, reading_parameters, selected
from penstock.pipeline import Beam, Files, ModuleFile, Output, UserCodeError, component


def check_parameters(**parameters: Any) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("CustomExampleGen", parameters)


@component(versions=("pyarrow",), precondition="penstock.components.ingestion.custom_example_gen:check_parameters")
def CustomExampleGen(
    examples: Output[Examples],
    *,
    module_file: ModuleFile,
    function: str = "read_rows",
    custom_config: dict[str, Any] | None = None,
    parts: list[Any] | None = None,
    input_base: Files | None = None,
    splits: dict[str, int] | None = None,
    partition_feature: str | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest the rows that a function of the user's yields, and split them by hash.

    The function is called with `custom_config` by name, `part=` where parts are given, and `files=` (paths) where
    `input_base` is; it yields pyarrow record batches or tables, or one dictionary a row. The cache knows its code, its
    parameters and those files; for what changes elsewhere give the node `cache=False`.

    Args:
        examples: The rows in splits; one shard a split for each part.
        module_file: The file with the function.
        function: Its name.
        custom_config: Its arguments by name.
        parts: JSON values; the function is called once with each, in parallel.
        input_base: Files that it reads.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        columns: The columns to take, in this order.
        row_filter: Which rows to take, as "fare > 3 and company is not null".
        beam: Where the data work runs.
    """
    from penstock.data.function_source import FunctionRows

    with reading_parameters("CustomExampleGen"):
        choice = Choice.of(splits=splits, partition_feature=partition_feature, columns=columns, row_filter=row_filter)
    module_file.function(function)  # says what is wrong with it before anything runs
    arguments = dict(custom_config or {})
    if input_base is not None:
        arguments["files"] = [entry.path for entry in input_base.files]
    rows = FunctionRows(partial(_load, module_file, function), arguments, tuple(parts or ()))
    ingest("CustomExampleGen", examples, choice, beam, source=selected(rows, choice))


def _load(module_file: ModuleFile, function: str) -> Callable[..., Any]:
    """Returns the user's function, so wrapped that its errors are told as the user's."""
    found = module_file.function(function)

    def called(**arguments: Any) -> Any:
        try:
            yield from found(**arguments)
        except Exception as error:
            raise UserCodeError(
                f"{function}() in {module_file.module} failed: {type(error).__name__}: {error}"
            ) from error

    return called

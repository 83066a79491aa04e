"""BeamExampleGen: what a Beam PTransform of one's own reads becomes examples."""

from typing import TYPE_CHECKING, Any

from penstock.artifacts import Examples
from penstock.components.ingestion.example_gen import Choice, check_choice, ingest_landed, reading_parameters
from penstock.pipeline import Beam, Files, ModuleFile, Output, UserCodeError, component

if TYPE_CHECKING:
    import apache_beam


def check_parameters(**parameters: Any) -> None:
    """Refuses parameters that can't be right, before anything heavy is imported."""
    check_choice("BeamExampleGen", parameters)


@component(
    versions=("pyarrow", "apache-beam"), precondition="penstock.components.ingestion.beam_example_gen:check_parameters"
)
def BeamExampleGen(
    examples: Output[Examples],
    *,
    module_file: ModuleFile,
    function: str = "source",
    custom_config: dict[str, Any] | None = None,
    input_base: Files | None = None,
    splits: dict[str, int] | None = None,
    partition_feature: str | None = None,
    columns: list[str] | None = None,
    row_filter: str | None = None,
    beam: Beam = Beam(),  # noqa: B008 - filled in by the executor
) -> None:
    """Ingest the elements of a `beam.PTransform`, and split them by hash.

    The function is called with `custom_config` by name, and `files=` (paths) where `input_base` is. It returns a
    PTransform of the root of a pipeline (as `beam.io.Read...`, or several composed) whose elements are pyarrow record
    batches or tables, or dictionaries, one a row; batches are many times faster. A PCollection has no order, so rows
    are stored in one that depends on their values alone. The cache knows the function's code, its parameters and those
    files; for what changes elsewhere give the node `cache=False`.

    Args:
        examples: The rows in splits; one shard a split for about each 32 MiB.
        module_file: The file with the function.
        function: Its name.
        custom_config: Its arguments by name.
        input_base: Files that it reads.
        splits: Weights by the split's name; by default 2 parts train, 1 part eval.
        partition_feature: The column whose value alone decides the split, so that its rows stay together.
        columns: The columns to take, in this order.
        row_filter: Which rows to take, as "fare > 3 and company is not null".
        beam: Where the data work runs; the PTransform too.
    """
    with reading_parameters("BeamExampleGen"):
        choice = Choice.of(splits=splits, partition_feature=partition_feature, columns=columns, row_filter=row_filter)
    arguments = dict(custom_config or {})
    if input_base is not None:
        arguments["files"] = [entry.path for entry in input_base.files]
    transform = _transform(module_file, function, arguments)
    origin = f"{function}() in {module_file.module}"
    ingest_landed("BeamExampleGen", examples, choice, beam, transform=transform, origin=origin)


def _transform(module_file: ModuleFile, function: str, arguments: dict[str, Any]) -> "apache_beam.PTransform":
    import apache_beam

    try:
        transform = module_file.function(function)(**arguments)
    except UserCodeError:
        raise
    except Exception as error:
        raise UserCodeError(f"{function}() in {module_file.module} failed: {type(error).__name__}: {error}") from error
    if not isinstance(transform, apache_beam.PTransform):
        raise UserCodeError(
            f"{function}() in {module_file.module} must return a beam.PTransform, it returned "
            f"{type(transform).__name__}. A function that yields the rows itself is for CustomExampleGen."
        )
    return transform

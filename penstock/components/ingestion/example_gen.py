"""What all ExampleGens share: how their parameters are read, their files chosen, their examples described.

Imports nothing heavy, so that the shells may use it.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.artifacts import Examples, QuarantinedRows
from penstock.data.bad_rows import BadRow, to_lines
from penstock.data.errors import DataFormatError
from penstock.data.row_filter import RowFilter
from penstock.data.spans import PARAMETERS as SPAN_PARAMETERS
from penstock.data.spans import SpanChoice
from penstock.data.splits import Splits
from penstock.pipeline import Beam, DataError, FileEntry, Files, ParameterError, PenstockError, UserCodeError

if TYPE_CHECKING:
    import apache_beam

    from penstock.components.ingestion.ingestion_ranges import Ingested
    from penstock.data.row_source import RowSource


@dataclass(frozen=True)
class Choice:
    """Which rows and columns are taken, and how rows are split.

    Attributes:
        splits: How rows are split.
        columns: The columns to take, in this order; None for all.
        row_filter: Which rows to take.
        asks_for_spans: Whether spans were asked for, so that the path must have them.
    """

    splits: Splits
    columns: tuple[str, ...] | None = None
    row_filter: RowFilter | None = None
    asks_for_spans: bool = False

    @classmethod
    def of(
        cls,
        *,
        splits: Mapping[str, int] | None = None,
        partition_feature: str | None = None,
        input_splits: Mapping[str, str] | None = None,
        columns: Sequence[str] | None = None,
        row_filter: str | None = None,
        **spans: Any,
    ) -> Choice:
        """Reads what a component was given; the choice of spans is read by the driver, and only checked here.

        Raises:
            ValueError: It can't be right.
        """
        _check_columns(columns)
        if columns is not None and partition_feature is not None and partition_feature not in columns:
            raise ValueError(
                f"partition_feature={partition_feature!r} must be among columns=, to be seen in the examples. Add it."
            )
        return cls(
            Splits.of(splits, partition_feature, input_splits),
            None if columns is None else tuple(columns),
            None if row_filter is None else RowFilter(row_filter),
            not SpanChoice.of(spans).empty,
        )


def _check_columns(columns: Sequence[str] | None) -> None:
    if columns is None:
        return
    if not columns:
        raise ValueError("columns is empty. Name at least one, or leave it out for all.")
    twice = next((name for name in columns if list(columns).count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"columns names {twice!r} twice.")


_CHOICE = ("splits", "partition_feature", "input_splits", "columns", "row_filter", *SPAN_PARAMETERS)


def check_choice(component: str, parameters: Mapping[str, Any]) -> None:
    """Refuses rows, columns and splits that can't be right."""
    with reading_parameters(component):
        Choice.of(**{name: parameters[name] for name in _CHOICE if name in parameters})


@contextmanager
def reading_parameters(component: str) -> Iterator[None]:
    """Turns a ValueError about parameters into an error that names the component."""
    try:
        yield
    except ValueError as error:
        raise ParameterError(f"{component}: {error}") from error


def chosen_files(input_base: Files, endings: Sequence[str]) -> list[FileEntry]:
    """Returns the files of a kind, or all when none is named as of that kind; logs those that are left out."""
    named = [entry for entry in input_base.files if entry.name.lower().endswith(tuple(endings))]
    chosen = named or list(input_base.files)
    ignored = [entry.name for entry in input_base.files if entry not in chosen]
    if ignored:
        logging.getLogger(__name__).info(
            "Read %d files of %s, ignored: %s", len(chosen), input_base.base, ", ".join(ignored[:10])
        )
    return chosen


def ingest_files(
    component: str,
    examples: Examples,
    input_base: Files,
    choice: Choice,
    beam: Beam,
    *,
    endings: Sequence[str],
    source: Callable[[tuple[str, ...]], RowSource],
) -> Ingested:
    """Makes examples of files.

    Args:
        component: Its name, for messages.
        examples: The output.
        input_base: The files.
        choice: Rows, columns and splits.
        beam: Where the work runs.
        endings: Of the names of such files.
        source: From paths to their rows.
    """
    if choice.asks_for_spans and input_base.span is None:
        raise ParameterError(
            f"{component}: {', '.join(SPAN_PARAMETERS)} choose among the spans of input_base=, and it has none. "
            'Write it as "data/span-{SPAN}/*" or "data/{YYYY}-{MM}-{DD}".'
        )
    entries = chosen_files(input_base, endings)
    with reading_parameters(component):
        split_names = choice.splits.of_files([entry.name for entry in entries], input_base.base)
    split_of = {entry.path: name for entry, name in zip(entries, split_names, strict=True)}
    if choice.splits.patterns is not None:
        split_of = {path: name for path, name in split_of.items() if name}
    return ingest(
        component,
        examples,
        choice,
        beam,
        source=source(tuple(split_of)),
        split_of=split_of,
        span=input_base.span or 0,
        version=input_base.version or 0,
    )


def ingest(
    component: str,
    examples: Examples,
    choice: Choice,
    beam: Beam,
    *,
    source: RowSource,
    split_of: Mapping[str, str] | None = None,
    span: int = 0,
    version: int = 0,
) -> Ingested:
    """Makes examples of a source, and describes them.

    Raises:
        ParameterError: A parameter names a column that isn't there.
        UserCodeError: A function yields what is no row.
        DataError: The data is at fault.
    """
    from penstock.components.ingestion import ingestion_ranges
    from penstock.data.examples import column_types

    try:
        ingested = ingestion_ranges.ingest(
            beam, source, choice.splits, examples.path, label=component, split_of=split_of
        )
    except DataFormatError as error:
        raised = {each.fault: each for each in (DataError, ParameterError, UserCodeError)}
        raise raised[error.fault](str(error)) from error
    examples.properties |= {
        "span": span,
        "version": version,
        "split_names": list(choice.splits.weights),
        "columns": column_types(ingested.types),
        "rows": ingested.rows,
    }
    return ingested


def ingest_landed(
    component: str,
    examples: Examples,
    choice: Choice,
    beam: Beam,
    *,
    transform: apache_beam.PTransform,
    origin: str,
    span: int = 0,
    fault: type[PenstockError] = UserCodeError,
) -> None:
    """Makes examples of the elements of a PTransform, landed below the examples' folder while that lasts.

    Args:
        component: Its name, for messages.
        examples: The output.
        choice: Rows, columns and splits.
        beam: Where the work runs.
        transform: Makes the rows.
        origin: Who that is, for messages.
        span: What is recorded.
        fault: The error to raise when it fails.

    Raises:
        DataError: The data is at fault.
    """
    from penstock.components.ingestion.landing_beam import land

    folder = os.path.join(examples.path, ".landing")
    try:
        try:
            rows = land(beam, transform, folder, label=component, origin=origin)
        except DataFormatError as error:
            raise DataError(f"{component}: {_without_stage(error)}") from None
        except Exception as error:
            raise fault(f"{component}: {origin} failed: {type(error).__name__}: {_without_stage(error)}") from error
        ingest(component, examples, choice, beam, source=selected(rows, choice), span=span)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _without_stage(error: Exception) -> str:
    """Returns a message without the stage that Beam adds to it."""
    return str(error).partition(" [while running")[0]


def check_on_bad_rows(component: str, on_bad_rows: str) -> bool:
    """Returns whether bad rows are set aside.

    Raises:
        ParameterError: It is neither of the two choices.
    """
    if on_bad_rows not in ("fail", "quarantine"):
        raise ParameterError(f'{component}: on_bad_rows must be "fail" or "quarantine", got {on_bad_rows!r}.')
    return on_bad_rows == "quarantine"


def write_bad_rows(artifact: QuarantinedRows, bad: Sequence[BadRow]) -> None:
    """Writes the rows that were set aside, an empty file when there are none, and counts them by rule."""
    with open(os.path.join(artifact.path, "rows.jsonl"), "w", encoding="utf-8") as file:
        file.write(to_lines(bad))
    rules = dict(sorted(Counter(row.rule for row in bad).items()))
    artifact.properties |= {"rows": len(bad), "reasons": rules}
    if bad:
        logging.getLogger(__name__).warning(
            "%d bad rows are set aside (%s), the first: %s, line %d: %s",
            len(bad),
            ", ".join(f"{rule}: {count}" for rule, count in rules.items()),
            bad[0].file,
            bad[0].line,
            bad[0].reason,
        )


def selected(source: RowSource, choice: Choice) -> RowSource:
    """Returns the chosen columns and rows of a source that can't choose by itself."""
    from penstock.data.selected_rows import SelectedRows

    if choice.columns is None and choice.row_filter is None:
        return source
    return SelectedRows(source, choice.columns, choice.row_filter)

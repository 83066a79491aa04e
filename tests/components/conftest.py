"""Source files for the ExampleGens."""

import os

import pytest

from penstock.artifacts import Examples, QuarantinedRows
from penstock.components.ingestion.csv_example_gen import CsvExampleGen
from penstock.components.ingestion.import_example_gen import ImportExampleGen
from penstock.components.ingestion.jsonl_example_gen import JsonlExampleGen
from penstock.data import examples
from penstock.pipeline import FileEntry, Files


def files_of(base, *paths):
    """Returns what the driver makes of these files."""
    entries = tuple(
        FileEntry(str(p), os.path.relpath(p, base).replace(os.sep, "/"), os.path.getsize(p), "") for p in paths
    )
    return Files(str(base), tuple(sorted(entries, key=lambda entry: entry.name)))


def rows_of(made):
    """Returns the rows of each split."""
    return {
        split: [row for batch in examples.record_batches(made.path, split) for row in batch.to_pylist()]
        for split in examples.split_names(made.path)
    }


def quarantine(folder):
    """Returns an output for bad rows, as the executor makes it."""
    os.makedirs(folder, exist_ok=True)
    return QuarantinedRows(str(folder))


@pytest.fixture
def made(tmp_path):
    """Runs an ExampleGen on files that lie below `tmp_path`, and returns its examples."""

    def run(component, *paths, output="out", **parameters):
        result = Examples(str(tmp_path / output))
        if component in (CsvExampleGen, ImportExampleGen, JsonlExampleGen):
            parameters = {"quarantined": quarantine(tmp_path / f"{output}-bad")} | parameters
        component(examples=result, input_base=files_of(tmp_path, *paths), **parameters)
        return result

    return run

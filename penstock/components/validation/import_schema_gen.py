"""`ImportSchemaGen`: brings a curated schema into the pipeline as an artifact."""

from __future__ import annotations

from penstock.artifacts import Schema
from penstock.pipeline import DataError, Files, Output, component
from penstock.pipeline.errors import listing


@component
def ImportSchemaGen(schema: Output[Schema], *, schema_file: Files) -> None:
    """Check a curated schema and copy it.

    Args:
        schema: `schema.pbtxt`, the file as it is, comments included.
        schema_file: One text file with a `tensorflow_metadata.v0.Schema`, such as SchemaGen writes.
    """
    import os
    import shutil

    from penstock.components.validation.curated_schema import read_curated
    from penstock.data.protos import SCHEMA_FILE

    if len(schema_file.files) != 1:
        names = listing(entry.name for entry in schema_file.files)
        raise DataError(f"ImportSchemaGen(schema_file=...) takes one file, got {len(schema_file.files)}: {names}.")
    source = schema_file.files[0]
    read_curated(source.path, source.name)
    os.makedirs(schema.path, exist_ok=True)
    shutil.copyfile(source.path, os.path.join(schema.path, SCHEMA_FILE))

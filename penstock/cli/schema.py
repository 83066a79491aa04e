"""`penstock schema`: infer a schema, compare two, propose changes that data ask for, accept the reviewed ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.cli import options
from penstock.cli.documents import write
from penstock.cli.exit_codes import ExitCode
from penstock.cli.lookup import find_artifact, root_of
from penstock.cli.not_found import NotFound
from penstock.cli.printing import show
from penstock.cli.root import open_root
from penstock.cli.text_file import write_text
from penstock.components.validation import patch_file
from penstock.components.validation.schema_difference import Difference, differences
from penstock.components.validation.schema_inference import infer_schema
from penstock.components.validation.schema_proposal import propose
from penstock.components.validation.split_validation import check_environment, references_of
from penstock.data import protos
from penstock.data.errors import DataFormatError
from penstock.pipeline.errors import DataError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Infer, compare and change schemas.")

Statistics = Annotated[
    list[str],
    typer.Argument(metavar="STATISTICS...", help="Folders of statistics, or artifacts' ids.", show_default=False),
]
SchemaFile = Annotated[
    str, typer.Argument(metavar="SCHEMA", help="A schema.pbtxt, or an artifact's id.", show_default=False)
]
Output = Annotated[
    str | None, typer.Option("-o", "--output", metavar="OUT", help="A file instead of stdout.", show_default=False)
]


@app.command()
def infer(statistics: Statistics, output: Output = None, root: options.Root = None) -> None:
    """Infer a schema that all splits of the statistics fit."""
    described = [
        protos.read_statistics(folder, split)
        for folder in (_folder(each, root) for each in statistics)
        for split in _splits(folder)
    ]
    _write(text_format.MessageToString(infer_schema(described), as_utf8=True), output)


@app.command()
def diff(before: SchemaFile, after: SchemaFile, root: options.Root = None, as_json: options.Json = False) -> None:
    """Show what differs between two schemas, and what it means for models."""
    found = differences(_schema(_folder(before, root)), _schema(_folder(after, root)))
    if as_json:
        write([_document(each) for each in found])
    else:
        show("\n".join(map(_line, found)) or "The schemas say the same.")


@app.command("propose")
def propose_changes(
    schema: SchemaFile,
    statistics: Statistics,
    *,
    environment: Annotated[
        str, typer.Option("--environment", metavar="NAME", help="Where the data comes from, such as SERVING.")
    ] = "",
    previous: Annotated[
        str | None,
        typer.Option("--previous", metavar="STATISTICS", help="What drift is measured against.", show_default=False),
    ] = None,
    output: Output = None,
    root: options.Root = None,
) -> ExitCode:
    """Propose changes for data to fit: text to be reviewed, with evidence, for `penstock schema accept`."""
    path = _folder(schema, root)
    check_environment(_schema(path), environment, "--environment")
    described, references = {}, {}
    for name, folder, label in _labelled(statistics, root):
        splits = _splits(folder)
        compared = references_of(splits, _folder(previous, root) if previous else None)
        for split in splits:
            place = f"{label}, {split}" if label else split
            place = f"{place} ({name})" if place in described else place
            described[place], references[place] = protos.read_statistics(folder, split), compared[split]
    proposals = propose(_schema(path), described, environment, references)
    if not proposals:
        show("The data fit the schema; there is nothing to propose.")
        return ExitCode.DONE
    _write(patch_file.patch_text(proposals, protos.digest_schema(path)), output)
    return ExitCode.DONE


@app.command()
def accept(
    patch: Annotated[str, typer.Argument(metavar="PATCH", help="The reviewed proposal.", show_default=False)],
    schema: Annotated[str, typer.Argument(metavar="SCHEMA", help="The curated file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
) -> None:
    """Apply a reviewed proposal to a curated schema; comments and all else in the file stay."""
    text, found = patch_file.accept(_text(patch), _text(schema), _digest(schema))
    if found and not dry_run:
        _write(text, schema)
    done = "would change" if dry_run else "changed"
    show("\n".join([f"{schema}: {len(found)} {'entry' if len(found) == 1 else 'entries'} {done}.", *map(_line, found)]))


def _labelled(statistics: Sequence[str], root: str | None) -> list[tuple[str, str, str]]:
    """Return statistics by span: the name, the path, and where they are from: "span 3" where that is known.

    Otherwise it is the name, or "" where there is no other.
    """
    spans = {name: (_folder(name, root), _span(name, root)) for name in statistics}
    return [
        (name, folder, f"span {span}" if span else name if len(spans) > 1 else "")
        for name, (folder, span) in sorted(spans.items(), key=lambda item: item[1][1])
    ]


def _span(name: str, root: str | None) -> int:
    place = root or root_of(name)
    if place is None and os.path.exists(name):
        return 0
    with open_root(place) as opened:
        artifact = find_artifact(opened, name)
    return int(artifact.properties.get("span", 0)) if artifact is not None else 0


def _folder(name: str, root: str | None) -> str:
    """Return the path that a name stands for: one on disk, or an artifact's."""
    if os.path.exists(name):
        return name
    if not name.isdecimal():
        raise NotFound(f"There is no file or folder {name}. Name one, or an artifact by its id: penstock artifacts.")
    with open_root(root or root_of(name)) as opened:
        artifact = find_artifact(opened, name)
        if artifact is None:
            raise NotFound(f"There is no artifact {name} in {opened.layout.root}. List them: penstock artifacts.")
        return opened.layout.absolute(artifact.uri)


def _splits(folder: str) -> list[str]:
    splits = protos.split_names_of(folder) if os.path.isdir(folder) else []
    if not splits:
        raise DataError(f"{folder} holds no statistics: it has no folder Split-<name>. Name what StatisticsGen made.")
    return splits


def _schema(path: str) -> schema_pb2.Schema:
    try:
        return protos.read_schema(path)
    except DataFormatError as error:
        raise DataError(str(error)) from error


def _digest(path: str) -> str:
    _schema(path)
    return protos.digest_schema(path)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error


def _write(text: str, output: str | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(text, output)


def _line(difference: Difference) -> str:
    return f"{difference.subject}: {'; '.join(difference.changes)} [{difference.compatibility.value}]"


def _document(difference: Difference) -> dict[str, object]:
    return {
        "kind": difference.kind,
        "name": difference.name,
        "changes": list(difference.changes),
        "compatibility": difference.compatibility.value,
    }

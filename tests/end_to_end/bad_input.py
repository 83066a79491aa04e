"""The bad input that a person brings: each kind spoils a project for a while, and knows what has to be said of it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.project import Project

ROWS = "data/walkers.csv"
STEP_FAILED, GATE_REFUSED, NO_ROOT, WRONG_USE = 1, 4, 5, 64


@dataclass(frozen=True)
class BadInput:
    """One row of the matrix.

    Attributes:
        spoil: Brings the bad input for as long as its block is open.
        code: The exit code.
        says: What the command must say, in any order; `{folder}` is the project's folder.
        arguments: Further arguments of the run that meets it.
        with_model: Whether it takes the penguins, with transform and training, to show.
        disk: Bytes of a disk of its own for the root, where it takes one.
    """

    spoil: Callable[[Project], AbstractContextManager[None]]
    code: int
    says: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    with_model: bool = False
    disk: int = 0


def edit(name: str, old: str, new: str) -> Callable[[Project], AbstractContextManager[None]]:
    """Spoil by replacing a text that stands once in a file."""
    return lambda project: project.edited(name, old, new)


def rewrite(change: Callable[[bytes], bytes], name: str = ROWS) -> Callable[[Project], AbstractContextManager[None]]:
    """Spoil by rewriting a file."""

    @contextmanager
    def spoil(project: Project) -> Iterator[None]:
        with project.kept(name) as path:
            path.write_bytes(change(path.read_bytes()))
            yield

    return spoil


@contextmanager
def no_file(project: Project) -> Iterator[None]:
    with project.kept("data") as data:
        (project.folder / ROWS).rename(data / "walkers.tsv")
        yield


@contextmanager
def nothing(project: Project) -> Iterator[None]:
    yield


@contextmanager
def another_header(project: Project) -> Iterator[None]:
    with project.kept("data") as data:
        shutil.copy(project.folder / ROWS, data / "more.csv")
        project.edit("data/more.csv", "name,age,weight,town", "name,age,weight,city")
        yield


@contextmanager
def root_below_a_file(project: Project) -> Iterator[None]:
    (project.folder / "file").touch()
    yield


@contextmanager
def root_that_is_read_only(project: Project) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", project.root], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", project.root], check=True)


@contextmanager
def full_disk(project: Project) -> Iterator[None]:
    digits = random.Random(0)
    lines = (f"{digits.getrandbits(256):x},20,70.5,Oslo" for _ in range(60_000))
    with project.kept(ROWS) as rows:
        rows.write_text("\n".join(["name,age,weight,town", *lines]) + "\n")
        yield


@contextmanager
def full_disk_from_the_start(project: Project) -> Iterator[None]:
    junk = project.root / "junk"
    junk.write_bytes(os.urandom(shutil.disk_usage(project.root).free))
    yield
    junk.unlink()


@contextmanager
def no_database(project: Project) -> Iterator[None]:
    garbage = b"This was never a database.\n" * 200
    with project.kept(".penstock/metadata.db") as database:
        database.write_bytes(garbage)
        yield
        assert database.read_bytes() == garbage, "a file that isn't ours was touched"


@contextmanager
def own_disk(folder: Path, size: int) -> Iterator[None]:
    """Put a folder on a disk of its own.

    Raises:
        OSError: This user may not mount.
    """
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise OSError(done.stderr.strip())
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def _without_ages(rows: bytes) -> bytes:
    lines = [line.split(b",") for line in rows.splitlines()]
    return b"\n".join([b",".join(lines[0]), *(b",".join([name, b"", *rest]) for name, _, *rest in lines[1:])]) + b"\n"


def _without_bill_lengths(rows: bytes) -> bytes:
    lines = [line.split(b",") for line in rows.splitlines()]
    return b"\n".join([b",".join(lines[0]), *(b",".join([*line[:2], b"NA", *line[3:]]) for line in lines[1:])]) + b"\n"


CSV = "{folder}/data/walkers.csv"
INPUT_BASE = "CsvExampleGen(input_base=...)"

BAD_INPUTS: dict[str, BadInput] = {
    "no CSV at the path": BadInput(
        nothing,
        STEP_FAILED,
        (INPUT_BASE, "there is no file at {folder}/nowhere.csv", "holds:", "pipeline.py", "Pass another path"),
        arguments=("-p", "data=nowhere.csv"),
    ),
    "an empty CSV": BadInput(
        rewrite(lambda rows: b""), STEP_FAILED, (CSV, "is empty", "Remove it, or write it anew with a header line")
    ),
    "a header only": BadInput(
        rewrite(lambda rows: rows.splitlines(keepends=True)[0]),
        STEP_FAILED,
        (CSV, "a header line only", "Check that the export was complete", "column_names="),
    ),
    "a row too long": BadInput(
        edit(ROWS, "Di,24,,Bergen", "Di,24,,Bergen,1"),
        STEP_FAILED,
        (CSV, "line 5", "expected 4 cells, found 5", "'Di,24,,Bergen,1'", "Quote cells that hold the delimiter"),
    ),
    "a row too short": BadInput(
        edit(ROWS, "Di,24,,Bergen", "Di,24,"), STEP_FAILED, (CSV, "line 5", "expected 4 cells, found 3", "'Di,24,'")
    ),
    "a text in a column declared as numbers": BadInput(
        lambda project: _both(
            project.edited("pipeline.py", "input_base=data", 'input_base=data, column_types={"age": "int64"}'),
            project.edited(ROWS, "Di,24", "Di,old"),
        ),
        STEP_FAILED,
        (CSV, "line 5", "column 'age' was declared int64 and holds 'old'", "Correct the cell", "null_values"),
    ),
    "a text in a column that the schema says holds numbers": BadInput(
        edit(ROWS, "Di,24", "Di,old"),
        GATE_REFUSED,
        ("column 'age'", "Expected data of type: INT but got STRING", "edit the curated schema", 'fail_on="never"'),
    ),
    "two files with different headers": BadInput(
        another_header,
        STEP_FAILED,
        ("{folder}/data/more.csv", CSV, "lacks 'city' and has 'town'", "Rename the columns, or ingest the files apart"),
    ),
    "a column all missing": BadInput(
        rewrite(_without_ages),
        GATE_REFUSED,
        ("column 'age'", "not present in any examples", "edit the curated schema"),
    ),
    "a column all missing, and no curated schema": BadInput(
        rewrite(_without_bill_lengths, "data/penguins.csv"),
        STEP_FAILED,
        ("features.py:", "without a single value", "bill_length_mm", "column_types="),
        with_model=True,
    ),
    "bytes that are no UTF-8": BadInput(
        rewrite(lambda rows: rows.decode().encode("latin-1")),
        STEP_FAILED,
        (CSV, "is not utf-8 text: byte 0xf8 in line 8, character", "encoding='latin-1'"),
    ),
    "a label to evaluate that is not in the data": BadInput(
        edit("pipeline.py", 'label="species"', 'label="specie"'),
        STEP_FAILED,
        ("Evaluator(label=...) names 'specie'", "Did you mean 'species'?", "They have: bill_depth_mm"),
        with_model=True,
    ),
    "a label to train on that is not in the data": BadInput(
        edit("model.py", "label_key=LABEL", 'label_key="specie"'),
        STEP_FAILED,
        ("model.py:", "label_key='specie' is no feature", "Did you mean 'species'?", "They hold: bill_depth_mm"),
        with_model=True,
    ),
    "a label to transform that is not in the data": BadInput(
        edit("features.py", "words(inputs[LABEL])", 'words(inputs["specie"])'),
        STEP_FAILED,
        ("features.py:", "there is no column 'specie'", "Did you mean 'species'?"),
        with_model=True,
    ),
    "a preprocessing_fn that raises": BadInput(
        edit("features.py", "    outputs = {}\n", '    raise ValueError("no such unit")\n'),
        STEP_FAILED,
        ("Traceback", "features.py:13 (your code)", "preprocessing_fn in features.py failed: ValueError: no such unit"),
        with_model=True,
    ),
    "a preprocessing_fn that returns another batch size": BadInput(
        edit("features.py", "    return outputs\n", '    outputs["sex"] = outputs["sex"][1:]\n    return outputs\n'),
        STEP_FAILED,
        ("preprocessing_fn must return one value a row", "'sex' has 213 for a batch of 214 rows", "first dimension"),
        with_model=True,
    ),
    "a run_fn that saves no model": BadInput(
        edit("model.py", "    save_model(model, fn_args, ", "    dict("),
        STEP_FAILED,
        ("run_fn saved no model", "fn_args.serving_model_dir", "it holds: nothing", "End run_fn with", "save_model("),
        with_model=True,
    ),
    "a module file with a syntax error": BadInput(
        edit("model.py", "BATCH = 16", "BATCH = = 16"),
        WRONG_USE,
        ("BATCH = = 16", "model.py:8: invalid syntax"),
        with_model=True,
    ),
    "a pipeline file with a syntax error": BadInput(
        edit("pipeline.py", "def table(", "def table(("),
        WRONG_USE,
        ("pipeline.py can't be imported: SyntaxError in pipeline.py:8 (your code)",),
    ),
    "a disk that fills up": BadInput(
        full_disk,
        STEP_FAILED,
        ("A disk is full", "That of {folder}/.penstock has 0.0 MB left", "free some there", "--root DIR"),
        disk=2 << 20,
    ),
    "a full disk": BadInput(
        full_disk_from_the_start,
        NO_ROOT,
        ("The disk of the root {folder}/.penstock is full", "Free some space there", "--root DIR"),
        disk=2 << 20,
    ),
    "a root below a file": BadInput(
        root_below_a_file,
        NO_ROOT,
        ("The root {folder}/file/root can't be written: Not a directory", "--root DIR"),
        arguments=("--root", "file/root"),
    ),
    "a root that is read-only": BadInput(
        root_that_is_read_only,
        NO_ROOT,
        ("The root {folder}/.penstock can't be written: Read-only file system", "--root DIR"),
        disk=4 << 20,
    ),
    "a metadata file that is no database": BadInput(
        no_database,
        NO_ROOT,
        ("{folder}/.penstock/metadata.db is not a metadata store", "It was left as it is", "Move it away or restore"),
    ),
}


@contextmanager
def _both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    with one, other:
        yield

"""A reviewable patch of a schema as text: proposals with their evidence in comments, and accepting what is left.

The text is a `tensorflow_metadata.v0.Schema` in text format: each entry as it would be. A reviewer deletes what isn't
to be accepted, or edits it. Entries replace those of the same kind and name in the curated file; whatever else stands
in that file, its comments included, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.schema_difference import NAMED, Difference, differences
from penstock.components.validation.schema_proposal import Proposal
from penstock.pipeline import DataError

_FOR = "# For the schema "
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{}<>\[\]]|[A-Za-z_][\w.]*|\S""")
_WIDTH = 118


@dataclass(frozen=True)
class Entry:
    """A top-level entry of a schema's text: its field, its name, and where it stands."""

    kind: str
    name: str
    start: int
    end: int


def patch_text(proposals: Sequence[Proposal], digest: str) -> str:
    """Return proposals as text to be reviewed.

    Args:
        proposals: In the order in which they are to be read.
        digest: Of the schema that they were made for.
    """
    lines = [
        f"{_FOR}{digest}",
        "# Each entry below replaces, or adds, one of the schema. Delete what you don't accept, then apply the rest:",
        "#   penstock schema accept PATCH SCHEMA",
    ]
    told: set[tuple[str, str]] = set()
    for number, proposal in enumerate(proposals, start=1):
        what = f"feature {proposal.subject!r}" if proposal.subject else "the data set"
        lines += ["", f"# [{number}] {what}: {proposal.compatibility.value} ({proposal.compatibility.meaning})"]
        for place, evidence in proposal.evidence.items():
            lines.append(f"#   in {place}:")
            lines += [f"#     {_in_one_line(each)}" for each in evidence]
        for difference in proposal.differences:
            lines += [f"#   {_in_one_line(difference.subject)}: {_in_one_line(each)}" for each in difference.changes]
        for text, entry in _entry_texts(proposal.patch):
            if entry not in told:
                lines.append(text)
            told.add(entry)
    return "\n".join(lines) + "\n"


def accept(patch: str, curated: str, digest: str) -> tuple[str, list[Difference]]:
    """Apply a reviewed patch to the text of a curated schema.

    Args:
        patch: What the reviewer left.
        curated: The schema's text.
        digest: The schema's digest, which the patch must have been made for.

    Returns:
        The new text, and what differs.

    Raises:
        DataError: The patch is no schema, or was made for another schema.
    """
    made_for = next((line[len(_FOR) :].strip() for line in patch.splitlines() if line.startswith(_FOR)), "")
    if made_for and made_for != digest:
        raise DataError(
            f"The patch was made for the schema {made_for}, and this one is {digest}: it has changed since. Propose "
            f"again: penstock schema propose SCHEMA STATISTICS."
        )
    before, changes = _parsed(curated, "The schema"), _parsed(patch, "The patch")
    text = curated
    for kind in (*NAMED, "dataset_constraints"):
        for entry in _entries_of(changes, kind):
            text = _replaced(text, kind, getattr(entry, "name", ""), f"{kind} {{\n{_body(entry)}}}")
    return text, differences(before, _parsed(text, "The patched schema"))


def entries(text: str) -> Iterator[Entry]:
    """Yield the top-level entries of a schema's text, in order."""
    depth, kind, start = 0, "", 0
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in "{<[":
            depth += 1
        elif word in "}>]":
            depth -= 1
            if depth == 0:
                parsed = text_format.Parse(text[start : token.end()], schema_pb2.Schema())
                held = getattr(parsed, kind)
                named = kind in NAMED and len(held) == 1
                yield Entry(kind, held[0].name if named else "", start, token.end())
        elif depth == 0 and not word.startswith("#") and (word[0].isalpha() or word[0] == "_"):
            kind, start = word, token.start()


def _replaced(text: str, kind: str, name: str, entry_text: str) -> str:
    for entry in entries(text):
        if (entry.kind, entry.name) == (kind, name):
            return text[: entry.start] + entry_text + text[entry.end :]
    return f"{text.rstrip()}\n{entry_text}\n" if text.strip() else f"{entry_text}\n"


def _entries_of(schema: schema_pb2.Schema, kind: str) -> list[schema_pb2.Feature]:
    if kind in NAMED:
        return list(getattr(schema, kind))
    return [getattr(schema, kind)] if schema.HasField(kind) else []


def _entry_texts(patch: schema_pb2.Schema) -> Iterator[tuple[str, tuple[str, str]]]:
    for kind in (*NAMED, "dataset_constraints"):
        for entry in _entries_of(patch, kind):
            yield f"{kind} {{\n{_body(entry)}}}", (kind, getattr(entry, "name", ""))


def _body(entry: schema_pb2.Feature) -> str:
    return str(text_format.MessageToString(entry, indent=2, as_utf8=True))


def _parsed(text: str, what: str) -> schema_pb2.Schema:
    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise DataError(f"{what} is no tensorflow_metadata.v0.Schema in text format: line {error}.") from error


def _in_one_line(text: str) -> str:
    return " ".join(text.split())

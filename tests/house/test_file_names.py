"""File names: nouns of the field, and one name for one part."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.house.source_files import PACKAGE, source_files

SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "lib", "tools", "shared"}
FACES = (PACKAGE / "cli", PACKAGE / "ui")  # a command or a view is named after what it shows
SAME_PART = {
    "errors": "the error tree of a floor",
    "protos": "the border to a format in protocol buffers",
}


def is_face(path: Path) -> bool:
    return any(face in path.parents for face in FACES)


def test_no_file_is_named_after_nothing() -> None:
    names = {path.stem for path in source_files()} | {path.parent.name for path in source_files()}

    assert not names & SAYS_NOTHING


def test_no_two_files_have_one_name_unless_they_play_the_same_part() -> None:
    places: dict[str, list[Path]] = defaultdict(list)
    for path in source_files():
        if path.stem != "__init__" and not is_face(path):
            places[path.stem].append(path.relative_to(PACKAGE))

    twice = {name: found for name, found in places.items() if len(found) > 1 and name not in SAME_PART}

    assert not twice

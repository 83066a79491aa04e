"""What is measured of a step: bytes in and out."""

from __future__ import annotations

from pathlib import Path

from penstock.data.files import content_bytes, write_manifest
from tests.runners.conftest import Project


def test_bytes_of_inputs_and_source_files_are_counted(project: Project) -> None:
    (project.folder / "data.txt").write_text("12345")
    project.write(
        """
        @component
        def read(note: Output[Note], *, source: Files) -> None:
            put(note, "123")

        @pipeline
        def wired():
            follow(note=read(source="data.txt").note)
        """
    )

    records = project.executions(project.run().id)

    assert [(records[name].facts["bytes_in"], records[name].facts["bytes_out"]) for name in ("read", "follow")] == [
        (5, 3),
        (3, 4),
    ]


def test_size_comes_from_the_manifest_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("123")

    walked = content_bytes(str(tmp_path))
    write_manifest(str(tmp_path))
    (tmp_path / "late").write_text("45")

    assert (walked, content_bytes(str(tmp_path)), content_bytes(str(tmp_path / "late"))) == (3, 3, 2)

"""Ingestion by several workers: what is told of bad rows doesn't depend on who met them."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.artifacts import Examples, QuarantinedRows
from penstock.components import CsvExampleGen
from penstock.data import examples
from penstock.pipeline import Beam, DataError, FileEntry, Files, range_pool

FILES, ROWS = 24, 2000
RUNNERS = {
    "one worker": Beam(workers=1),
    "two workers": Beam(workers=2),
    "four workers": Beam(workers=4),
    "Beam": Beam(profile="portable"),
}


@pytest.fixture
def trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of trips; from the thirteenth on each has a row too short, and the last one a fare in words."""
    monkeypatch.setattr(range_pool, "PATIENCE_S", 0.0)
    folder = tmp_path / "trips"
    folder.mkdir()
    for number in range(FILES):
        rows = [f"{number * ROWS + row},{row / 4},taxi {row % 7}" for row in range(ROWS)]
        if number >= 12:
            rows[number] = "short"
        if number == FILES - 1:
            rows[5] = "5,free,taxi 5"
        (folder / f"{number:02}.csv").write_text("\n".join(["id,fare,company", *rows]) + "\n")
    return folder


def ingest(trips: Path, out: Path, beam: Beam, on_bad_rows: str) -> tuple[str, str]:
    """Return the digest of the examples, and the bad rows."""
    for name in ("examples", "bad"):
        (out / name).mkdir(parents=True)
    files = tuple(FileEntry(str(file), file.name, file.stat().st_size, "") for file in sorted(trips.iterdir()))
    CsvExampleGen(
        Examples(str(out / "examples")),
        QuarantinedRows(str(out / "bad")),
        input_base=Files(str(trips), files),
        on_bad_rows=on_bad_rows,
        beam=beam,
    )
    return examples.digest(str(out / "examples")), (out / "bad" / "rows.jsonl").read_text()


@pytest.mark.parametrize("beam", RUNNERS.values(), ids=RUNNERS.keys())
def test_the_first_bad_row_in_the_order_of_the_files_is_told(trips: Path, tmp_path: Path, beam: Beam) -> None:
    with pytest.raises(DataError) as raised:
        ingest(trips, tmp_path / "out", beam, "fail")

    assert str(raised.value).startswith(f"{trips}/12.csv, line 14: expected 3 cells, found 1: 'short'.")


def test_quarantined_rows_and_widened_types_are_the_same_for_any_workers(trips: Path, tmp_path: Path) -> None:
    made = {name: ingest(trips, tmp_path / name, beam, "quarantine") for name, beam in RUNNERS.items()}

    assert made == dict.fromkeys(RUNNERS, made["one worker"])
    assert made["one worker"][1].count("\n") == 12
    assert examples.arrow_schema(str(tmp_path / "two workers" / "examples")).field("fare").type == "string"

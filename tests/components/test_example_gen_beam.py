"""BeamExampleGen: the elements of a PTransform of the user's."""

import os
import pathlib
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.artifacts import Examples
from penstock.components.ingestion.beam_example_gen import BeamExampleGen, check_parameters
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.data import examples, landed_rows
from penstock.pipeline import Beam, DataError, ModuleFile, ParameterError, UserCodeError
from tests.components.conftest import files_of, rows_of
from tests.components.test_example_gen_parquet import trips

MODULE = """
    import apache_beam as beam
    import pyarrow as pa

    def source(rows, batches=1, reverse=False, arrow=False):
        rows = rows[::-1] if reverse else rows
        size = -(-len(rows) // batches)
        pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
        if arrow:
            return beam.Create(pieces) | beam.Map(lambda piece: pa.RecordBatch.from_pylist(piece))
        return beam.Create(pieces) | beam.FlatMap(lambda piece: piece)

    def lines(files):
        return beam.Create(files) | beam.FlatMap(open) | beam.Map(lambda line: {"line": line.strip()})

    def tables(files):
        return beam.io.ReadFromParquetBatched(files[0])

    def odd():
        return beam.Create([7])

    def huge():
        return beam.Create([1]) | beam.Map(lambda n: pa.record_batch({"n": pa.array([2**63], pa.uint64())}))

    def no_transform():
        return [1, 2]

    def broken():
        return beam.Create([1]) | beam.Map(lambda one: {"n": one / 0})

    def failing():
        raise RuntimeError("no such service")
"""


@pytest.fixture
def ingest(tmp_path, monkeypatch):
    (tmp_path / "own_beam_source.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_beam_source", raising=False)

    def run(output="out", **parameters):
        made = Examples(str(tmp_path / output))
        module = ModuleFile(str(tmp_path / "own_beam_source.py"), "own_beam_source")
        BeamExampleGen(examples=made, module_file=module, **{"splits": {"all": 1}} | parameters)
        return made

    return run


def test_dictionaries_and_batches_in_any_order_and_bundles_make_the_same_files(ingest, monkeypatch):
    monkeypatch.setattr(landed_rows, "RANGE_CELLS", 100)
    monkeypatch.setattr(landed_rows, "RUN_BYTES", 2000)
    rows = [{"a": i, "text": f"row {i}", "x": i / 2 if i % 3 else None, "l": [i] * (i % 3)} for i in range(300)]

    made = [
        ingest(output="1", custom_config={"rows": rows}),
        ingest(output="2", custom_config={"rows": rows, "batches": 7, "reverse": True}),
        ingest(output="3", custom_config={"rows": rows, "batches": 5, "arrow": True}, beam=Beam(workers=2)),
    ]

    files = [examples.split_files(each.path, "all") for each in made]
    content = [[pathlib.Path(file).read_bytes() for file in each] for each in files]
    assert len(files[0]) == 12
    assert content[0] == content[1] == content[2]
    assert sorted(row["a"] for row in rows_of(made[0])["all"]) == list(range(300))
    assert os.listdir(made[0].path) == ["Split-all"]


def test_a_connector_of_beam_gives_the_digest_of_the_file_it_reads(ingest, made, tmp_path):
    pq.write_table(trips(), tmp_path / "t.parquet")

    through_beam = ingest(function="tables", input_base=files_of(tmp_path, tmp_path / "t.parquet"), splits=None)

    from_parquet = made(ParquetExampleGen, tmp_path / "t.parquet", output="2")
    assert examples.digest(through_beam.path) == examples.digest(from_parquet.path)
    assert through_beam.properties["rows"] == from_parquet.properties["rows"]


def test_types_are_those_of_all_rows_wherever_they_stand(ingest):
    rows = [{"n": 1}, {"n": None}, {"n": 2.5, "late": {"deep": "x"}}, {"n": True}]

    made = ingest(custom_config={"rows": rows, "batches": 4, "arrow": True})

    assert made.properties["columns"] == {"late.deep": "string", "n": "float64"}
    assert sorted(row["n"] or 0 for row in rows_of(made)["all"]) == [0, 1.0, 1.0, 2.5]


def test_files_are_handed_over_and_rows_chosen(ingest, tmp_path):
    (tmp_path / "a.txt").write_text("x\ny\n")

    made = ingest(function="lines", input_base=files_of(tmp_path, tmp_path / "a.txt"), row_filter="line == 'y'")

    assert rows_of(made)["all"] == [{"line": "y"}]


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (
            {"function": "odd"},
            DataError,
            "BeamExampleGen: odd() in own_beam_source gives int. Its elements are dictionaries, one a row, or pyarrow "
            "record batches or tables. Map them to one of these.",
        ),
        (
            {"function": "no_transform"},
            UserCodeError,
            "no_transform() in own_beam_source must return a beam.PTransform, it returned list. A function that "
            "yields the rows itself is for CustomExampleGen.",
        ),
        (
            {"custom_config": {"rows": [{"n": 1}, {"n": "x"}]}},
            DataError,
            "BeamExampleGen: source() in own_beam_source gives rows of which column 'n' holds text ('x'), and an "
            "integer ('1') before. The values of a column must be of one type. Correct them where they are made.",
        ),
        (
            {"custom_config": {"rows": [{"n": 1}, {"n": "x"}], "batches": 2, "arrow": True}},
            DataError,
            "BeamExampleGen: source() in own_beam_source gives rows of which column 'n' holds int64 and string. The "
            "values of a column must be of one type. Correct them where they are made.",
        ),
        (
            {"function": "broken"},
            UserCodeError,
            "BeamExampleGen: broken() in own_beam_source failed: ZeroDivisionError: division by zero",
        ),
        (
            {"function": "failing"},
            UserCodeError,
            "failing() in own_beam_source failed: RuntimeError: no such service",
        ),
        (
            {"custom_config": {"rows": [{"n": 1}]}, "row_filter": "n > 1"},
            DataError,
            "No row of the source passes row_filter=. Correct the condition, or drop it.",
        ),
        (
            {"function": "lines", "custom_config": {"files": []}},
            DataError,
            "BeamExampleGen: lines() in own_beam_source gives no rows. Check what it is asked for.",
        ),
    ],
)
def test_what_is_wrong_with_a_source_is_named_and_nothing_is_left(ingest, tmp_path, parameters, error, message):
    with pytest.raises(error) as caught:
        ingest(**parameters)

    assert str(caught.value) == message
    assert not (tmp_path / "out" / ".landing").exists()


def test_impossible_parameters_are_refused_beforehand():
    with pytest.raises(ParameterError, match="BeamExampleGen: splits is empty"):
        check_parameters(splits={})


def test_integers_of_more_than_64_bits_are_refused(ingest):
    with pytest.raises(DataError, match="BeamExampleGen: Column 'n' holds 9223372036854775808, an integer"):
        ingest(function="huge")


def test_cells_of_ten_megabytes_are_landed_and_sorted(ingest):
    rows = [{"cell": letter * 10_000_000} for letter in "cab"]

    made = ingest(custom_config={"rows": rows, "batches": 2})

    assert sorted(row["cell"][0] for row in rows_of(made)["all"]) == ["a", "b", "c"]
    assert pa.types.is_string(examples.arrow_schema(made.path).field("cell").type)

"""CustomExampleGen: rows from a function of the user's."""

import sys
import textwrap

import pytest

from penstock.artifacts import Examples
from penstock.components.ingestion.custom_example_gen import CustomExampleGen, check_parameters
from penstock.data import examples
from penstock.data.function_source import FunctionRows
from penstock.pipeline import Beam, DataError, ModuleFile, ParameterError, UserCodeError
from tests.components.conftest import files_of, rows_of

MODULE = """
    import pyarrow as pa

    def read_rows(count=3):
        for number in range(count):
            yield {"n": number, "place": {"lat": number / 2}}

    def batches(part):
        yield pa.record_batch({"n": [part, part + 1]})
        yield pa.table({"n": [part + 2]})

    def lines(files):
        for path in files:
            with open(path) as file:
                yield from ({"line": line.strip()} for line in file)

    def odd():
        yield 7

    def mixed():
        yield {"n": 1}
        yield {"n": "x"}

    def broken():
        yield {"n": 1}
        raise RuntimeError("the service is down")
"""


@pytest.fixture
def ingest(tmp_path, monkeypatch):
    (tmp_path / "own_source.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_source", raising=False)

    def run(output="out", **parameters):
        made = Examples(str(tmp_path / output))
        module = ModuleFile(str(tmp_path / "own_source.py"), "own_source")
        CustomExampleGen(examples=made, module_file=module, splits={"all": 1}, **parameters)
        return made

    return run


def test_a_dictionary_a_row(ingest):
    made = ingest(custom_config={"count": 2})

    assert rows_of(made)["all"] == [{"n": 0, "place.lat": 0.0}, {"n": 1, "place.lat": 0.5}]
    assert ingest(custom_config={"count": 20_000}, output="2").properties["rows"] == {"all": 20_000}


def test_parts_are_shards_of_record_batches(ingest):
    made = ingest(function="batches", parts=[10, 20], beam=Beam(workers=2))

    assert [row["n"] for row in rows_of(made)["all"]] == [10, 11, 12, 20, 21, 22]
    assert len(examples.split_files(made.path, "all")) == 2


def test_files_are_handed_over_as_paths(ingest, tmp_path):
    (tmp_path / "a.txt").write_text("x\ny\n")

    made = ingest(function="lines", input_base=files_of(tmp_path, tmp_path / "a.txt"), row_filter="line == 'y'")

    assert rows_of(made)["all"] == [{"line": "y"}]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("odd", UserCodeError, "The function of the source yields int. Yield pyarrow record batches"),
        ("mixed", DataError, "column 'n' holds text ('x'), and an integer ('1') before"),
        ("read_row", UserCodeError, "Did you mean 'read_rows'?"),
    ],
)
def test_what_is_wrong_with_a_function_is_named(ingest, function, error, message):
    with pytest.raises(error) as caught:
        ingest(function=function)

    assert message in str(caught.value)


def test_an_error_of_the_function_is_told_as_its_own(ingest):
    with pytest.raises(UserCodeError, match=r"broken\(\) in own_source failed: RuntimeError: the service is down"):
        ingest(function="broken")


def test_impossible_parameters_are_refused_beforehand():
    with pytest.raises(ParameterError, match="CustomExampleGen: splits is empty"):
        check_parameters(splits={})


def test_rows_with_long_values_come_in_small_batches():
    rows = FunctionRows(lambda: lambda: ({"cell": "x" * 5_000_000} for _ in range(5)), {})

    sizes = [placed.batch.num_rows for placed in rows.placed(rows.ranges()[0])]

    assert sizes == [2, 2, 1]

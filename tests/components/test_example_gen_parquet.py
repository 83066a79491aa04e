"""ParquetExampleGen, and what all ExampleGens share: splits, columns, conditions."""

import datetime
import decimal
import random

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from penstock.components.ingestion.csv_example_gen import CsvExampleGen
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen, check_parameters
from penstock.data import examples, parquet_source
from penstock.pipeline import Beam, DataError, ParameterError
from tests.components.conftest import rows_of
from tests.components.test_ingestion import DATA


def trips(rows=400, seed=5):
    drawn = random.Random(seed)
    return pa.table(
        {
            "taxi": [f"cab {drawn.randint(0, 30)}" for _ in range(rows)],
            "fare": [drawn.choice([None, round(drawn.uniform(0, 60), 2)]) for _ in range(rows)],
            "miles": [drawn.randint(0, 40) for _ in range(rows)],
        }
    )


def test_same_rows_from_csv_and_parquet_have_one_digest(made, tmp_path):
    pacsv.write_csv(trips(), tmp_path / "trips.csv")
    pq.write_table(trips(), tmp_path / "trips.parquet", row_group_size=100)

    from_csv = made(CsvExampleGen, tmp_path / "trips.csv", output="1")
    from_parquet = made(ParquetExampleGen, tmp_path / "trips.parquet", output="2")

    assert examples.digest(from_csv.path) == examples.digest(from_parquet.path)
    assert from_csv.properties == from_parquet.properties


@pytest.mark.skipif(not (DATA / "taxi.parquet").exists(), reason="taxi.parquet is not shipped; set PENSTOCK_DATA")
def test_no_row_of_the_taxi_data_is_lost(made, tmp_path):
    (tmp_path / "taxi.parquet").symlink_to(DATA / "taxi.parquet")

    whole = made(ParquetExampleGen, tmp_path / "taxi.parquet")

    assert sum(whole.properties["rows"].values()) == 10_000
    assert whole.properties["columns"]["company"] == "string"
    assert sum(pq.read_table(file)["fare"].null_count for file in examples.split_files(whole.path, "train")) == 0


def test_row_groups_are_ranges_and_change_no_digest(made, tmp_path, monkeypatch):
    pq.write_table(trips(), tmp_path / "trips.parquet", row_group_size=50)
    whole = made(ParquetExampleGen, tmp_path / "trips.parquet", output="1")
    monkeypatch.setattr(parquet_source.ParquetRows.__init__, "__defaults__", (None, None, 1))

    parts = made(ParquetExampleGen, tmp_path / "trips.parquet", output="2", beam=Beam(workers=2))

    assert len(examples.split_files(parts.path, "train")) == 8
    assert examples.digest(parts.path) == examples.digest(whole.path)


def test_types_become_those_of_examples(made, tmp_path):
    noon = datetime.datetime(2024, 5, 1, 12)
    table = pa.table(
        {
            "flag": pa.array([True, None]),
            "small": pa.array([1, 2], pa.int8()),
            "price": pa.array([decimal.Decimal("1.50"), None]),
            "at": pa.array([noon, None], pa.timestamp("ms")),
            "day": pa.array([noon.date(), None]),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "picture": pa.array([b"\xff", None]),
            "tags": pa.array([["x"], []], pa.large_list(pa.large_string())),
            "place": pa.array([{"lat": 1.5, "deep": {"n": 1}}, None]),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")

    result = made(ParquetExampleGen, tmp_path / "t.parquet", splits={"all": 1})

    assert result.properties["columns"] == {
        "flag": "int64",
        "small": "int64",
        "price": "float64",
        "at": "int64",
        "day": "int64",
        "kind": "string",
        "picture": "binary",
        "tags": "list<string>",
        "place.lat": "float64",
        "place.deep.n": "int64",
        "nothing": "string",
    }
    first, second = rows_of(result)["all"]
    assert first["at"] == 1_714_564_800_000_000
    assert first["day"] == 1_714_521_600_000_000
    assert (first["flag"], first["price"], first["place.deep.n"]) == (1, 1.5, 1)
    assert (second["tags"], second["place.lat"], second["at"]) == ([], None, None)
    assert examples.arrow_schema(result.path).field("at").metadata == {b"unit": b"us"}


def test_columns_and_conditions_choose(made, tmp_path):
    pq.write_table(trips(), tmp_path / "t.parquet", row_group_size=50)
    expected = [row for row in trips().to_pylist() if row["fare"] is not None and row["fare"] > 30]

    result = made(
        ParquetExampleGen,
        tmp_path / "t.parquet",
        splits={"all": 1},
        columns=["miles", "taxi"],
        row_filter="fare > 30",
    )

    assert list(result.properties["columns"]) == ["miles", "taxi"]
    assert rows_of(result)["all"] == [{"miles": row["miles"], "taxi": row["taxi"]} for row in expected]


def test_conditions_mean_the_same_for_all_formats(made, tmp_path):
    pacsv.write_csv(trips(), tmp_path / "t.csv")
    pq.write_table(trips(), tmp_path / "t.parquet")
    choice = {"columns": ["taxi", "fare"], "row_filter": "not (fare < 30) and taxi != 'cab 1' or miles == 0"}

    from_csv = made(CsvExampleGen, tmp_path / "t.csv", output="1", **choice)
    from_parquet = made(ParquetExampleGen, tmp_path / "t.parquet", output="2", **choice)

    assert examples.digest(from_csv.path) == examples.digest(from_parquet.path)
    assert 50 < sum(from_csv.properties["rows"].values()) < 250


def test_condition_on_what_is_stored_differently_is_asked_of_the_stored_value(made, tmp_path):
    table = pa.table({"flag": [True, False, None], "at": pa.array([0, 5, 10], pa.timestamp("s"))})
    pq.write_table(table, tmp_path / "t.parquet")

    result = made(ParquetExampleGen, tmp_path / "t.parquet", splits={"a": 1}, row_filter="flag == 0 or at > 9000000")

    assert rows_of(result)["a"] == [{"flag": 0, "at": 5_000_000}, {"flag": None, "at": 10_000_000}]


def test_rows_of_one_group_stay_in_one_split(made, tmp_path):
    pq.write_table(trips(), tmp_path / "t.parquet", row_group_size=50)

    rows = rows_of(made(ParquetExampleGen, tmp_path / "t.parquet", partition_feature="taxi"))

    groups = {split: {row["taxi"] for row in rows[split]} for split in rows}
    assert not groups["train"] & groups["eval"]
    assert len(groups["train"]) > len(groups["eval"]) > 3


def test_weights_of_many_splits_are_kept(made, tmp_path):
    pq.write_table(trips(2000), tmp_path / "t.parquet")

    result = made(ParquetExampleGen, tmp_path / "t.parquet", splits={"train": 8, "eval": 1, "test": 1})

    assert 1500 < result.properties["rows"]["train"] < 1700
    assert 150 < result.properties["rows"]["test"] < 250


def test_files_can_decide_the_split(made, tmp_path):
    for folder, seed in (("train", 1), ("train/more", 2), ("eval", 3)):
        (tmp_path / folder).mkdir()
        pq.write_table(trips(50, seed), tmp_path / folder / "t.parquet")
    paths = [tmp_path / folder / "t.parquet" for folder in ("train", "train/more", "eval")]

    result = made(ParquetExampleGen, *paths, input_splits={"train": "train/**", "eval": "eval/*"})

    assert result.properties["rows"] == {"train": 100, "eval": 50}
    assert result.properties["split_names"] == ["train", "eval"]
    assert rows_of(result)["eval"] == trips(50, 3).to_pylist()
    assert len(examples.split_files(result.path, "train")) == 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"a": ["x"], "b": [1]}, "they differ in column 'a': {second} has string and {first} has int64"),
        ({"a": [1]}, "they differ in column 'b': {second} lacks it and {first} has int64"),
        ({"a": [1], "b": [1], "c": [1]}, "they differ in column 'c': {second} has int64 and {first} lacks it"),
    ],
)
def test_another_schema_in_one_file_names_file_and_column(made, tmp_path, second, message):
    first, other = tmp_path / "1.parquet", tmp_path / "2.parquet"
    pq.write_table(pa.table({"a": [1], "b": [1]}), first)
    pq.write_table(pa.table(second), other)

    with pytest.raises(DataError) as caught:
        made(ParquetExampleGen, first, other)

    assert message.format(first=first, second=other) in str(caught.value)


def test_column_without_a_value_in_one_file_takes_the_type_of_the_others(made, tmp_path):
    pq.write_table(pa.table({"a": pa.nulls(3)}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1.5]}), tmp_path / "2.parquet")

    result = made(ParquetExampleGen, tmp_path / "1.parquet", tmp_path / "2.parquet", splits={"all": 1})

    assert result.properties["columns"] == {"a": "float64"}
    assert [row["a"] for row in rows_of(result)["all"]] == [None, None, None, 1.5]


@pytest.mark.parametrize(
    ("table", "parameters", "message"),
    [
        ({"a": [[[1]]]}, {}, "Column 'a' has the type 'list<element: list<element: int64>>'"),
        ({"a": pa.array([2**64 - 1], pa.uint64())}, {}, "Column 'a' holds 18446744073709551615, an integer"),
        ({"fare": [1]}, {"row_filter": "fare > 1"}, "No row of"),
        ({"fare": [1]}, {"row_filter": "fare == 'x'"}, "Compare a column with values of its own type"),
    ],
)
def test_bad_input_is_an_error_of_the_data(made, tmp_path, table, parameters, message):
    pq.write_table(pa.table(table), tmp_path / "t.parquet")

    with pytest.raises(DataError) as caught:
        made(ParquetExampleGen, tmp_path / "t.parquet", **parameters)

    assert message in str(caught.value)


def test_a_type_of_a_column_that_is_not_there_is_the_authors_error(made, tmp_path):
    (tmp_path / "t.csv").write_text("fare\n1\n")

    with pytest.raises(ParameterError, match=r"names 'fair', which is no column of .*t\.csv\. Did you mean 'fare'\?"):
        made(CsvExampleGen, tmp_path / "t.csv", column_types={"fair": "int64"})


@pytest.mark.parametrize("component", [ParquetExampleGen, CsvExampleGen])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"columns": ["fair"]}, "columns= names 'fair', which is no column{file}. Did you mean 'fare'? {all}"),
        (
            {"row_filter": "fair > 1"},
            "row_filter='fair > 1' names 'fair', which is no column{file}. Did you mean 'fare'? {all}",
        ),
        (
            {"partition_feature": "cabb"},
            "partition_feature= names 'cabb', which is no column. Did you mean 'cab'? {all}",
        ),
    ],
)
def test_a_column_that_is_not_there_is_the_authors_error(made, tmp_path, component, parameters, message):
    path = tmp_path / "rows"
    write = pq.write_table if component is ParquetExampleGen else pacsv.write_csv
    write(pa.table({"fare": [1], "cab": [2]}), path)
    where = f" of {path}" if component is ParquetExampleGen else ""

    with pytest.raises(ParameterError) as caught:
        made(component, path, **parameters)

    assert str(caught.value) == message.format(file=where, all="The columns: fare, cab.")


@pytest.mark.parametrize("keep", [0, 20, 700])
def test_damaged_file_is_named(made, tmp_path, keep):
    pq.write_table(trips(), tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:keep])

    with pytest.raises(DataError, match=r"t\.parquet can't be read as Parquet.*Fetch or write it anew"):
        made(ParquetExampleGen, tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"splits": {"a": 1}, "input_splits": {"a": "*"}}, "Give one or the other"),
        ({"columns": []}, "columns is empty"),
        ({"columns": ["a", "a"]}, "columns names 'a' twice"),
        ({"columns": ["a"], "partition_feature": "b"}, "must be among columns="),
        ({"row_filter": "fare >"}, r"row_filter='fare >' can't be read"),
        ({"row_filter": "fare = 3"}, r"row_filter='fare = 3' can't be read at character \d+\. Equality is written =="),
        ({"row_filter": "fare"}, "'fare' is no condition"),
        ({"row_filter": "fare == null"}, "ask with `is null`"),
        ({"row_filter": "__import__('os') == 1"}, "is neither a column nor a number nor a text"),
    ],
)
def test_impossible_parameters_are_refused_beforehand(parameters, message):
    with pytest.raises(ParameterError, match=f"ParquetExampleGen: .*{message}"):
        check_parameters(**parameters)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"train": "train/*", "eval": "evil/*"}, r"input_splits\['eval'\] is 'evil/\*', which fits no file"),
        ({"train": "train/*", "eval": "*/*"}, "train/t.parquet fits the patterns of train and eval"),
    ],
)
def test_input_splits_that_fit_not_or_twice_are_refused(made, tmp_path, patterns, message):
    (tmp_path / "train").mkdir()
    pq.write_table(trips(5), tmp_path / "train" / "t.parquet")

    with pytest.raises(ParameterError, match=message):
        made(ParquetExampleGen, tmp_path / "train" / "t.parquet", input_splits=patterns)

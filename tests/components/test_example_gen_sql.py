"""SqlExampleGen on a real SQLite and a real PostgreSQL."""

import glob
import math
import os
import pickle
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy

from penstock.artifacts import Examples
from penstock.components.ingestion.parquet_example_gen import ParquetExampleGen
from penstock.components.ingestion.sql_example_gen import SqlExampleGen, check_parameters
from penstock.data import examples, query_rows
from penstock.data.adbc_source import AdbcRows
from penstock.data.errors import DataFormatError
from penstock.data.sql_source import SqlRows
from penstock.pipeline import Beam, DataError, ParameterError, Secret
from tests.components.conftest import rows_of
from tests.components.test_example_gen_parquet import trips

PASSWORD = "s3cret-word"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def postgres():
    """The URL, without its password, of a server: that of PENSTOCK_POSTGRES_URL, or one of our own."""
    pytest.importorskip("psycopg", reason="needs the extra postgresql")
    if "PENSTOCK_POSTGRES_URL" in os.environ:
        yield os.environ["PENSTOCK_POSTGRES_URL"]
        return
    found = shutil.which("initdb") or next(
        iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)), None
    )
    if found is None:
        pytest.skip("needs PostgreSQL's initdb, or a server in PENSTOCK_POSTGRES_URL")
    # No folder of pytest's: those are closed to other users, and as root the server runs as one.
    with tempfile.TemporaryDirectory(prefix="penstock-postgres-") as folder:
        yield from throw_away_server(Path(folder), os.path.dirname(found))


def throw_away_server(folder, binaries):
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    as_user = {"user": user} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, user)
    (folder / "word").write_text(PASSWORD)
    os.chmod(folder / "word", 0o644)
    port = free_port()
    log = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **as_user}
    made = ["-D", folder / "data", "-U", "taxi", "-A", "scram-sha-256", f"--pwfile={folder / 'word'}", "-N"]
    subprocess.run([f"{binaries}/initdb", *made], check=True, **log)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [f"{binaries}/pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, **log)
    try:
        yield f"postgresql+psycopg://taxi@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **log)


@pytest.fixture(params=["sqlite", "sqlite+adbc"])
def sqlite(tmp_path, request):
    path = tmp_path / "trips.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE trips (id INTEGER, taxi TEXT, fare REAL, miles INTEGER)")
        rows = [(i, *row.values()) for i, row in enumerate(trips().to_pylist())]
        database.executemany("INSERT INTO trips VALUES (?, ?, ?, ?)", rows)
    database.close()
    return f"{request.param}:///{path}"


@pytest.fixture(params=["psycopg", "adbc"])
def server(postgres, request):
    """The server's URL for either way to reach it."""
    return postgres.replace("+psycopg", f"+{request.param}")


@pytest.fixture
def ingest(tmp_path):
    def run(connection, query, output="out", **parameters):
        made = Examples(str(tmp_path / output))
        SqlExampleGen(examples=made, connection=connection, query=query, **parameters)
        return made

    return run


def test_same_rows_from_a_database_and_from_parquet_have_one_digest(ingest, made, tmp_path, sqlite):
    pq.write_table(trips(), tmp_path / "t.parquet")

    from_sql = ingest(sqlite, "SELECT taxi, fare, miles FROM trips;", output="1")
    from_parquet = made(ParquetExampleGen, tmp_path / "t.parquet", output="2")

    assert examples.digest(from_sql.path) == examples.digest(from_parquet.path)
    assert from_sql.properties == from_parquet.properties


def test_a_span_chooses_the_rows_of_a_day(ingest, sqlite):
    query = "SELECT id, @span_yyyymmdd_utc AS day FROM trips WHERE id >= @span_begin_timestamp / 86400 * 10"

    result = ingest(sqlite, query, span=39, splits={"all": 1})

    assert result.properties["span"] == 39
    assert [row["id"] for row in rows_of(result)["all"]] == list(range(390, 400))
    assert {row["day"] for row in rows_of(result)["all"]} == {"19700209"}


def test_partitions_are_shards_and_change_no_digest(ingest, sqlite):
    query = "SELECT * FROM trips WHERE taxi != ':not a parameter' UNION ALL SELECT NULL, 'none', 1.0, 2"
    whole = ingest(sqlite, query, output="1")

    parts = ingest(sqlite, query, output="2", partition_column="id", partitions=3, beam=Beam(workers=2))

    assert len(examples.split_files(parts.path, "train")) == 3
    assert sum(parts.properties["rows"].values()) == 401
    assert examples.digest(parts.path) == examples.digest(whole.path)


@pytest.mark.parametrize(
    ("query", "parameters", "message"),
    [
        ("SELECT * FROM trips WHERE id < 0", {}, "There are no data rows"),
        ("SELECT * FROM trips WHERE id < 0", {"partition_column": "id"}, "returns no row with a 'id'"),
        ("SELECT * FROM tripz", {}, "The database refuses the query 'SELECT * FROM tripz': '"),
        ("SELECT * FROM tripz", {}, "no such table: tripz"),
        ("SELECT id, id FROM trips", {}, "'id' is there 2 times. Name them in the query with AS"),
        ("SELECT * FROM trips", {"partition_column": "taxi"}, "must hold whole numbers, it holds str"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(ingest, sqlite, query, parameters, message):
    with pytest.raises(DataError) as caught:
        ingest(sqlite, query, **parameters)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("partition_column", "message"),
    [
        (
            "idd",
            "partition_column='idd' is no column of the query. Did you mean 'id'? Its columns: id, taxi, fare, miles.",
        ),
        ("nowhere", "partition_column='nowhere' is no column of the query. Its columns: id, taxi, fare, miles."),
    ],
)
def test_a_partition_column_that_is_not_there_is_named(ingest, sqlite, partition_column, message):
    with pytest.raises(ParameterError) as caught:
        ingest(sqlite, "SELECT * FROM trips", partition_column=partition_column)

    assert str(caught.value) == message


@pytest.mark.parametrize("statement", ["DELETE FROM trips WHERE id >= 0", "DROP TABLE trips"])
def test_a_statement_that_changes_a_file_is_refused_and_changes_nothing(sqlite, statement):
    rows = SqlRows if "adbc" not in sqlite else AdbcRows

    with pytest.raises(DataFormatError, match=r"The database refuses the query .*readonly"):
        list(rows(sqlite, statement).batches(statement))

    (counted,) = rows(sqlite, "").batches("SELECT count(*) AS rows FROM trips")
    assert counted.to_pylist() == [{"rows": 400}]


def test_a_statement_without_rows_is_no_select(sqlite):
    statement = "PRAGMA case_sensitive_like = ON"

    with pytest.raises(DataFormatError, match="it returns no rows, so it is no SELECT"):
        list(SqlRows(sqlite.replace("+adbc", ""), statement).batches(statement))


def test_a_server_is_read_in_a_transaction_that_changes_nothing(server, monkeypatch):
    monkeypatch.setenv("WORD", PASSWORD)
    rows = (AdbcRows if "adbc" in server else SqlRows)(server, "", Secret("WORD"))

    with pytest.raises(DataFormatError, match="The database refuses the query"):
        list(rows.batches("CREATE TABLE penstock_made (a int)"))

    asked = "SELECT current_setting('transaction_read_only') AS only, to_regclass('penstock_made') IS NULL AS none"
    assert next(rows.batches(asked)).to_pylist() == [{"only": "on", "none": True}]


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+adbc"])
def test_unreachable_database_is_named_and_none_is_made(ingest, tmp_path, scheme):
    path = tmp_path / "typo.db"

    with pytest.raises(DataError) as caught:
        ingest(f"{scheme}:///{path}", "SELECT 1")

    assert str(caught.value) == (
        f"{scheme}:///{path} can't be reached or refuses the credentials: 'there is no file {path}'. Check host, "
        "database, user and the password's secret."
    )
    assert not path.exists()


def test_values_of_two_types_name_the_row(ingest):
    with pytest.raises(DataError) as caught:
        ingest("sqlite://", "SELECT 1 AS a UNION ALL SELECT 'x'")

    assert str(caught.value) == (
        "Row 2 of the query: column 'a' holds text ('x'), and an integer ('1') before. Cast the column in the query."
    )


def test_a_type_that_changes_late_breaks_off_an_adbc_result(ingest, tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE t (a)")
        database.executemany("INSERT INTO t VALUES (?)", [(i if i < 900_000 else "x",) for i in range(900_001)])
    database.close()

    with pytest.raises(DataError) as caught:
        ingest(f"sqlite+adbc:///{tmp_path}/t.db", "SELECT a FROM t")

    assert str(caught.value) == (
        f"sqlite+adbc:///{tmp_path}/t.db: reading broke off after row 892928: '[SQLite] Type mismatch in column 0: "
        "expected INT64 but got STRING/BINARY'. SQLite's columns have no types of their own, ADBC takes those of the "
        "first 8192 rows. Cast the column in the query, or take SQLAlchemy's URL, 'sqlite:///...'."
    )


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        (
            "mysql+adbc://me@host/db",
            "mysql+adbc://me@host/db: there is no ADBC driver for 'mysql' here, there are postgresql and sqlite. Reach "
            "other databases by SQLAlchemy: 'mysql+pymysql://user@host/database'.",
        ),
        ("nope://me@host/db", "nope://me@host/db: there is no driver for it here: Can't load plugin: "),
    ],
)
def test_a_database_without_a_driver_is_named(ingest, connection, message):
    with pytest.raises(DataError) as caught:
        ingest(connection, "SELECT 1")

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"connection": "trips.db"}, "is no SQLAlchemy URL"),
        ({"connection": "postgresql://me:word@host/db"}, "holds a password"),
        ({"query": " "}, "query is empty"),
        (
            {"query": "-- tidy up\ndrop TABLE t"},
            r"query= begins with 'drop', and must read: write one SELECT \(or WITH",
        ),
        ({"query": "/* all */ (delete from t)"}, "query= begins with 'delete', and must read"),
        ({"partitions": 0}, "partitions must be at least 1"),
        ({"span": 3}, "span= chooses by @span_begin_timestamp, .* in query=, which names none of them"),
        ({"query": "SELECT @span_yyyymmdd_utc"}, "query= asks for @span_yyyymmdd_utc, and there is no span="),
        ({"splits": {"a": 0}}, "must be a whole number"),
    ],
)
def test_impossible_parameters_are_refused_beforehand(parameters, message):
    with pytest.raises(ParameterError, match=f"SqlExampleGen: .*{message}"):
        check_parameters(**({"connection": "sqlite://", "query": "SELECT 1"} | parameters))


def test_postgresql_types_and_partitions(ingest, server, postgres, monkeypatch):
    monkeypatch.setenv("WORD", PASSWORD)
    url = sqlalchemy.make_url(postgres).set(password=PASSWORD)
    with sqlalchemy.create_engine(url).begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS penstock_trips"))
        connection.execute(
            sqlalchemy.text(
                "CREATE TABLE penstock_trips AS SELECT i AS id, i % 7 = 0 AS night, (i * 1.5)::numeric(10, 2) AS fare, "
                "timestamptz '2024-05-01 12:00:00+00' + i * interval '1 hour' AS at, ARRAY[i, i + 1] AS zones, "
                "'cab ' || i AS cab, decode('ff', 'hex') AS picture, i::numeric AS whole, 'NaN'::numeric AS odd, "
                "NULLIF(i, 7)::float4 AS small, date '2024-05-01' AS day, time '12:00' AS noon, "
                "'00000000-0000-0000-0000-00000000000f'::uuid AS key, ARRAY[i::numeric / 2] AS halves "
                "FROM generate_series(1, 300) AS i"
            )
        )
    query = "SELECT * FROM penstock_trips WHERE at::date >= '2024-05-01' ORDER BY id"

    result = ingest(server, query, password=Secret("WORD"), partition_column="id", partitions=4, splits={"a": 1})

    assert result.properties["rows"] == {"a": 300}
    assert len(examples.split_files(result.path, "a")) == 4
    row = rows_of(result)["a"][6]
    assert math.isnan(row.pop("odd"))
    assert row == {
        "id": 7,
        "night": 1,
        "fare": 10.5,
        "at": 1_714_590_000_000_000,
        "zones": [7, 8],
        "cab": "cab 7",
        "picture": b"\xff",
        "whole": 7,
        "small": None,
        "day": 1_714_521_600_000_000,
        "noon": 43_200_000_000,
        "key": "00000000-0000-0000-0000-00000000000f",
        "halves": [3.5],
    }
    assert examples.arrow_schema(result.path).field("at").metadata == {b"unit": b"us"}


@pytest.mark.parametrize("expression", ["2::numeric(40) ^ 70", "18446744073709551616"])
def test_integers_of_more_than_64_bits_are_refused_by_name(ingest, server, monkeypatch, expression):
    monkeypatch.setenv("WORD", PASSWORD)

    with pytest.raises(DataError) as caught:
        ingest(server, f"SELECT 1 AS a, round({expression}) AS big", password=Secret("WORD"))

    said = str(caught.value)
    assert "of the query: column 'big' holds " in said
    assert "Cast the column in the query." in said


def test_a_type_that_only_postgresql_knows_is_refused_by_name(ingest, postgres, monkeypatch):
    monkeypatch.setenv("WORD", PASSWORD)

    with pytest.raises(DataError) as caught:
        ingest(postgres.replace("psycopg", "adbc"), "SELECT inet '1.2.3.4' AS ip", password=Secret("WORD"))

    assert str(caught.value) == (
        "Column 'ip' of the query has the type 'inet' of PostgreSQL, which comes as bytes. Cast it in the query, as to "
        "text."
    )


def test_a_query_that_fails_midway_is_named(ingest, server, monkeypatch):
    monkeypatch.setenv("WORD", PASSWORD)

    with pytest.raises(DataError, match=r"'.*division by zero"):
        ingest(server, "SELECT 1 / (i - 200000) AS x FROM generate_series(1, 300000) AS i", password=Secret("WORD"))


def test_wrong_credentials_are_named_without_the_password(ingest, server, monkeypatch):
    monkeypatch.setenv("WORD", "wrong-word")

    with pytest.raises(DataError) as caught:
        ingest(server, "SELECT 1", password=Secret("WORD"))

    assert "password authentication failed" in str(caught.value)
    assert "wrong-word" not in str(caught.value)


@pytest.mark.parametrize("way", ["psycopg", "adbc"])
def test_unreachable_server_is_named(ingest, way):
    pytest.importorskip("psycopg", reason="needs the extra postgresql")

    with pytest.raises(DataError, match=r"can't be reached or refuses the credentials: '.*[Cc]onnection"):
        ingest(f"postgresql+{way}://taxi@127.0.0.1:{free_port()}/x", "SELECT 1")


@pytest.mark.parametrize("way", ["psycopg", "adbc"])
def test_a_server_that_never_answers_is_given_up(ingest, monkeypatch, way):
    pytest.importorskip("psycopg", reason="needs the extra postgresql")
    monkeypatch.setattr(query_rows, "CONNECT_SECONDS", 2)

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(DataError, match=r"can't be reached or refuses the credentials: '.*timeout"):
            ingest(f"postgresql+{way}://taxi@127.0.0.1:{deaf.getsockname()[1]}/x", "SELECT 1")


def test_the_password_is_in_no_text_and_no_pickle_of_a_source(monkeypatch):
    monkeypatch.setenv("WORD", PASSWORD)

    for source in (SqlRows, AdbcRows):
        rows = source("postgresql+adbc://me@host/db", "SELECT 1", Secret("WORD"))
        assert PASSWORD not in repr(rows)
        assert PASSWORD.encode() not in pickle.dumps(rows)
        assert PASSWORD not in str(rows.unreachable(f"no {PASSWORD}"))


def test_a_password_that_is_not_set_is_named(ingest, monkeypatch):
    monkeypatch.delenv("WORD", raising=False)

    with pytest.raises(ParameterError, match=r"Secret\('WORD'\) needs the environment variable WORD"):
        ingest("postgresql+psycopg://me@host/db", "SELECT 1", password=Secret("WORD"))

"""SqlExampleGen on a real SQLite and a real PostgreSQL."""

import glob
import os
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
from penstock.data import examples
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


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "trips.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE trips (id INTEGER, taxi TEXT, fare REAL, miles INTEGER)")
        rows = [(i, *row.values()) for i, row in enumerate(trips().to_pylist())]
        database.executemany("INSERT INTO trips VALUES (?, ?, ?, ?)", rows)
    database.close()
    return f"sqlite:///{path}"


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
        ("SELECT * FROM tripz", {}, "The database refuses the query 'SELECT * FROM tripz': 'no such table: tripz'"),
        ("SELECT id, id FROM trips", {}, "'id' is there 2 times. Name them in the query with AS"),
        ("SELECT 1 AS a UNION ALL SELECT 'x'", {}, "Row 2 of the query: column 'a' holds text ('x')"),
        ("SELECT * FROM trips", {"partition_column": "taxi"}, "must hold whole numbers, it holds str"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(ingest, sqlite, query, parameters, message):
    with pytest.raises(DataError) as caught:
        ingest(sqlite, query, **parameters)

    assert message in str(caught.value)


def test_unreachable_database_is_named(ingest, tmp_path):
    with pytest.raises(DataError, match=r"can't be reached or refuses the credentials: 'unable to open database file'"):
        ingest(f"sqlite:///{tmp_path}/no/such/folder.db", "SELECT 1")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"connection": "trips.db"}, "is no SQLAlchemy URL"),
        ({"connection": "postgresql://me:word@host/db"}, "holds a password"),
        ({"query": " "}, "query is empty"),
        ({"partitions": 0}, "partitions must be at least 1"),
        ({"splits": {"a": 0}}, "must be a whole number"),
    ],
)
def test_impossible_parameters_are_refused_beforehand(parameters, message):
    with pytest.raises(ParameterError, match=f"SqlExampleGen: .*{message}"):
        check_parameters(**({"connection": "sqlite://", "query": "SELECT 1"} | parameters))


def test_postgresql_types_and_partitions(ingest, postgres, monkeypatch):
    monkeypatch.setenv("WORD", PASSWORD)
    url = sqlalchemy.make_url(postgres).set(password=PASSWORD)
    with sqlalchemy.create_engine(url).begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS penstock_trips"))
        connection.execute(
            sqlalchemy.text(
                "CREATE TABLE penstock_trips AS SELECT i AS id, i % 7 = 0 AS night, (i * 1.5)::numeric(10, 2) AS fare, "
                "timestamptz '2024-05-01 12:00:00+00' + i * interval '1 hour' AS at, ARRAY[i, i + 1] AS zones, "
                "'cab ' || i AS cab, decode('ff', 'hex') AS picture FROM generate_series(1, 300) AS i"
            )
        )
    query = "SELECT * FROM penstock_trips WHERE at::date >= '2024-05-01' ORDER BY id"

    result = ingest(postgres, query, password=Secret("WORD"), partition_column="id", partitions=4, splits={"a": 1})

    assert result.properties["rows"] == {"a": 300}
    assert len(examples.split_files(result.path, "a")) == 4
    assert rows_of(result)["a"][6] == {
        "id": 7,
        "night": 1,
        "fare": 10.5,
        "at": 1_714_590_000_000_000,
        "zones": [7, 8],
        "cab": "cab 7",
        "picture": b"\xff",
    }


def test_wrong_credentials_are_named_without_the_password(ingest, postgres, monkeypatch):
    monkeypatch.setenv("WORD", "wrong-word")

    with pytest.raises(DataError) as caught:
        ingest(postgres, "SELECT 1", password=Secret("WORD"))

    assert "password authentication failed" in str(caught.value)
    assert "wrong-word" not in str(caught.value)


def test_unreachable_server_is_named(ingest):
    pytest.importorskip("psycopg", reason="needs the extra postgresql")

    with pytest.raises(DataError, match="can't be reached or refuses the credentials"):
        ingest(f"postgresql+psycopg://taxi@127.0.0.1:{free_port()}/x", "SELECT 1")

"""A database in a pipeline: it is read in every run, and what follows is cached while its rows are the same."""

import sqlite3

import pytest

from tests.cli.conftest import Shell

PIPELINE = """
from penstock.components import SqlExampleGen, StatisticsGen
from penstock.pipeline import pipeline


@pipeline
def trips(database: str):
    gen = SqlExampleGen(connection=f"sqlite:///{{database}}", query="SELECT * FROM trips"{options})
    StatisticsGen(examples=gen.examples)
"""


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "trips.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trips (id INTEGER, fare REAL)")
        connection.executemany("INSERT INTO trips VALUES (?, ?)", [(i, i / 2) for i in range(200)])
    connection.close()
    return path


@pytest.fixture
def run(tmp_path, database):
    """Runs the pipeline with options of the node, and returns the state of each step."""
    shell = Shell(tmp_path)

    def once(options=""):
        (tmp_path / "pipeline.py").write_text(PIPELINE.format(options=options))
        said = shell("run", "pipeline.py", "-p", f"database={database}")
        assert said.code == 0, said.err + said.out
        steps = shell("runs", "--json").json()[0]["steps"]
        return {step["id"]: step["state"] for step in steps}

    return once


def change(database, statement):
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


def test_a_database_is_read_again_and_equal_rows_are_known_again(run, database):
    run()
    change(database, "CREATE TABLE unread (x)")

    assert run() == {"SqlExampleGen": "COMPLETE", "StatisticsGen": "CACHED"}


def test_a_changed_row_is_seen(run, database):
    run()
    change(database, "UPDATE trips SET fare = 99 WHERE id = 3")

    assert run() == {"SqlExampleGen": "COMPLETE", "StatisticsGen": "COMPLETE"}


def test_a_snapshot_is_read_once_for_each_name(run, database):
    run(', cache=True, salt="may"')
    change(database, "UPDATE trips SET fare = 99 WHERE id = 3")

    assert run(', cache=True, salt="may"') == {"SqlExampleGen": "CACHED", "StatisticsGen": "CACHED"}
    assert run(', cache=True, salt="june"') == {"SqlExampleGen": "COMPLETE", "StatisticsGen": "COMPLETE"}

"""What BigQuery is asked for, without BigQuery: arguments, escapes, and conditions that SQLite computes alike."""

import re
import sqlite3

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.bigquery_read import BigQueryRead
from penstock.data.row_filter import RowFilter
from penstock.data.selected_rows import filtered

DIRECT = {"method": "DIRECT_READ", "use_native_datetime": True}
SQL = {**DIRECT, "use_standard_sql": True, "flatten_results": False}
DAY = 19_844  # 2024-05-01


@pytest.mark.parametrize(
    ("read", "arguments"),
    [
        (BigQueryRead("my-project.taxi.trips"), {**DIRECT, "table": "my-project:taxi.trips"}),
        (BigQueryRead("taxi.trips"), {**DIRECT, "table": "taxi.trips"}),
        (BigQueryRead("example.com:old.taxi.trips"), {**DIRECT, "table": "example.com:old:taxi.trips"}),
        (
            BigQueryRead("p.d.t", columns=("fare", "place.lat", "place.lon"), row_filter=RowFilter("fare > 3")),
            {**DIRECT, "table": "p:d.t", "selected_fields": ["fare", "place"], "row_restriction": "(`fare` > 3)"},
        ),
        (
            BigQueryRead("p.d.t", span=DAY, span_column="_PARTITIONTIME", row_filter=RowFilter("n is not null")),
            {
                **DIRECT,
                "table": "p:d.t",
                "row_restriction": "(`n` IS NOT NULL) AND (`_PARTITIONTIME` >= '2024-05-01' AND "
                "`_PARTITIONTIME` < '2024-05-02')",
            },
        ),
        (BigQueryRead(query=" SELECT 1 AS a; "), {**SQL, "query": "SELECT 1 AS a"}),
        (
            BigQueryRead(query="SELECT * FROM t -- all", columns=("a", "b.c"), row_filter=RowFilter("a == 'x'")),
            {**SQL, "query": 'SELECT `a`, `b` FROM (\nSELECT * FROM t -- all\n) WHERE (`a` = "x")'},
        ),
        (
            BigQueryRead(
                query="SELECT * FROM t WHERE s BETWEEN @span_begin_timestamp AND @span_end_timestamp "
                "AND d = @span_yyyymmdd_utc",
                span=DAY,
            ),
            {**SQL, "query": "SELECT * FROM t WHERE s BETWEEN 1714521600 AND 1714608000 AND d = '20240501'"},
        ),
    ],
)
def test_arguments_of_the_connector(read, arguments):
    assert read.arguments() == arguments


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        ("a == 'it''s' or b != \"say \\\"x\\\"\"", '((`a` = "its") OR (`b` <> "say \\"x\\""))'),
        ("a in ['x', 'y\\n'] and not (b.c <= -2.5)", '((`a` IN ("x", "y\\n")) AND (NOT (`b`.`c` <= -2.5)))'),
        ("flag == True and col('odd name') not in [1, 2]", "((`flag` = TRUE) AND (`odd name` NOT IN (1, 2)))"),
        ("1 < n <= 9 or s is null", "(((1 < `n`) AND (`n` <= 9)) OR (`s` IS NULL))"),
        ("s == 'Zoë 🚕'", '(`s` = "Zoë 🚕")'),
        ("s == 'x\"; DROP TABLE t; --'", '(`s` = "x\\"; DROP TABLE t; --")'),
    ],
)
def test_conditions_are_written_and_escaped_as_google_sql(condition, sql):
    assert BigQueryRead("d.t", row_filter=RowFilter(condition)).arguments()["row_restriction"] == sql


ROWS = [(n, s) for n in (None, -1, 0, 1, 2) for s in (None, "", "a", "b")]
_leaves = st.sampled_from(
    ["n > 0", "n != 1", "0 <= n < 2", "n is null", "s == 'a'", "s in ['a', 'b']", "s not in ['a']", "s is not null"]
)
_conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=5,
)


@given(_conditions)
def test_the_sql_of_a_condition_keeps_the_rows_that_arrow_keeps(condition):
    read = RowFilter(condition)
    batch = pa.RecordBatch.from_arrays([pa.array(column) for column in zip(*ROWS, strict=True)], names=["n", "s"])
    with sqlite3.connect(":memory:") as database:  # takes backticks and quotes as BigQuery does
        database.execute("CREATE TABLE t (n INTEGER, s TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
        chosen = database.execute(f"SELECT n, s FROM t WHERE {read.sql(lambda name: f'`{name}`')}").fetchall()

    kept = [tuple(row.values()) for row in filtered(batch, read).to_pylist()]

    assert sorted(chosen, key=repr) == sorted(kept, key=repr)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "give table= or query=, one of them."),
        ({"table": "d.t", "query": "SELECT 1"}, "give table= or query=, one of them."),
        ({"table": "trips"}, "table='trips' is no table. Write 'project.dataset.table' or 'dataset.table'."),
        (
            {"table": "d.trips$20240501"},
            "table='d.trips$20240501' names a partition, which the Storage Read API doesn't know. Give span= and "
            "span_column= instead (for partitions by load time: span_column='_PARTITIONTIME').",
        ),
        ({"table": "d.t", "span": 3}, "of a table, span= and span_column= belong together: give both or none."),
        (
            {"query": "SELECT @span_yyyymmdd_utc"},
            "query= asks for @span_yyyymmdd_utc, and there is no span=. Give the day as a number since 1970.",
        ),
        (
            {"query": "SELECT 1", "span": 3},
            "span= chooses by @span_begin_timestamp, @span_end_timestamp, @span_yyyymmdd_utc in query=, which names "
            "none of them. Name one.",
        ),
        (
            {"table": "d.t", "columns": ("a`b",)},
            "'a`b' can't be a column of BigQuery: it has a backtick, backslash or newline.",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(parameters, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BigQueryRead(**parameters)

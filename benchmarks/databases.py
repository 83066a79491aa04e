"""The rows of a table by SQLAlchemy and by ADBC: CPU seconds of this process, in SQLite and in PostgreSQL.

PostgreSQL is that of $PENSTOCK_POSTGRES_URL ("postgresql://user:password@host/database"), where that is set. The table
has 200,000 rows of 5 integers, 5 floats and 5 texts. The batches are counted and thrown away.
"""

from __future__ import annotations

import json
import os
import pathlib
import sqlite3
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from penstock.data.adbc_source import AdbcRows
from penstock.data.sql_source import SqlRows

if TYPE_CHECKING:
    from penstock.data.query_rows import QueryRows

ROWS = 200_000
COLUMNS = [*(f"i{n}" for n in range(5)), *(f"x{n}" for n in range(5)), *(f"s{n}" for n in range(5))]
MADE = ", ".join(
    [f"n * {k} AS i{k}" for k in range(5)]
    + [f"n / {k + 2}.0 AS x{k}" for k in range(5)]
    + [f"'text ' || (n % {k + 9}) AS s{k}" for k in range(5)]
)
FLOATS = MADE.replace(".0 AS", ".0::float8 AS")
SERIES = f"SELECT {FLOATS} FROM generate_series(1, {ROWS}) AS n"


def sqlite_table(folder: str) -> str:
    """Makes the table in a file and returns the path."""
    path = str(pathlib.Path(folder) / "rows.db")
    with sqlite3.connect(path) as database:
        counted = f"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {ROWS})"
        database.execute(f"CREATE TABLE rows AS {counted} SELECT {MADE} FROM t")
    database.close()
    return path


def measured(source: QueryRows) -> dict[str, float]:
    """Reads everything, and returns rows, CPU seconds and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    rows = sum(placed.batch.num_rows for each in source.ranges() for placed in source.placed(each))
    assert rows == ROWS
    return {"cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2)}


def main() -> int:
    """Prints both ways in both databases, and the figures as one JSON object."""
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = sqlite_table(folder)
        figures["sqlite, SQLAlchemy"] = measured(SqlRows(f"sqlite:///{path}", "SELECT * FROM rows"))
        figures["sqlite, ADBC"] = measured(AdbcRows(f"sqlite+adbc:///{path}", "SELECT * FROM rows"))
    server = os.environ.get("PENSTOCK_POSTGRES_URL", "")
    if server:
        rest = server.partition("://")[2]
        figures["postgresql, SQLAlchemy"] = measured(SqlRows(f"postgresql+psycopg://{rest}", SERIES))
        figures["postgresql, ADBC"] = measured(AdbcRows(f"postgresql+adbc://{rest}", SERIES))
    for name, figure in figures.items():
        print(f"{name:24} {figure['cpu_s']:6.2f} CPU s {figure['wall_s']:6.2f} s wall")
    print(json.dumps({"rows": ROWS, "columns": len(COLUMNS), **figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

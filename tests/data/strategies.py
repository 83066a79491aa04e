"""Hypothesis strategies for rows and for CSV texts."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TEXTS = st.text(max_size=20)
COLUMN_TYPES = {
    "int": (pa.int64(), INTS),
    "float": (pa.float64(), FLOATS),
    "string": (pa.string(), TEXTS),
    "list": (pa.list_(pa.int64()), st.lists(INTS, max_size=3)),
}


@st.composite
def batches(draw, min_rows=0, max_rows=12):
    """Record batches of one to four columns with missing values."""
    rows = draw(st.integers(min_rows, max_rows))
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMN_TYPES)), min_size=1, max_size=4))
    columns = {}
    for i, kind in enumerate(kinds):
        type_, values = COLUMN_TYPES[kind]
        cells = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        columns[f"{kind}{i}"] = pa.array(cells, type_)
    return pa.RecordBatch.from_pydict(columns)


CELLS = st.text(st.sampled_from('ab1,;"\n\r \té'), max_size=6)


@st.composite
def csv_rows(draw, min_rows=1, max_rows=25):
    """Rows of two or three text cells; none is blank as a whole."""
    width = draw(st.integers(2, 3))
    return draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=min_rows, max_size=max_rows))


def csv_text(rows, newline="\n", quote_all=False):
    """Rows under a header; cells are quoted where they must be."""
    table = [[f"c{i}" for i in range(len(rows[0]))], *rows]
    lines = (",".join(_quoted(cell, quote_all) for cell in row) + newline for row in table)
    return "".join(lines).encode()


def _quoted(cell, always):
    return '"' + cell.replace('"', '""') + '"' if always or set(cell) & set('",\n\r') else cell

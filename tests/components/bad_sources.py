"""Makers of source files that are wrong in one way each, for the table of bad inputs."""

import decimal
import gzip
import json
import sqlite3
import struct

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from tests.components.test_example_gen_formats import damaged, example, write_records

BIG = 2**65
LATE = 900_000
NO_UTF8 = pa.StringArray.from_buffers(2, pa.py_buffer(struct.pack("<iii", 0, 1, 2)), pa.py_buffer(b"a\xff"))


def text(content):
    return lambda path: path.write_bytes(content.encode())


def raw(content):
    return lambda path: path.write_bytes(content)


def cut_off(content, left_out=12):
    """A gzip file without its end."""
    return lambda path: path.write_bytes(gzip.compress(content)[:-left_out])


def late(header, good, bad):
    """Lines of which the one numbered LATE (the header not counted) is of another type."""
    return text(header + good * (LATE - 1) + bad + good * 10)


def parquet(columns, names=None):
    table = pa.table(columns) if names is None else pa.Table.from_arrays(columns, names=names)
    return lambda path: pq.write_table(table, path)


def avro(fields, rows, replaced=(b"", b"")):
    def write(path):
        with open(path, "wb") as file:
            fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, rows)
        path.write_bytes(path.read_bytes().replace(*replaced))

    return write


def avro_decimal(value):
    type_ = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 0}
    return avro([{"name": "n", "type": type_}], [{"n": decimal.Decimal(1)}, {"n": decimal.Decimal(value)}])


def records(*features, compression="", damage=lambda data: data):
    def write(path):
        write_records(path, [example(**each) for each in features], compression)
        path.write_bytes(damage(path.read_bytes()))

    return write


def flipped(position):
    """Damages one byte, counted from the end."""
    return lambda data: damaged(data, len(data) - position)


def database(statement, rows):
    def write(path):
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE t (a, b)")
            connection.executemany(statement, rows)
        connection.close()

    return write


def json_lines(*rows):
    return text("".join(json.dumps(row) + "\n" for row in rows))

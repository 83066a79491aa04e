"""Read a schema that people have edited, and say what is wrong with it before any data is held against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.draft import draft_of, in_use
from penstock.components.validation.feature_view import FeatureView
from penstock.components.validation.specification_rules import SPECIFICATION_RULES
from penstock.data.errors import DataFormatError
from penstock.data.protos import read_schema
from penstock.pipeline import DataError
from penstock.pipeline.errors import MAX_FAILURES


def read_curated(path: str, name: str) -> schema_pb2.Schema:
    """Read and check a schema file; `name` is what messages call it.

    Raises:
        DataError: It doesn't parse, or contradicts itself; the message names the line, or the features.
    """
    try:
        schema = read_schema(path)
    except DataFormatError as error:
        raise DataError(f"Schema file {name}: {error}") from error
    faults = list(_faults(schema))
    if faults:
        left = len(faults) - MAX_FAILURES
        more = f"\n- and {left} more" if left > 0 else ""
        listed = "\n".join(f"- {fault}" for fault in faults[:MAX_FAILURES])
        raise DataError(f"Schema file {name} contradicts itself:\n{listed}{more}")
    return schema


def _faults(schema: schema_pb2.Schema) -> Iterator[str]:
    if not schema.feature:
        yield "it has no feature at all; infer a first draft with SchemaGen"
    for what, entries in (("feature", schema.feature), ("string_domain", schema.string_domain)):
        for name, times in Counter(entry.name for entry in entries).items():
            if not name:
                yield f"a {what} has no name"
            elif times > 1:
                yield f"{what} {name!r} stands in it {times} times; leave one"
    nothing = FeatureView.of_nothing()
    for feature in schema.feature:
        if in_use(feature):
            draft = draft_of(schema, feature)
            for rule in SPECIFICATION_RULES:
                yield from (f"feature {feature.name!r}: {finding.long}" for finding in rule(nothing, draft))

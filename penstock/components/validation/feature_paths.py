"""Features of a schema by the path that leads to them: the name, or the names of the structs that it is in first."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

Path = tuple[str, ...]


def features_by_path(schema: schema_pb2.Schema | None) -> dict[Path, schema_pb2.Feature]:
    """Return every feature of a schema, those in structs after the struct."""
    return dict(_walk(schema.feature, ())) if schema is not None else {}


def _walk(features: Iterable[schema_pb2.Feature], parent: Path) -> Iterator[tuple[Path, schema_pb2.Feature]]:
    for feature in features:
        path = (*parent, feature.name)
        yield path, feature
        yield from _walk(feature.struct_domain.feature, path)


def feature_at(schema: schema_pb2.Schema, path: Sequence[str]) -> schema_pb2.Feature | None:
    """Return the feature at a path; None where there is none."""
    found, among = None, schema.feature
    for name in path:
        found = next((feature for feature in among if feature.name == name), None)
        if found is None:
            return None
        among = found.struct_domain.feature
    return found


def parent_is_in(path: Path, known: Container[Path]) -> bool:
    """Whether a feature stands in no struct, or in one that is known."""
    return len(path) < 2 or path[:-1] in known


def add_feature(schema: schema_pb2.Schema, path: Sequence[str]) -> schema_pb2.Feature:
    """Add a feature at a path, with the structs that lead there where they aren't in the schema."""
    among = schema.feature
    for depth in range(1, len(path)):
        parent = feature_at(schema, path[:depth])
        if parent is None:
            parent = among.add(name=path[depth - 1], type=schema_pb2.STRUCT)
        among = parent.struct_domain.feature
    return among.add(name=path[-1])

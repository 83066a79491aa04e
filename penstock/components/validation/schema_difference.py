"""What differs between two schemas, entry by entry, and what it means for models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.compatibility import Compatibility, of_change, of_domain_values, worst
from penstock.components.validation.schema_patch import change_words, fields_of, one_line

NAMED = ("feature", "sparse_feature", "weighted_feature", "string_domain", "int_domain", "float_domain")
"""The fields of a schema that hold entries with a name."""

WHOLE = ("dataset_constraints", "default_environment", "represent_variable_length_as_ragged", "annotation")
"""The fields that stand in a schema once."""


@dataclass(frozen=True)
class Difference:
    """One entry that differs.

    Attributes:
        kind: The field of the schema that holds the entry, such as "feature".
        name: The entry's name; "" for what stands in a schema once.
        changes: What to do to get from the first schema to the second.
        compatibility: What that means for models.
    """

    kind: str
    name: str
    changes: tuple[str, ...]
    compatibility: Compatibility

    @property
    def subject(self) -> str:
        """The entry in words."""
        return f"{self.kind} {self.name!r}" if self.name else self.kind


def differences(before: schema_pb2.Schema, after: schema_pb2.Schema) -> list[Difference]:
    """Return every entry that differs; the order of entries, and of a domain's values, doesn't count."""
    found = [each for kind in NAMED for each in _of_entries(kind, before, after)]
    for kind in WHOLE:
        first, second = schema_pb2.Schema(), schema_pb2.Schema()
        for part, whole in ((first, before), (second, after)):
            _copy_field(kind, whole, part)
        changes = tuple(change_words(fields_of(first), fields_of(second)))
        if changes:
            found.append(Difference(kind, "", changes, Compatibility.COMPATIBLE))
    return found


def _copy_field(kind: str, source: schema_pb2.Schema, target: schema_pb2.Schema) -> None:
    for field, value in source.ListFields():
        if field.name != kind:
            continue
        if isinstance(value, Message):
            getattr(target, kind).CopyFrom(value)
        elif isinstance(value, bool | int | str):
            setattr(target, kind, value)
        else:
            getattr(target, kind).extend(value)


def _of_entries(kind: str, before: schema_pb2.Schema, after: schema_pb2.Schema) -> Iterator[Difference]:
    first = {entry.name: entry for entry in getattr(before, kind)}
    second = {entry.name: entry for entry in getattr(after, kind)}
    for name in [*first, *(name for name in second if name not in first)]:
        old, new = first.get(name), second.get(name)
        if old is None:
            yield Difference(kind, name, (f"add {kind} {{ {one_line(new)} }}",), Compatibility.COMPATIBLE)
        elif new is None:
            used = of_change(fields_of(old), None) if kind == "feature" else Compatibility.COMPATIBLE
            yield Difference(kind, name, ("remove it",), used)
        else:
            fields = list(_of_fields(old, new)) if kind == "feature" else []
            old, new = (_without_fields(each) if kind == "feature" else each for each in (old, new))
            changes = tuple(change_words(fields_of(old), fields_of(new)))
            if changes or fields:
                nested = [f"in its field {each.name!r} {change}" for each in fields for change in each.changes]
                reach = worst([_meaning(kind, old, new), *(each.compatibility for each in fields)])
                yield Difference(kind, name, (*changes, *nested), reach)


def _of_fields(old: schema_pb2.Feature, new: schema_pb2.Feature) -> Iterator[Difference]:
    """Yield what differs in the fields of a feature of structs, as of a schema of its own."""
    domains = (old.struct_domain.feature, new.struct_domain.feature)
    before, after = (schema_pb2.Schema(feature=fields) for fields in domains)
    yield from _of_entries("feature", before, after)


def _without_fields(feature: schema_pb2.Feature) -> schema_pb2.Feature:
    bare = schema_pb2.Feature()
    bare.CopyFrom(feature)
    if bare.WhichOneof("domain_info") == "struct_domain":
        del bare.struct_domain.feature[:]
    return bare


def _meaning(kind: str, old: Message, new: Message) -> Compatibility:
    if kind == "string_domain":
        return of_domain_values(old.value, new.value)
    return of_change(fields_of(old), fields_of(new))

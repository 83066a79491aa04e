"""What a change of a schema means for models that were trained before it: one table by the field that changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.draft import stage_in_use


class Compatibility(Enum):
    """How far a change reaches, from nothing to everything."""

    COMPATIBLE = "compatible"
    NEEDS_RETRAINING = "needs retraining"
    BREAKING = "breaking"

    @property
    def meaning(self) -> str:
        """What it means for a model, in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Compatibility.COMPATIBLE: "models trained before stay as good as they were",
    Compatibility.NEEDS_RETRAINING: "models trained before run, on values that they have not seen",
    Compatibility.BREAKING: "what reads the feature can't go on: Transform, models and servers have to change with it",
}
_ORDER = list(Compatibility)

_BREAKING = ("type", "shape", "value_count", "value_counts", "deprecated", "struct_domain")
_HARMLESS = (
    "annotation",
    "presence.min_count",
    "in_environment",
    "not_in_environment",
    "lifecycle_stage",
    "validation_derived_source",
    "group_presence",
    "image_domain.max_image_byte_size",
)
_WIDER_WHEN_LOWER = ("min", "min_fraction", "min_domain_mass", "min_coverage", "min_avg_token_length")
_WIDER_WHEN_HIGHER = ("max", "threshold")

Fields = Mapping[str, Any]
"""The leaves of a message that are set, by dotted path."""


def worst(found: Iterable[Compatibility]) -> Compatibility:
    """Return the one that reaches furthest; COMPATIBLE where nothing changes."""
    return max(found, key=_ORDER.index, default=Compatibility.COMPATIBLE)


def of_change(before: Fields | None, after: Fields | None) -> Compatibility:
    """Return what changing a feature means; None stands for a feature that there isn't.

    A feature that is new, or comes into use, is read by nothing yet. Where only less is allowed than before, nothing
    changes for a model.
    """
    if before is None:
        return Compatibility.COMPATIBLE
    if after is None or not _used(after):
        return Compatibility.BREAKING if _used(before) else Compatibility.COMPATIBLE
    if not _used(before):
        return Compatibility.COMPATIBLE
    changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    return worst(_of_field(path, before.get(path), after.get(path)) for path in changed)


def of_domain_values(before: Iterable[str], after: Iterable[str]) -> Compatibility:
    """Return what changing the values of a domain means."""
    return Compatibility.NEEDS_RETRAINING if set(after) - set(before) else Compatibility.COMPATIBLE


def _used(feature: Fields) -> bool:
    stage = schema_pb2.LifecycleStage.Value(feature.get("lifecycle_stage", "UNKNOWN_STAGE"))
    return not feature.get("deprecated") and stage_in_use(stage)


def _of_field(path: str, before: Any, after: Any) -> Compatibility:
    if _is_below(path, _BREAKING):
        return Compatibility.BREAKING
    if _is_below(path, _HARMLESS):
        return Compatibility.COMPATIBLE
    if isinstance(before, list) and isinstance(after, list):
        return of_domain_values(map(str, before), map(str, after))
    name = path.rsplit(".", 1)[-1]
    narrower = (
        before is None
        or (name in _WIDER_WHEN_LOWER and after is not None and after >= before)
        or (name in _WIDER_WHEN_HIGHER and after is not None and after <= before)
    )
    return Compatibility.COMPATIBLE if narrower else Compatibility.NEEDS_RETRAINING


def _is_below(path: str, names: Iterable[str]) -> bool:
    return any(path == name or path.startswith(name + ".") for name in names)

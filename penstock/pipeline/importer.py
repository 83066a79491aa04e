"""`Importer`: brings an artifact from outside into the graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from penstock.metadata.artifact_types import Artifact
from penstock.pipeline.definition import ComponentSpec, ParameterSpec, call_node
from penstock.pipeline.errors import WiringError
from penstock.pipeline.node import Node

IMPORTER = "penstock.pipeline.importer:Importer"
RESULT = "result"


def Importer(  # noqa: N802 - named as the field names it
    *,
    source_uri: str | os.PathLike[str],
    artifact_type: type[Artifact],
    properties: Mapping[str, Any] | None = None,
    **options: Any,
) -> Node:
    """Make a node whose output `result` is a file or folder from outside.

    It is digested, recorded in the metadata store and used where it lies; nothing is copied.

    Args:
        source_uri: A path, relative to the pipeline's folder.
        artifact_type: What it is, such as `Model`.
        properties: Recorded with it.
        **options: See `NodeOptions`.

    Raises:
        WiringError: Called outside a pipeline function, or with something that is no artifact type.
    """
    if not (isinstance(artifact_type, type) and issubclass(artifact_type, Artifact)):
        raise WiringError(f"Importer(artifact_type=...) takes an artifact type such as Model, got {artifact_type!r}.")
    spec = ComponentSpec(
        name="Importer",
        reference=IMPORTER,
        inputs={},
        outputs={RESULT: artifact_type},
        parameters={
            "source_uri": ParameterSpec(str),
            "properties": ParameterSpec(dict[str, Any] | None, None),
        },
        values={},
    )
    uri = source_uri if not isinstance(source_uri, os.PathLike) else os.fspath(source_uri)
    return call_node(spec, {"source_uri": uri, "properties": dict(properties or {}), **options})

"""The semantic digest of a TransformGraph: what the function computes, its vocabularies, and both schemas."""

from __future__ import annotations

import os

from penstock.components.saved_model_digest import combined, hash_saved_model
from penstock.components.transform_graph import RAW_SCHEMA_FILE, TRANSFORM_FN, TRANSFORMED_SCHEMA_FILE
from penstock.data.protos import digest_schema


def digest(path: str) -> str:
    """Returns "graph-1:<32 hex>" for the folder of a TransformGraph artifact."""
    return "graph-1:" + combined(
        hash_saved_model(os.path.join(path, TRANSFORM_FN)),
        digest_schema(os.path.join(path, RAW_SCHEMA_FILE)),
        digest_schema(os.path.join(path, TRANSFORMED_SCHEMA_FILE)),
    )

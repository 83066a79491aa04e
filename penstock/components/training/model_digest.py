"""The semantic digest of a `Model`: what it computes, with which weights, under which contract."""

from __future__ import annotations

import json
import os

from penstock.components.model_contract import CONTRACT_FILE, serving_folder
from penstock.components.saved_model_digest import combined, hash_saved_model, is_saved_model
from penstock.data.files import digest_tree


def digest(path: str) -> str:
    """Returns "model-1:<32 hex>" for a `Model` artifact or a SavedModel folder.

    A model of another framework, without a SavedModel, is digested by its files.
    """
    folder = serving_folder(path)
    if not is_saved_model(folder):
        return digest_tree(path)
    contract = os.path.join(folder, CONTRACT_FILE)
    metadata = ""
    if os.path.isfile(contract):
        with open(contract, encoding="utf-8") as file:
            metadata = json.dumps(json.load(file), sort_keys=True)
    return "model-1:" + combined(hash_saved_model(folder), metadata)

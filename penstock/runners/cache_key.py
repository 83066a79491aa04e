"""What a step's result depends on, as named ingredients; two equal sets mean one result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from penstock.pipeline.plan import Json, StepPlan
from penstock.runners.layout import KEY

KEY_VERSION = 1


@dataclass(frozen=True)
class CacheKey:
    """Ingredients by name, such as "code:features:preprocessing_fn", "parameter:epochs", "input:examples".

    Attributes:
        ingredients: JSON values by name.
        sources: Normalised source by code digest, of the user's own symbols.
    """

    ingredients: Mapping[str, Json]
    sources: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The key itself, as it is indexed in the metadata store."""
        text = json.dumps([KEY_VERSION, self.ingredients], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    @property
    def seed(self) -> int:
        """The seed of a step with these ingredients: the same for the same work."""
        return int(self.digest[:8], 16) & 0x7FFFFFFF

    def write(self, folder: str) -> None:
        """Write `_key.json` into an execution's folder."""
        text = {"key": self.digest, "ingredients": self.ingredients, "sources": self.sources}
        with open(os.path.join(folder, KEY), "wb") as file:
            file.write(msgspec.json.encode(text, order="sorted"))


def of_step(
    step: StepPlan,
    parameters: Mapping[str, Json],
    inputs: Mapping[str, list[str]],
    sources: Mapping[str, str],
) -> CacheKey:
    """Collect the ingredients of a step.

    Args:
        step: The step's plan.
        parameters: Its parameters, tokens replaced.
        inputs: Digests of the input artifacts and source files, by input name, in order.
        sources: The plan's normalised sources.
    """
    ingredients: dict[str, Json] = {"component": step.component or step.name}
    ingredients |= {f"code:{symbol}": digest for symbol, digest in step.code.items()}
    ingredients |= {f"parameter:{name}": value for name, value in parameters.items()}
    ingredients |= {f"input:{name}": digests for name, digests in inputs.items()}
    ingredients |= {f"version:{name}": version(name) for name in step.versions}
    ingredients |= {f"output:{name}": [output.type, output.digest] for name, output in step.outputs.items()}
    ingredients |= {f"env:{name}": value for name, value in step.env.items()}
    if step.salt:
        ingredients["salt"] = step.salt
    used = {digest: sources[digest] for digest in step.code.values() if digest in sources}
    return CacheKey(dict(sorted(ingredients.items())), used)


def load(path: str) -> CacheKey | None:
    """Read a `_key.json`; None when it is missing or damaged."""
    try:
        with open(path, "rb") as file:
            kept = msgspec.json.decode(file.read(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return CacheKey(kept.ingredients, kept.sources)


class _Kept(msgspec.Struct):
    ingredients: dict[str, Json]
    sources: dict[str, str]


@lru_cache(maxsize=256)
def version(distribution: str) -> str:
    """Return the installed version of a distribution, "" when it isn't installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""

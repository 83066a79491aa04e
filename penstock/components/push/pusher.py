"""`Pusher`: brings a blessed model to a folder from which it is served, as its next numbered version."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping

from penstock.artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from penstock.components.push.push_record import holds, latest_version
from penstock.metadata.artifact_types import Artifact
from penstock.pipeline import Input, Output, Skip, component

PUSHED_FILE = "pushed.json"


@component(effects=True, still_true="penstock.components.push.pusher:still_true")
def Pusher(
    model: Input[Model],
    pushed_model: Output[PushedModel],
    *,
    model_blessing: Input[ModelBlessing] | None = None,
    infra_blessing: Input[InfraBlessing] | None = None,
    push_destination: pathlib.Path,
) -> None:
    """Push a model to `<push_destination>/<n>`, the layout that TensorFlow Serving watches.

    The version appears at once and whole. A model that already is the latest version is adopted, not pushed again.
    Without a blessing that it was given, the step is skipped and says why.

    Args:
        model: The model; its SavedModel is copied.
        pushed_model: `pushed.json`; properties `pushed`, `pushed_destination`, `pushed_version`, `model_digest`.
        model_blessing: The Evaluator's verdict; without it every model is pushed.
        infra_blessing: The InfraValidator's verdict.
        push_destination: A folder, relative to the pipeline's.
    """
    check_blessings(model_blessing, infra_blessing)
    from penstock.components.model_contract import serving_folder
    from penstock.components.push.push import Source, push

    source = Source(model.path, serving_folder(model.path), model.digest, model.uri, model.id)
    pushed = push(source, str(push_destination))
    pushed_model.properties.update(
        pushed=1,
        pushed_destination=pushed.folder,
        pushed_version=str(pushed.version),
        model_digest=pushed.model_digest,
        push_key=pushed.key,
    )
    with open(os.path.join(pushed_model.path, PUSHED_FILE), "w", encoding="utf-8") as file:
        json.dump(pushed_model.properties, file, indent=2, sort_keys=True)
        file.write("\n")


def check_blessings(*blessings: Artifact | None) -> None:
    """Withhold the push unless every blessing that was given is one.

    Raises:
        Skip: One isn't; the reason says which bounds failed.
    """
    for blessing in blessings:
        if blessing is not None and blessing.properties.get("blessed") != 1:
            reasons = blessing.properties.get("reasons") or ["it gives no reason"]
            raise Skip(f"Not pushed, the {blessing.TYPE_NAME} refuses the model: {'; '.join(reasons)}.")


def still_true(outputs: Mapping[str, Artifact]) -> bool:
    """Say whether the destination's latest version still is this push, file by file."""
    recorded = outputs["pushed_model"].properties
    folder = str(recorded.get("pushed_destination", ""))
    latest = latest_version(os.path.dirname(folder)) if folder else None
    return latest == folder and holds(folder, str(recorded.get("push_key", "")))

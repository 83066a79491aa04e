"""What `ExampleDiff` writes and says: counts by feature, samples, and which bounds don't hold."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from penstock.components.validation.domain_rules import shortened
from penstock.components.validation.row_pairs import PairedSkew
from penstock.pipeline.errors import MAX_FAILURES

FILE = "example_diff.json"


def document(skew: PairedSkew) -> dict[str, Any]:
    """Return the outcome of one pair of splits as JSON values; long values in samples are cut to 40 characters."""
    return {
        "pairs": skew.pairs,
        "only_examples": skew.only_examples,
        "only_baseline": skew.only_baseline,
        "ambiguous": skew.ambiguous,
        "keyless": skew.keyless,
        "features": {name: {**asdict(each), "skew": each.fraction} for name, each in sorted(skew.features.items())},
        "samples": [
            {
                "key": {name: _shown(value) for name, value in each.key.items()},
                "values": {name: [_shown(value) for value in pair] for name, pair in each.values.items()},
            }
            for each in skew.samples
        ],
    }


def write(path: str, found: Mapping[str, PairedSkew]) -> None:
    """Write `Split-<split>_<baseline split>/example_diff.json` for each pair of splits."""
    for pair, skew in found.items():
        folder = os.path.join(path, f"Split-{pair}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
            json.dump(document(skew), file, indent=1, sort_keys=True, ensure_ascii=False)
            file.write("\n")


def refusal(found: Mapping[str, PairedSkew], bound: float) -> str:
    """Return the message of a gate, or "" when in no feature more than the fraction `bound` of the pairs differ."""
    failures = [
        f"- {pair}, column {name!r}: {skew.fraction:.2%} of {each.pairs} pairs differ: {skew.different} in value, "
        f"{skew.only_examples} only in the examples, {skew.only_baseline} only in the baseline.{_example(each, name)}"
        for pair, each in found.items()
        for name, skew in each.features.items()
        if skew.fraction > bound
    ]
    failures += [
        f"- {pair}: no row has a counterpart of the same key." for pair, each in found.items() if not each.pairs
    ]
    if not failures:
        return ""
    left = len(failures) - MAX_FAILURES
    return "\n".join(
        [
            f"The examples differ from the baseline in {len(failures)} {'place' if len(failures) == 1 else 'places'} "
            f"by more than {bound:.2%}:",
            *failures[:MAX_FAILURES],
            *([f"- and {left} more."] if left > 0 else []),
            f'All counts and samples are in the output "example_diff" (Split-<pair>/{FILE}).',
        ]
    )


def _example(skew: PairedSkew, name: str) -> str:
    sample = next((each for each in skew.samples if name in each.values), None)
    if sample is None:
        return ""
    key = ", ".join(f"{column} {_shown(value)!r}" for column, value in sample.key.items())
    ours, theirs = (_shown(value) for value in sample.values[name])
    return f" So {key}: {ours!r} against {theirs!r}."


def _shown(value: object) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return shortened(text)

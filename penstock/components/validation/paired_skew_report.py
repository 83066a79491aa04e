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
from penstock.pipeline.errors import MAX_FAILURES, listing

FILE = "example_diff.json"


def document(skew: PairedSkew) -> dict[str, Any]:
    """Return the outcome of one pair of splits as JSON values; long values in samples are cut to 40 characters."""
    return {
        "pairs": skew.pairs,
        "only_examples": skew.only_examples,
        "only_baseline": skew.only_baseline,
        "ambiguous": skew.ambiguous,
        "keyless": skew.keyless,
        "unpaired": skew.unpaired,
        "columns_only_examples": sorted(skew.columns_only_examples),
        "columns_only_baseline": sorted(skew.columns_only_baseline),
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


def refusal(found: Mapping[str, PairedSkew], max_skew: float | None, max_unpaired: float | None) -> str:
    """Return the message of a gate, or "" when all bounds hold.

    Args:
        found: By pair of splits.
        max_skew: The greatest fraction of the pairs that may differ in a feature; None for any.
        max_unpaired: The greatest fraction of the keys that may have no pair; None for any.
    """
    failures = []
    for pair, each in found.items():
        if max_skew is not None:
            failures += [
                f"- {pair}, {_difference(each, name)}, more than {max_skew:.2%}.{_example(each, name)}"
                for name, skew in each.features.items()
                if skew.fraction > max_skew
            ]
        bounded = max_skew is not None or max_unpaired is not None
        if bounded and not each.pairs:
            failures.append(f"- {pair}: no row has a counterpart of the same key.")
        elif max_unpaired is not None and each.unpaired > max_unpaired:
            failures.append(f"- {pair}: {_left_out(each)}, more than {max_unpaired:.2%}.")
    if not failures:
        return ""
    left = len(failures) - MAX_FAILURES
    return "\n".join(
        [
            f"The examples differ from the baseline in {len(failures)} "
            f"{'place' if len(failures) == 1 else 'places'} by more than is allowed:",
            *failures[:MAX_FAILURES],
            *([f"- and {left} more."] if left > 0 else []),
            f'All counts and samples are in the output "example_diff" (Split-<pair>/{FILE}).',
        ]
    )


def warning_lines(found: Mapping[str, PairedSkew]) -> list[str]:
    """Return a line for what a reader of the counts by feature could overlook: columns of one side, rows left out."""
    told = []
    for pair, each in found.items():
        told += [
            f"{pair}: {sides}: {listing(names)}. They count as missing there. Leave out with ignore_features what "
            f"isn't meant to be on both sides."
            for sides, names in (
                ("the examples have columns that the baseline has not", each.columns_only_examples),
                ("the baseline has columns that the examples have not", each.columns_only_baseline),
            )
            if names
        ]
        if not each.pairs:
            told.append(f"{pair}: no row has a counterpart of the same key: nothing was compared.")
        elif each.unpaired:
            told.append(f"{pair}: {_left_out(each)}. Bound it with max_unpaired.")
    return told


def _difference(skew: PairedSkew, name: str) -> str:
    counted = skew.features[name]
    if name in (*skew.columns_only_examples, *skew.columns_only_baseline):
        owner = "examples" if name in skew.columns_only_examples else "baseline"
        return f"column {name!r} is in the {owner} only: {counted.fraction:.2%} of {skew.pairs} pairs differ"
    return (
        f"column {name!r}: {counted.fraction:.2%} of {skew.pairs} pairs differ: {counted.different} in value, "
        f"{counted.only_examples} only in the examples, {counted.only_baseline} only in the baseline"
    )


def _left_out(skew: PairedSkew) -> str:
    return (
        f"{skew.unpaired:.2%} of the keys have no pair: {skew.only_examples} only in the examples, "
        f"{skew.only_baseline} only in the baseline, {skew.ambiguous} that a side has several times, {skew.keyless} "
        f"incomplete"
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

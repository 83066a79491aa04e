"""`ExampleDiff`: compares rows that have the same key, such as the features of one trip in training and serving."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import ClassVar

from penstock.artifacts import Artifact, Examples
from penstock.pipeline import GateFailed, Input, Output, ParameterError, component


class ExamplesDiff(Artifact):
    """How the rows of two sets of examples differ: `Split-<pair>/example_diff.json`."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"span": int, "split_names": list}
    PICTURE = "penstock.ui.page.notebook:differences"


@component(gates="examples", precondition="penstock.components.validation.example_diff:check_bounds")
def ExampleDiff(
    examples: Input[Examples],
    baseline_examples: Input[Examples],
    example_diff: Output[ExamplesDiff],
    *,
    identifier_features: list[str],
    ignore_features: list[str] | None = None,
    include_split_pairs: list[list[str]] | None = None,
    float_round_ndigits: int | None = None,
    max_sample_pairs: int = 100,
    max_skew: float | None = None,
    max_unpaired: float | None = None,
) -> None:
    """Pair rows by key and count by feature in how many of them the values differ.

    Args:
        examples: What is compared.
        baseline_examples: What it is compared with.
        example_diff: Counts by feature, and samples of pairs that differ.
        identifier_features: The columns that together name a row. Keys that a side has several times, and rows that
            miss a part of the key, are counted and not compared.
        ignore_features: Columns that aren't compared. Any other column that only one side has counts as missing in
            each row of the other.
        include_split_pairs: Pairs [split, split of the baseline]; by default all that have one name.
        float_round_ndigits: Digits after the point to which floats are rounded before they are compared.
        max_sample_pairs: The most pairs that are kept as samples.
        max_skew: The greatest fraction of the pairs that may differ in any feature; more fails the step, and what uses
            the examples is skipped. By default nothing fails.
        max_unpaired: The greatest fraction of the keys that may have no pair: on one side only, several times, or
            incomplete. By default any may, since samples of training and serving needn't be of the same rows.
    """
    from penstock.components.validation import paired_skew_report
    from penstock.components.validation.distribution_validation import split_pairs
    from penstock.components.validation.paired_columns import compared_columns
    from penstock.components.validation.row_pairs import Pairing, paired_skew
    from penstock.data.examples import split_names

    features = compared_columns(examples.path, baseline_examples.path, identifier_features, ignore_features or [])
    pairing = Pairing(identifier_features, features, float_round_ndigits, max_sample_pairs)
    wanted = split_pairs(
        split_names(examples.path), split_names(baseline_examples.path), include_split_pairs, "ExampleDiff"
    )
    found = {
        f"{split}_{other}": paired_skew((examples.path, split), (baseline_examples.path, other), pairing)
        for split, other in wanted
    }
    paired_skew_report.write(example_diff.path, found)
    example_diff.properties.update(span=examples.properties.get("span", 0), split_names=list(found))
    for line in paired_skew_report.warning_lines(found):
        logging.getLogger(__name__).warning(line)
    message = paired_skew_report.refusal(found, max_skew, max_unpaired)
    if message:
        raise GateFailed(message)


def check_bounds(max_skew: float | None, max_unpaired: float | None, max_sample_pairs: int) -> None:
    """Check the bounds before any row is read.

    Raises:
        ParameterError: A fraction is outside 0 to 1, or a number of samples is negative.
    """
    for name, bound in (("max_skew", max_skew), ("max_unpaired", max_unpaired)):
        if bound is not None and not 0.0 <= bound <= 1.0:
            raise ParameterError(f"ExampleDiff({name}={bound:g}) is no fraction: it goes from 0 to 1.")
    if max_sample_pairs < 0:
        raise ParameterError(f"ExampleDiff(max_sample_pairs={max_sample_pairs}) is negative; 0 keeps no samples.")

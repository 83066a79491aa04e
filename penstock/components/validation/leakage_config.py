"""Checks for what leaks from one split into another; light enough for a pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.pipeline.errors import WiringError
from penstock.pipeline.settings import settings


@settings
@dataclass(frozen=True)
class LeakageChecks:
    """What must not leak between splits, nor from the label into a feature; for `StatisticsGen(leakage=...)`.

    Attributes:
        max_duplicate_fraction: The greatest fraction of a split's rows that an earlier split may hold too; 0.0 for
            none. By default rows aren't compared.
        group_features: Columns that together name a group, such as ["patient"]; a group is in one split only.
        time_feature: A column of numbers by which splits follow each other: a split begins after the one before ends.
        label: The label. No single feature predicts it all but surely.
        max_predictability: How sure is too sure: the fraction of the errors of always guessing the most frequent
            label that a feature alone avoids, or its absolute correlation with a label of floats. What is found has to
            be below it.
        ignore_features: Features that may predict the label.
        split_order: The splits from the first to the last; by default "train", then the others by name.

    Raises:
        WiringError: Nothing is checked, a fraction is outside 0 to 1, or a split comes twice.
    """

    max_duplicate_fraction: float | None = None
    group_features: list[str] | None = None
    time_feature: str | None = None
    label: str | None = None
    max_predictability: float = 0.99
    ignore_features: list[str] | None = None
    split_order: list[str] | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without data; what is a run parameter is checked when its value is known."""
        if self.max_duplicate_fraction is None and not (self.group_features or self.time_feature or self.label):
            raise WiringError(
                "LeakageChecks() checks nothing: set max_duplicate_fraction, group_features, time_feature or label."
            )
        for name in ("max_duplicate_fraction", "max_predictability"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not 0.0 <= value <= 1.0:
                raise WiringError(f"LeakageChecks({name}={value:g}) is no fraction: it goes from 0 to 1.")
        order = self.split_order
        if isinstance(order, list) and len({str(split) for split in order}) < len(order):
            raise WiringError(
                f"LeakageChecks(split_order={order!r}) names a split twice: each follows those before it."
            )

    def columns(self) -> dict[str, list[str]]:
        """Return the columns that are named, by the option that names them."""
        single = {"time_feature": self.time_feature, "label": self.label}
        return {
            "group_features": list(self.group_features or ()),
            "ignore_features": list(self.ignore_features or ()),
            **{option: [name] for option, name in single.items() if name is not None},
        }

"""Which distributions are held against a baseline, and how far apart they may be; light enough for a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.pipeline.errors import WiringError

_THRESHOLDS = ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference")


@dataclass(frozen=True)
class FeatureComparator:
    """How far one feature's distribution may be from the baseline's.

    Attributes:
        feature: The feature's name.
        infinity_norm: The greatest difference of a value's share; for strings and categorical integers.
        jensen_shannon_divergence: The divergence, from 0 (the same) to 1; for numbers and for strings.
        normalized_abs_difference: The greatest difference of a value's count, as a share of both sides' counts.

    Raises:
        WiringError: There is no threshold, or one is outside 0 to 1.
    """

    feature: str
    infinity_norm: float | None = None
    jensen_shannon_divergence: float | None = None
    normalized_abs_difference: float | None = None

    def __post_init__(self) -> None:
        """Check the thresholds; what is a run parameter is checked when its value is known."""
        given = {name: getattr(self, name) for name in _THRESHOLDS if getattr(self, name) is not None}
        if not given:
            raise WiringError(
                f"FeatureComparator({self.feature!r}) compares nothing: set one of {', '.join(_THRESHOLDS)}."
            )
        for name, threshold in given.items():
            if isinstance(threshold, int | float) and not 0.0 <= threshold <= 1.0:
                raise WiringError(
                    f"FeatureComparator({self.feature!r}, {name}={threshold:g}) is outside 0 to 1, between which all "
                    f"of these distances lie."
                )


@dataclass(frozen=True)
class DistributionValidatorConfig:
    """What `DistributionValidator` compares.

    Attributes:
        features: The features and their thresholds.
        min_num_examples_fraction: The least number of examples, as a multiple of the baseline's.
        max_num_examples_fraction: The greatest number of examples, as a multiple of the baseline's.
    """

    features: list[FeatureComparator] = field(default_factory=list)
    min_num_examples_fraction: float | None = None
    max_num_examples_fraction: float | None = None

"""Which distributions are held against a baseline, and how far apart they may be; light enough for a pipeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from penstock.pipeline.errors import WiringError
from penstock.pipeline.settings import settings

_THRESHOLDS = ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference")
_BOUNDS = ("min_num_examples_fraction", "max_num_examples_fraction")


@settings
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


@settings
@dataclass(frozen=True)
class DistributionValidatorConfig:
    """What `DistributionValidator` compares.

    Attributes:
        features: The features and their thresholds.
        min_num_examples_fraction: The least number of examples, as a multiple of the baseline's.
        max_num_examples_fraction: The greatest number of examples, as a multiple of the baseline's.

    Raises:
        WiringError: Nothing is compared, a feature comes twice, or no number of examples would do.
    """

    features: list[FeatureComparator] = field(default_factory=list)
    min_num_examples_fraction: float | None = None
    max_num_examples_fraction: float | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without data; what is a run parameter is checked when its value is known."""
        least, most = self.min_num_examples_fraction, self.max_num_examples_fraction
        if self.features == [] and least is None and most is None:
            raise WiringError(
                "DistributionValidatorConfig() compares nothing: name features=[FeatureComparator(...)], or set "
                "min_num_examples_fraction or max_num_examples_fraction."
            )
        for name in _BOUNDS:
            bound = getattr(self, name)
            if isinstance(bound, int | float) and not 0.0 <= bound < math.inf:
                raise WiringError(
                    f"DistributionValidatorConfig({name}={bound:g}) is no multiple of the baseline's examples: it "
                    f"goes from 0."
                )
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            raise WiringError(
                f"DistributionValidatorConfig(min_num_examples_fraction={least:g}, max_num_examples_fraction={most:g})"
                f" lets no number of examples pass: the first is the greater one."
            )
        self._check_features()

    def _check_features(self) -> None:
        given: object = self.features
        compared = given if isinstance(given, list | tuple) else ()
        names = [each.feature for each in compared if isinstance(each, FeatureComparator)]
        for name in names:
            if isinstance(name, str) and names.count(name) > 1:
                raise WiringError(
                    f"DistributionValidatorConfig(features=...) compares {name!r} {names.count(name)} times. Write one "
                    f"FeatureComparator with all of its thresholds."
                )

"""Rules of one's own for `ExampleValidator`; light enough for a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from penstock.components.validation.rule_syntax import parse
from penstock.pipeline.parameters import has_tokens
from penstock.pipeline.settings import settings


@settings
@dataclass(frozen=True)
class CustomRule:
    """A rule that statistics have to meet.

    Attributes:
        rule: An expression, such as "mean(fare) < 50", "missing_fraction(company) <= 0.1" or
            "num_examples > 0.9 * previous(num_examples)"; or "module:function" with a function of the `module_file`,
            which takes a `DatasetFeatureStatistics` and returns what is wrong: a text, a dict of texts by feature, or
            nothing.
        description: What the rule is for, in a few words; by default the rule itself.
        severity: "ERROR" stops a gate, "WARNING" is only told.
        slice: The slice that it is about, such as "payment_type_Cash"; by default all examples.
        environment: The environment that it holds in; by default every one.

    Raises:
        WiringError: The rule is neither a function nor an expression of the language.
    """

    rule: str
    description: str = ""
    severity: Literal["ERROR", "WARNING"] = "ERROR"
    slice: str = ""
    environment: str = ""

    def __post_init__(self) -> None:
        """Check what can be checked without statistics; what is a run parameter is checked when its value is known."""
        if isinstance(self.rule, str) and not self.is_function and not has_tokens(self.rule):
            parse(self.rule)

    @property
    def is_function(self) -> bool:
        """Whether the rule is a function of the user's."""
        module, colon, function = self.rule.partition(":")
        return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))

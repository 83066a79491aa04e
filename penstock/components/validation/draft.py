"""What anomaly rules work on: a draft of one feature's schema, which they repair until the data fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.feature_view import FeatureView

_NOT_IN_USE = frozenset(
    {
        schema_pb2.PLANNED,
        schema_pb2.ALPHA,
        schema_pb2.DEPRECATED,
        schema_pb2.DEBUG_ONLY,
        schema_pb2.DISABLED,
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a feature.

    Attributes:
        type: An `anomalies_pb2.AnomalyInfo.Type`.
        short: What is wrong, in a few words.
        long: The same with its evidence.
        brief: The evidence cut down to its main examples, for messages; `long` when that is short anyway.
    """

    type: int
    short: str
    long: str
    brief: str = ""


@dataclass(frozen=True)
class Environment:
    """Where the data comes from, such as TRAINING or SERVING; without a name, every feature belongs to it.

    Attributes:
        name: The environment, or "".
        defaults: The environments that a feature belongs to unless it says otherwise.
    """

    name: str = ""
    defaults: tuple[str, ...] = ()

    def holds(self, feature: schema_pb2.Feature) -> bool:
        """Whether the feature is expected in this environment."""
        if not self.name or self.name in feature.in_environment:
            return True
        return self.name not in feature.not_in_environment and self.name in self.defaults


@dataclass
class Draft:
    """A copy of one feature of a schema, and of the named domain it refers to.

    A rule that finds something wrong changes the copy so that the data fits: the change is the patch by which the
    finding could be accepted, and what `SchemaGen` does to fit a schema to more than one split.
    """

    feature: schema_pb2.Feature
    domain: schema_pb2.StringDomain | None = None
    environment: Environment = field(default_factory=Environment)

    @property
    def required(self) -> bool:
        """Whether data without the feature breaks the schema."""
        presence = self.feature.presence
        asked = presence.min_count > 0 or presence.min_fraction > 0
        return in_use(self.feature) and asked and self.environment.holds(self.feature)

    def copy(self) -> Draft:
        """Return a draft that can be changed without changing this one."""
        twin = Draft(schema_pb2.Feature(), environment=self.environment)
        twin.feature.CopyFrom(self.feature)
        if self.domain is not None:
            twin.domain = schema_pb2.StringDomain()
            twin.domain.CopyFrom(self.domain)
        return twin

    def withdraw(self) -> None:
        """Take the feature out of use: the repair where nothing else helps."""
        self.feature.lifecycle_stage = schema_pb2.DEPRECATED


Rule = Callable[[FeatureView, Draft], Iterator[Finding]]


def in_use(feature: schema_pb2.Feature) -> bool:
    """Whether the feature's lifecycle stage has it checked."""
    return not feature.deprecated and stage_in_use(feature.lifecycle_stage)


def stage_in_use(stage: int) -> bool:
    """Whether what is in this `schema_pb2.LifecycleStage` is checked."""
    return stage not in _NOT_IN_USE


def draft_of(schema: schema_pb2.Schema, feature: schema_pb2.Feature, environment: Environment | None = None) -> Draft:
    """Return a draft of one of the schema's features."""
    domain = None
    if feature.WhichOneof("domain_info") == "domain":
        domain = next((each for each in schema.string_domain if each.name == feature.domain), None)
    return Draft(feature, domain, environment or Environment()).copy()

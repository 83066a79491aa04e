"""Hold one feature's statistics against its schema: the table of rules, and the order in which they apply."""

from __future__ import annotations

from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.components.validation.domain_rules import DOMAIN_RULES
from penstock.components.validation.draft import Draft, Finding, Rule, in_use
from penstock.components.validation.feature_view import FeatureView
from penstock.components.validation.presence_rules import PRESENCE_RULES, distinct_values_in_bounds
from penstock.components.validation.semantic_rules import MEANING_RULES, derived_source_is_known
from penstock.components.validation.specification_rules import SPECIFICATION_RULES, drop_unfitting_domain

DATA_RULES: tuple[Rule, ...] = (
    *PRESENCE_RULES,
    *DOMAIN_RULES,
    *MEANING_RULES,
    distinct_values_in_bounds,
    derived_source_is_known,
)
"""What is asked of data that has the feature, in TFDV's order."""


def examine(view: FeatureView, draft: Draft) -> list[Finding]:
    """Apply all rules to a feature that both data and schema have, and repair the draft so that the data fits."""
    if not in_use(draft.feature):
        return []
    findings = [finding for rule in SPECIFICATION_RULES for finding in rule(view, draft)]
    if not in_use(draft.feature):
        return findings
    if view.present:
        findings += [finding for rule in DATA_RULES for finding in rule(view, draft)]
        drop_unfitting_domain(draft.feature)  # part of the repair where the type is a new one
        return findings
    if draft.required:
        draft.withdraw()
        told = "The feature was not present in any examples."
        findings.append(Finding(AnomalyInfo.FEATURE_TYPE_NOT_PRESENT, "Column dropped", told))
    return findings


def miss(draft: Draft) -> list[Finding]:
    """Apply the rule for a feature that the data doesn't have at all."""
    if not draft.required:
        return []
    draft.withdraw()
    return [Finding(AnomalyInfo.SCHEMA_MISSING_COLUMN, "Column dropped", "Column is completely missing")]


NEW_COLUMN = Finding(AnomalyInfo.SCHEMA_NEW_COLUMN, "New column", "New column (column in data but not in schema)")
"""The one finding about a feature that the schema doesn't have."""

"""Schemas compared, changes proposed with their evidence, and what was reviewed applied to a curated file."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.validation.anomalies import validate
from penstock.components.validation.comparators import References
from penstock.components.validation.compatibility import Compatibility
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.patch_file import accept, entries, patch_text
from penstock.components.validation.schema_difference import differences
from penstock.components.validation.schema_inference import infer_schema
from penstock.components.validation.schema_proposal import propose
from penstock.pipeline import DataError

TRIPS = pa.table({"fare": [5.0, 7.5, 9.0], "payment": ["Cash", "Card", "Cash"], "zone": [3, 4, 5]})
CURATED = """# The taxi company's trips; ask Ana before changing it.

string_domain { name: "payment" value: "Cash" value: "Card" }   # as the meters call it
feature {
  name: "payment"  # { not a brace }
  type: BYTES domain: "payment"
}
feature: < name: 'zone' type: INT int_domain { min: 3 max: 9 } >
# fares are never free
feature { name: "fare" type: FLOAT float_domain { min: 0.5 } }
default_environment: "TRAINING"
default_environment: "SERVING"
"""


def _schema(text):
    return text_format.Parse(text, schema_pb2.Schema())


def _statistics(**columns):
    return describe_table(
        pa.table({name: columns.get(name, TRIPS[name]) for name in {**dict.fromkeys(TRIPS.column_names), **columns}})
    )


def _accepted(patch, curated=CURATED):
    return accept(patch, curated, "d")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("type: INT", "type: FLOAT", Compatibility.BREAKING),
        ("type: INT shape { dim { size: 1 } }", "type: INT", Compatibility.BREAKING),
        ("type: INT", "type: INT lifecycle_stage: DEPRECATED", Compatibility.BREAKING),
        ("type: INT int_domain { max: 5 }", "type: INT int_domain { max: 9 }", Compatibility.NEEDS_RETRAINING),
        ("type: INT int_domain { max: 5 }", "type: INT int_domain { max: 3 }", Compatibility.COMPATIBLE),
        (
            "type: INT presence { min_fraction: 1 }",
            "type: INT presence { min_fraction: 0.9 }",
            Compatibility.NEEDS_RETRAINING,
        ),
        (
            "type: INT presence { min_fraction: 0.9 }",
            "type: INT presence { min_fraction: 1 }",
            Compatibility.COMPATIBLE,
        ),
        ("type: INT presence { min_count: 9 }", "type: INT presence { min_count: 1 }", Compatibility.COMPATIBLE),
        (
            "type: BYTES string_domain { value: 'a' }",
            "type: BYTES string_domain { value: ['a', 'b'] }",
            Compatibility.NEEDS_RETRAINING,
        ),
        (
            "type: BYTES string_domain { value: ['a', 'b'] }",
            "type: BYTES string_domain { value: 'a' }",
            Compatibility.COMPATIBLE,
        ),
        ("type: INT lifecycle_stage: PLANNED", "type: FLOAT", Compatibility.COMPATIBLE),
        ("type: INT", "type: INT not_in_environment: 'SERVING'", Compatibility.COMPATIBLE),
    ],
)
def test_what_a_change_means_for_models(before, after, expected):
    (difference,) = differences(
        _schema(f"feature {{ name: 'x' {before} }}"), _schema(f"feature {{ name: 'x' {after} }}")
    )

    assert difference.compatibility is expected


def test_features_that_come_and_go_differ():
    before, after = _schema("feature { name: 'x' type: INT }"), _schema("feature { name: 'y' type: INT }")

    gone, new = differences(before, after)

    assert (gone.subject, gone.changes, gone.compatibility) == ("feature 'x'", ("remove it",), Compatibility.BREAKING)
    assert (new.subject, new.compatibility) == ("feature 'y'", Compatibility.COMPATIBLE)


def test_the_order_of_entries_and_values_is_no_difference():
    one = _schema(
        "feature { name: 'x' type: INT } feature { name: 'y' type: INT } string_domain { name: 'd' value: ['a', 'b'] }"
    )
    other = _schema(
        "string_domain { name: 'd' value: ['b', 'a'] } feature { name: 'y' type: INT } feature { name: 'x' type: INT }"
    )

    assert differences(one, other) == []


def test_data_that_fit_need_no_proposal():
    assert propose(_schema(CURATED), {"train": _statistics()}) == []


def test_a_proposal_has_counts_examples_and_where_it_was_found():
    described = {"train": _statistics(), "eval": _statistics(payment=["Cash", "Prcard", "Prcard"])}

    (proposal,) = propose(_schema(CURATED), described)

    assert proposal.subject == "payment"
    assert proposal.compatibility is Compatibility.NEEDS_RETRAINING
    assert proposal.evidence == {
        "eval": (
            "Unexpected string values: 'Prcard' (~66%) aren't in the domain. Did you mean 'Card'?",
            "3 examples, present in 3, 3 values, 2 distinct; most frequent: 'Prcard' 2 times, 'Cash' 1 times.",
        )
    }
    assert [each.changes for each in proposal.differences] == [('add to value: value: "Prcard"',)]
    assert proposal.patch == _schema("string_domain { name: 'payment' value: ['Cash', 'Card', 'Prcard'] }")


def test_one_proposal_fits_all_the_data():
    described = {"train": _statistics(zone=[1, 2, 3]), "eval": _statistics(zone=[3, 4, 90])}

    (proposal,) = propose(_schema(CURATED), described)

    assert proposal.patch.feature[0].int_domain == schema_pb2.IntDomain(min=1, max=90)
    assert list(proposal.evidence) == ["train", "eval"]


def test_a_new_column_brings_its_domain_under_a_free_name():
    schema = _schema("string_domain { name: 's' value: 'other' } feature { name: 'x' type: BYTES domain: 's' }")
    described = {"train": describe_table(pa.table({"x": ["other"], "s": ["mine"]}))}

    (proposal,) = propose(schema, described)

    assert proposal.compatibility is Compatibility.COMPATIBLE
    assert (proposal.patch.feature[0].domain, proposal.patch.string_domain[0].name) == ("s2", "s2")


def test_a_missing_column_is_proposed_to_be_taken_out_of_use():
    schema = _schema("feature { name: 'x' type: INT presence { min_count: 1 } } feature { name: 'zone' type: INT }")

    (proposal,) = propose(schema, {"train": describe_table(TRIPS.select(["zone"]))})

    assert proposal.compatibility is Compatibility.BREAKING
    assert proposal.patch.feature[0].lifecycle_stage == schema_pb2.DEPRECATED
    assert proposal.evidence["train"][-1] == "3 examples."


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_a_column_that_only_some_of_the_data_have_may_be_missing(order):
    schema = _schema(
        "feature { name: 'zone' type: INT } feature { name: 'tip' type: INT presence { min_fraction: 1 } }"
    )
    described = {
        "old": describe_table(pa.table({"zone": [1], "tip": [2]})),
        "new": describe_table(pa.table({"zone": [1], "fee": [2]})),
    }
    described = {name: described[name] for name in order}

    proposals = {proposal.subject: proposal for proposal in propose(schema, described)}

    tip, fee = proposals["tip"], proposals["fee"]
    assert [each.changes for each in tip.differences] == [("remove presence",)]
    assert (tip.compatibility, list(tip.evidence)) == (Compatibility.NEEDS_RETRAINING, ["new"])
    assert (fee.compatibility, list(fee.evidence)) == (Compatibility.COMPATIBLE, ["new"])
    text, _ = _accepted(patch_text([tip, fee], "d"), text_format.MessageToString(schema))
    assert [validate(each, _schema(text)).features for each in described.values()] == [(), ()]
    assert fee.patch.feature[0] == _schema("feature { name: 'fee' type: INT shape { dim { size: 1 } } }").feature[0]


def test_drift_is_proposed_as_a_higher_threshold():
    schema = _schema("feature { name: 'p' type: BYTES drift_comparator { infinity_norm { threshold: 0.1 } } }")
    now, before = (describe_table(pa.table({"p": values})) for values in (["a"], ["b"]))

    (proposal,) = propose(schema, {"train": now}, references={"train": References(previous=before.datasets[0])})

    assert proposal.patch.feature[0].drift_comparator.infinity_norm.threshold == 1.0
    assert proposal.compatibility is Compatibility.NEEDS_RETRAINING


def test_too_few_examples_are_proposed_as_a_lower_bound():
    schema = _schema(CURATED + "dataset_constraints { min_examples_count: 10 }")

    (proposal,) = propose(schema, {"train": _statistics()})

    assert proposal.subject == ""
    assert proposal.patch.dataset_constraints.min_examples_count == 3


def test_a_patch_is_reviewable_text():
    text = patch_text(propose(_schema(CURATED), {"span 3, eval": _statistics(zone=[3, 4, 90])}), "schema-1:ab")

    assert text == (
        "# For the schema schema-1:ab\n"
        "# Each entry below replaces, or adds, one of the schema. Delete what you don't accept, then apply the rest:\n"
        "#   penstock schema accept PATCH SCHEMA\n"
        "\n"
        "# [1] feature 'zone': needs retraining (models trained before run, on values that they have not seen)\n"
        "#   in span 3, eval:\n"
        "#     Out-of-range values: Unexpectedly large value: 90.\n"
        "#     3 examples, present in 3, 3 values from 3 to 90.\n"
        "#   feature 'zone': set int_domain.max: 90 (now 9)\n"
        'feature {\n  name: "zone"\n  type: INT\n  int_domain {\n    min: 3\n    max: 90\n  }\n}\n'
    )


def test_accepting_changes_what_is_named_and_keeps_everything_else():
    described = {"train": _statistics(zone=[3, 4, 90], payment=["Cash", "Card", "Voucher"])}

    text, found = _accepted(patch_text(propose(_schema(CURATED), described), "d"))

    assert [each.subject for each in found] == ["feature 'zone'", "string_domain 'payment'"]
    assert validate(described["train"], _schema(text)).features == ()
    for kept in (
        "# The taxi company's trips",
        "# as the meters call it",
        "# fares are never free",
        "# { not a brace }",
    ):
        assert kept in text


def test_what_the_reviewer_deleted_is_not_accepted():
    described = {"train": _statistics(zone=[3, 4, 90], payment=["Cash", "Card", "Voucher"])}
    patch = patch_text(propose(_schema(CURATED), described), "d")

    text, found = _accepted(patch[: patch.index("# [2]")])

    assert [each.subject for each in found] == ["feature 'zone'"]
    assert "Voucher" not in text


def test_a_new_entry_is_appended():
    text, _ = _accepted("feature { name: 'tip' type: FLOAT }")

    assert text.startswith(CURATED.rstrip())
    assert _schema(text).feature[-1].name == "tip"


def test_a_patch_for_another_schema_is_refused():
    with pytest.raises(DataError, match="The patch was made for the schema d1, and this one is d2: it has changed"):
        accept("# For the schema d1\n", CURATED, "d2")


def test_a_patch_that_is_no_schema_is_refused_by_line():
    with pytest.raises(DataError, match=r"The patch is no tensorflow_metadata.v0.Schema in text format: line 2:"):
        _accepted("# For the schema d\nfeeture { }")


def test_entries_are_found_whatever_their_text_looks_like():
    assert [(entry.kind, entry.name) for entry in entries(CURATED)] == [
        ("string_domain", "payment"),
        ("feature", "payment"),
        ("feature", "zone"),
        ("feature", "fare"),
    ]


names = st.text(min_size=1, max_size=6).filter(lambda text: "\x00" not in text)


@given(st.lists(st.lists(names, min_size=1, max_size=4), min_size=2, max_size=2), names)
def test_accepting_all_that_is_proposed_has_the_data_fit(values, column):
    first, second = (describe_table(pa.table({column: each})) for each in values)
    schema = infer_schema([first])
    curated = text_format.MessageToString(schema)

    text, _ = _accepted(patch_text(propose(schema, {"x": second}), "d"), curated)

    assert validate(second, _schema(text)).features == ()

"""Artifact types as their authors and the command line meet them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import ClassVar

import pytest

from penstock.metadata.artifact_types import STANDARD_TYPES, Artifact, Boolean, Examples


def test_type_is_named_after_its_class() -> None:
    class Report(Examples):
        PROPERTIES: ClassVar[Mapping[str, type]] = {"pages": int}

    assert Report.TYPE_NAME == "Report"
    assert {**Examples.PROPERTIES, "pages": int} == Report.PROPERTIES


def test_name_may_be_given() -> None:
    class Report(Artifact):
        TYPE_NAME = "acme.Report"

    assert Report("/x").TYPE_NAME == "acme.Report"


def test_property_of_no_json_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Property 'when' of artifact type Report .* Use one of: int, float, str"):

        class Report(Artifact):
            PROPERTIES: ClassVar[Mapping[str, type]] = {"when": set}


def test_standard_names_are_unique() -> None:
    names = [each.TYPE_NAME for each in STANDARD_TYPES]

    assert len(set(names)) == len(names)


def test_boolean_value_is_a_bool() -> None:
    assert Boolean("/x", properties={"value": 1}).value is True


def test_properties_are_not_shared() -> None:
    first, second = Artifact("/a"), Artifact("/b")

    first.properties["x"] = 1

    assert second.properties == {}


def test_types_records_and_errors_import_nothing_heavy() -> None:
    script = (
        "import sys; import penstock.metadata.artifact_types, penstock.metadata.records, penstock.metadata.errors;"
        "print([name for name in ('ml_metadata', 'grpc', 'google.protobuf', 'numpy') if name in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"

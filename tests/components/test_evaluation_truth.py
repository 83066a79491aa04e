"""Labels out of transformed features: indices, names, and what a transform makes of missing values."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.components.evaluation.truth import labels_of_feature
from penstock.pipeline import DataError

SPECIES = ("Adelie", "Chinstrap", "Gentoo")
NOTHING_MISSING = np.zeros(3, bool)


def test_an_integer_is_the_index_of_a_class():
    labels = labels_of_feature(np.array([2, 0, 1]), NOTHING_MISSING, "species_xf", "multiclass", SPECIES)

    assert labels.values.tolist() == [2, 0, 1]
    assert labels.present.all()


def test_a_text_is_the_name_of_a_class():
    values = np.array([b"Gentoo", b"Adelie", b"Adelie"], object)

    labels = labels_of_feature(values, NOTHING_MISSING, "species_xf", "multiclass", SPECIES)

    assert labels.values.tolist() == [2, 0, 0]


@pytest.mark.parametrize("values", [np.array([2, -1, 1]), np.array([b"Gentoo", b"?", b"Chinstrap"], object)])
def test_no_class_for_a_missing_value_is_no_label(values):
    missing = np.array([False, True, False])

    labels = labels_of_feature(values, missing, "species_xf", "multiclass", SPECIES)

    assert labels.present.tolist() == [True, False, True]


def test_an_index_beyond_the_classes_is_named():
    with pytest.raises(DataError, match=r"'species_xf' has values that the model doesn't know: '-1', '7'\."):
        labels_of_feature(np.array([7, 0, -1]), NOTHING_MISSING, "species_xf", "multiclass", SPECIES)


def test_a_number_that_is_nan_is_no_label():
    labels = labels_of_feature(np.array([1.5, np.nan, 0.0]), NOTHING_MISSING, "fare_xf", "regression", ())

    assert labels.present.tolist() == [True, False, True]

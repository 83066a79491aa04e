"""Settings that are passed as one object: which names they take, and the nearest to one that is none."""

import inspect

import pytest

from penstock.components import LeakageChecks, StatsOptions, TrainArgs
from penstock.pipeline import WiringError
from penstock.pipeline.errors import closest


def test_a_setting_that_there_is_not_is_refused_with_the_nearest_name():
    with pytest.raises(WiringError) as refused:
        TrainArgs(steps=5)

    assert str(refused.value) == "TrainArgs() has no setting 'steps'. Did you mean 'num_steps'? It takes: " + (
        ", ".join(inspect.signature(TrainArgs).parameters) + "."
    )


def test_the_names_of_many_settings_are_cut():
    with pytest.raises(WiringError, match=r"no setting 'num_buckets'\. Did you mean '\w+'\? It takes: weight_feature,"):
        StatsOptions(num_buckets=4)


def test_settings_still_check_their_values():
    with pytest.raises(WiringError, match=r"LeakageChecks\(\) checks nothing"):
        LeakageChecks()


@pytest.mark.parametrize(
    ("name", "names", "meant"),
    [
        ("ENUM_TYPE_UNEXPECTED", ["ENUM_TYPE_UNEXPECTED_STRING_VALUES", "INT_TYPE_INT_EXPECTED"], 0),
        ("examples", ["example", "examples_of_serving"], 1),
        ("exa", ["exam", "exactly"], 0),
        ("statistic", ["statistics", "statistical"], 0),
        ("qqqq", ["examples"], None),
    ],
)
def test_a_name_that_begins_so_is_the_closest(name, names, meant):
    found = closest(name, names)

    assert found == (None if meant is None else names[meant])

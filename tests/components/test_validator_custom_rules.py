"""Rules of one's own: the language, functions, and what a gate makes of them."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from penstock.artifacts import ExampleAnomalies, ExampleStatistics, Schema
from penstock.components import CustomRule, ExampleValidator, StatsOptions
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.rule_language import FUNCTIONS as FUNCTIONS_OF_THE_LANGUAGE
from penstock.components.validation.rule_language import evaluate
from penstock.components.validation.rule_syntax import ONE_ARGUMENT
from penstock.components.validation.schema_inference import infer_schema
from penstock.data import protos
from penstock.pipeline import GateFailed, ModuleFile, ParameterError, UserCodeError, WiringError

TRIPS = pa.table(
    {
        "fare": [5.0, 7.0, None, 12.0],
        "payment": ["Cash", "Card", "Cash", "Cash"],
        "trip fare": [1, 2, 3, 0],
    }
)
STATISTICS = describe_table(TRIPS, options=StatsOptions(slice_features=[["payment"]]))
DATASET = STATISTICS.datasets[0]

FUNCTIONS = """
def fares(statistics):
    fare = next(each for each in statistics.features if each.path.step[0] == "fare")
    if fare.num_stats.max > 10:
        return {"fare": f"the dearest trip costs {fare.num_stats.max}"}

def fine(statistics):
    return ""

def broken(statistics):
    return 1 / 0

def odd(statistics):
    return 5
"""


@pytest.fixture
def validator(tmp_path):
    """Return a function that validates the trips by rules, and gives back the anomalies."""

    def run(rules, previous=None, **arguments):
        protos.write_statistics(str(tmp_path / "statistics"), "train", STATISTICS)
        if previous is not None:
            protos.write_statistics(str(tmp_path / "previous"), "train", describe_table(previous))
            arguments["previous_statistics"] = ExampleStatistics(str(tmp_path / "previous"))
        protos.write_schema(str(tmp_path / "schema"), infer_schema([STATISTICS]))
        anomalies = ExampleAnomalies(str(tmp_path / "anomalies"))
        ExampleValidator(
            statistics=ExampleStatistics(str(tmp_path / "statistics")),
            schema=Schema(str(tmp_path / "schema")),
            anomalies=anomalies,
            custom_rules=[rule if isinstance(rule, CustomRule) else CustomRule(rule) for rule in rules],
            **arguments,
        )
        return protos.read_anomalies(anomalies.path, "train")

    return run


@pytest.fixture
def functions(tmp_path, monkeypatch):
    """The file of functions, as the executor hands it over."""
    (tmp_path / "trip_rules.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return ModuleFile(str(tmp_path / "trip_rules.py"), "trip_rules")


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("mean(fare) < 50", True),
        ("mean(fare) > 8", False),
        ("mean(fare) = 8 AND num_examples <> 5", True),
        ("mean(fare) == 8 and not num_examples != 4", True),
        ("max(fare) between 10 and 12", True),
        ("missing_fraction(fare) <= 0.1", False),
        ("num_missing(fare) = 1 OR num_missing(payment) = 1", True),
        ("unique(payment) = 2", True),
        ("frequency(payment, 'Cash') > 0.7", True),
        ("frequency(payment, Card) > 0.7", False),
        ('max("trip fare") - min("trip fare") >= 3', True),
        ("1 < median(fare) < 8", True),
        ("quantile(fare, 0.5) = 7", True),
        ("num_zeros('trip fare') / num_examples < 0.2", False),
        ("-min(fare) < 0", True),
        ("mean(fare) / num_missing(payment) > 1", False),
    ],
)
def test_rules_hold_or_not(rule, holds):
    assert evaluate(rule, DATASET, None).holds is holds


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("mean(fare", "is no expression"),
        ("maen(fare) < 5", "calls 'maen', which there isn't. Did you mean 'mean'?"),
        ("mean(fare)", "The rule 'mean(fare)' is neither true nor false. Compare it"),
        ("[1] < 5", "uses List, which the language of rules doesn't have. Use a function"),
        ("mean(fare, 2) < 5", "mean takes 1 argument, got 2"),
        ("quantile(fare) < 5", "quantile takes 2 arguments, got 1"),
        ("__import__('os').system('true') < 5", "calls"),
        ("(" * 500 + "1" + ")" * 500 + " < 2", "(((…' is no expression"),
        ("-" * 100_000 + "1 < 2", "---…' is no expression"),
    ],
)
def test_what_is_no_rule_is_refused_while_the_pipeline_is_put_together(rule, told):
    with pytest.raises(WiringError) as refused:
        CustomRule(rule)

    assert told in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("mean(fares) < 5", "names the feature 'fares', which the statistics don't have. Did you mean 'fare'?"),
        ("mean(payment) < 5", "there is no mean of 'payment', which is described as STRING"),
        ("fare < 5", "names 'fare' by itself; only num_examples stands so. For a feature's figure: 'mean(fare)'"),
        ("'a' < 5", "reckons with 'a', which is no number"),
        ("mean(fare) < 9 * 'a'", "reckons with 'a', which is no number"),
        ("quantile(fare, 0.55) < 5", "hold quantiles in 10 equal steps, so 0.55 can't be told"),
    ],
)
def test_what_can_not_be_asked_of_the_statistics_is_refused(rule, told):
    with pytest.raises(ParameterError) as refused:
        evaluate(rule, DATASET, None)

    assert told in str(refused.value)


def test_every_figure_of_the_language_is_known_by_its_name():
    assert tuple(FUNCTIONS_OF_THE_LANGUAGE) == ONE_ARGUMENT


@settings(max_examples=300)
@given(st.text(alphabet="ab(1)<=\"' andot.,*-", max_size=25))
def test_any_text_is_a_rule_or_refused(text):
    try:
        holds = evaluate(text, DATASET, None).holds
    except (ParameterError, WiringError):
        return

    assert holds in (True, False)


def test_a_broken_rule_is_an_anomaly_with_its_figures(validator):
    proto = validator([CustomRule("mean(fare) < 8", description="Fares are low")], fail_on="never")

    (reason,) = proto.anomaly_info["fare"].reason
    assert (reason.type, reason.short_description) == (AnomalyInfo.CUSTOM_VALIDATION, "Fares are low")
    assert reason.description == (
        "Custom validation triggered anomaly. Query: mean(fare) < 8 Test dataset: default slice. mean(fare) = 8."
    )


def test_a_broken_rule_stops_the_gate_and_says_what_it_read(validator):
    with pytest.raises(GateFailed, match=r"the data set: num_examples > 5: num_examples = 4 \(num_examples > 5\)"):
        validator(["num_examples > 5"])


def test_rules_that_hold_leave_no_trace(validator):
    assert not validator(["mean(fare) < 50", "num_examples > 1"]).anomaly_info


def test_a_warning_does_not_stop(validator):
    proto = validator([CustomRule("mean(fare) > 50", severity="WARNING")])

    assert proto.anomaly_info["fare"].severity == AnomalyInfo.WARNING


def test_a_rule_about_a_slice_reads_the_slice(validator):
    assert not validator([CustomRule("num_examples = 1", slice="payment_Card")]).HasField("dataset_anomaly_info")


def test_a_slice_that_is_not_described_is_refused(validator):
    with pytest.raises(ParameterError, match=r"describe no such slice\. Did you mean 'payment_Cash'\?"):
        validator([CustomRule("num_examples = 1", slice="payment_Cahs")])


def test_a_rule_of_another_environment_is_left_aside(validator):
    validator([CustomRule("num_examples = 0", environment="SERVING")])


def test_a_rule_compares_with_the_previous_span(validator):
    rule = "mean(fare) < 1.2 * previous(mean(fare))"

    with pytest.raises(GateFailed, match=r"mean\(fare\) = 8, previous\(mean\(fare\)\) = 5"):
        validator([rule], previous=pa.table({"fare": [5.0]}))


def test_without_a_previous_span_such_a_rule_is_recorded_as_unchecked(validator, caplog):
    proto = validator(["num_examples > previous(num_examples)"])

    assert "Rule not checked: The rule 'num_examples > previous(num_examples)' compares with previous" in caplog.text
    (reason,) = proto.dataset_anomaly_info.reason
    assert (proto.dataset_anomaly_info.severity, reason.short_description) == (AnomalyInfo.WARNING, "Rule not checked")


def test_a_function_says_what_is_wrong(validator, functions):
    proto = validator(["trip_rules:fares", "trip_rules:fine"], module_file=functions, fail_on="never")

    (reason,) = proto.anomaly_info["fare"].reason
    assert reason.type == AnomalyInfo.CUSTOM_VALIDATION
    assert reason.description.endswith(
        "Function: trip_rules:fares Test dataset: default slice. the dearest trip costs 12.0."
    )


@pytest.mark.parametrize(
    ("rule", "error", "told"),
    [
        ("trip_rules:broken", UserCodeError, "failed: ZeroDivisionError: division by zero"),
        ("trip_rules:odd", UserCodeError, "returned 5. It returns what is wrong"),
        ("trip_rules:fare", UserCodeError, "has no function 'fare'. Did you mean 'fares'"),
        ("other:fares", ParameterError, "is of the module 'other', and the module_file is 'trip_rules'"),
    ],
)
def test_functions_that_fail_are_told(validator, functions, rule, error, told):
    with pytest.raises(error) as refused:
        validator([rule], module_file=functions)

    assert told in str(refused.value)


def test_a_function_without_its_file_is_refused(validator):
    with pytest.raises(ParameterError, match=r'Name it: ExampleValidator\(module_file="trip_rules.py"\)'):
        validator(["trip_rules:fares"])


def _with_more():
    statistics = describe_table(
        pa.table({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0], "z": [1, 1, 0]}),
        options=StatsOptions(cross_features=[["x", "y"]]),
    )
    statistics.datasets[0].features[0].custom_stats.add(name="share_of_round", num=0.4)
    return statistics.datasets[0]


@pytest.mark.parametrize(
    ("rule", "holds", "figures"),
    [
        ("custom(x, 'share_of_round') < 0.3", False, ["custom(x, 'share_of_round') = 0.4"]),
        (
            "correlation(x, y) > 0.9 and correlation(y, x) > 0.9",
            True,
            ["correlation(x, y) = 1", "correlation(y, x) = 1"],
        ),
    ],
)
def test_custom_statistics_and_correlations_are_figures(rule, holds, figures):
    found = evaluate(rule, _with_more(), None)

    assert (found.holds, found.figures) == (holds, figures)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("custom(x, 'share_of_rond') < 1", "Did you mean 'share_of_round'? It has: share_of_round."),
        (
            "correlation(x, z) < 1",
            "hold no correlation of 'x' and 'z'. Ask for it: StatsOptions(cross_features=[['x', ",
        ),
    ],
)
def test_figures_that_were_not_asked_for_are_named(rule, told):
    with pytest.raises(ParameterError) as refused:
        evaluate(rule, _with_more(), None)

    assert told in str(refused.value)

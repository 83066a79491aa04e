"""What was measured about leakage: `Leakage.json` beside the statistics, and the measuring when all rows were seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa

from penstock.components.validation.domain_rules import MAX_EXAMPLES, shortened
from penstock.components.validation.label_tables import ROWS_A_VALUE, avoided_errors
from penstock.components.validation.leakage import LabelLeakage, LeakageSearch, RangeLeakage, group_keys, row_keys
from penstock.components.validation.ordered_bits import number_of
from penstock.components.validation.sorted_runs import Keys, count_up_to, overlaps
from penstock.data.examples import record_batches
from penstock.data.protos import LEAKAGE_FILE

_EXAMPLE_CHARACTERS = 200


@dataclass(frozen=True)
class Shared:
    """What a split shares with earlier ones.

    Attributes:
        split: The split.
        rows: How many rows it has; of groups, those that miss none of the columns.
        shared: How many of these an earlier split has too; exact.
        examples: Some of what is shared, as text.
    """

    split: str
    rows: int
    shared: int
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Times:
    """How a split lies to those before it.

    Attributes:
        split: The split.
        rows: How many rows have a time.
        early: How many of these aren't later than all rows of earlier splits; exact.
        begins: The split's first time; None without any.
        ends: Its last time.
        before: The earlier split that ends last; "" for the first split.
        before_ends: When that one ends.
    """

    split: str
    rows: int
    early: int
    begins: int | float | None = None
    ends: int | float | None = None
    before: str = ""
    before_ends: int | float | None = None


@dataclass(frozen=True)
class Prediction:
    """How surely single features predict the label in the first split.

    Attributes:
        label: The label.
        split: The first split.
        measure: "lambda", the fraction of the errors of always guessing the most frequent label that knowing the
            feature avoids, or "correlation" with a label of floats.
        rows: How many rows have a label.
        bound: The greatest that is allowed.
        features: The measure by feature, the greatest first.
        unmeasured: Why, by feature, where it could not be measured; by the label's name where none could.
    """

    label: str
    split: str
    measure: str
    rows: int
    bound: float
    features: dict[str, float]
    unmeasured: dict[str, str]


@dataclass(frozen=True)
class LeakageReport:
    """All that was measured; `Leakage.json` holds it under these names.

    Attributes:
        leakage_version: Of this form.
        split_order: The splits from the first to the last.
        max_duplicate_fraction: The bound of `duplicates`; None where rows weren't compared.
        duplicates: Of each split but the first.
        group_features: The columns that name a group; empty where groups weren't compared.
        groups: Of each split but the first.
        time_feature: The column of times; "" where times weren't compared.
        times: Of each split.
        prediction: How surely features predict the label; None where that wasn't asked for.
    """

    leakage_version: int = 1
    split_order: list[str] = field(default_factory=list)
    max_duplicate_fraction: float | None = None
    duplicates: list[Shared] = field(default_factory=list)
    group_features: list[str] = field(default_factory=list)
    groups: list[Shared] = field(default_factory=list)
    time_feature: str = ""
    times: list[Times] = field(default_factory=list)
    prediction: Prediction | None = None


def read_leakage(statistics: str) -> LeakageReport | None:
    """Return what was measured beside some statistics; None where nothing was asked for."""
    try:
        with open(os.path.join(statistics, LEAKAGE_FILE), "rb") as file:
            return msgspec.json.decode(file.read(), type=LeakageReport)
    except FileNotFoundError:
        return None


def write_leakage(statistics: str, report: LeakageReport) -> None:
    """Write `Leakage.json` beside the statistics."""
    with open(os.path.join(statistics, LEAKAGE_FILE), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=1))


def measure(gathered: Mapping[str, RangeLeakage], search: LeakageSearch, examples: str) -> LeakageReport:
    """Compare what was gathered of the splits.

    Args:
        gathered: By split, each merged from all its ranges.
        search: What was looked for.
        examples: The folder of the examples, from which examples of what leaks are read, if anything does.
    """
    checks, ordered = search.checks, {split: gathered[split] for split in search.splits}
    rows = checks.max_duplicate_fraction
    label = ordered[search.splits[0]].label
    return LeakageReport(
        split_order=list(search.splits),
        max_duplicate_fraction=rows,
        duplicates=_shared(ordered, search, examples, groups=False) if rows is not None else [],
        group_features=list(checks.group_features or ()),
        groups=_shared(ordered, search, examples, groups=True) if checks.group_features else [],
        time_feature=checks.time_feature or "",
        times=_times(ordered, search) if checks.time_feature is not None else [],
        prediction=_prediction(label, search) if label is not None else None,
    )


def _shared(ordered: Mapping[str, RangeLeakage], search: LeakageSearch, examples: str, *, groups: bool) -> list[Shared]:
    name, columns = ("groups", search.checks.group_features or []) if groups else ("rows", search.columns.names)
    bound = 0.0 if groups else search.checks.max_duplicate_fraction or 0.0
    found = []
    keys_of = (lambda batch: group_keys(batch, columns)[0]) if groups else row_keys
    for split, overlap in overlaps({split: each.keys(name) for split, each in ordered.items()}, MAX_EXAMPLES).items():
        shown: list[str] = []
        if overlap.shared > bound * overlap.total:
            wanted = np.array(overlap.keys, np.uint64)
            shown = _rows_by_key(record_batches(examples, split, columns), wanted, keys_of)
        found.append(Shared(split, overlap.total, overlap.shared, shown))
    return found


def _rows_by_key(
    batches: Iterable[pa.RecordBatch], wanted: Keys, keys_of: Callable[[pa.RecordBatch], Keys]
) -> list[str]:
    """Return one row for each wanted key as text, in the order of the rows; reading stops when all are found."""
    shown: dict[int, str] = {}
    for batch in batches:
        keys = keys_of(batch)
        for row in np.flatnonzero(np.isin(keys, wanted)):
            if int(keys[row]) not in shown:
                shown[int(keys[row])] = _in_words(batch.slice(row, 1).to_pylist()[0])
        if len(shown) == len(wanted):
            break
    return list(shown.values())


def _in_words(row: Mapping[str, object]) -> str:
    told = ", ".join(f"{name}={shortened(repr(value))}" for name, value in row.items() if value is not None)
    return told if len(told) <= _EXAMPLE_CHARACTERS else told[: _EXAMPLE_CHARACTERS - 1] + "…"


def _times(ordered: Mapping[str, RangeLeakage], search: LeakageSearch) -> list[Times]:
    floating = pa.types.is_floating(search.columns.field(search.checks.time_feature).type)
    found: list[Times] = []
    latest: int | None = None
    before = ""
    for split, each in ordered.items():
        runs = each.keys("times")
        begins, ends = each.times or (None, None)
        early = count_up_to(runs.files, latest) if latest is not None else 0
        begin, end, limit = (
            number_of(key, floating=floating) if key is not None else None for key in (begins, ends, latest)
        )
        found.append(Times(split, runs.total, early, begin, end, before, limit))
        if ends is not None and (latest is None or ends > latest):
            latest, before = ends, split
    return found


def _prediction(gathered: LabelLeakage, search: LeakageSearch) -> Prediction:
    checks = search.checks
    label = checks.label or ""
    if gathered.crosses:
        measured = {name: cross.proto() for name, cross in gathered.crosses.items()}
        rows = max(each.count for each in measured.values())
        found = {
            name: abs(each.num_cross_stats.correlation) if each.count >= ROWS_A_VALUE else None
            for name, each in measured.items()
        }
        told = f"fewer than {ROWS_A_VALUE} rows have both"
    else:
        rows, found = gathered.rows, {}
        tables = gathered.tables if gathered.labels.are_classes else {}
        for name, table in tables.items():
            counts = table.by_value(rows, len(gathered.labels))
            found[name] = avoided_errors(counts) if counts is not None else None
        told = "its values, or those of the label, are too many or too few to tell"
    unmeasured = {name: told for name, value in found.items() if value is None or np.isnan(value)}
    if not found:
        unmeasured[label] = "the label has more distinct values than classes can, or no feature could predict it"
    features = {name: float(value) for name, value in found.items() if value is not None and name not in unmeasured}
    return Prediction(
        label,
        search.splits[0],
        "correlation" if gathered.crosses else "lambda",
        rows,
        checks.max_predictability,
        dict(sorted(features.items(), key=lambda item: (-item[1], item[0]))),
        unmeasured,
    )

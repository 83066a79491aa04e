"""Conditions of `when`: comparisons of values that don't exist yet, as a small JSON tree.

A comparison is {"op": ">", "left": OPERAND, "right": OPERAND}; a combination is {"op": "and", "of": [TREE, TREE]} with
and, or, not. An operand is a JSON value or a token: {"$value": {"node", "output"}}, {"$property": {"node", "output",
"name"}}, {"$run": name}.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from penstock.pipeline.errors import DataError, WiringError

Json = Any
Tree = dict[str, Json]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda left, right: left in right,
}


@dataclass(frozen=True, eq=False)
class Predicate:
    """A condition; `&`, `|` and `~` combine it with others.

    Attributes:
        op: A comparison, or and, or, not.
        of: The two sides of a comparison, or the predicates that are combined.
    """

    op: str
    of: tuple[Any, ...]

    def __and__(self, other: object) -> Predicate:
        return Predicate("and", (self, predicate_of(other)))

    def __or__(self, other: object) -> Predicate:
        return Predicate("or", (self, predicate_of(other)))

    def __invert__(self) -> Predicate:
        return Predicate("not", (self,))

    def __bool__(self) -> NoReturn:
        raise WiringError(
            "A condition has no answer while the pipeline is put together, so `if`, `and`, `or`, `not` and 1 < x < 3 "
            "can't work. Write `with when(...):`, and combine conditions by `&`, `|` and `~`, each in parentheses."
        )


@dataclass(frozen=True, eq=False)
class Operand:
    """A value inside a condition: that of a channel, a property of its artifact, or a run parameter.

    Attributes:
        source: The channel, or the run parameter.
        name: The property; "" for the value itself.
    """

    source: Any
    name: str = ""

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]
        return Predicate("==", (self, other))

    def __ne__(self, other: object) -> Predicate:  # type: ignore[override]
        return Predicate("!=", (self, other))

    def __lt__(self, other: object) -> Predicate:
        return Predicate("<", (self, other))

    def __le__(self, other: object) -> Predicate:
        return Predicate("<=", (self, other))

    def __gt__(self, other: object) -> Predicate:
        return Predicate(">", (self, other))

    def __ge__(self, other: object) -> Predicate:
        return Predicate(">=", (self, other))

    def is_in(self, choices: list[Json]) -> Predicate:
        """Return the condition that the value is one of these."""
        return Predicate("in", (self, choices))

    def __bool__(self) -> NoReturn:
        raise WiringError(
            "A value has no truth while the pipeline is put together. Compare it: `with when(x.value == True):`."
        )

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Properties:
    """The properties of a channel's artifact, inside a condition: `channel.properties["blessed"] == 1`."""

    source: Any

    def __getitem__(self, name: str) -> Operand:
        return Operand(self.source, name)


def predicate_of(given: object) -> Predicate:
    """Return a condition; a value by itself stands for being true.

    Raises:
        WiringError: It is neither.
    """
    if isinstance(given, Predicate):
        return given
    if isinstance(given, Operand):
        return Predicate("==", (given, True))
    raise WiringError(
        f"when() takes a condition, got {given!r:.60}. Write when(step.accuracy.value > 0.9) or "
        f'when(step.blessing.properties["blessed"] == 1); for a run parameter, when(epochs.value > 3).'
    )


def operands_in(condition: Any) -> list[Operand]:
    """Return all operands of a condition."""
    if isinstance(condition, Operand):
        return [condition]
    return [one for each in condition.of for one in operands_in(each)] if isinstance(condition, Predicate) else []


def comparisons_in(condition: Any) -> list[Predicate]:
    """Return all comparisons of a condition."""
    if not isinstance(condition, Predicate) or condition.op in COMPARISONS:
        return [condition] if isinstance(condition, Predicate) else []
    return [one for each in condition.of for one in comparisons_in(each)]


def evaluate(tree: Tree, lookup: Callable[[Json], Json]) -> bool:
    """Answer a condition.

    Args:
        tree: Its JSON.
        lookup: Returns what an operand stands for.

    Raises:
        DataError: Two values can't be compared.
    """
    op = tree["op"]
    if op not in COMPARISONS:
        answers = (evaluate(each, lookup) for each in tree["of"])
        return all(answers) if op == "and" else any(answers) if op == "or" else not next(answers)
    left, right = lookup(tree["left"]), lookup(tree["right"])
    try:
        return bool(COMPARISONS[op](left, right))
    except TypeError:
        raise DataError(f"{describe(tree)} can't be answered: {left!r:.60} {op} {right!r:.60}.") from None


def describe(tree: Tree) -> str:
    """Return a condition as it reads: "Evaluator.accuracy > 0.9 and not (...)"."""
    op = tree["op"]
    if op in COMPARISONS:
        return f"{_operand(tree['left'])} {op} {_operand(tree['right'])}"
    parts = [describe(each) if each["op"] in COMPARISONS else f"({describe(each)})" for each in tree["of"]]
    return f"not ({describe(tree['of'][0])})" if op == "not" else f" {op} ".join(parts)


def _operand(value: Json) -> str:
    if isinstance(value, Mapping):
        for kind, named in value.items():
            if kind == "$run":
                return str(named)
            if kind in ("$value", "$property"):
                prop = f".properties[{named['name']!r}]" if "name" in named else ""
                return f"{named['node']}.{named['output']}{prop}"
    return repr(value)

"""The language of custom rules as text: what may stand in an expression; light enough for a pipeline.

The language is small: numbers, strings, figures of features, `num_examples`, `previous(...)` for the same figure of
the previous statistics, arithmetic, comparison, AND, OR, NOT, BETWEEN. SQL's `=` and `<>` are taken as well as `==` and
`!=`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

from penstock.pipeline.errors import WiringError, nearest

ONE_ARGUMENT = (
    "mean",
    "std_dev",
    "median",
    "min",
    "max",
    "num_zeros",
    "num_nan",
    "unique",
    "avg_length",
    "num_missing",
    "num_present",
    "missing_fraction",
    "num_values",
    "min_num_values",
    "max_num_values",
    "avg_num_values",
)
"""Figures of a feature."""

TWO_ARGUMENTS = ("frequency", "quantile", "custom", "correlation")
"""`frequency(payment, "Cash")` is a value's share of all values, `quantile(fare, 0.9)` a quantile in tenths,
`custom(fare, "share_of_round_fares")` a statistic of the user's, `correlation(fare, miles)` one of `cross_features`.
"""

_KEYWORDS = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\b(and|or|not)\b|<>|(?<![<>=!])=(?!=)""", re.I)
_BETWEEN = re.compile(
    r"(?P<what>[\w.]+\([^()]*\)|[\w.]+)\s+between\s+(?P<low>[^\s()]+)\s+and\s+(?P<high>[^\s()]+)", re.I
)
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_MAX_SHOWN = 60


def parse(rule: str) -> ast.expr:
    """Read an expression.

    Raises:
        WiringError: It isn't one of this language.
    """
    text = _BETWEEN.sub(r"(\g<low> <= \g<what> <= \g<high>)", rule)
    text = _KEYWORDS.sub(_as_python, text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        told = error.msg if isinstance(error, SyntaxError) else str(error)
        raise WiringError(
            f"The rule {shown(rule)} is no expression: {told}. Write one such as 'mean(fare) < 50'."
        ) from error
    for node in ast.walk(tree):
        _check(node, rule)
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not _is_true_or_false(tree):
        raise WiringError(f"The rule {shown(rule)} is neither true nor false. Compare it: '... < 50'.")
    return tree


def shown(rule: str) -> str:
    """Return a rule as messages quote it: at most 60 characters of it."""
    return repr(rule if len(rule) <= _MAX_SHOWN else rule[: _MAX_SHOWN - 1] + "…")


def _is_true_or_false(tree: ast.expr) -> bool:
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.Not)
    return isinstance(tree, ast.Constant) and isinstance(tree.value, bool)


def _as_python(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return match[2].lower() if match[2] else {"<>": "!=", "=": "=="}[match[0]]


_PLAIN = (
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.Compare,
    ast.BinOp,
    ast.Call,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.Attribute,
    *COMPARISONS,
    *ARITHMETIC,
)


def _check(node: ast.AST, rule: str) -> None:
    if not isinstance(node, _PLAIN):
        raise WiringError(
            f"The rule {shown(rule)} uses {type(node).__name__}, which the language of rules doesn't have. Use a "
            f"function: 'module:function'."
        )
    if isinstance(node, ast.Call):
        known = [*ONE_ARGUMENT, *TWO_ARGUMENTS, "previous"]
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in known:
            raise WiringError(
                f"The rule {shown(rule)} calls {name!r}, which there isn't.{nearest(name, known)} There are: "
                f"{', '.join(known)}."
            )
        expected = 2 if name in TWO_ARGUMENTS else 1
        if len(node.args) != expected or node.keywords:
            raise WiringError(
                f"The rule {shown(rule)}: {name} takes {expected} argument{'s' * (expected > 1)}, got {len(node.args)}."
            )

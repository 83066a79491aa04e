"""A condition on rows, written as a small part of Python: "fare > 3 and company is not null".

    condition   comparison | condition and condition | condition or condition | not condition | (condition)
    comparison  value OP value OP ...     OP is < <= > >= == !=
                column is null | column is not null          (None does as well)
                column in [literal, ...] | column not in [literal, ...]
    value       column | literal | -number
    column      a name, or col("any name") for names that Python can't spell; a.b for the column "a.b"
    literal     number, "text", True, False

The meaning is SQL's: a comparison with a missing value is neither true nor false, and only rows for which the
condition is true are kept.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow.compute as pc

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_SINGLE_EQUALS = re.compile(r"(?<![<>=!])=(?!=)")
_HINT = 'Write conditions as "fare > 3 and company is not null", with and, or, not, ==, !=, <, <=, >, >=, in, is null.'


class RowFilter:
    """A parsed condition; it pickles."""

    def __init__(self, text: str) -> None:
        """Parses a condition.

        Raises:
            ValueError: It isn't written as above.
        """
        self.text = text
        self._tree = _parsed(text)
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(_checked(self._tree, text)))

    def __reduce__(self) -> tuple[Any, ...]:
        return RowFilter, (self.text,)

    def expression(self) -> pc.Expression:
        """Returns the condition as an Arrow expression over columns by name."""
        return _condition(self._tree)

    def sql(self, quoted: Callable[[str], str]) -> str:
        """Returns the condition as GoogleSQL has it; `quoted` returns a column's name as it is to be written."""
        return _sql(self._tree, quoted)


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        at = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        single = " Equality is written ==." if _SINGLE_EQUALS.search(text) else ""
        raise ValueError(f"row_filter={text!r} can't be read{at}.{single} {_HINT}") from None


def _checked(node: ast.expr, text: str) -> list[str]:
    """Returns the columns of a condition."""
    if isinstance(node, ast.BoolOp):
        return [name for value in node.values for name in _checked(value, text)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _checked(node.operand, text)
    if not isinstance(node, ast.Compare):
        raise _refusal(node, text, "is no condition")
    columns: list[str] = []
    for left, operator, right in _pairs(node):
        columns += _checked_comparison(left, operator, right, text)
    if not columns:
        raise _refusal(node, text, "names no column")
    return columns


def _pairs(node: ast.Compare) -> list[tuple[ast.expr, ast.cmpop, ast.expr]]:
    sides = [node.left, *node.comparators]
    return list(zip(sides, node.ops, sides[1:], strict=False))


def _checked_comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr, text: str) -> list[str]:
    if isinstance(operator, ast.Is | ast.IsNot):
        if _column(left) is None or not _is_null(right):
            raise _refusal(right, text, "must be `column is null` or `column is not null`")
    elif isinstance(operator, ast.In | ast.NotIn):
        if _column(left) is None or not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            raise _refusal(right, text, "must be `column in [literal, ...]`")
        for element in right.elts:
            _literal(element, text)
        right = left
    else:
        for side in (left, right):
            if _is_null(side):
                raise _refusal(side, text, "is compared; ask with `is null` or `is not null`")
            if _column(side) is None:
                _literal(side, text)
    return [name for side in (left, right) if not _is_null(side) and (name := _column(side)) is not None]


def _refusal(node: ast.expr, text: str, problem: str) -> ValueError:
    return ValueError(f"row_filter={text!r}: {ast.unparse(node)!r} {problem}. {_HINT}")


def _is_null(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id.lower() == "null") or (
        isinstance(node, ast.Constant) and node.value is None
    )


def _column(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (parent := _column(node.value)) is not None:
        return f"{parent}.{node.attr}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "col" and not node.keywords:
        names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        return names[0] if len(names) == len(node.args) == 1 and isinstance(names[0], str) else None
    return None


def _literal(node: ast.expr, text: str) -> int | float | str:
    sign = -1 if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else 1
    inner = node.operand if isinstance(node, ast.UnaryOp) and sign < 0 else node
    value = inner.value if isinstance(inner, ast.Constant) else None
    if isinstance(value, bool):
        value = int(value)  # as booleans are stored
    if isinstance(value, int | float):
        return sign * value
    if isinstance(value, str) and sign > 0:
        return value
    raise _refusal(node, text, "is neither a column nor a number nor a text; `is null` asks for missing values")


def _condition(node: ast.expr) -> pc.Expression:
    import functools
    import operator

    if isinstance(node, ast.BoolOp):
        joined = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return functools.reduce(joined, [_condition(value) for value in node.values])
    if isinstance(node, ast.UnaryOp):
        return ~_condition(node.operand)
    assert isinstance(node, ast.Compare)
    return functools.reduce(operator.and_, [_comparison(*pair) for pair in _pairs(node)])


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> pc.Expression:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(operator, ast.Is | ast.IsNot):
        missing = _field(left).is_null()
        return missing if isinstance(operator, ast.Is) else ~missing
    if isinstance(operator, ast.In | ast.NotIn):
        assert isinstance(right, ast.List | ast.Tuple)
        column = _field(left)
        inside = column.isin(pa.array([_literal(element, "") for element in right.elts]))
        # Arrow takes a missing value for one that is not in the list; SQL takes it for unknown.
        unknown = pc.scalar(pa.scalar(None, pa.bool_()))
        inside = pc.Expression._call("if_else", [column.is_null(), unknown, inside])
        return inside if isinstance(operator, ast.In) else ~inside
    name = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal", "==": "equal", "!=": "not_equal"}
    sides = [pc.scalar(_literal(side, "")) if _column(side) is None else _field(side) for side in (left, right)]
    return pc.Expression._call(name[_COMPARISONS[type(operator)]], sides)


def _field(node: ast.expr) -> Any:
    import pyarrow.compute as pc

    return pc.field(_column(node))


def _sql(node: ast.expr, quoted: Callable[[str], str]) -> str:
    if isinstance(node, ast.BoolOp):
        joined = " AND " if isinstance(node.op, ast.And) else " OR "
        return f"({joined.join(_sql(value, quoted) for value in node.values)})"
    if isinstance(node, ast.UnaryOp):
        return f"(NOT {_sql(node.operand, quoted)})"
    assert isinstance(node, ast.Compare)
    pairs = [f"({_sql_comparison(*pair, quoted)})" for pair in _pairs(node)]
    return pairs[0] if len(pairs) == 1 else f"({' AND '.join(pairs)})"


def _sql_comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr, quoted: Callable[[str], str]) -> str:
    def side(node: ast.expr) -> str:
        name = _column(node)
        return _sql_literal(node) if name is None else quoted(name)

    if isinstance(operator, ast.Is | ast.IsNot):
        return f"{side(left)} IS {'NOT ' if isinstance(operator, ast.IsNot) else ''}NULL"
    if isinstance(operator, ast.In | ast.NotIn):
        assert isinstance(right, ast.List | ast.Tuple)
        inside = ", ".join(map(_sql_literal, right.elts))
        return f"{side(left)} {'NOT ' if isinstance(operator, ast.NotIn) else ''}IN ({inside})"
    written = {"==": "=", "!=": "<>"}
    return f"{side(left)} {written.get(_COMPARISONS[type(operator)], _COMPARISONS[type(operator)])} {side(right)}"


def _sql_literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return str(node.value).upper()
    value = _literal(node, "")
    # JSON's escapes are GoogleSQL's too, but for pairs of surrogates.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def columns_needed(columns: Sequence[str] | None, row_filter: RowFilter | None) -> list[str] | None:
    """Returns the columns to read for a projection and a filter; None for all."""
    if columns is None:
        return None
    return list(dict.fromkeys([*columns, *(row_filter.columns if row_filter else ())]))

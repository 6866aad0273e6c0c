"""Nodes from typed parts: literals are worked out here, and a literal stands on the right."""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatial.query.arithmetic import computed
from spatial.query.cells import parent_of
from spatial.query.limits import MAX_PATTERN, refused
from spatial.query.model import (
    AccentFold,
    And,
    Arithmetic,
    BooleanLiteral,
    CaseFold,
    CellToParent,
    Compare,
    Comparison,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Operator,
    Or,
    Scalar,
    Value,
)
from spatial.query.strings import collapsed, fold_accents, fold_case, like_matcher

FLIPPED: dict[Comparison, Comparison] = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
HOLDS: dict[Comparison, Callable[[Any, Any], Any]] = {
    "=": python.eq,
    "<>": python.ne,
    "<": python.lt,
    ">": python.gt,
    "<=": python.le,
    ">=": python.ge,
}
_OPPOSITE: dict[Comparison, Comparison] = {"<>": "=", "<=": ">", ">=": "<"}
UNKNOWN = BooleanLiteral(None)


def conjunction(terms: Sequence[Expression]) -> Expression:
    """Return one expression that is true where all terms are; true where there is none."""
    return BooleanLiteral(True) if not terms else terms[0] if len(terms) == 1 else And(tuple(terms))


def disjunction(terms: Sequence[Expression]) -> Expression:
    """Return one expression that is true where a term is; at least one term."""
    return terms[0] if len(terms) == 1 else Or(tuple(terms))


def comparison(operator: Comparison, left: Value, right: Value) -> Expression:
    """Compare two values of one type."""
    if isinstance(left, Literal):
        if not isinstance(right, Literal):
            return comparison(FLIPPED[operator], right, left)
        if left.value is None or right.value is None:
            return UNKNOWN
        first, second = left.value, right.value
        if isinstance(first, float) or isinstance(second, float):
            first, second = float(first), float(second)
        return BooleanLiteral(bool(HOLDS[operator](first, second)))
    return UNKNOWN if isinstance(right, Literal) and right.value is None else Compare(left, operator, right)


def truths(operator: Comparison, left: Expression, right: Expression) -> Expression:
    """Compare what is true or false; false comes before true."""
    match operator:
        case "=":
            return Or((And((left, right)), And((Not(left), Not(right)))))
        case "<":
            return And((Not(left), right))
        case ">":
            return And((left, Not(right)))
    return Not(truths(_OPPOSITE[operator], left, right))


def arithmetic(operator: Operator, left: Value, right: Value) -> Value:
    """Join two numbers."""
    if not (isinstance(left, Literal) and isinstance(right, Literal)):
        nulls = [side for side in (left, right) if isinstance(side, Literal) and side.value is None]
        return nulls[0] if nulls else Arithmetic(operator, left, right)
    if left.value is None or right.value is None:
        return Literal(None, "number")
    result, finite = computed(operator, np.float64(left.value), np.float64(right.value))
    return Literal(float(result) if finite else None, "number")


def folded(kind: type[CaseFold] | type[AccentFold], text: Value) -> Value:
    """Fold case or accents of a string."""
    if not isinstance(text, Literal):
        return kind(text)
    fold = fold_case if kind is CaseFold else fold_accents
    return Literal(None if text.value is None else fold(str(text.value)), "string")


def parent(cell: Value, resolution: int) -> Value:
    """Return the parent of a cell."""
    if not isinstance(cell, Literal):
        return CellToParent(cell, resolution)
    return Literal(None if cell.value is None else parent_of(str(cell.value), resolution), "string")


def like(text: Value, pattern: str) -> Expression:
    """Match a string with a pattern. Raises QueryError where the pattern is too long."""
    short = collapsed(pattern)
    if len(short) > MAX_PATTERN:
        raise refused(f"LIKE: a pattern of {len(short)} characters; expected at most {MAX_PATTERN}")
    if not isinstance(text, Literal):
        return Like(text, short)
    return UNKNOWN if text.value is None else BooleanLiteral(like_matcher(short)(str(text.value)))


def membership(value: Value, items: Sequence[Value]) -> Expression:
    """Return where a value is one of the items, all of its type."""
    if isinstance(value, Literal):
        return disjunction([comparison("=", value, item) for item in items])
    literals = [item.value for item in items if isinstance(item, Literal)]
    known: tuple[Scalar, ...] = tuple(dict.fromkeys(item for item in literals if item is not None))
    terms: list[Expression] = [In(value, known)] if known else []
    terms += [Compare(value, "=", item) for item in items if not isinstance(item, Literal)]
    return disjunction(terms + [UNKNOWN] * (len(terms) == 0 or None in literals))


def nullness(part: Value | Expression) -> Expression:
    """Return where a value is null, or an expression unknown."""
    if isinstance(part, Literal | BooleanLiteral):
        return BooleanLiteral(part.value is None)
    return IsNull(part)

"""Which features match: an expression evaluated over columns, one pass a predicate.

Three-valued logic without a third value: a predicate is asked where it is true, or where it is false, and where it is
unknown it is neither. NOT turns the question round, and AND false is OR of falses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.query.arithmetic import computed
from spatial.query.build import HOLDS
from spatial.query.cells import parents
from spatial.query.model import (
    And,
    Arithmetic,
    BooleanLiteral,
    Box,
    CaseFold,
    CellToParent,
    Compare,
    Comparison,
    Expression,
    FeatureGeometry,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Property,
    Scalar,
    Spatial,
    Value,
)
from spatial.query.relations import boxed, related
from spatial.query.strings import fold_accents, like_flags, prefix_of
from spatial.query.table import Bools, Table

_OPPOSITE: dict[Comparison, Comparison] = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, slots=True)
class Texts:
    """A string of each row: (n,) codes into words, -1 where null; `sorted` where the words are distinct and sorted."""

    codes: NDArray[np.int32]
    words: Sequence[str]
    sorted: bool


def matches(expression: Expression, table: Table) -> Bools:
    """Return (n,) where an expression is true; where it is false or unknown, False."""
    return _where(expression, table, True, None)


def _where(node: Expression, table: Table, wanted: bool, among: Bools | None) -> Bools:
    """Return (n,) where a node is `wanted`; rows outside `among` may say anything."""
    match node:
        case And(terms) | Or(terms):
            every = isinstance(node, And) == wanted
            return (_every if every else _any)(terms, table, wanted, among)
        case Not(term):
            return _where(term, table, not wanted, among)
        case BooleanLiteral(value):
            return np.full(table.n, value is wanted)
        case Compare():
            return _compare(node, table, wanted)
        case In(value, values):
            return _in(value, values, table, wanted)
        case Like(text, pattern):
            return _like(_texts(text, table), pattern, wanted)
        case IsNull(part):
            null = _null(part, table)
            return null if wanted else ~null
        case Spatial():
            return related(node, table, wanted, among)
        case Box():
            return boxed(node, table, wanted, among)


def _every(terms: Sequence[Expression], table: Table, wanted: bool, among: Bools | None) -> Bools:
    """Return where all terms are `wanted`; geometry comes last and only for what is left."""
    mask = among
    for term in sorted(terms, key=_costly):
        own = _where(term, table, wanted, mask)
        mask = own if mask is None else mask & own
    assert mask is not None
    return mask


def _any(terms: Sequence[Expression], table: Table, wanted: bool, among: Bools | None) -> Bools:
    mask = np.zeros(table.n, dtype=bool)
    for term in terms:
        mask |= _where(term, table, wanted, among)
    return mask


def _costly(node: Expression) -> bool:
    match node:
        case Spatial() | Box():
            return True
        case And(terms) | Or(terms):
            return any(_costly(term) for term in terms)
        case Not(term):
            return _costly(term)
    return False


def _compare(node: Compare, table: Table, wanted: bool) -> Bools:
    operator = node.operator if wanted else _OPPOSITE[node.operator]
    if node.left.type != "string":
        left, left_known = _numbers(node.left, table)
        right, right_known = _numbers(node.right, table)
        mask = np.broadcast_to(HOLDS[operator](left, right), table.n)
        return _both(mask, _both_known(left_known, right_known))
    texts = _texts(node.left, table)
    if isinstance(node.right, Literal):
        return _against(texts, operator, str(node.right.value))
    return _between_texts(texts, operator, _texts(node.right, table))


def _against(texts: Texts, operator: Comparison, word: str) -> Bools:
    """Compare the strings of a table with one."""
    codes, words = texts.codes, texts.words
    if not texts.sorted:
        return _by_word(codes, np.fromiter((HOLDS[operator](w, word) for w in words), dtype=bool, count=len(words)))
    low = bisect_left(words, word)
    high = low + (low < len(words) and words[low] == word)
    unsigned = codes.view(np.uint32)  # null is larger than any code
    mask: Bools
    match operator:
        case "=":
            mask = codes == low if high > low else np.zeros(len(codes), dtype=bool)
        case "<>":
            mask = (codes != low) & (codes >= 0) if high > low else codes >= 0
        case "<" | "<=":
            mask = unsigned < (low if operator == "<" else high)
        case ">" | ">=":
            mask = codes >= (high if operator == ">" else low)
    return mask


def _between_texts(left: Texts, operator: Comparison, right: Texts) -> Bools:
    """Compare the strings of two columns by their ranks among the words of both."""
    rank = {word: index for index, word in enumerate(sorted({*left.words, *right.words}))}
    first, second = (np.array([rank[w] for w in side.words] + [-1])[side.codes] for side in (left, right))
    mask: Bools = HOLDS[operator](first, second) & (left.codes >= 0) & (right.codes >= 0)
    return mask


def _by_word(codes: NDArray[np.int32], flags: Bools) -> Bools:
    """Return each row's flag by its word; False where null."""
    return np.append(flags, False)[codes]


def _in(value: Value, values: Sequence[Scalar], table: Table, wanted: bool) -> Bools:
    if value.type != "string":
        numbers, known = _numbers(value, table)
        return _both(_is_one(np.broadcast_to(numbers, table.n), values) == wanted, known)
    texts = _texts(value, table)
    flags = np.zeros(len(texts.words), dtype=bool)
    if texts.sorted:
        places = [(bisect_left(texts.words, str(word)), word) for word in values]
        flags[[place for place, word in places if place < len(flags) and texts.words[place] == word]] = True
    else:
        sought = frozenset(values)
        flags[:] = [word in sought for word in texts.words]
    return _by_word(texts.codes, flags == wanted)


def _is_one(numbers: NDArray[Any], values: Sequence[Scalar]) -> Bools:
    if numbers.dtype.kind == "f":
        return np.isin(numbers, np.array(values, dtype=np.float64))
    whole = np.array([value for value in values if isinstance(value, int)], dtype=np.int64)
    doubles = np.array([value for value in values if isinstance(value, float)])
    mask = np.isin(numbers, whole)
    return mask | np.isin(numbers.astype(np.float64), doubles) if len(doubles) else mask


def _like(texts: Texts, pattern: str, wanted: bool) -> Bools:
    codes, words, first = texts.codes, texts.words, 0
    prefix, enough = prefix_of(pattern)
    if texts.sorted and prefix:  # what starts alike stands together
        first = bisect_left(words, prefix)
        last = bisect_right(words, prefix, lo=first, key=lambda word: word[: len(prefix)])
        words = words[first:last]
        if enough:
            return ((codes >= first) & (codes < last)) if wanted else (codes >= last) | (codes.view(np.uint32) < first)
    flags = np.zeros(len(texts.words), dtype=bool)
    flags[first : first + len(words)] = like_flags(pattern, words)
    return _by_word(codes, flags == wanted)


def _null(part: Value | FeatureGeometry | Expression, table: Table) -> Bools:
    if isinstance(part, FeatureGeometry):
        return np.isnan(table.boxes[0])
    if not isinstance(part, Value):
        return ~(_where(part, table, True, None) | _where(part, table, False, None))
    if part.type == "string":
        return _texts(part, table).codes < 0
    known = _numbers(part, table)[1]
    return np.zeros(table.n, dtype=bool) if known is None else ~known


def _numbers(value: Value, table: Table) -> tuple[Any, Any]:
    """Return the numbers or milliseconds of a value, (n,) or one, and what is known (None: all)."""
    match value:
        case Literal(scalar):
            return scalar, None
        case Property(column) if not table.has(column.name):
            return np.zeros(table.n), np.zeros(table.n, dtype=bool)
        case Property(column):
            return (table.instants if value.type == "instant" else table.numbers)(column.name)
        case Arithmetic(operator, first, second):
            left, left_known = _numbers(first, table)
            right, right_known = _numbers(second, table)
            result, finite = computed(operator, np.asarray(left, np.float64), np.asarray(right, np.float64))
            return result, _both_known(finite, _both_known(left_known, right_known))
    raise TypeError(f"{value} is no number")


def _texts(value: Value, table: Table) -> Texts:
    match value:
        case Property(column) if not table.has(column.name):
            return Texts(np.full(table.n, -1, dtype=np.int32), [], True)
        case Property(column):
            return Texts(*table.strings(column.name), True)
        case Literal(scalar):
            return Texts(np.zeros(table.n, dtype=np.int32), [str(scalar)], True)
        case CellToParent(cell, resolution):
            own = _texts(cell, table)
            codes, words = parents(own.words, resolution)
            return Texts(np.append(codes, np.int32(-1))[own.codes], words, True)
    fold: Callable[[str], str] = str.casefold if isinstance(value, CaseFold) else fold_accents
    own = _texts(value.text, table)  # type: ignore[union-attr]
    return Texts(own.codes, list(map(fold, own.words)), False)


def _both(mask: Bools, known: Any) -> Bools:
    return mask if known is None else mask & known


def _both_known(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return first & second

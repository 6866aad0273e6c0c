"""Comparisons of instants and intervals (OGC 21-065, 7.8) as comparisons of their starts and ends.

A time that meets a date is compared as a date: the UTC day is the unit of both. So DATE('2025-01-31') equals every time
of that day, and is before the first time of the next. An interval holds both of its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from spatial.query.build import FLIPPED, HOLDS, comparison, conjunction
from spatial.query.limits import refused
from spatial.query.model import And, BooleanLiteral, Compare, Comparison, Expression, Literal, Not, Or, Property
from spatial.query.times import Instant

End = Property | Instant | float

INTERVALS_ONLY: dict[str, tuple[tuple[str, Comparison, str], ...]] = {  # ends of the first, then of the second
    "t_contains": (("s", "<", "s"), ("e", ">", "e")),
    "t_during": (("s", ">", "s"), ("e", "<", "e")),
    "t_finishedby": (("s", "<", "s"), ("e", "=", "e")),
    "t_finishes": (("s", ">", "s"), ("e", "=", "e")),
    "t_meets": (("e", "=", "s"),),
    "t_metby": (("s", "=", "e"),),
    "t_overlappedby": (("s", ">", "s"), ("s", "<", "e"), ("e", ">", "e")),
    "t_overlaps": (("s", "<", "s"), ("e", ">", "s"), ("e", "<", "e")),
    "t_startedby": (("s", "=", "s"), ("e", ">", "e")),
    "t_starts": (("s", "=", "s"), ("e", "<", "e")),
}
RELATIONS = ("t_after", "t_before", "t_disjoint", "t_equals", "t_intersects", *INTERVALS_ONLY)


@dataclass(frozen=True, slots=True)
class Interval:
    """From a start to an end; -inf and inf where it is open."""

    start: End
    end: End

    def __post_init__(self) -> None:
        if (
            not isinstance(self.start, Property)
            and not isinstance(self.end, Property)
            and _order(self.start, self.end) > 0
        ):
            raise refused("INTERVAL: it ends before it begins")


Operand = Property | Instant | Interval


def compared(operator: Comparison, left: End, right: End) -> Expression:
    """Compare two instants; null where a property is."""
    if isinstance(left, Property):
        return comparison(operator, left, right) if isinstance(right, Property) else _against(left, operator, right)
    if isinstance(right, Property):
        return _against(right, FLIPPED[operator], left)
    return BooleanLiteral(bool(HOLDS[operator](_order(left, right), 0)))


def related(name: str, left: Operand, right: Operand) -> Expression:
    """Return a temporal predicate of two instants or intervals, such as t_after."""
    if name in INTERVALS_ONLY:
        if not (isinstance(left, Interval) and isinstance(right, Interval)):
            raise refused(f"{name.upper()}: compares two intervals; for an instant use T_INTERSECTS or a comparison")
        ends = {"s": (left.start, right.start), "e": (left.end, right.end)}
        return conjunction([compared(sign, ends[a][0], ends[b][1]) for a, sign, b in INTERVALS_ONLY[name]])
    first, second = _interval(left), _interval(right)
    if name == "t_equals":
        terms = [compared("=", first.start, second.start), compared("=", first.end, second.end)]
        return terms[0] if terms[0] == terms[1] else And(tuple(terms))
    after, before = compared(">", first.start, second.end), compared("<", first.end, second.start)
    if name in ("t_after", "t_before"):
        return after if name == "t_after" else before
    return Or((before, after)) if name == "t_disjoint" else Not(Or((before, after)))


def _interval(operand: Operand) -> Interval:
    return operand if isinstance(operand, Interval) else Interval(operand, operand)


def _against(column: Property, operator: Comparison, other: Instant | float) -> Expression:
    if isinstance(other, float):  # whatever its value is; null where there is none
        return Compare(column, "=" if HOLDS[operator](0.0, other) else "<>", column)
    begin, end = Literal(other.begin, "instant"), Literal(other.end, "instant")
    if operator == "<>":
        return Not(_against(column, "=", other))
    if operator == "=":
        inside = And((Compare(column, ">=", begin), Compare(column, "<=", end)))
        return Compare(column, "=", begin) if begin == end else inside
    return Compare(column, operator, begin if operator in ("<", ">=") else end)


def _order(left: Instant | float, right: Instant | float) -> int:
    """Return whether a literal lies before (-1), at (0) or after (1) another."""
    first, second = _span(left), _span(right)
    return (first[0] > second[1]) - (first[1] < second[0])


def _span(end: Instant | float) -> tuple[tuple[float, str], tuple[float, str]]:
    if isinstance(end, float):
        return (end, ""), (end, "")
    return (end.exact, (end.end, "~")) if end.begin < end.end else (end.exact, end.exact)  # ~ sorts after digits


OPEN = {0: -inf, 1: inf}

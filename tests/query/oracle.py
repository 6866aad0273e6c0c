"""What a filter means, row by row, in plain Python with None for unknown; and the same filter as text.

It reads CQL2 JSON as it is and shares no code with `spatial.query`.
"""

from __future__ import annotations

import math
import operator
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

import h3
import shapely
from shapely.geometry import shape

Row = dict[str, Any]
COMPARISONS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def truth(node: Any, row: Row) -> bool | None:
    """Return whether a condition holds for a row."""
    if isinstance(node, bool):
        return node
    op, args = node["op"], node["args"]
    if op in ("and", "or"):
        values = [truth(arg, row) for arg in args]
        decisive = op == "or"
        return decisive if decisive in values else None if None in values else not decisive
    if op == "not":
        value = truth(args[0], row)
        return None if value is None else not value
    if op == "isNull":
        return known(args[0], row) is None
    if op.startswith("s_"):
        left, right = (row["geometry"] if "property" in arg else literal_shape(arg) for arg in args)
        return bool(getattr(shapely, op[2:])(left, right))
    if op.startswith("t_"):
        return temporal(op, *(bounds(arg, row) for arg in args))
    if op == "in_grid_disk":
        cell = value_of(args[0], row)
        return None if cell is None else cell in h3.grid_disk(args[1], args[2])
    return comparison(op, args, row)


def comparison(op: str, args: list[Any], row: Row) -> bool | None:
    """Return =, <, IN, BETWEEN, LIKE."""
    value = value_of(args[0], row)
    if op == "in":
        return either([compared("=", value, value_of(item, row)) for item in args[1]])
    if op == "between":
        low, high = (
            compared(sign, value, value_of(arg, row)) for sign, arg in zip((">=", "<="), args[1:], strict=True)
        )
        return False if False in (low, high) else None if None in (low, high) else True
    other = value_of(args[1], row)
    if op == "like":
        return None if value is None else like(value, other)
    return compared(op, value, other)


def either(values: list[bool | None]) -> bool | None:
    """Return OR."""
    return True if True in values else None if None in values else False


def compared(op: str, left: Any, right: Any) -> bool | None:
    """Compare two values; a time with a date as dates, integers as they are, other numbers as doubles."""
    if left is None or right is None:
        return None
    if isinstance(left, date) and isinstance(right, date) and type(left) is not type(right):
        left, right = (v.date() if isinstance(v, datetime) else v for v in (left, right))
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    return bool(COMPARISONS[op](left, right))


def known(node: Any, row: Row) -> Any:
    """Return the value or truth of a node, None where there is none."""
    if isinstance(node, dict) and node.get("property") == "geometry":
        return row["geometry"]
    if isinstance(node, bool) or (isinstance(node, dict) and "op" in node and is_condition(node)):
        return truth(node, row)
    return value_of(node, row)


def value_of(node: Any, row: Row) -> Any:
    """Return the value of a scalar for a row."""
    if not isinstance(node, dict):
        return node
    if "property" in node:
        return row[node["property"]]
    if "date" in node:
        return date.fromisoformat(node["date"])
    if "timestamp" in node:
        return datetime.fromisoformat(node["timestamp"])
    values = [value_of(arg, row) for arg in node["args"]]
    if None in values:
        return None
    return {"casei": casei, "accenti": accenti, "cell_to_parent": parent}.get(node["op"], arithmetic(node["op"]))(
        *values
    )


def casei(text: str) -> str:
    """Fold case, a character at a time."""
    return "".join(character.casefold() for character in text)


def accenti(text: str) -> str:
    """Take accents off."""
    bare = [c for c in unicodedata.normalize("NFD", text) if not 0x300 <= ord(c) <= 0x36F]
    return unicodedata.normalize("NFC", "".join(bare)).replace("ø", "o").replace("Ø", "O")


def parent(cell: str, resolution: int) -> str | None:
    """Return the parent of a cell by h3."""
    if not h3.is_valid_cell(cell) or h3.get_resolution(cell) < resolution:
        return None
    return str(h3.cell_to_parent(cell, resolution))


def arithmetic(op: str) -> Any:
    """Return an operation on doubles that gives None where it has no value."""

    def apply(left: Any, right: Any) -> float | None:
        a, b = float(left), float(right)
        try:
            if op == "^":
                result = math.pow(a, b)
            elif op in ("div", "%"):
                result = float(math.trunc(a / b)) if op == "div" else a - b * float(math.trunc(a / b))
            else:
                result = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[op](a, b)
        except (ArithmeticError, ValueError):
            return None
        return result if math.isfinite(result) else None

    return apply


def like(text: str, pattern: str) -> bool:
    """Match by the table of prefixes: reached[i] says that the pattern so far matches the first i characters."""
    reached = [True] + [False] * len(text)
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            first = reached.index(True) if True in reached else len(reached)
            reached = [index >= first for index in range(len(reached))]
            continue
        anything = character == "_"
        if character == "\\":
            character = next(characters, "\\")
        reached = [False] + [reached[i] and (anything or text[i] == character) for i in range(len(text))]
    return reached[-1]


def literal_shape(node: Any) -> Any:
    """Return a geometry or a box."""
    return shapely.box(*node["bbox"]) if "bbox" in node else shape(node)


def bounds(node: Any, row: Row) -> tuple[Any, Any]:
    """Return start and end of an instant or an interval; -inf and inf where it is open."""
    if "interval" not in node:
        value = value_of(node, row)
        return value, value
    ends = [
        -math.inf if end == ".." and which == 0 else math.inf if end == ".." else end
        for which, end in enumerate(node["interval"])
    ]
    start, end = (
        (datetime if "T" in item else date).fromisoformat(item) if isinstance(item, str) else value_of(item, row)
        for item in ends
    )
    return start, end


def ordered(op: str, left: Any, right: Any) -> bool | None:
    """Compare two ends, of which one may be open."""
    if left is None or right is None:
        return None
    if isinstance(left, float) or isinstance(right, float):
        left, right = (value if isinstance(value, float) else 0.0 for value in (left, right))
    return compared(op, left, right)


def temporal(op: str, first: tuple[Any, Any], second: tuple[Any, Any]) -> bool | None:
    """Return a temporal relation by the definitions of OWL-Time."""
    (s1, e1), (s2, e2) = first, second
    after, before = ordered(">", s1, e2), ordered("<", e1, s2)
    if op in ("t_after", "t_before"):
        return after if op == "t_after" else before
    if op in ("t_disjoint", "t_intersects"):
        value = either([after, before])
        return value if op == "t_disjoint" or value is None else not value
    pairs = {
        "t_equals": [("=", s1, s2), ("=", e1, e2)],
        "t_during": [(">", s1, s2), ("<", e1, e2)],
        "t_contains": [("<", s1, s2), (">", e1, e2)],
        "t_starts": [("=", s1, s2), ("<", e1, e2)],
        "t_startedBy": [("=", s1, s2), (">", e1, e2)],
        "t_finishes": [(">", s1, s2), ("=", e1, e2)],
        "t_finishedBy": [("<", s1, s2), ("=", e1, e2)],
        "t_meets": [("=", e1, s2)],
        "t_metBy": [("=", s1, e2)],
        "t_overlaps": [("<", s1, s2), (">", e1, s2), ("<", e1, e2)],
        "t_overlappedBy": [(">", s1, s2), ("<", s1, e2), (">", e1, e2)],
    }[op]
    values = [ordered(*pair) for pair in pairs]
    return False if False in values else None if None in values else True


def written(node: Any) -> str:
    """Return CQL2 JSON as CQL2 text."""
    match node:
        case bool():
            return str(node).upper()
        case str():
            return LOST if "\\'" in node + "'" else "'" + node.replace("'", "''") + "'"
        case int() | float():
            return repr(node)
        case {"property": name}:
            return f'"{name}"'
        case {"date": text} | {"timestamp": text}:
            return f"{next(iter(node)).upper()}('{text}')"
        case {"interval": ends}:
            return f"INTERVAL({', '.join(map(written, ends))})"
        case {"bbox": numbers}:
            return f"BBOX({', '.join(map(repr, numbers))})"
        case {"type": _}:
            return str(shape(node).wkt)
        case {"op": op, "args": args}:
            return operation(op, args)
    raise TypeError(node)


def operation(op: str, args: list[Any]) -> str:
    """Return an operation in text, in parentheses."""
    if op == "in":
        return f"({written(args[0])} IN ({', '.join(map(written, args[1]))}))"
    parts = [written(arg) for arg in args]
    if op in ("and", "or"):
        return "(" + f" {op.upper()} ".join(parts) + ")"
    if op == "not":
        return f"(NOT {parts[0]})"
    if op == "isNull":
        return f"({parts[0]} IS NULL)"
    if op == "between":
        return f"({parts[0]} BETWEEN {parts[1]} AND {parts[2]})"
    if op[0].isalpha() and op not in ("like", "div"):
        return f"{op}({', '.join(parts)})"
    return f"({parts[0]} {op.upper()} {parts[1]})"


LOST = "⊥"  # stands for a string that text cannot say: it has a \ before a quote or at its end, which escapes it
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def moment_text(milliseconds: int) -> str:
    """Return a stored time as RFC 3339."""
    return (EPOCH + MILLISECOND * milliseconds).isoformat().replace("+00:00", "Z")


def span(text: str) -> tuple[datetime, datetime]:
    """Return the first and last moment of a date or a time."""
    if "T" in text:
        return datetime.fromisoformat(text), datetime.fromisoformat(text)
    day = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return day, day + timedelta(days=1, microseconds=-1) if text < "9999" else day


def is_condition(node: Any) -> bool:
    """Whether `known` takes a node for a condition."""
    return isinstance(node, bool) or node["op"] in ("and", "or", "not", *COMPARISONS, "like")

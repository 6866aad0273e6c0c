r"""CQL2 text (OGC 21-065, annex B) to the structure of CQL2 JSON: a tokeniser and a parser by precedence.

The Rust package `cql2` 0.6 cannot stand here: a chain of 10,000 sums (22 kB, no parenthesis) overflows its stack and
ends the process; it reads 9007199254740993 as ...992 and 1e400 as infinity, POINT(-1 +2) as a sum, and refuses `.5`
and `\'`. Here recursion goes with nesting only, which is bounded; chains are loops.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from spatial.query.geometry import TAGS, from_wkt
from spatial.query.limits import MAX_DEPTH, MAX_TEXT_BYTES, refused, shown

_START = (
    ":_A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1ffe\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_TOKEN = re.compile(
    rf"""\s*+(?:
    (?P<number>(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)(?![{_START}.0-9])
    |'(?P<string>(?:[^'\\]++|''|\\'|\\)*+)'
    |"(?P<quoted>[^"]++)"
    |(?P<word>[{_START}][{_START}.0-9\u0300-\u036f\u203f\u2040]*+)
    |(?P<sign><>|<=|>=|[=<>+\-*/%^(),])
    |(?P<end>\Z)
    )""",
    re.VERBOSE,
)
_QUOTE = re.compile(r"''|\\'")
_PARENTHESIS = re.compile(r"[()]")
_WKT_DEPTH = 5  # GEOMETRYCOLLECTION(MULTIPOLYGON(((...)))) has four
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _POWER, _SIGN = range(1, 9)
_POWERS = {
    **dict.fromkeys(("=", "<>", "<", ">", "<=", ">=", "IN", "BETWEEN", "LIKE", "IS", "NOT"), _COMPARISON),
    **dict.fromkeys("+-", _SUM),
    **dict.fromkeys(("*", "/", "%", "DIV"), _PRODUCT),
    "OR": _OR,
    "AND": _AND,
    "^": _POWER,
}
_RESERVED = {"AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "DIV"}
_BUILT_IN = re.compile(r"(?:[aAsStT]_[A-Za-z]+|(?i:casei|accenti))")
_INSTANTS = {"DATE": "date", "TIMESTAMP": "timestamp"}


def parse_text(text: str) -> Any:
    """Return a filter in CQL2 text as CQL2 JSON has it, geometries read already (shapely). Raises QueryError."""
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise refused(f"larger than {MAX_TEXT_BYTES} bytes")
    return _Parser(text).whole()


class _Parser:
    """Reads a text once, from left to right, one token ahead."""

    def __init__(self, text: str) -> None:
        self.text, self.end, self.depth = text, 0, 0
        self.kind, self.value, self.start = "", "", 0
        self.advance()

    def whole(self) -> Any:
        node = self.expression(0)
        if self.kind != "end":
            raise self.unexpected("the end, AND or OR")
        return node

    def advance(self) -> None:
        """Read the next token; a word's value is as written."""
        token = _TOKEN.match(self.text, self.end)
        if token is None or token.lastgroup is None:
            at = len(self.text) - len(self.text[self.end :].lstrip())
            raise refused(f"at character {at + 1}: cannot read {shown(self.text[at : at + 20])}")
        self.kind, self.value = token.lastgroup, token[token.lastgroup]
        self.start, self.end = token.start(token.lastgroup), token.end()

    def unexpected(self, wanted: str) -> Exception:
        found = "the end" if self.kind == "end" else shown(self.text[self.start : self.end])
        return refused(f"at character {self.start + 1}: expected {wanted}, found {found}")

    @property
    def name(self) -> str:
        """What the token is to the grammar: a sign, or a word in capitals; nothing else."""
        return self.value if self.kind == "sign" else self.value.upper() if self.kind == "word" else ""

    def take(self, name: str) -> None:
        if self.name != name:
            raise self.unexpected(name)
        self.advance()

    def expression(self, power: int) -> Any:
        """Read what binds tighter than `power`."""
        left = self.operand()
        while (own := _POWERS.get(self.name, 0)) > power:
            name = self.name
            if own in (_AND, _OR):
                left = {"op": name.lower(), "args": [left, *self.more(name, own)]}
            elif own == _COMPARISON:
                left = self.comparison(left)
                if _POWERS.get(self.name, 0) >= _COMPARISON:
                    raise self.unexpected("AND, OR or the end after a comparison")
            else:
                self.advance()
                left = {"op": name.lower(), "args": [left, self.expression(own)]}
                if own == _POWER and self.name == "^":
                    raise self.unexpected("parentheses around a power of a power")
        return left

    def more(self, name: str, own: int) -> list[Any]:
        terms: list[Any] = []
        while self.name == name:
            self.advance()
            terms.append(self.expression(own))
        return terms

    def comparison(self, left: Any) -> Any:
        name = self.name
        self.advance()
        if name == "NOT":
            if self.name not in ("IN", "BETWEEN", "LIKE"):
                raise self.unexpected("IN, BETWEEN or LIKE")
            return {"op": "not", "args": [self.comparison(left)]}
        if name == "IS":
            negated = self.name == "NOT"
            if negated:
                self.advance()
            self.take("NULL")
            null = {"op": "isNull", "args": [left]}
            return {"op": "not", "args": [null]} if negated else null
        if name == "IN":
            return {"op": "in", "args": [left, self.listed()]}
        if name == "BETWEEN":
            low = self.expression(_COMPARISON)
            self.take("AND")
            return {"op": "between", "args": [left, low, self.expression(_COMPARISON)]}
        return {"op": name.lower(), "args": [left, self.expression(_COMPARISON)]}

    def listed(self) -> list[Any]:
        """Read expressions between parentheses."""
        self.take("(")
        self.deeper()
        items: list[Any] = []
        while self.name != ")":
            items.append(self.expression(0))
            if self.name == ",":
                self.advance()
                if self.name == ")":
                    raise self.unexpected("another argument")
            elif self.name != ")":
                raise self.unexpected("a comma or )")
        self.advance()
        self.depth -= 1
        return items

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise refused(f"at character {self.start + 1}: nested deeper than {MAX_DEPTH}")

    def operand(self) -> Any:
        kind, value, name = self.kind, self.value, self.name
        if kind == "word":
            return self.word(value, name)
        if name in ("+", "-"):
            return self.signed(name)
        if name == "(":
            self.advance()
            self.deeper()
            node = self.expression(0)
            self.take(")")
            self.depth -= 1
            return node
        if kind not in ("number", "string", "quoted"):
            raise self.unexpected("a property, a value, a function or NOT")
        self.advance()
        if kind == "number":
            return _number(value)
        return {"property": value} if kind == "quoted" else _QUOTE.sub("'", value)

    def signed(self, sign: str) -> Any:
        self.advance()
        if self.kind == "number":
            value = _number(self.value)
            self.advance()
            return -value if sign == "-" else value
        if sign == "+":
            raise self.unexpected("a number after +")
        self.deeper()
        node = {"op": "*", "args": [-1, self.expression(_SIGN)]}
        self.depth -= 1
        return node

    def word(self, value: str, name: str) -> Any:
        if name == "NOT":
            self.advance()
            self.deeper()
            node = {"op": "not", "args": [self.expression(_NOT)]}
            self.depth -= 1
            return node
        if name in TAGS:
            return self.geometry()
        if name in _RESERVED:
            raise self.unexpected("a property or a value; a property of that name goes in double quotes")
        self.advance()
        if name in ("TRUE", "FALSE"):
            return name == "TRUE"
        return self.call(value, name) if self.name == "(" else {"property": value}

    def call(self, value: str, name: str) -> Any:
        arguments = self.listed()
        if name in _INSTANTS and len(arguments) == 1:
            return {_INSTANTS[name]: arguments[0]}
        if name in ("BBOX", "INTERVAL"):
            return {name.lower(): arguments}
        return {"op": value.lower() if _BUILT_IN.fullmatch(value) else value, "args": arguments}

    def geometry(self) -> Any:
        """Read a geometry in WKT whole: GEOS reads numbers a hundred times faster than tokens would."""
        begin, depth = self.start, 0
        for parenthesis in _PARENTHESIS.finditer(self.text, self.end):
            depth += 1 if parenthesis[0] == "(" else -1
            if depth > _WKT_DEPTH:
                raise refused(f"at character {parenthesis.start() + 1}: too many parentheses in a geometry")
            if depth <= 0:
                self.end = parenthesis.end()
                break
        else:
            raise refused(f"at character {begin + 1}: a geometry that does not end")
        geometry = from_wkt(self.text[begin : self.end])
        self.advance()
        return geometry


def _number(text: str) -> int | float:
    if text.isdigit() and len(text) < 20:
        return int(text)
    value = float(text)
    if not isfinite(value):
        raise refused(f"{shown(text)}: too large a number")
    return value

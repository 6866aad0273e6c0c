"""Which features of a layer match a question, whatever the store, the format or the route: CQL2, bbox, datetime.

A question is an `Expression` (`spatial.query.model`); `matches` evaluates it over a `Table`, and a store may turn it
into SQL. Arrays only; nothing is read or written.
"""

from spatial.query.evaluate import matches
from spatial.query.functions import FUNCTIONS, Argument, Function
from spatial.query.model import (
    AccentFold,
    And,
    Arithmetic,
    BooleanLiteral,
    Bounds,
    Box,
    CaseFold,
    CellToParent,
    Compare,
    Expression,
    FeatureGeometry,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Property,
    Spatial,
    Value,
    columns_of,
)
from spatial.query.parameters import (
    both,
    box_expression,
    equals_expression,
    interval_expression,
    parse_filter,
)
from spatial.query.sort import SortKey, parse_sort, sorted_rows
from spatial.query.table import FrameTable, Table
from spatial.query.times import parse_interval

_CLASSES = (
    "cql2-text cql2-json basic-cql2 advanced-comparison-operators case-insensitive-comparison "
    "accent-insensitive-comparison basic-spatial-functions basic-spatial-functions-plus spatial-functions "
    "temporal-functions property-property functions arithmetic"
)
CQL2_CONFORMANCE: tuple[str, ...] = tuple(f"http://www.opengis.net/spec/cql2/1.0/conf/{c}" for c in _CLASSES.split())

__all__ = [
    "CQL2_CONFORMANCE",
    "FUNCTIONS",
    "AccentFold",
    "And",
    "Argument",
    "Arithmetic",
    "BooleanLiteral",
    "Bounds",
    "Box",
    "CaseFold",
    "CellToParent",
    "Compare",
    "Expression",
    "FeatureGeometry",
    "FrameTable",
    "Function",
    "In",
    "IsNull",
    "Like",
    "Literal",
    "Not",
    "Or",
    "Property",
    "SortKey",
    "Spatial",
    "Table",
    "Value",
    "both",
    "box_expression",
    "columns_of",
    "equals_expression",
    "interval_expression",
    "matches",
    "parse_filter",
    "parse_interval",
    "parse_sort",
    "sorted_rows",
]

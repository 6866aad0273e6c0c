"""What a question needs in PostgreSQL that it has not: folding of case and accents, H3 parents, doubles that are null
where they are not finite. `spatial.query` says what each gives; these give the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from spatial.query.strings import BARRED, case_foldings

_CELL_TO_PARENT = """
CREATE OR REPLACE FUNCTION {schema}.cell_to_parent(cell text, resolution bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  -- 4 bits of mode, 3 reserved, 4 of resolution, 7 of base cell, 15 digits of 3 bits, those beyond the resolution 7
  SELECT CASE WHEN n >> 59 = 1 AND n >> 56 & 7 = 0 AND base < 122 AND own >= resolution
      AND n & rest = rest AND digits & (digits >> 1) & (digits >> 2) & 5026338869833 = 0
      -- a pentagon has no cell whose first digit that is not 0 is 1: its highest bit is the last of its three
      AND NOT (base = ANY ({pentagons}) AND length(ltrim(digits::bit(45)::text, '0')) % 3 = 1)
    THEN to_hex(n & ~(15::bigint << 52) | (resolution << 52) | (1::bigint << (3 * (15 - resolution))::int) - 1)
  END FROM (
    SELECT n, base, own, rest, n & ((1::bigint << 45) - 1) & ~rest AS digits FROM (
      SELECT n, n >> 45 & 127 AS base, n >> 52 & 15 AS own, (1::bigint << (3 * (15 - (n >> 52 & 15)))::int) - 1 AS rest
      FROM (SELECT ('x0' || cell)::bit(64)::bigint AS n WHERE cell ~ '^[0-9a-fA-F]{{15}}$') AS numbers
    ) AS parts
  ) AS cells
$$
"""
_COMPUTED = """
CREATE OR REPLACE FUNCTION {schema}.computed(operator text, a double precision, b double precision)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  CASE operator
    WHEN '+' THEN RETURN a + b;
    WHEN '-' THEN RETURN a - b;
    WHEN '*' THEN RETURN a * b;
    WHEN '/' THEN RETURN a / b;
    WHEN '^' THEN RETURN a ^ b;
    WHEN 'div' THEN RETURN trunc({schema}.computed('/', a, b));
    WHEN '%' THEN RETURN a - b * trunc({schema}.computed('/', a, b));
  END CASE;
EXCEPTION
  WHEN division_by_zero OR invalid_argument_for_power_function THEN RETURN NULL;
  WHEN numeric_value_out_of_range THEN
    -- too large for a double, which is null, or too small, which is 0
    IF operator = '*' THEN RETURN CASE WHEN least(abs(a), abs(b)) < 1 AND greatest(abs(a), abs(b)) < 1e155 THEN 0 END;
    ELSIF operator = '/' THEN RETURN CASE WHEN abs(a) < abs(b) THEN 0 END;
    ELSIF operator = '^' THEN RETURN CASE WHEN (abs(a) < 1) = (b > 0) THEN 0 END;
    END IF;
    RETURN NULL;
END $$
"""
_FOLD_CASE = """
CREATE OR REPLACE FUNCTION {schema}.fold_case(given text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN octet_length(given) = length(given) THEN lower(given COLLATE "C") ELSE {folded} END
$$
"""
_FOLD_ACCENTS = """
CREATE OR REPLACE FUNCTION {schema}.fold_accents(given text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN octet_length(given) = length(given) THEN given ELSE
    translate(normalize(regexp_replace(normalize(given, NFD), {marks}, '', 'g'), NFC), {barred}, {letters}) END
$$
"""
_PENTAGONS = [4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117]


def make_functions(connection: Connection[Any], schema: str) -> None:
    """Put the functions into a schema, in place of those of an earlier release."""
    for statement in _statements(schema):
        connection.execute(statement)


@cache
def _statements(schema: str) -> tuple[Composed, ...]:
    own = Identifier(schema)
    barred = "".join(map(chr, BARRED)), "".join(BARRED.values())
    return (
        SQL(_CELL_TO_PARENT).format(schema=own, pentagons=Literal(_PENTAGONS)),
        SQL(_COMPUTED).format(schema=own),
        SQL(_FOLD_CASE).format(schema=own, folded=_folded()),
        SQL(_FOLD_ACCENTS).format(
            schema=own, marks=Literal("[\u0300-\u036f]"), barred=Literal(barred[0]), letters=Literal(barred[1])
        ),
    )


def _folded() -> Composed:
    """Return CASEI of `given`: the characters that fold to one, then those that fold to several, in any order."""
    before, after, several = case_foldings()
    expression = SQL("translate(given, {}, {})").format(Literal(before), Literal(after))
    for character, letters in several.items():
        expression = SQL("replace({}, {}, {})").format(expression, Literal(character), Literal(letters))
    return expression

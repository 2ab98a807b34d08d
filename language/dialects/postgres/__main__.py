"""Writes catalogue.json: PostgreSQL's types, casts, operators and functions, as a running server's own catalogue has them.

`python -m language.dialects.postgres "host=localhost user=postgres"`, against a server of the newest version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from language.dialects.postgres.catalogue import FILE

_TYPES = """SELECT t.typname, t.typcategory::text, t.typispreferred, t.typtype::text, coalesce(e.typname, ''),
  coalesce(a.typname, ''), coalesce(s.typname, ''), coalesce(m.typname, '')
FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typsubscript::text <> '-' AND t.typlen = -1
LEFT JOIN pg_type a ON a.oid = t.typarray
LEFT JOIN pg_range r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid
LEFT JOIN pg_type s ON s.oid = CASE WHEN r.rngmultitypid = t.oid THEN r.rngtypid ELSE r.rngsubtype END
LEFT JOIN pg_type m ON m.oid = r.rngmultitypid AND r.rngtypid = t.oid
WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype <> 'c'
  AND (t.typelem = 0 OR e.typtype IS DISTINCT FROM 'c') ORDER BY 1"""
_CASTS = """SELECT s.typname, t.typname, castcontext::text, castmethod::text
FROM pg_cast JOIN pg_type s ON s.oid = castsource JOIN pg_type t ON t.oid = casttarget ORDER BY 1, 2"""
_OPERATORS = """SELECT oprname, coalesce(l.typname, ''), r.typname, o.typname FROM pg_operator
LEFT JOIN pg_type l ON l.oid = oprleft JOIN pg_type r ON r.oid = oprright JOIN pg_type o ON o.oid = oprresult
WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprright <> 0 ORDER BY 1, 2, 3"""
# Arguments beyond the types are names of those that give a result: OUT and TABLE; those of input as they may be named in a call.
_FUNCTIONS = """SELECT p.proname, p.prokind::text, p.proretset, r.typname, coalesce(v.typname, ''), p.pronargdefaults,
  ARRAY(SELECT typname::text FROM unnest(p.proargtypes) WITH ORDINALITY AS a(oid, n) JOIN pg_type t ON t.oid = a.oid ORDER BY n),
  ARRAY(SELECT coalesce(p.proargnames[n], '') FROM generate_subscripts(p.proallargtypes, 1) AS n
        WHERE p.proargmodes[n] IN ('o', 't', 'b') ORDER BY n),
  ARRAY(SELECT t.typname::text FROM generate_subscripts(p.proallargtypes, 1) AS n JOIN pg_type t ON t.oid = p.proallargtypes[n]
        WHERE p.proargmodes[n] IN ('o', 't', 'b') ORDER BY n),
  ARRAY(SELECT coalesce(p.proargnames[n], '') FROM generate_series(1, coalesce(array_length(p.proargnames, 1), 0)) AS n
        WHERE p.proargmodes IS NULL OR p.proargmodes[n] IN ('i', 'b', 'v') ORDER BY n),
  coalesce(a.aggkind::text, ''), coalesce(a.aggnumdirectargs, 0), p.provolatile::text
FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype LEFT JOIN pg_type v ON v.oid = p.provariadic
LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind <> 'p'
AND NOT EXISTS (SELECT FROM unnest(p.proargtypes || p.prorettype) AS u(oid) JOIN pg_type t ON t.oid = u.oid
                WHERE t.typname IN ('internal', 'cstring', 'trigger', 'event_trigger', 'fdw_handler', 'index_am_handler',
                                    'table_am_handler', 'tsm_handler', 'language_handler', 'pg_ddl_command'))
ORDER BY p.proname, p.pronargs, p.proargtypes::text"""
_KEYWORDS = "SELECT word FROM pg_get_keywords() WHERE catcode <> 'U' ORDER BY 1"
# The types that can be sorted (b) or compared by a hash (h): https://www.postgresql.org/docs/current/indexes-opclass.html
_COMPARED = """SELECT t.typname, string_agg(left(m.amname, 1), '' ORDER BY m.amname)
FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod JOIN pg_type t ON t.oid = o.opcintype
WHERE o.opcdefault AND m.amname IN ('btree', 'hash') GROUP BY 1 ORDER BY 1"""
_RESERVED = "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T') ORDER BY 1"


def main(arguments: Sequence[str]) -> None:
    with psycopg.connect(arguments[0]) as session:
        FILE.write_text(_written(catalogue_of(session)), encoding="utf-8")


def catalogue_of(session: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """What stands in catalogue.json."""
    queries = {"types": _TYPES, "casts": _CASTS, "operators": _OPERATORS, "functions": _FUNCTIONS, "compared": _COMPARED}
    found: dict[str, list[Any]] = {name: [list(row) for row in session.execute(sql)] for name, sql in queries.items()}
    for name, sql in {"keywords": _KEYWORDS, "reserved": _RESERVED}.items():
        found[name] = [word for (word,) in session.execute(sql)]
    return found


def _written(found: dict[str, list[Any]]) -> str:
    """A line for each row, so that a new version's differences can be read."""
    parts = [
        f'"{name}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]" for name, rows in found.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    main(sys.argv[1:])

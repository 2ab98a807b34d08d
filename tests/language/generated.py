# ruff: noqa: RUF001, SIM905  (letters that look like others are the point)
"""Programs made by chance: from the grammar, by mutation of good ones, and by repeating a few words until it hurts.

Every function takes a `random.Random`: hypothesis hands in one that it can shrink, the fuzzer one of a printed seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from tests.language.generated_queries import query

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOOD = [
    path.read_bytes().decode()
    for path in [
        ROOT / "examples" / "airline" / "program.sql",
        *sorted(p for p in (HERE / "cases").glob("*.sql") if not p.name.endswith(".format.sql")),
        *sorted((HERE / "typed").glob("*.sql")),
    ]
]
HEAD = (
    "CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');\n"
    "CREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
    "CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');\n"
    "INSERT INTO lake.ops FROM ops.public TABLES (flights, planes) EVERY '1 hour' REPLACE;\n"
)
DIALECTS = [
    "SELECT TOP 10 [carrier], [dest] FROM [lake].[ops].[flights] WITH (NOLOCK)",
    "SELECT `carrier` FROM `lake`.`ops`.`flights` LIMIT 1, 2",
    "SELECT * EXCEPT (dest), SAFE_DIVIDE(a, b) FROM `lake.ops.flights` FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()",
    "SELECT v:a.b[0]::string, $1 FROM lake.ops.flights, LATERAL FLATTEN(input => v) QUALIFY row_number() OVER (ORDER BY 1) = 1",
    "SELECT $$it's$$ || $tag$ ; $tag$, carrier FROM @stage/file (FILE_FORMAT => 'csv')",
    "SELECT explode(split(carrier, ',')) FROM lake.ops.flights LATERAL VIEW explode(a) t AS x CLUSTER BY 1 DISTRIBUTE BY 2",
    "SELECT /*+ BROADCAST(f) */ f.* FROM lake.ops.flights TABLESAMPLE (10 PERCENT) f",
    "SELECT q'[it's]', NVL(a, b), ROWNUM FROM lake.ops.flights CONNECT BY PRIOR a = b START WITH a = 1",
    "SELECT carrier FROM lake.ops.flights MATCH_RECOGNIZE (PARTITION BY a ORDER BY b MEASURES a AS b PATTERN (x+) DEFINE x AS a > 1)",
    "SELECT {{ ref('flights') }}, {% if x %} 1 {% endif %} {# note #} FROM lake.ops.flights",
    "PIVOT lake.ops.flights ON carrier USING sum(dep_delay)",
    "SELECT #1, ?, :name, @p, %s, %(a)s FROM lake.ops.flights",
    "MERGE INTO lake.ops.flights USING x ON a = b WHEN MATCHED THEN DELETE",
    "SELECT a.b.c.d.e, a -> 'b' ->> 'c', a #> '{b}', a @> b, a ?| b, x::int[] FROM ONLY lake.ops.flights",
]
_WORDS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\w+|\s+|.", re.DOTALL)
_CONTROL = ["\x00", "\ufeff", "\r", "\r\n", "\t", "\x0b", "\x0c", "\x85", "\u2028", "\u200b", "\u202e"]
_ODD: list[str] = [*_CONTROL, *"\\é𝒜İß０'\"`;()", "$$", "--", "/*", "*/", "{#", "#}", "{%", "%}", "E'"]
_HOMOGLYPHS = dict(zip("aeocpAEOi;'(", "аеосрΑΕОі;’（", strict=True))
_KEYWORDS = """
CREATE  WAREHOUSE  CONNECTION  MATERIALIZED  VIEW  INSERT  INTO  EVERY  REPLACE  APPEND  MERGE  ON  CURSOR  CAPTURE  PARTITION
BY  EXPECT  OR  FAIL  FRESH  WITHIN  TABLES  FROM  AS  WITH  USING  TO  TRUE  TOLERATE  STALE
MASK  HASH  DROP  FUNCTION  RETURNS  TABLE  SQL
""".split()
_SQL_WORDS = [
    word.strip()
    for word in re.split(
        r"  |\n",
        """
SELECT  FROM  WHERE  GROUP BY  ORDER BY  HAVING  QUALIFY  LIMIT  UNION  ALL  EXCEPT  JOIN  LEFT  CROSS  LATERAL  ON
USING  WITH  RECURSIVE  AS  CASE  WHEN  THEN  ELSE  END  NOT  AND  OR  IN  EXISTS  BETWEEN  LIKE  IS  NULL  DISTINCT
OVER  PARTITION BY  ROWS  INTERVAL  CAST  COLLATE  PIVOT  UNPIVOT  VALUES  UNNEST  FILTER  EXCLUDE  ASC  ESCAPE
AT TIME ZONE  POSITIONAL  ASOF  SEMI  TABLE  DESCRIBE  x  f(  (  )  [  ]  {  }  'a':  ,  .  ::  ::INT  ->  =>  ||  +
-  *  /  =  <  >  !  ~  ?  :  @  #  $1  1  1.5e9  's'  "q"  lake.ops.flights  t.*  ;
""",
    )
    if word.strip()
]


def view(query: str, name: str = "lake.v.a") -> str:
    return f"CREATE MATERIALIZED VIEW {name} EVERY '1 hour' REPLACE AS {query};\n"


def program(random: Random) -> str:
    """From the grammar; most of them compile."""
    statements = [_statement(random, number) for number in range(random.randint(1, 6))]
    if random.random() < 0.9:
        statements.insert(0, HEAD)
    else:
        random.shuffle(statements)
    return "".join(statements)


def mutated(random: Random) -> str:
    """A good program with a few characters or tokens changed, moved, doubled, or taken from another one."""
    text = random.choice(GOOD)
    for _ in range(random.randint(1, 4)):
        text = random.choice(_MUTATIONS)(random, text)
    return text


def of_words(random: Random) -> str:
    words = random.choice([_KEYWORDS, _SQL_WORDS, _KEYWORDS + _SQL_WORDS])
    soup = " ".join(random.choice(words) for _ in range(random.randint(1, 30)))
    return HEAD + (soup if random.random() < 0.3 else view(random.choice(["", "SELECT ", "SELECT 1 AS a FROM "]) + soup))


def of_another_dialect(random: Random) -> str:
    query = random.choice(DIALECTS)
    return HEAD + (view(query) if random.random() < 0.7 else _swap(random, view(query)))


def repeated(random: Random, most: int = 20_000) -> str:
    """One to three words again and again, sometimes closed again as often."""
    words = " ".join(random.choice(_SQL_WORDS) for _ in range(random.randint(1, 3)))
    closing = "".join({"(": ")", "[": "]", "{": "}"}.get(c, "") for c in reversed(words)) + (" END" if "CASE" in words else "")
    times = int(most ** random.random())
    middle = random.choice(["", "1", "x", "SELECT 1", "lake.ops.flights"])
    start = random.choice(["SELECT ", "SELECT 1 AS a FROM ", "SELECT 1 AS a WHERE ", "SELECT * FROM lake.ops.flights ", ""])
    query = start + (words + " ") * times + middle + closing * (times if random.random() < 0.7 else 0)
    return HEAD + (
        view(query)
        if random.random() < 0.9
        else f"INSERT INTO lake.x FROM ops.public TABLES (flights) EVERY '1 hour' EXPECT e: ({query}) OR WARN;"
    )


def _statement(random: Random, number: int) -> str:
    kinds: list[Callable[[Random, int], str]] = [_view, _view, _view, _publish, _collect, _tables]
    return random.choice(kinds)(random, number)


def _view(random: Random, number: int) -> str:
    made = f"lake.v.v{random.randint(0, number + 1) if random.random() < 0.05 else number}"
    inputs = [
        "lake.ops.flights",
        "lake.ops.planes",
        *(f"lake.v.v{n}" for n in range(number if random.random() < 0.95 else number + 2)),
    ]
    return _laid(random, f"CREATE MATERIALIZED VIEW {made}", _clauses(random, mode=True), f"AS {_query(random, inputs)}")


def _publish(random: Random, number: int) -> str:
    return _laid(
        random, f"INSERT INTO ops.public.p{number}", _clauses(random, mode=True), f"AS {_query(random, ['lake.ops.flights'])}"
    )


def _collect(random: Random, number: int) -> str:
    query = random.choice(
        [
            "SELECT id, a AS b, updated_at FROM ops.public.t WHERE a > 1",
            "SELECT * FROM ops.t",
            (
                "SELECT Id, SystemModstamp, Name AS b, LastModifiedDate AS updated_at FROM crm.Account "
                "WHERE LastModifiedDate > 2024-01-01T00:00:00Z AND Name != 'x;y'"
            ),
            'SELECT "Id" FROM ops."Strange".t AS s',
        ]
    )
    masks = [random.choice(["MASK (b DROP)", "MASK (a drop, b HASH)", "MASK (id HASH)"])] if random.random() < 0.2 else []
    return _laid(random, f"INSERT INTO lake.c.t{number}", [*masks, *_clauses(random, cursor=True)], f"AS {query}")


def _tables(random: Random, number: int) -> str:
    listed = "FROM ops.public TABLES (" + ", ".join(f"t{n}" for n in range(random.randint(1, 12))) + ")"
    return _laid(random, f"INSERT INTO lake.s{number}", [listed, *_clauses(random, cursor=True)], "")


def _clauses(random: Random, mode: bool = False, cursor: bool = False) -> list[str]:
    seldom = random.random() < 0.1
    found = [
        f"EVERY '{random.choice(['1 minute', '15 minutes', '90 minutes', '1 day', '1 week', '7 hours']) if seldom else '1 hour'}'"
    ]
    chosen = random.choice(["REPLACE", "REPLACE", "APPEND", "MERGE ON (id)", 'MERGE ON ("id", b)'])
    if mode or random.random() < 0.5:
        found.append(chosen)
    if cursor and random.random() < (0.05 if chosen == "REPLACE" else 0.5):
        found.append("CURSOR updated_at" if random.random() < 0.95 else "CAPTURE")
    if mode and random.random() < 0.2:
        found.append("PARTITION BY (b)")
    for number in range(random.choice([0, 0, 0, 1, 2])):
        predicate = random.choice(["id IS NOT NULL", "b > 1 AND b < (2 + 3)", "len(b) > 3 -- why\n ", "b IN (1, 2)"])
        found.append(f"EXPECT e{number}: ({predicate}) OR {random.choice(['WARN', 'FAIL', 'QUARANTINE'])}")
    if random.random() < 0.2:
        found.append("FRESH WITHIN '2 weeks'")
    if random.random() < 0.2:
        found.append(f"TOLERATE {random.choice(['0', '100', '0.5 PERCENT', '100 percent', '1e2', '101 PERCENT'])} BAD ROWS")
    random.shuffle(found)
    return found


def _laid(random: Random, head: str, clauses: Sequence[str], tail: str) -> str:
    gaps = [" ", " ", " ", "\n  ", "\r\n", "\t", " /* a note */ ", " -- a note\n", "\n\n"]
    pieces = [head, *clauses, *([tail] if tail else [])]
    text = "".join(piece + random.choice(gaps) for piece in pieces[:-1]) + pieces[-1] + ";" + random.choice(["\n", "\n\n", " ", ""])
    return text.lower() if random.random() < 0.1 else text


def _query(random: Random, inputs: Sequence[str], depth: int = 0) -> str:
    table = random.choice(inputs)
    names = random.sample(["id", "b", "c", "D", "updated_at"], 5 if random.random() < 0.9 else random.randint(1, 4))
    items = ", ".join(f"{_expression(random)} AS {name}" for name in names)
    shape = random.randint(0, 9 if depth < 3 else 3)
    if shape < 3:
        return f"SELECT {items} FROM {table} AS t WHERE {_expression(random)} > 1"
    if shape == 3:
        return f"SELECT *\n FROM {table}"
    inner = _query(random, inputs, depth + 1)
    return [
        f"SELECT {items} FROM ({inner}) AS t",
        f"WITH t AS ({inner}) SELECT {items} FROM t",
        f"SELECT {items} FROM {table} AS t JOIN {random.choice(inputs)} AS u ON t.id = u.id GROUP BY ALL",
        f"({inner})\nUNION ALL ({_query(random, inputs, depth + 1)})",
        f"SELECT {items} FROM {table} t WHERE id IN ({inner}) AND t.b >= batch_start() AND t.b < batch_end()",
        f"SELECT {items}, row_number() OVER (PARTITION BY t.id ORDER BY t.b) AS n FROM {table} t QUALIFY n = 1 ORDER BY 1 LIMIT 5",
    ][shape - 4]


def _expression(random: Random, depth: int = 0) -> str:
    if depth > 3 or random.random() < 0.5:
        return random.choice(
            ["t.id", "t.b", "1", "1.5", "'it''s; -- no'", "NULL", "TRUE", '"c"', "DATE '2024-01-01'", "batch_start()", "[1, 2]"]
        )
    inner, other = _expression(random, depth + 1), _expression(random, depth + 1)
    return random.choice(
        [
            f"({inner} + {other})",
            f"{inner}::VARCHAR",
            f"CASE WHEN {inner} IS NULL THEN {other} END",
            f"coalesce({inner}, {other})",
            f"count(DISTINCT {inner})",
            f"{inner} || {other}",
            f"TRY_CAST({inner} AS DECIMAL(10, 2))",
            f"{{'a': {inner}}}",
            f"(SELECT max({inner}))",
            f"NOT {inner} IS DISTINCT FROM {other}",
            f"{inner} BETWEEN {other} AND 3",
            f"list_transform([{inner}], x -> x + {other})",
        ]
    )


def _odd(random: Random, text: str) -> str:
    at = random.randint(0, len(text))
    return text[:at] + random.choice(_ODD) + text[at:]


def _cut(random: Random, text: str) -> str:
    at = random.randint(0, len(text))
    return text[:at] + text[at + random.choice([1, 1, 2, 10, 1000]) :]


def _stitched(random: Random, text: str) -> str:
    other = random.choice(GOOD)
    return text[: random.randint(0, len(text))] + other[random.randint(0, len(other)) :]


def _swap(random: Random, text: str) -> str:
    """Two tokens change places, one is doubled, one is lost, or one comes from elsewhere."""
    tokens = _WORDS.findall(text)
    if len(tokens) < 2:
        return text
    one, other = random.randrange(len(tokens)), random.randrange(len(tokens))
    match random.randint(0, 3):
        case 0:
            tokens[one], tokens[other] = tokens[other], tokens[one]
        case 1:
            tokens.insert(one, tokens[other])
        case 2:
            del tokens[one]
        case _:
            tokens[one] = random.choice(_KEYWORDS + _SQL_WORDS)
    return "".join(tokens)


def _lookalike(random: Random, text: str) -> str:
    places = [i for i, c in enumerate(text) if c in _HOMOGLYPHS]
    if not places:
        return text
    at = random.choice(places)
    return text[:at] + _HOMOGLYPHS[text[at]] + text[at + 1 :]


_MUTATIONS: list[Callable[[Random, str], str]] = [_odd, _cut, _stitched, _swap, _swap, _swap, _lookalike]


def typed(random: Random) -> str:
    """The reference project with another view, whose query is of its tables' columns."""
    text = GOOD[0] + view(query(random)).replace("1 hour", "1 minute")
    return text if random.random() < 0.7 else random.choice(_MUTATIONS)(random, text)


KINDS: dict[str, Callable[[Random], str]] = {
    "grammar": program,
    "mutation": mutated,
    "words": of_words,
    "dialect": of_another_dialect,
    "repetition": repeated,
    "typed": typed,
}

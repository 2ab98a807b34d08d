"""DuckDB's messages that are known: for each a cause and a remedy, in our words."""

from __future__ import annotations

from dataclasses import dataclass

LITERALS = {"STRING_LITERAL": "a text", "INTEGER_LITERAL": "a number"}
FIELDS = "it has {1}"


@dataclass(frozen=True)
class Rule:
    """A message of DuckDB's, and what is said instead; groups are those of the pattern, compiled when it is first looked for.

    words: the first of them that the text has is the place, where the message gives none, or `at_words`.
    names: whether the place is a column, which can be taken out so that more mistakes are found.
    unplaced: it is for messages that give no place.
    aliased: the place may be that of what a column of the SELECT is made of, where the clause names the column.
    foreign: another engine may read such SQL, and what to write for it says more.
    """

    pattern: str
    cause: str
    remedy: str
    words: tuple[str, ...] = ()
    names: bool = False
    at_words: bool = False
    unplaced: bool = False
    foreign: bool = False
    aliased: bool = False


def _rule(pattern: str, cause: str, remedy: str, *words: str, **how: bool) -> Rule:
    return Rule(pattern, cause, remedy, words, **how)


RULES = (
    _rule(
        r"Function with name top does not exist",
        "a SELECT has no TOP",
        "write LIMIT and the number at the end, after an ORDER BY",
    ),
    _rule(
        r"__postfix",
        "an operator stands here that there is not",
        "compare by =, and write names in double quotes where they need any",
        foreign=True,
    ),
    _rule(
        r"column \"?([^\"]+?)\"? must appear in the GROUP BY",
        "`{0}` is neither grouped nor aggregated",
        "add it to GROUP BY, or write an aggregate such as any_value({0})",
        names=True,
    ),
    _rule(r'Type with name (.+?) does not exist!(?:\nDid you mean "(.+?)")?', "there is no type `{0}`", "write a type of DuckDB's"),
    _rule(r"Function with name (.+?) does not exist", "there is no function `{0}`", "write a function that the warehouse has"),
    _rule(
        r"[Cc]ombining QUALIFY with GROUP BY ALL",
        "QUALIFY does not go with GROUP BY ALL",
        "name what is grouped by, as in GROUP BY carrier; groups themselves are filtered by HAVING",
        "qualify",
        at_words=True,
    ),
    _rule(
        r"(\w+) clause cannot contain window functions",
        "{0} comes before windows are computed",
        "filter by a window with QUALIFY",
        aliased=True,
    ),
    _rule(r"(\w+) clause cannot contain aggregates", "{0} comes before groups are made", "filter groups with HAVING", aliased=True),
    _rule(r"aggregate function calls cannot be nested", "an aggregate stands in another one", "aggregate in a subquery first"),
    _rule(
        r"Subquery returns (\d+) columns - expected 1", "this subquery has {0} columns where one is wanted", "select one column in it"
    ),
    _rule(
        r"(?:GROUP BY|ORDER) term out of range - should be between 1 and (\d+)",
        "there is no column of this number: the SELECT has {0}",
        "name the column",
    ),
    _rule(
        r"DECIMAL type width must be between 1 and (\d+)",
        "a decimal has at most {0} digits",
        "write DECIMAL({0}, …)",
        "decimal",
        "numeric",
    ),
    _rule(
        r"Could not find key \"(.+?)\" in struct\n+Candidate Entries: (.*)",
        "there is no field `{0}` here",
        FIELDS,
    ),
    _rule(
        r"Cannot extract field '(.+?)' from expression \"(.+?)\" because it is not a struct",
        "there is no field `{0}` in what has no fields",
        "name a column, or a field of a STRUCT",
    ),
    _rule(
        r"Sequence with name (.+) does not exist",
        "no warehouse has a sequence `{0}`",
        "number rows by their key: row_number() OVER (ORDER BY id)",
        *("nextval", "currval"),
    ),
    _rule(
        r"errhint NOT IMPLEMENTED",
        "this SQL cannot be read: LIMIT takes one number",
        "write LIMIT 10 OFFSET 5",
        "limit",
        foreign=True,
    ),
    _rule(
        r"Star expression .* resulted in an empty set of columns|No matching columns found that match regex",
        "no column here has such a name",
        "name the columns",
        *("like", "glob", "columns"),
    ),
    _rule(r"LIMIT/OFFSET cannot be negative", "a number of rows is not negative", "write how many rows"),
    _rule(r"unterminated quoted (string|identifier)", "a quote is opened here and closed nowhere", "close it"),
    _rule(r"unterminated /\* comment", "a comment is opened here and closed nowhere", "close it by */"),
    _rule(r"SELECT clause without selection list", "this SQL cannot be read: a SELECT takes no columns", "name them: SELECT id, …"),
    _rule(r'Duplicate CTE name "(.+?)"', "two tables are called `{0}` here", "give each a name of its own"),
    _rule(
        r"Set operations can only apply to expressions with the same number",
        "the two sides have different numbers of columns",
        "select as many columns on both sides",
        *("union", "except", "intersect"),
    ),
    _rule(
        r"Cannot mix values of type (.+) and (.+) in (\w+)",
        "{2} cannot hold both {0} and {1}",
        "CAST one to the other's type",
    ),
    _rule(
        r"Cannot compare values of type (.+?) and (?:type )?(.+?) -",
        "{0} cannot be compared with {1}",
        "CAST one to the other's type",
    ),
    _rule(r'Could not ORDER BY column "(.+?)"', "there is no column `{0}` here", "order by a column that the SELECT puts out"),
    _rule(
        r'[Cc]olumn "(.+?)" does not exist on (?:left|right) side of join',
        "not both sides of the join have `{0}`",
        "join ON a condition",
    ),
    _rule(r"UNNEST\(\) can only be applied to lists, structs and NULL, not (.+)", "unnest takes a list, not {0}", "make it a list"),
    _rule(r'Duplicate alias "(.+?)"', "two tables are called `{0}` here", "give each an alias of its own"),
    _rule(
        r"(?i)catalog type does not support time travel",
        "a query cannot choose the moment of its inputs: each is read as of the batch's end",
        "remove AT (…)",
        "at",
    ),
    _rule(
        r"(?i)nameListToString NOT IMPLEMENTED",
        "a table in a warehouse has three names",
        "write warehouse.schema.table, as in lake.ops.flights",
    ),
    _rule(
        r"[Mm]ax expression depth limit of (\d+)",
        "more than {0} operators, calls or tables of WITH stand in one another here, as in a + b + c",
        "make views of its parts, or IN (…) of many ORs",
    ),
    _rule(
        r"at least one window function must appear in the SELECT column or QUALIFY",
        "QUALIFY filters by a window, and there is none",
        "write WHERE, or HAVING after a GROUP BY",
        "qualify",
    ),
    _rule(
        r"RANGE frames must have only one ORDER BY",
        "RANGE counts from the value of one ORDER BY, and there are several",
        "order by one, or write ROWS",
        "range",
        at_words=True,
    ),
    _rule(
        r"(?:argument types '|function call \")[-+]\((.+?), ",
        "RANGE counts from the value of ORDER BY, and from {0} it cannot",
        "order by a number or a moment and count by its kind, or write ROWS",
        "range",
        unplaced=True,
    ),
    _rule(r"extract specifier \"(.+?)\" not recognized", "a moment has no part `{0}`", "write 'day', 'month' or another part"),
    _rule(
        r"[Ff]ailed to parse format specifier (.+?): ",
        "`{0}` is no format of a moment",
        "write one such as '%Y-%m-%d'",
    ),
    _rule(
        r"^(missing [\])]|unexpected \)|invalid escape sequence|bad repetition operator|no argument for repetition operator"
        r"|trailing \\|invalid (?:perl operator|character class range|repetition size))(?:: |$)",
        "this is no regular expression: {0}",
        "write \\ before a sign that stands for itself, as in '\\('",
    ),
    _rule(r"Missing ASOF JOIN inequality", "an ASOF JOIN does not say which rows come before", "compare moments by >=", "asof"),
    _rule(r"UNNEST not supported here", "unnest cannot stand here", "write it in the SELECT or in FROM", "unnest", "any"),
    _rule(r"[Dd]uplicate struct entry name \"(.+?)\"", "two fields would be called `{0}`", "give each a name of its own"),
    _rule(r"[Cc]annot unpivot columns of types (.+?) and (.+?) -", "one column cannot hold both {0} and {1}", "CAST them", "unpivot"),
    _rule(r"[Cc]ollation with name (\w+) does not exist", "there is no collation `{0}`", "write NOCASE, NOACCENT or NFC"),
    _rule(r"SELECT (INTO|locking clause)", "a query only reads", "remove INSERT, UPDATE, DELETE, INTO or FOR UPDATE"),
)

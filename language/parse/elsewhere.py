"""What other tools' programs say at the places of Atoll's words, and what says the same here."""

from __future__ import annotations

from collections.abc import Collection

from language.parse.token_reader import TokenReader
from language.text.clause_words import CLAUSES
from language.text.diagnostics import Problem, did_you_mean
from language.text.tokens import Kind, Token

TABLES = "write FROM connection TABLES (Account, Opportunity)"
_VIEW = "CREATE MATERIALIZED VIEW lake.schema.table EVERY '1 hour' REPLACE AS SELECT …"
_COLLECT = "INSERT INTO lake.schema FROM connection TABLES (…) EVERY '1 hour'"
_STATEMENTS = "statements are CREATE WAREHOUSE, CREATE CONNECTION, CREATE FUNCTION, CREATE MATERIALIZED VIEW and INSERT INTO"
_QUERIES = ("SELECT", "WITH", "PIVOT", "UNPIVOT")
_CREATED = "create a WAREHOUSE, a CONNECTION, a FUNCTION or a MATERIALIZED VIEW"
_OPTIONS = "options stand in CREATE WAREHOUSE or CREATE CONNECTION; what a table is like is said by its clauses"

_NO_SESSION = "leave it out: a program has no session, and names are written in full"
_ASKED = "ask the command: atoll status, atoll lineage, atoll explain"
_FIRST = {
    **dict.fromkeys((*_QUERIES, "FROM", "VALUES"), f"say what it makes, and how often: {_VIEW}"),
    **dict.fromkeys(
        ("DROP", "DELETE", "TRUNCATE"), "remove the statement that makes the table; what it holds stays in the warehouse"
    ),
    **dict.fromkeys(("UPDATE", "MERGE", "UPSERT", "REPLACE"), "write INSERT INTO target EVERY '1 hour' MERGE ON (key) AS SELECT …"),
    "ALTER": "change the statement that makes it; `atoll plan` tells what that changes",
    "REFRESH": f"say with the view how often it runs: {CLAUSES['EVERY']}",
    **dict.fromkeys(("COPY", "LOAD", "IMPORT"), f"collect it: {_COLLECT}"),
    **dict.fromkeys(
        ("UNLOAD", "EXPORT"), "publish it: INSERT INTO connection.schema.table EVERY '1 hour' MERGE ON (key) AS SELECT …"
    ),
    **dict.fromkeys(("USE", "SET", "BEGIN", "COMMIT", "ROLLBACK", "DECLARE", "START", "CALL", "EXEC", "EXECUTE"), _NO_SESSION),
    **dict.fromkeys(("SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LIST"), _ASKED),
    **dict.fromkeys(("GRANT", "REVOKE"), "say in AWS who may read the tables"),
    **dict.fromkeys(("MODEL", "AUDIT", "CONFIG"), f"say it by clauses: {_VIEW}"),
    **dict.fromkeys(("{", "{{", "{%"), "write plain SQL without templates: a table is named in FROM, as in lake.ops.flights"),
    **dict.fromkeys(CLAUSES, "clauses stand behind the name that a statement makes, before AS"),
}
_KINDS = {
    **dict.fromkeys(
        ("TABLE", "DYNAMIC", "LIVE", "STREAMING", "EXTERNAL", "TEMP", "TEMPORARY", "TRANSIENT"), f"write {_VIEW}, or {_COLLECT}"
    ),
    **dict.fromkeys(("RECURSIVE", "SECURE", "INCREMENTAL"), f"write {_VIEW}"),
    **dict.fromkeys(("SCHEMA", "DATABASE", "CATALOG"), "leave it out: a schema is there as soon as a statement names it"),
    **dict.fromkeys(("SOURCE", "SERVER", "STAGE", "INTEGRATION"), "write CREATE CONNECTION name TO system WITH (secret = 'name')"),
    "SECRET": "store it with `atoll secret name file.json`, and name it: CREATE CONNECTION … WITH (secret = 'name')",
    **dict.fromkeys(("SINK", "PUBLICATION"), "write INSERT INTO connection.schema.table EVERY '1 hour' MERGE ON (key) AS SELECT …"),
    **dict.fromkeys(
        ("TASK", "JOB", "PIPE", "STREAM", "SCHEDULE", "PIPELINE"), f"say with each statement how often it runs: {CLAUSES['EVERY']}"
    ),
    **dict.fromkeys(("INDEX", "UNIQUE"), f"leave it out; how files are laid out is said by {CLAUSES['PARTITION']}"),
    **dict.fromkeys(("PROCEDURE", "AGGREGATE", "TRIGGER"), "say it in SQL in a materialized view"),
    "MACRO": "write CREATE FUNCTION name (most INTEGER) RETURNS TABLE USING sql AS SELECT …",
    **dict.fromkeys(("USER", "ROLE", "GROUP", "POLICY"), "say in AWS who may read the tables"),
}
_INSERTS = {"OVERWRITE": CLAUSES["REPLACE"], "IGNORE": CLAUSES["MERGE"], "OR": CLAUSES["MERGE"]}
# Each as `write …` goes on.
_CLAUSES = {
    **dict.fromkeys(("PARTITIONED", "CLUSTER", "CLUSTERED", "DISTRIBUTED", "SORTKEY", "DISTKEY"), CLAUSES["PARTITION"]),
    **dict.fromkeys(("TARGET_LAG", "LAG"), f"{CLAUSES['EVERY']}, and {CLAUSES['FRESH']} to be told"),
    **dict.fromkeys(("SCHEDULE", "SCHEDULED", "REFRESH", "CRON", "INTERVAL", "DAILY", "HOURLY"), CLAUSES["EVERY"]),
    **dict.fromkeys(("UPSERT", "UNIQUE", "UNIQUE_KEY", "PRIMARY", "KEY", "DUPLICATE"), CLAUSES["MERGE"]),
    "MODE": f"{CLAUSES['REPLACE']}, {CLAUSES['APPEND']} or {CLAUSES['MERGE']} alone",
    **dict.fromkeys(("OVERWRITE", "FULL", "TRUNCATE"), CLAUSES["REPLACE"]),
    "INCREMENTAL": f"{CLAUSES['APPEND']}, or {CLAUSES['MERGE']}",
    "CURSOR_FIELD": CLAUSES["CURSOR"],
    **dict.fromkeys(("CONSTRAINT", "CHECK", "ASSERT", "TEST", "AUDIT"), CLAUSES["EXPECT"]),
    "ENGINE": f"{CLAUSES['USING']}, in a view or a publication",
    "WAREHOUSE": f"{CLAUSES['USING']}; the warehouse itself is the first of a table's three names",
    "COLUMNS": "the columns in the query: AS SELECT id, name FROM …",
    **dict.fromkeys(("EXCLUDE", "EXCEPT"), "MASK (column DROP) where it is collected, or name the columns in the query"),
    "COMMENT": "-- and the comment",
    "VALUES": "AS and a query: rows come from a connection or from a table",
    "ON": f"{CLAUSES['MERGE']}: what is published is updated by its key",
}


def unknown_statement(token: Token) -> Problem:
    """What is said of a word with which no statement begins."""
    elsewhere = _FIRST.get(token.text.upper(), "") if token.kind in (Kind.WORD, Kind.SYMBOL) else ""
    near = did_you_mean(token.text, ["CREATE", "INSERT"])
    return Problem(token.span, f"a statement cannot begin with `{token.text}`", elsewhere or near + _STATEMENTS)


def refuse_insert(reader: TokenReader) -> None:
    """Raises Problem for INSERT OVERWRITE and INSERT IGNORE."""
    coming = reader.peek()
    if coming is not None and coming.is_word(*_INSERTS):
        remedy = f"write INSERT INTO, and {_INSERTS[coming.text.upper()]} behind the name"
        raise Problem(coming.span, f"`INSERT {coming.text}` is no statement", remedy)


def unknown_kind(token: Token, known: Collection[str]) -> Problem:
    """What is said of a word behind CREATE that is nothing which can be created."""
    elsewhere = _KINDS.get(token.text.upper(), "") if token.kind is Kind.WORD else ""
    remedy = elsewhere or did_you_mean(token.text, known) + _CREATED
    return Problem(token.span, f"`{token.span.text}` is nothing that can be created", remedy)


def refuse_condition(reader: TokenReader, *words: str) -> None:
    """Raises Problem for words such as OR REPLACE or IF NOT EXISTS, which it takes."""
    first = reader.take_word(words[0])
    if first is None:
        return
    for word in words[1:]:
        reader.take_word(word)
    span = first.span.to(reader.last_span)
    remedy = "leave it out: a program says what there is, whether it is there already or not"
    raise Problem(span, f"`{' '.join(span.text.split())}` does not stand here", remedy)


def unknown_clause(reader: TokenReader, known: Collection[str], statement: str) -> Problem:
    """What is said of the token at which a reader stands, with which no clause begins; it takes it.

    known: the words with which clauses begin.  statement: as in 'a view'.
    """
    token = reader.next("a clause", "")
    following = reader.peek()
    if token.is_symbol("(") and (following is None or not (following.is_word(*_QUERIES, "FROM") or following.is_symbol("("))):
        return Problem(token.span, "a list of columns does not stand here", "name the columns in the query, as in SELECT 1 AS number")
    if token.is_word("WITH", "OPTIONS", "PROPERTIES", "TBLPROPERTIES") and following is not None and following.is_symbol("("):
        return Problem(token.span, f"{statement} takes no options", _OPTIONS)
    if token.is_word(*_QUERIES) or token.is_symbol("("):
        return Problem(token.span, "a query begins here without `AS`", f"write AS before `{token.span.text}`")
    if token.is_symbol(","):
        return Problem(token.span, "`,` stands between clauses", "write them one after another, without commas")
    if token.is_word("TABLES") and "FROM" in known:
        return Problem(token.span, "`TABLES` does not say of which connection", TABLES)
    if token.is_word("MASK", "CURSOR", "CAPTURE", "FROM", "TABLES"):
        what = "mask the column" if token.is_word("MASK") else "write it"
        remedy = f"{what} where it is collected, in the INSERT INTO the warehouse"
        return Problem(token.span, f"`{token.text.upper()}` is no clause of {statement}", remedy)
    elsewhere = _CLAUSES.get(token.text.upper(), "") if token.kind is Kind.WORD else ""
    remedy = f"write {elsewhere}" if elsewhere else did_you_mean(token.text, known) + f"clauses begin with {', '.join(known)}"
    return Problem(token.span, f"`{token.span.text}` is no clause of {statement}", remedy)

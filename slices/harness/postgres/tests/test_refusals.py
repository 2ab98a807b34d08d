"""What PostgreSQL answers when nothing of a row is wrong, and when it is; keys and changes as the table's own types compare them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from slices.harness.postgres.catalog import read_table
from slices.harness.postgres.column_types import tells_apart
from slices.harness.postgres.tests.database import Database
from slices.harness.postgres.tests.direct import Direct
from systems.sql_target.table import TargetColumn
from tests.words_in_values import WORDS

SHAPE = {"id": "string", "x": "string"}
TRIGGER = """CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN new; END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON scorecard FOR EACH ROW EXECUTE FUNCTION guard()"""
PLAIN = "CREATE TABLE scorecard (id text PRIMARY KEY, x text)"
ANSWERS: list[tuple[str, type[AtollError], str, str]] = [
    (f"{PLAIN}; {TRIGGER.format('PERFORM nowhere(1);')}", DefinitionError, r"42883 in guard\)", "mend guard"),
    (f"{PLAIN}; {TRIGGER.format('''PERFORM current_setting('app.tenant');''')}", DefinitionError, r"42704 in guard\)", "mend guard"),
    (f"{PLAIN}; CREATE TABLE log (t text); {TRIGGER.format('INSERT INTO log VALUES (1);')}", DefinitionError, "guard does", "grant"),
    (f"{PLAIN}; {TRIGGER.format('''RAISE 'no' USING ERRCODE = '45000';''')}", RowError, "a trigger refuses a row", "TOLERATE"),
    (f"{PLAIN}; CREATE INDEX ON scorecard (x)", RowError, "too large for its index", "TOLERATE"),
    (
        ("CREATE TABLE scorecard (id text PRIMARY KEY, x text) PARTITION BY LIST (id); "
        "CREATE TABLE b PARTITION OF scorecard FOR VALUES IN ('b')"),
        RowError, "fits none of the partitions", "TOLERATE",
    ),
]  # fmt: skip


EQUAL = {
    "char(4)": ("ab", "ab "),
    "citext": ("ab", "AB"),
    "text COLLATE folded": ("ab", "AB"),
    "numeric(4,1)": ("1.04", "1.03"),
    "timestamp(0)": ("2026-01-01 00:00:00.1", "2026-01-01 00:00:00.2"),
    "real": ("0.1", "0.10000000001"),
    "uuid": ("6f1c2d3e-0000-4000-8000-00000000000a", "6F1C2D3E-0000-4000-8000-00000000000A"),
    "inet": ("10.0.0.1", "10.0.0.1/32"),
}
CHANGES = {
    "citext": ("a", "A"),
    "text COLLATE folded": ("a", "A"),
    "numeric": ("1.0", "1.00"),
    "interval": ("1 day", "24:00:00"),
    "json": ("[1]", "[2]"),
    "point": ("(1,2)", "(1,3)"),
    "float8": ("0", "-0"),
    "pair": ("(1,[1])", "(1,[2])"),
}


@pytest.fixture
def publishing(target: Database) -> Iterator[Direct]:
    with closing(Direct(target, SHAPE)) as found:
        yield found


def make(target: Database, definition: str, table: str = "scorecard") -> None:
    target.execute(f'{definition}; ALTER TABLE {table} OWNER TO "{target.secret["username"]}"')


def columns_of(target: Database, table: str = "scorecard") -> tuple[TargetColumn, ...]:
    with closing(Direct(target, SHAPE, table=table)) as publishing:
        found = read_table(publishing.connection, "public", table)
    assert found
    return found.columns


@pytest.mark.parametrize(("definition", "kind", "said", "remedy"), ANSWERS)
def test_an_error_is_told_by_its_cause(
    target: Database, publishing: Direct, definition: str, kind: type[AtollError], said: str, remedy: str
) -> None:
    make(target, definition)
    value = "".join(str(hash(str(n))) for n in range(2000))  # does not compress
    with pytest.raises(kind, match=said) as caught:
        publishing.publish([{"id": "a", "x": value}])
    assert remedy in caught.value.remedy and value[:20] not in str(caught.value)


BESIDE = {  # a table to which a trigger writes, and what it refuses
    "a partition": "CREATE TABLE log (t text) PARTITION BY LIST (t)",
    "a null": "CREATE TABLE log (t text, n int NOT NULL)",
    "a unique index": "CREATE TABLE log (t text UNIQUE); INSERT INTO log VALUES ('a')",
    "a check": "CREATE TABLE log (t text CHECK (t = ''))",
    "a foreign key": "CREATE TABLE known (t text PRIMARY KEY); CREATE TABLE log (t text REFERENCES known)",
    "an exclusion": "CREATE TABLE log (t text, EXCLUDE USING btree (t WITH =)); INSERT INTO log VALUES ('a')",
}


@pytest.mark.budget(30)
@pytest.mark.parametrize("tolerated", [0, 1])
@pytest.mark.parametrize("what", BESIDE)
def test_what_a_trigger_writes_beside_the_table_is_no_row_s_fault(target: Database, what: str, tolerated: int) -> None:
    writes = TRIGGER.format("INSERT INTO public.log (t) VALUES (new.id);").replace("plpgsql", "plpgsql SECURITY DEFINER")
    make(target, f"{BESIDE[what]}; {PLAIN}; {writes}")
    with closing(Direct(target, SHAPE)) as publishing, pytest.raises(DefinitionError, match=r"public\.log\w* refuses what a trigger"):
        publishing.publish([{"id": "a", "x": "1"}], tolerated=tolerated)
    assert target.rows() == []


@pytest.mark.parametrize("tolerated", [0, 1])
def test_a_sequence_that_is_used_up_is_no_row_s_fault(target: Database, tolerated: int) -> None:
    make(target, "CREATE SEQUENCE s MAXVALUE 2; CREATE TABLE scorecard (n int DEFAULT nextval('s'), id text PRIMARY KEY, x text)")
    target.execute(f'GRANT ALL ON SEQUENCE s TO "{target.secret["username"]}"')
    rows = [{"id": id, "x": "1"} for id in "abc"]
    with closing(Direct(target, SHAPE)) as publishing, pytest.raises(DefinitionError, match="2200H") as caught:
        publishing.publish(rows, tolerated=tolerated)
    assert "sequence" in caught.value.remedy and target.execute("SELECT id FROM scorecard") == []


FAILING = {
    "a sequence beyond the column's type": ("CREATE SEQUENCE s START 32768", "n smallint DEFAULT nextval('s')", "22003"),
    "an expression": ("CREATE SEQUENCE s", "n int DEFAULT 1 / (nextval('s') * 0)", "22012"),
    "a text that is no date": ("CREATE SEQUENCE s", "n date DEFAULT ('100%' || nextval('s'))::date", "22007"),
    "a function that refuses": (
        "CREATE SEQUENCE s; CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE ''none''; END'",
        "n int DEFAULT f()",
        "P0001",
    ),
    "a check of its domain": ("CREATE SEQUENCE s; CREATE DOMAIN low AS int CHECK (value < 0)", "n low DEFAULT nextval('s')", "23514"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("tolerated", [0, 1])
@pytest.mark.parametrize("what", FAILING)
def test_a_default_that_fails_is_no_row_s_fault(target: Database, what: str, tolerated: int) -> None:
    before, column, state = FAILING[what]
    make(target, f"{before}; CREATE TABLE scorecard ({column}, id text PRIMARY KEY, x text)")
    target.execute(f'GRANT ALL ON SEQUENCE s TO "{target.secret["username"]}"')
    with closing(Direct(target, SHAPE)) as publishing:
        with pytest.raises(DefinitionError, match=f"the default of n fails .*{state}") as caught:
            publishing.publish([{"id": "a", "x": "1"}, {"id": "b", "x": "2"}], tolerated=tolerated)
        assert "ALTER COLUMN" in caught.value.remedy and target.execute("SELECT id FROM scorecard") == []


def test_a_foreign_key_of_a_partition_is_the_row_s_own(target: Database) -> None:
    make(
        target,
        "CREATE TABLE known (t text PRIMARY KEY); CREATE TABLE scorecard (id text PRIMARY KEY, x text REFERENCES known) "
        "PARTITION BY LIST (id); CREATE TABLE a PARTITION OF scorecard FOR VALUES IN ('a')",
    )
    with closing(Direct(target, SHAPE)) as publishing, pytest.raises(RowError, match="a row breaks a foreign key"):
        publishing.publish([{"id": "a", "x": "none"}])


REFUSING = {
    "a trigger": (f"{PLAIN}; {TRIGGER.format('''RAISE '%', new.x;''')}", "a trigger refuses a row"),
    "a check": ("CREATE TABLE scorecard (id text PRIMARY KEY, x text CHECK (x = ''))", "check constraint"),
    "a statement of a trigger": (f"{PLAIN}; {TRIGGER.format('''EXECUTE format('SELECT %L::int', new.x);''')}", "cannot be read"),
    "a table of a trigger": (
        f"{PLAIN}; {TRIGGER.format('''EXECUTE format('SELECT 1 FROM %I', left(new.x, 60));''')}",
        r"42P01 in guard\)",
    ),
}


@pytest.mark.budget(30)
@pytest.mark.parametrize("what", REFUSING)
def test_no_word_of_a_value_changes_why_a_row_is_refused_or_is_told(target: Database, publishing: Direct, what: str) -> None:
    definition, said = REFUSING[what]
    make(target, definition)
    found = set()
    for word in WORDS[::3]:
        with pytest.raises((RowError, DefinitionError), match=said) as caught:
            publishing.publish([{"id": "a", "x": "x" + word}])
        found.add(str(caught.value))
    (message,) = found
    assert "jane" not in message and "4711" not in message


def test_rows_that_go_and_are_referred_to_are_no_row_s_fault(target: Database, publishing: Direct) -> None:
    make(target, PLAIN)
    publishing.publish([{"id": "a", "x": "1"}])
    target.execute("CREATE TABLE children (id text REFERENCES scorecard); INSERT INTO children VALUES ('a')")
    with pytest.raises(DefinitionError, match=r"to which public.children \(children_id_fkey\) still refers"):
        publishing.publish([], [{"id": "a"}])


def test_a_row_whose_parent_another_flow_publishes_is_tried_again(target: Database) -> None:
    """It is no bad row: the other flow may be behind."""
    parents = "CREATE TABLE parents (id text PRIMARY KEY)"
    make(target, f"{parents}; CREATE TABLE scorecard (id text PRIMARY KEY, x text CONSTRAINT known REFERENCES parents)")
    target.execute(f'ALTER TABLE parents OWNER TO "{target.secret["username"]}"')
    rows = [{"id": "a", "x": "p"}]
    with closing(Direct(target, SHAPE)) as alone, pytest.raises(RowError, match=r"foreign key \(known\)"):
        alone.publish(rows)
    target.execute("DROP SCHEMA atoll CASCADE")
    with closing(Direct(target, SHAPE, beside="other parents")) as publishing:
        with pytest.raises(RetryLater, match=r"one of public.parents that is not there \(known\); parents publishes"):
            publishing.publish(rows)
        target.execute("INSERT INTO parents VALUES ('p')")
        publishing.publish(rows)
    assert target.rows() == rows


def test_an_update_that_a_publication_forbids_names_the_statement(target: Database, publishing: Direct) -> None:
    make(target, "CREATE TABLE scorecard (id text NOT NULL, x text); CREATE PUBLICATION changes FOR TABLE scorecard")
    with pytest.raises(DefinitionError, match="55000") as caught:
        publishing.publish([{"id": "a", "x": "1"}])
    assert 'ALTER TABLE "public"."scorecard" REPLICA IDENTITY' in caught.value.remedy


def test_keys_that_only_the_table_calls_equal_are_told(target: Database) -> None:
    """And one that takes the place of such a one is a change of the row, which is not deleted."""
    for number, (kind, ids) in enumerate(available(target, EQUAL)):
        table = f"t{number}"
        unique = "PRIMARY KEY" if number % 2 else "NOT NULL"
        make(target, f"CREATE TABLE {table} (id {kind} {unique}, x text)", table)
        with closing(Direct(target, SHAPE, table=table)) as publishing:
            for tolerated in (0, 1):
                with pytest.raises(
                    DefinitionError, match=r"1 keys \(id .*\) occur more than once as the table compares them"
                ) as caught:
                    publishing.publish([{"id": id, "x": "1"} for id in ids], tolerated=tolerated)
                assert ids[1] not in str(caught.value)
            publishing.publish([{"id": ids[0], "x": "1"}])
            publishing.publish([{"id": ids[1], "x": "2"}], [{"id": ids[0]}])
        assert [row["x"] for row in target.execute(f"SELECT x FROM {table}")] == ["2"], kind
        (column,) = (c for c in columns_of(target, table) if c.name == "id")
        assert column.collation or not tells_apart(column.type, "string")


def test_a_change_is_written_though_the_type_calls_it_equal_or_has_no_equality(target: Database) -> None:
    target.execute("CREATE TYPE pair AS (a int, b json)")
    for number, (kind, (before, after)) in enumerate(available(target, CHANGES)):
        table = f"t{number}"
        make(target, f"CREATE TABLE {table} (id text {'PRIMARY KEY' if number % 2 else 'NOT NULL'}, x {kind})", table)
        with closing(Direct(target, SHAPE, table=table)) as publishing:
            publishing.publish([{"id": "a", "x": before}])
            publishing.publish([{"id": "a", "x": after}])
            written = target.execute(f"SELECT xmin::text, x::text FROM {table}")
            publishing.publish([{"id": "a", "x": after}])
        assert target.execute(f"SELECT xmin::text, x::text FROM {table}") == written and written[0]["x"] == after, kind


def test_an_equality_that_is_out_of_the_search_path_is_named_with_its_schema(target: Database) -> None:
    """As that of an extension's type in a schema of its own."""
    target.execute(
        "CREATE SCHEMA types; CREATE TYPE types.folded AS (v text); CREATE FUNCTION types.same(types.folded, types.folded) RETURNS "
        "boolean LANGUAGE sql IMMUTABLE AS 'SELECT lower($1.v) = lower($2.v)'; GRANT USAGE ON SCHEMA types TO PUBLIC; "
        "CREATE OPERATOR types.= (LEFTARG = types.folded, RIGHTARG = types.folded, FUNCTION = types.same)"
    )
    make(target, "CREATE TABLE scorecard (id types.folded NOT NULL, x text); INSERT INTO scorecard VALUES ('(A)', 'theirs')")
    with closing(Direct(target, SHAPE)) as publishing:
        publishing.publish([{"id": "(a)", "x": "ours"}])
    assert target.execute("SELECT id::text, x FROM scorecard") == [{"id": "(A)", "x": "ours"}]


def available(target: Database, kinds: dict[str, tuple[str, str]]) -> list[tuple[str, tuple[str, str]]]:
    """Of these types those that the server has: citext is an extension, and ICU's collations are not in every build."""
    missing = {"folded"}
    with contextlib.suppress(psycopg.errors.FeatureNotSupported):
        target.execute("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        missing.clear()
    if target.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"):
        target.execute("CREATE EXTENSION citext")
    else:
        missing.add("citext")
    return [(kind, values) for kind, values in kinds.items() if not missing & set(kind.split())]


def test_domains_are_resolved_to_their_base_however_they_nest(target: Database) -> None:
    target.execute("CREATE DOMAIN one AS int CHECK (VALUE > 0); CREATE DOMAIN two AS one; CREATE DOMAIN three AS two")
    target.execute("CREATE DOMAIN many AS int[]; CREATE DOMAIN more AS many; CREATE TYPE pair AS (a three, b text)")
    make(target, "CREATE DOMAIN paired AS pair; CREATE TABLE scorecard (id three, l two[], m more, p pair, d paired, q pair[])")
    found = {column.name: column.base for column in columns_of(target)}
    assert found == {"id": "int4", "l": "_int4", "m": "_int4", "p": "pair", "d": "pair", "q": "_pair"}

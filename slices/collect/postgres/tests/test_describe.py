"""Tables of PostgreSQL as `describe` sees them: whatever can be read, as extraction will stage it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Position
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import Concern, TableDefaults
from slices.collect.postgres.client import PostgresSource, open_source
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_types import OWN_TYPES, make_table
from tests.conformance.collect import Collecting

TABLES = """
CREATE TABLE flight (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Carrier" char(2) NOT NULL, delays int[],
  minutes int NOT NULL, hours numeric(6,2) GENERATED ALWAYS AS (minutes / 60.0) STORED, dropped int);
ALTER TABLE flight DROP COLUMN dropped;
CREATE VIEW late AS SELECT id, "Carrier", hours * 2 AS twice FROM flight;
CREATE MATERIALIZED VIEW carrier AS SELECT DISTINCT "Carrier" FROM flight;
CREATE TABLE measure (at timestamptz NOT NULL, value real) PARTITION BY RANGE (at);
CREATE TABLE measure_2026 PARTITION OF measure FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE nothing ();
CREATE SCHEMA "Other"; CREATE TABLE "Other"."Things" (x int); CREATE TABLE hidden (x int); CREATE TABLE secretly (x int);"""
READABLE = ["carrier", "flight", "late", "measure", "nothing"]


@pytest.fixture
def source(database: Database) -> Iterator[PostgresSource]:
    database.run(TABLES)
    database.run(f'GRANT USAGE ON SCHEMA "Other" TO "{database.user}"; REVOKE ALL ON secretly, hidden FROM "{database.user}"')
    opened = open_source(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 2, 3)), database.secret, aws=None)
    yield opened
    opened.close()


def columns(schema: Schema | None) -> list[tuple[str, str, bool, str, str]]:
    assert schema is not None
    return [(c.name, c.type, c.nullable, c.source, c.source_type) for c in schema.columns]


def test_every_type_is_described_as_it_is_collected(collecting: Collecting, database: Database) -> None:
    database.run(OWN_TYPES)
    make_table(database)
    collecting.collect("public.every", incremental=False)
    collecting.run()
    collected = collecting.cloud.reader.latest_schema(collecting.dataset)
    opened = open_source(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 2, 3)), database.secret, aws=None)
    described = opened.describe(["public.every"])["public.every"]
    opened.close()
    assert collected and described and collected.schema.columns[:-1] == described.columns


def test_columns_have_their_names_types_and_nullability_in_the_tables_order(source: PostgresSource) -> None:
    assert columns(source.describe(["public.flight"])["public.flight"]) == [
        ("id", "long", False, "id", "bigint"),
        ("carrier", "string", False, "Carrier", "character(2)"),
        ("delays", "list<int>", True, "delays", "integer[]"),
        ("minutes", "int", False, "minutes", "integer"),
        ("hours", "decimal(6,2)", True, "hours", "numeric(6,2)"),
    ]


def test_views_and_partitioned_tables_are_tables(source: PostgresSource) -> None:
    found = source.describe(["public.late", "public.carrier", "public.measure", "public.measure_2026"])
    assert [name for name, *_ in columns(found["public.late"])] == ["id", "carrier", "twice"]
    assert columns(found["public.late"])[2][1:3] == ("string", True)  # numeric without digits
    assert columns(found["public.carrier"]) == [("carrier", "string", True, "Carrier", "character(2)")]
    assert columns(found["public.measure"]) == columns(found["public.measure_2026"])
    assert columns(found["public.measure"])[0] == ("at", "timestamptz", False, "at", "timestamp with time zone")


def test_tables_are_found_as_a_program_names_them(source: PostgresSource) -> None:
    found = source.describe(["flight", "PUBLIC.Flight", "other.things", "public.fligth", "no.where"])
    assert found["flight"] == found["PUBLIC.Flight"] is not None
    assert columns(found["other.things"]) == [("x", "int", True, "x", "integer")]
    assert found["public.fligth"] is None and found["no.where"] is None


def test_what_may_not_be_read_is_not_listed_and_is_refused_with_the_grant(source: PostgresSource) -> None:
    assert source.tables() == ["Other.Things", *(f"public.{name}" for name in READABLE)]
    with pytest.raises(DefinitionError, match=r"p.sql:2:3.*public.hidden.*permission denied.*GRANT SELECT"):
        source.describe(["public.flight", "public.hidden"])


def test_a_table_without_columns_and_one_whose_names_would_collide_are_described(source: PostgresSource, database: Database) -> None:
    database.run('CREATE TABLE twins (a int, "A" text)')
    found = source.describe(["public.nothing", "public.twins"])
    assert found["public.nothing"] == Schema(())
    assert found["public.twins"] == Schema(
        (SchemaColumn("a", "int", True, "a", "integer"), SchemaColumn("a", "string", True, "A", "text"))
    )


GUARDED = """
CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON guarded USING (id = 1);
CREATE VIEW asks WITH (security_invoker) AS SELECT * FROM guarded; CREATE VIEW theirs AS SELECT * FROM guarded"""


def test_a_table_of_which_policies_hide_rows_is_described_with_a_warning_and_its_remedy(
    source: PostgresSource, database: Database
) -> None:
    database.run(GUARDED)
    names = ["public.guarded", "public.asks", "public.theirs", "public.flight"]
    assert all(source.describe(names).values())
    told = source.warnings(names)
    assert set(told) == {"public.guarded", "public.asks"}
    assert all('policy for table "guarded"' in said and "BYPASSRLS, or collect a view" in said for said in told.values())
    assert set(source.warnings(None)) == {"public.guarded"} and set(names) <= set(source.tables())
    database.run(f'ALTER ROLE "{database.user}" BYPASSRLS')
    assert source.warnings(names) == {} == source.warnings(None)


def test_a_table_s_primary_key_is_told_in_its_order(source: PostgresSource, database: Database) -> None:
    database.run('CREATE TABLE "Pair" (a int, "B" int, c int, PRIMARY KEY ("B", a)); CREATE TABLE unkeyed (a int UNIQUE NOT NULL)')
    told = source.defaults(["public.flight", "public.Pair", "public.late", "public.unkeyed", "public.nowhere"])
    assert told == {"public.flight": TableDefaults(("id",)), "public.Pair": TableDefaults(("b", "a"))}


def test_what_a_cursor_would_not_see_of_a_table_is_told_with_its_remedy(source: PostgresSource, database: Database) -> None:
    database.run("""CREATE TABLE base (id int, active boolean, owner text, at timestamp DEFAULT now(), u timestamptz DEFAULT now());
        CREATE VIEW live AS SELECT id, u FROM base WHERE active; CREATE VIEW mine AS SELECT id FROM base WHERE owner = current_user;
        CREATE VIEW plain AS SELECT id, u FROM base; CREATE TABLE stated (at timestamp DEFAULT (now() AT TIME ZONE 'utc'));
        CREATE TABLE touched (at timestamp, other timestamp); CREATE MATERIALIZED VIEW made AS TABLE base;
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END';
        CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch()""")
    names = ["public.base", "public.live", "public.mine", "public.plain", "public.stated", "public.touched", "public.made"]
    told = source.notes(names)
    assert set(told) - {"public.base", "public.touched"} == {"public.live", "public.mine", "public.made"}
    (live,), (moves, mine) = told["public.live"], told["public.mine"]
    assert live.concerns is Concern.MERGE and "leaves this view stays in a MERGE" in live.text and "use REPLACE" in live.text
    assert moves.concerns is Concern.CURSOR and "current_user" in moves.text and mine == live
    database.run(f"ALTER ROLE \"{database.user}\" SET TimeZone = 'Asia/Kolkata'")
    opened = open_source(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 2, 3)), database.secret, aws=None)
    found = opened.notes(names)
    opened.close()
    (base,), (touched,) = found["public.base"], found["public.touched"]
    assert base.column == touched.column == "at" and base.concerns is Concern.CURSOR
    assert base.text.startswith("at is set to the time of Asia/Kolkata and has no zone, so it is read as UTC")
    assert "SELECT at AT TIME ZONE 'Asia/Kolkata' AS at" in base.text and "public.stated" not in found


def test_of_what_is_filled_elsewhere_it_is_told_that_rows_come_late(source: PostgresSource, database: Database) -> None:
    database.run("""CREATE FOREIGN DATA WRAPPER other; CREATE SERVER far FOREIGN DATA WRAPPER other;
        CREATE TABLE part (id int, at timestamptz) PARTITION BY RANGE (id); CREATE VIEW seen AS SELECT * FROM part;
        CREATE FOREIGN TABLE away PARTITION OF part FOR VALUES FROM (1) TO (9) SERVER far; CREATE TABLE own (id int);
        CREATE TABLE sent (id int PRIMARY KEY); CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)""")
    database.run("INSERT INTO pg_subscription_rel SELECT oid, 'sent'::regclass, 'r', NULL FROM pg_subscription WHERE subname = 's'")
    try:
        told = source.notes(["public.part", "public.seen", "public.away", "public.own", "public.sent"])
    finally:
        database.run("ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s")
    found = {name: [note.text.split(",")[0] for note in notes] for name, notes in told.items()}
    foreign = ("public.part", "public.seen", "public.away")
    assert found == {name: ["it reads a foreign table"] for name in foreign} | {"public.sent": ["a subscription fills it"]}


def test_a_grant_on_columns_is_enough(source: PostgresSource, database: Database) -> None:
    database.run(f'''CREATE TABLE partly (id int, secret text, "At" timestamptz); REVOKE ALL ON partly FROM "{database.user}";
        GRANT SELECT (id, "At") ON partly TO "{database.user}"''')
    assert [name for name, *_ in columns(source.describe(["public.partly"])["public.partly"])] == ["id", "at"]
    assert "public.partly" in source.tables()
    assert "1 of its columns may not be read" in source.warnings(["public.partly"])["public.partly"]

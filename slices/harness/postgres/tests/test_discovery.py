"""Tables to publish to, as the compiler is told of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Position
from slices.harness.postgres.discovery import PostgresCatalog
from slices.harness.postgres.tests.database import Database

TABLES = """
CREATE TABLE score (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Carrier" char(2) NOT NULL, gone int, tags text[],
  amount numeric(18,2), twice numeric GENERATED ALWAYS AS (amount * 2) STORED);
ALTER TABLE score DROP COLUMN gone; CREATE VIEW shown AS SELECT id FROM score; CREATE TABLE read_only (x int);"""


@pytest.fixture
def catalog(target: Database) -> Iterator[PostgresCatalog]:
    user = target.secret["username"]
    target.execute(TABLES)
    target.execute(f'GRANT SELECT, INSERT ON score TO "{user}"; GRANT SELECT ON read_only, shown TO "{user}"')
    opened = PostgresCatalog(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 2, 3)), target.secret)
    yield opened
    opened.close()


def test_columns_are_told_with_their_own_words_and_in_order(catalog: PostgresCatalog) -> None:
    described = catalog.describe(["public.score"])["public.score"]
    assert described is not None
    assert [(c.name, c.type, c.nullable, c.source, c.source_type) for c in described.columns] == [
        ("id", "long", False, "id", "bigint"),
        ("carrier", "string", False, "Carrier", "character(2)"),
        ("tags", "list<string>", True, "tags", "text[]"),
        ("amount", "decimal(18,2)", True, "amount", "numeric(18,2)"),
        ("twice", "string", True, "twice", "numeric"),
    ]


def test_tables_are_found_as_a_program_names_them(catalog: PostgresCatalog) -> None:
    found = catalog.describe(["score", "Public.SCORE", "public.scores"])
    assert found["score"] == found["Public.SCORE"] is not None
    assert found["public.scores"] is None


def test_a_view_cannot_be_published_to_and_is_named_with_its_connection(catalog: PostgresCatalog) -> None:
    with pytest.raises(DefinitionError, match=r"connection ops \(p.sql:2:3\): public.shown: public.shown is a view") as caught:
        catalog.describe(["public.score", "public.shown"])
    assert caught.value.remedy == "publish to public.score, which it shows"


def test_only_what_may_be_written_is_listed(catalog: PostgresCatalog) -> None:
    assert catalog.tables() == ["public.score"]


def test_a_table_whose_policies_hold_for_the_user_is_described_with_a_warning_and_its_remedy(
    catalog: PostgresCatalog, target: Database
) -> None:
    target.execute("ALTER TABLE score ENABLE ROW LEVEL SECURITY")
    assert catalog.describe(["public.score"])["public.score"]
    told = catalog.warnings(["public.score", "public.nowhere"])
    assert list(told) == ["public.score"] == list(catalog.warnings(None))
    assert "row level security of public.score holds" in told["public.score"] and "BYPASSRLS" in told["public.score"]
    target.execute("ALTER TABLE score DISABLE ROW LEVEL SECURITY")
    assert catalog.warnings(["public.score"]) == {}

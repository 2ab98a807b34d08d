"""What the discover step of every collect and harness slice must do, as tests that both stages' suites inherit."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from shared_metadata.contract import discovery
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.discovery import DiscoverStep, OpenCatalog
from shared_metadata.errors import DefinitionError, InputError, RetryLater, SecretError
from shared_metadata.program import from_plain
from shared_metadata.program.lineage import schema_digest
from shared_metadata.program.schema import Schema
from shared_metadata.store.source_registry import SourceRegistry
from tests.conformance.fixtures import Cloud, FakeContext

NAME, REFERENCE = "looked_at", "looked-at"


@dataclass
class Looking:
    """A connection with a table or more, and the step that looks at them.

    tables: what is there, as a program names it.  refused, down: secrets with a wrong credential, of a server that is not there.
    """

    cloud: Cloud
    declaration: Slice
    open_catalog: OpenCatalog
    options: Mapping[str, Any]
    secret: Mapping[str, Any]
    refused: Mapping[str, Any]
    down: Mapping[str, Any]
    secret_values: Sequence[str]
    tables: Sequence[str]

    def __post_init__(self) -> None:
        self.cloud.put_secret(REFERENCE, self.secret)

    @property
    def connection(self) -> dict[str, Any]:
        """As the step is told of it, without any program."""
        return {"name": NAME, "system": self.declaration.system, "options": {"secret": REFERENCE, **self.options}}

    @property
    def sources(self) -> SourceRegistry:
        return self.cloud.services(self.declaration.id).sources

    def discover(self, *tables: str, **event: Any) -> dict[str, Any]:
        """The answer, as JSON brings it; without tables, the names of all."""
        wanted = {"tables": list(tables)} if tables else {}
        step = DiscoverStep(self.declaration, self.cloud.services(self.declaration.id), self.open_catalog)
        answer = json.dumps(step({"connection": self.connection, **wanted, **event}, FakeContext()))
        return json.loads(answer)  # type: ignore[no-any-return]

    def schema(self, table: str) -> Schema:
        return from_plain(Schema, self.discover(table)["tables"][table])


def signs_in(secret: Mapping[str, Any]) -> None:
    """Skips what is asked of secrets, where the system's connections have none."""
    if not secret:
        pytest.skip("the connection has no secret: the role signs in")


class DiscoveryConformance:
    """Needs a fixture `looking`."""

    def test_discover_tells_how_large_tables_are_as_far_as_it_can_and_registers_nothing(self, looking: Looking) -> None:
        """Which a slice does that collects; a batch says the rest."""
        found = looking.discover(*looking.tables, "no_such_table", sizes=True)
        assert found.keys() == {"sizes"} and looking.sources.table(NAME, looking.tables[0]) is None
        assert set(found["sizes"]) == (set(looking.tables) if looking.declaration.stage == "collect" else set())
        assert all(size["rows"] is None or size["rows"] >= 0 for size in found["sizes"].values())

    def test_discover_lists_names_that_it_can_describe(self, looking: Looking) -> None:
        names = looking.discover()["names"]
        assert names == sorted(names) and set(looking.tables) <= set(names)
        found = looking.discover(*names)
        assert list(found["tables"]) == names and None not in found["tables"].values()

    def test_discover_registers_what_it_sees(self, looking: Looking) -> None:
        table, gone = looking.tables[0], f"{looking.tables[0]}_gone"
        schema = from_plain(Schema, looking.discover(table, gone)["tables"][table])
        sources = looking.sources
        seen, missing = sources.table(NAME, table), sources.table(NAME, gone)
        assert seen and (seen.schema, seen.digest, seen.seen_at) == (schema, schema_digest(schema), looking.cloud.clock.now)
        assert missing and (missing.schema, missing.digest) == (None, "")
        assert list(sources.tables(NAME)) == sorted([seen, missing], key=lambda each: each.table)
        assert sources.table(NAME, "never") is None and list(sources.tables("other")) == []

    def test_discover_says_what_a_missing_table_may_have_been_meant_to_be(self, looking: Looking) -> None:
        table = looking.tables[0]
        wrong = table[:-2] + table[-1] + table[-2]
        answer = looking.discover(wrong, "Zzz")
        assert answer["tables"] == {wrong: None, "Zzz": None} and answer["close"][wrong] in looking.discover()["names"]
        assert "Zzz" not in answer["close"]

    def test_discover_answers_in_pieces_when_there_is_much(self, looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(discovery, "ANSWER_BYTES", 1)
        names = [looking.tables[0], f"{looking.tables[0]}_gone"]
        answer = looking.discover(*names)
        assert (list(answer["tables"]), answer["left"]) == (names[:1], names[1:])

    def test_discover_names_the_secret_that_is_missing_or_refused(self, looking: Looking) -> None:
        signs_in(looking.secret)
        with pytest.raises(SecretError, match=r"nothing-there.*atoll secret nothing-there FILE"):
            looking.discover("x", connection={**looking.connection, "options": {**looking.options, "secret": "nothing-there"}})
        with pytest.raises(DefinitionError, match="secret"):
            looking.discover("x", connection={**looking.connection, "options": {}})
        looking.cloud.put_secret(REFERENCE, looking.refused)
        with pytest.raises(SecretError, match=REFERENCE) as refused:
            looking.discover("x")
        assert NAME in refused.value.place and refused.value.remedy

    def test_discover_of_a_source_that_is_down_is_for_later(self, looking: Looking) -> None:
        signs_in(looking.secret)
        looking.cloud.put_secret(REFERENCE, looking.down)
        with pytest.raises(RetryLater):
            looking.discover("x")

    @pytest.mark.parametrize("event", [{"connection": None}, {"connection": {"name": "x"}}, {"tables": "x"}, {"tables": [1]}])
    def test_discover_refuses_a_wrong_input_and_says_what_is_accepted(self, looking: Looking, event: dict[str, Any]) -> None:
        with pytest.raises(InputError, match=r"the input is refused.*accepted is"):
            looking.discover(**event)

    def test_discover_refuses_another_systems_connection(self, looking: Looking) -> None:
        with pytest.raises(InputError, match="abacus"):
            looking.discover(connection={**looking.connection, "system": "abacus"})

    def test_discover_shows_no_secret(self, looking: Looking, caplog: pytest.LogCaptureFixture) -> None:
        signs_in(looking.secret)
        caplog.set_level("DEBUG", logger="shared_metadata")
        shown = [json.dumps(looking.discover(*looking.tables)), json.dumps([str(seen) for seen in self._seen(looking)])]
        for secret in (looking.refused, looking.down):
            looking.cloud.put_secret(REFERENCE, secret)
            with pytest.raises((SecretError, RetryLater)) as caught:
                looking.discover("x")
            shown.append(str(caught.value))
        everything = "\n".join([*shown, caplog.text])
        for value in looking.secret_values:
            assert value not in everything and json.dumps(value)[1:-1] not in everything

    def _seen(self, looking: Looking) -> Iterator[Any]:
        return map(dataclasses.asdict, looking.sources.tables(NAME))

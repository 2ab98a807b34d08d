"""What callers of the compiler rely on beyond the cases: files, positions, reports, versions, and a light import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from language import ProgramErrors, compile_program, compile_with_positions, format_program
from shared_metadata.contract.declaration import Slice

HEAD = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops', port = 5432);\n"
COLLECT = "INSERT INTO lake.ops FROM ops TABLES (flights) EVERY '1 hour';\n"
VIEW = "CREATE MATERIALIZED VIEW lake.v.a EVERY '1 day' REPLACE AS SELECT * FROM lake.ops.flights;\n"


def test_a_program_may_stand_in_several_files_in_any_order(slices: Mapping[str, Slice]) -> None:
    one = compile_program({"a.sql": VIEW, "b.sql": COLLECT, "c.sql": HEAD}, slices)
    same = compile_program({"c.sql": HEAD, "b.sql": COLLECT, "a.sql": VIEW}, slices)
    assert set(one.flows) == {"lake.ops", "lake.ops:load", "lake.v.a"}
    assert one.version == same.version
    assert str(one.flows["lake.v.a"].position) == "a.sql:1:26"


def test_another_program_has_another_version(slices: Mapping[str, Slice]) -> None:
    daily = compile_program({"p.sql": HEAD + COLLECT}, slices)
    hourly = compile_program({"p.sql": HEAD + COLLECT.replace("1 hour", "2 hours")}, slices)
    assert daily.version != hourly.version


def test_errors_of_all_files_come_in_the_order_of_the_text(slices: Mapping[str, Slice]) -> None:
    with pytest.raises(ProgramErrors) as raised:
        compile_program({"b.sql": "DROP;\nSELECT;", "a.sql": HEAD + VIEW}, slices)
    places = [(d.file, d.line) for d in raised.value.diagnostics]
    assert places == [("a.sql", 3), ("b.sql", 1), ("b.sql", 2)]


def test_errors_are_also_data(slices: Mapping[str, Slice]) -> None:
    with pytest.raises(ProgramErrors) as raised:
        compile_program({"p.sql": "CREATE WAREHOUSE lake USING icberg;"}, slices)
    assert raised.value.to_dict() == {
        "errors": [
            {
                "file": "p.sql",
                "line": 1,
                "column": 29,
                "length": 6,
                "message": "no slice for a warehouse of `icberg` is installed",
                "help": "did you mean `iceberg`? installed: archive, iceberg, remote",
                "source": "CREATE WAREHOUSE lake USING icberg;",
            }
        ]
    }


def test_a_statement_that_cannot_be_read_is_not_blamed_on_its_readers(slices: Mapping[str, Slice]) -> None:
    with pytest.raises(ProgramErrors) as raised:
        compile_program({"p.sql": HEAD + COLLECT.replace("EVERY", "EVRY") + VIEW}, slices)
    assert [d.line for d in raised.value.diagnostics] == [3]


def test_an_endpoint_that_cannot_be_read_is_not_blamed_on_its_users(slices: Mapping[str, Slice]) -> None:
    with pytest.raises(ProgramErrors) as raised:
        compile_program({"p.sql": HEAD.replace("postgres", "postgrse") + COLLECT + VIEW}, slices)
    assert [d.line for d in raised.value.diagnostics] == [2]


def test_an_options_mistake_is_shown_at_the_option(slices: Mapping[str, Slice]) -> None:
    resolved = compile_with_positions({"p.sql": HEAD}, slices).resolved
    at_option = resolved.option_diagnostic("ops", "port", "a port is at most 65535", "correct it")
    missing = resolved.option_diagnostic("ops", "host", "`host` is missing", "add it")
    assert (at_option.line, at_option.column, at_option.length) == (2, 57, 4)
    assert (missing.line, missing.column) == (2, 26)


def test_without_slices_every_system_is_refused() -> None:
    with pytest.raises(ProgramErrors, match="installed: none"):
        compile_program({"p.sql": HEAD}, {})


def test_a_byte_order_mark_is_no_part_of_the_text(slices: Mapping[str, Slice]) -> None:
    marked = compile_program({"p.sql": "\ufeff" + HEAD}, slices)
    assert str(marked.warehouses["lake"].position) == "p.sql:1:18"
    assert format_program("\ufeff" + HEAD, "p.sql") == HEAD


def test_a_text_with_syntax_errors_is_not_formatted() -> None:
    with pytest.raises(ProgramErrors, match=r"p\.sql:1:1"):
        format_program("CREAT WAREHOUSE lake USING iceberg;", "p.sql")


def test_importing_the_package_does_not_import_sqlglot() -> None:
    code = "import sys, language; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

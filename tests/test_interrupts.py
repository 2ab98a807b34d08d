"""An interrupt of a double's DuckDB meets what runs, whenever it was asked for, and nothing else."""

from __future__ import annotations

import duckdb
import pytest

from doubles.interrupts import Interrupts

LONG = "SELECT sum(a.range * b.range % 7) FROM range(1_000_000) a, range(1_000_000_000) b"


def test_one_that_comes_before_the_statement_interrupts_it() -> None:
    connection = duckdb.connect()
    interrupts = Interrupts(connection)
    interrupts.ask()
    with pytest.raises(duckdb.InterruptException), interrupts.apply():
        connection.execute("SELECT 1")
        connection.execute(LONG)
    assert interrupts.asked.is_set()
    interrupts.end()


def test_what_follows_is_not_interrupted() -> None:
    connection = duckdb.connect()
    interrupts = Interrupts(connection)
    connection.execute("BEGIN")
    interrupts.ask()
    with pytest.raises(duckdb.InterruptException), interrupts.apply():
        connection.execute(LONG)
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT sum(range) FROM range(30_000_000)").fetchall() == [(449_999_985_000_000,)]
    interrupts.end()
    connection.close()

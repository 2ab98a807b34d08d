"""Statements on their way: SUBMITTED, PICKED, STARTED, then FINISHED, FAILED or ABORTED, each in a thread.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_DescribeStatement.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from doubles.redshift_data import results
from doubles.redshift_data.errors import Aborted, StatementFailed
from doubles.redshift_data.faults import Fault
from doubles.redshift_data.limits import MOST_ACTIVE
from doubles.redshift_data.parquet import OpenS3
from doubles.redshift_data.transaction import Outcome, Transaction, Written

ENDED = ("FINISHED", "FAILED", "ABORTED")
Statement = dict[str, Any]  # as DescribeStatement shows it; what begins with _ is this double's own
_log = logging.getLogger("redshift-data")


@dataclass
class Run:
    """What a statement runs with.  open: its database, and that one's name; close: what becomes of it afterwards."""

    texts: Sequence[str]
    parameters: Mapping[str, str]
    open: Callable[[], tuple[psycopg.Connection[Any], str]]
    close: Callable[[psycopg.Connection[Any]], None]
    s3: OpenS3
    met: Mapping[str, Fault]
    stopped: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    connection: psycopg.Connection[Any] | None = None


@dataclass
class Statements:
    """The statements of this process.  most_active: a limit that a test may make smaller."""

    most_active: int = MOST_ACTIVE
    written: Written = field(default_factory=Written)
    _runs: dict[str, Run] = field(default_factory=dict)

    def active(self) -> int:
        return len(self._runs)

    def knows(self, id: str) -> bool:
        return id in self._runs

    def start(self, statement: Statement, run: Run) -> None:
        """In a thread that the end of the process does not wait for."""
        self._runs[statement["Id"]] = run
        threading.Thread(target=self._work, args=(statement, run), name="redshift", daemon=True).start()

    def wait(self, id: str, seconds: float) -> None:
        run = self._runs.get(id)
        if run is not None:
            run.ended.wait(seconds)

    def stop(self, id: str) -> bool:
        """Whether it had not ended."""
        run = self._runs.get(id)
        if run is None:
            return False
        run.stopped.set()
        if run.connection is not None:
            run.connection.cancel()
        return True

    # -- in a thread of its own

    def _work(self, statement: Statement, run: Run) -> None:
        began = time.time()
        try:
            _pause(run, run.met.get("queued"))
            statement["Status"], began = "PICKED", time.time()
            run.connection, database = run.open()
            try:
                statement["Status"], statement["RedshiftPid"] = "STARTED", run.connection.info.backend_pid
                self._transaction(statement, run, Transaction(run.connection, database, run.s3, self.written, run.stopped))
            finally:
                connection, run.connection = run.connection, None
                run.close(connection)
            self._end(statement, run, began, "FINISHED", "")
        except Aborted as aborted:
            self._end(statement, run, began, "ABORTED", str(aborted))
        except StatementFailed as failed:
            self._end(statement, run, began, "FAILED", f"ERROR: {failed}")
        except Exception as error:  # a thread that ends otherwise would leave the statement running for ever
            _log.exception("statement %s", statement["Id"])
            self._end(statement, run, began, "FAILED", f"ERROR: {type(error).__name__}: {error}")

    def _transaction(self, statement: Statement, run: Run, transaction: Transaction) -> None:
        parts = statement.get("SubStatements") or [statement]

        def started(number: int) -> None:
            parts[number]["_began"] = time.time()
            if len(parts) > 1 or parts[0] is not statement:
                parts[number]["Status"] = "STARTED"

        def ended(number: int, outcome: Outcome) -> None:
            part, now = parts[number], time.time()
            took = int((now - part["_began"]) * 1e9)
            part.update(results.told(outcome), Duration=took, UpdatedAt=now, RedshiftQueryId=abs(hash(part["Id"])) % 10**9)
            if part is not statement:
                part["Status"] = "FINISHED"

        try:
            _pause(run, run.met.get("slow"))
            for kind in ("fail", "abort"):
                if kind in run.met:
                    raise run.met[kind].end()
            transaction.run(run.texts, run.parameters, started, ended)
            if "stops_inside" in run.met:
                raise run.met["stops_inside"].end()
            transaction.commit(conflict="conflict" in run.met)
        except (StatementFailed, Aborted) as failed:
            transaction.roll_back()
            for part in parts if parts[0] is not statement else ():
                if part["Status"] == "STARTED":
                    part.update(Status="FAILED", Error=f"ERROR: {failed}")
                elif part["Status"] == "SUBMITTED":
                    part["Status"] = "ABORTED"
            raise
        if "lost_commit" in run.met:
            raise run.met["lost_commit"].end()

    def _end(self, statement: Statement, run: Run, began: float, status: str, error: str) -> None:
        now = time.time()
        statement.update(Duration=int((now - began) * 1e9), UpdatedAt=now, RedshiftQueryId=abs(hash(statement["Id"])) % 10**9)
        if error:
            statement["Error"] = error
        statement["Status"] = status  # last: whoever looks on sees all of it
        self._runs.pop(statement["Id"], None)
        run.ended.set()


def _pause(run: Run, fault: Fault | None) -> None:
    if fault is not None:
        run.stopped.wait(fault.seconds)
    if run.stopped.is_set():
        raise Aborted("Query cancelled on user's request")

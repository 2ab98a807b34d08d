"""The listener: packets of TNS, and over them the messages by which a client signs in, has statements parsed and fetches rows.

Written from what python-oracledb's thin mode sends and takes: version 317, without breaks out of band and fast authentication.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import struct
import threading
from typing import Any

import psycopg

from doubles.oracle.databases import Databases
from doubles.oracle.errors import NO_DATA, OracleError
from doubles.oracle.logon import Logon, Parameters
from doubles.oracle.packets import ACCEPT, CONNECT, DATA, REFUSE, UNIT, Packets
from doubles.oracle.session import OracleSession, Statement
from doubles.oracle.statements import Executes, has_locators, write_columns, write_rows
from doubles.oracle.states import States
from doubles.oracle.wire import Reader, Writer

VERSION, FIELDS = 317, 12
_PROTOCOL, _TYPES, _CALL, _PIGGYBACK = 1, 2, 3, 17
_EXECUTE, _FETCH, _COMMIT, _ROLLBACK, _AUTH, _CHALLENGE, _LOGOFF, _PING, _CLOSE = 94, 5, 14, 15, 115, 118, 9, 147, 105
_AGAIN = (4, 78)
_CHARACTERS = 873  # AL32UTF8
_SERVICE = re.compile(rb"SERVICE_NAME=([\w.$#-]+)", re.IGNORECASE)


class Handler(Packets):
    server: Listener
    session: OracleSession | None = None

    def handle(self) -> None:
        self._statements, self._next = dict[int, Statement](), 1
        try:
            kind, body = self.packet()
            found = _SERVICE.search(body) or _SERVICE.search(self.packet()[1])  # a long description follows by itself
            self._service = found[1].decode() if found else ""
            if kind != CONNECT or not self._service or not self.server.knows(self._service):
                said = b"(DESCRIPTION=(ERR=12514)(VSNNUM=0))"
                self.send(REFUSE, b"\x22\0" + struct.pack(">H", len(said)) + said)
                return
            accepted = struct.pack(">HHHHHHHBB8sI", VERSION, 0, UNIT, UNIT, 1, 0, 45, 0, 0, bytes(8), UNIT)
            self.send(ACCEPT, accepted)
            self.wide = True
            while True:
                self._message(Reader(self.data()))
        except (ConnectionError, OSError):
            pass
        finally:
            if self.session:
                self.session.close()

    # -- messages

    def _message(self, reader: Reader) -> None:
        kind = reader.byte()
        if kind == _PROTOCOL:
            self.send(DATA, _capabilities())
            return
        if kind == _TYPES:
            self.send(DATA, b"\2\0\0")
            return
        while kind == _PIGGYBACK:
            kind = self._piggyback(reader)
        function = reader.byte()
        reader.byte()
        if function in (_CHALLENGE, _AUTH):
            self._authenticate(function, reader)
        elif function in (_EXECUTE, *_AGAIN, _FETCH):
            self._execute(function, reader)
        elif function in (_COMMIT, _ROLLBACK, _LOGOFF, _PING):
            if self.session and function in (_COMMIT, _ROLLBACK):
                (self.session.commit if function == _COMMIT else self.session.rollback)()
            self.send(DATA, bytes(Writer().byte(9).number(self._state, 0).message))
        else:
            raise ConnectionError(f"function {function}")

    def _piggyback(self, reader: Reader) -> int:
        """Closed cursors, told before the next call; the next message's kind."""
        function = reader.byte()
        reader.byte()
        if function != _CLOSE:
            raise ConnectionError(f"piggyback {function}")
        reader.byte()
        for _ in range(reader.number()):
            self._statements.pop(reader.number(), None)
        return reader.byte()

    @property
    def _state(self) -> int:
        return 2 if self.session and self.session.changing else 0

    def _authenticate(self, function: int, reader: Reader) -> None:
        reader.byte()
        reader.skip_numbers(2)
        reader.byte()
        count = reader.number()
        reader.raw(2)
        name = (reader.value() or b"").decode().upper()
        said = {}
        for _ in range(count):
            key, value = reader.text(), reader.text()
            reader.number()
            said[key] = value
        if function == _CHALLENGE:
            self._user = self.server.databases.user(self._service, name)
            self._logon = Logon(self._user[0] if self._user else None)
            self._parameters(self._logon.challenge())
            return
        if not self._logon.proves(said) or not self._user:
            self._end(Writer(), 0, error=OracleError(1017, "invalid username/password; logon denied"))
            return
        self.session = OracleSession(self.server.databases, self.server.states, self._service, name, self._user[1])
        self._parameters(self._logon.welcome(self.server.number()))

    def _parameters(self, found: Parameters) -> None:
        writer = Writer().byte(8).number(len(found))
        for key, value, flag in found:
            writer.text(key).text(value).number(flag)
        self.send(DATA, bytes(writer.byte(9).number(0, 0).message))

    # -- statements

    def _execute(self, function: int, reader: Reader) -> None:
        assert self.session is not None
        if function == _FETCH:
            number, count = reader.number(), reader.number()
            if has_locators(self._statements[number]):
                self._end(
                    Writer(), number, error=OracleError(22275, "the double has no LOB locators: fetch values (fetch_lobs=False)")
                )
                return
            self._rows(Writer(), number, count)
            return
        call = Executes.read(reader, self._statements) if function == _EXECUTE else Executes.again(function, reader, self._statements)
        number, statement = call.cursor, call.statement
        if call.parses:
            number, self._next = self._next, self._next + 1
            self._statements[number] = statement
        try:
            changed = self.session.run(statement, call.rows) if call.executes else 0
            if call.commits and not statement.is_query:
                self.session.commit()
        except OracleError as error:
            self._end(Writer(), number, error=error)
            return
        writer = Writer()
        if not statement.is_query:
            self._end(writer, number, changed)
            return
        if call.parses:
            write_columns(writer, statement.columns, _CHARACTERS)
        self._rows(writer, number, call.fetches)

    def _rows(self, writer: Writer, number: int, count: int) -> None:
        """So many rows; of an answer with large values none before the client has said how it takes them."""
        statement = self._statements[number]
        done = write_rows(writer, statement, count)
        self._end(writer, number, statement.fetched, OracleError(NO_DATA, "no data found") if done else None)

    def _end(self, writer: Writer, cursor: int, rows: int = 0, error: OracleError | None = None) -> None:
        number = error.number if error else 0
        writer.byte(4).number(self._state, 0, rows, number, 0, 0, cursor, 0).byte(0, 0, 0, 0, 0, 0).number(0, 0).byte(0)
        writer.number(0, 0, 0).byte(0, 0).number(0, 0, 0, 0, 0, 0, number, rows)
        if error:
            writer.value(error.message)
        self.send(DATA, bytes(writer.message))


class Listener(socketserver.ThreadingTCPServer):
    """tls: certificate and key, for TCPS."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, address: tuple[str, int], uri: str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(address, Handler)
        self.databases = Databases(uri)
        self.states = States(self.databases)
        self._tls, self._sessions = tls, 0

    def get_request(self) -> tuple[socket.socket, Any]:
        client, address = super().get_request()
        return (self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False) if self._tls else client), address

    def knows(self, service: str) -> bool:
        try:
            self.databases.ask(service, "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def number(self) -> int:
        self._sessions += 1
        return self._sessions

    def handle_error(self, request: Any, address: Any) -> None:
        """A client that breaks off, or does not trust the certificate, is none of the double's."""

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()


def _capabilities() -> bytes:
    compiled, running = bytearray(55), bytearray(11)
    compiled[7], running[6] = FIELDS, 4
    names = bytes(9) + struct.pack(">H", 2000)
    return (
        b"\1\6\0Oracle double\0" + struct.pack("<HBH", _CHARACTERS, 0, 0) + struct.pack(">H", len(names)) + names
        + bytes([len(compiled)]) + compiled + bytes([len(running)]) + running
    )  # fmt: skip

"""What the slices of PostgreSQL share, where it needs no server: the secret, and why a connection is refused."""

from __future__ import annotations

from typing import Any

import pytest

from shared_metadata.errors import RetryLater, SecretError
from shared_metadata.program import Connection, Position
from systems.postgres.address import SSL_MODES, read_address
from systems.postgres.failures import connection_error
from systems.postgres.type_mapping import SourceType, catalog_name, iceberg_type, postgres_type
from tests.words_in_values import WORDS

OPS = Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 3, 1))
SECRET = {"host": "h0st", "port": "5433", "dbname": "d4ta", "username": "us3r", "password": "p4ss w'rd"}
WRONG = {"host": "", "dbname": [], "username": None, "port": "p0rt", "sslmode": "s0me", "sslrootcert": 1.5j}


@pytest.mark.security
@pytest.mark.parametrize("field", ["host", "dbname", "username", "password"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    with pytest.raises(SecretError, match=rf"the secret 'ops' lacks the fields {field} Remedy") as caught:
        read_address(OPS, {name: value for name, value in SECRET.items() if name != field})
    assert not [value for value in SECRET.values() if value in str(caught.value)]


@pytest.mark.security
@pytest.mark.parametrize("field", WRONG)
def test_a_field_that_is_wrong_is_named_and_no_value_is(field: str) -> None:
    with pytest.raises(SecretError, match=rf"the field {field} of the secret 'ops'") as caught:
        read_address(OPS, {**SECRET, field: WRONG[field]})
    shown = [*SECRET.values(), "p0rt", "s0me"]
    assert not [value for value in shown if value in str(caught.value)]


@pytest.mark.security
def test_an_address_is_never_shown_and_its_password_only_where_it_is_asked_for() -> None:
    address = read_address(OPS, SECRET)
    assert not [value for value in SECRET.values() if value in f"{address!r} {address}"]
    assert "p4ss" in address.conninfo(password=True) and "p4ss" not in address.conninfo(password=False)
    assert address.port == 5433 and address.sslmode == "require"


@pytest.mark.parametrize("mode", SSL_MODES)
def test_every_mode_of_libpq_is_taken(mode: str) -> None:
    assert f"sslmode={mode}" in read_address(OPS, {**SECRET, "sslmode": mode}).conninfo(password=False)


SAID: dict[str, tuple[type[Exception], str]] = {
    'FATAL:  password authentication failed for user "u"': (SecretError, "username, password"),
    'FATAL:  database "d" does not exist': (SecretError, "dbname"),
    'FATAL:  no pg_hba.conf entry for host "h", user "u", database "d", SSL encryption': (SecretError, "pg_hba.conf"),
    'FATAL:  no pg_hba.conf entry for host "h", user "u", database "d", no encryption': (SecretError, "sslmode"),
    "fe_sendauth: no password supplied": (SecretError, "password"),
    "server does not support SSL, but SSL was required": (SecretError, "sslmode"),
    "SSL error: certificate verify failed": (SecretError, "sslrootcert"),
    'server certificate for "a" does not match host name "b"': (SecretError, "sslrootcert"),
    'root certificate file "/root/.postgresql/root.crt" does not exist': (SecretError, "sslrootcert"),
    "FATAL:  sorry, too many clients already": (RetryLater, "runs"),
    "FATAL:  remaining connection slots are reserved": (RetryLater, "runs"),
    "FATAL:  the database system is starting up": (RetryLater, "runs"),
    "FATAL:  terminating connection due to administrator command": (RetryLater, "runs"),
    "SSL SYSCALL error: EOF detected": (RetryLater, "runs"),
    'connection to server at "h", port 5432 failed: Connection refused': (RetryLater, "runs"),
    "could not translate host name": (RetryLater, "runs"),
}


@pytest.mark.parametrize("said", SAID)
def test_why_a_connection_is_refused_is_told_with_what_helps(said: str) -> None:
    kind, helps = SAID[said]
    error: Any = connection_error(said, "ops", "p.sql:3:1")
    assert type(error) is kind and helps in error.remedy


REFUSALS = {
    'FATAL:  password authentication failed for user "{}"': SecretError,
    'FATAL:  database "{}" does not exist': SecretError,
    'FATAL:  no pg_hba.conf entry for host "h", user "{}", database "{}", SSL encryption': SecretError,
    "fe_sendauth: no password supplied": SecretError,
    "FATAL:  sorry, too many clients already": RetryLater,
    'FATAL:  too many connections for role "{}"': RetryLater,
    'FATAL:  too many connections for database "{}"': RetryLater,
    "FATAL:  the database system is in recovery mode": RetryLater,
    "FATAL:  terminating connection due to administrator command": RetryLater,
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?": RetryLater,
    'could not translate host name "{}" to address: Name or service not known': RetryLater,
}
BEGINNINGS = ("connection failed: ", 'IO Error: Unable to connect to Postgres at "host=h dbname={}": ')


@pytest.mark.security
@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("said", REFUSALS)
def test_no_word_in_a_name_changes_why_a_connection_is_refused_or_is_told(said: str, beginning: str) -> None:
    found = set()
    for word in WORDS:
        text = (beginning + 'connection to server at "h" (10.0.0.1), port 5432 failed: ' + said).replace("{}", word)
        error = connection_error(text, "ops", "p.sql:3:1")
        assert type(error) is REFUSALS[said] and "sslmode" not in error.remedy
        found.add(str(error))
    (message,) = found
    assert "jane" not in message and "4711" not in message


READ_AS_LISTS = ["boolean", "int", "long", "float", "double", "string", "uuid"]


@pytest.mark.parametrize("iceberg", [*READ_AS_LISTS, "date", "time", "timestamp", "timestamptz", "binary"])
def test_a_column_that_atoll_makes_is_read_as_what_it_was_made_of(iceberg: str) -> None:
    made = catalog_name(postgres_type(iceberg))
    assert iceberg_type(SourceType(made)) == iceberg
    if iceberg in READ_AS_LISTS:
        listed = SourceType("", element=SourceType(catalog_name(postgres_type(f"list<{iceberg}>")).removeprefix("_")))
        assert iceberg_type(listed) == f"list<{iceberg}>"

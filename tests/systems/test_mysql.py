"""What the slices of MySQL share, where it needs no server: the secret, names, and why a connection is refused."""

from __future__ import annotations

import ssl
from typing import Any

import pymysql
import pytest

from shared_metadata.errors import RetryLater, SecretError
from shared_metadata.program import Connection, Position
from slices.harness.mysql.refusals import MENDED, MISFITS
from systems.mysql.address import SSL_MODES, read_address
from systems.mysql.catalog import identifier, text_literal
from systems.mysql.failures import OF_A_ROW, PASSING, connection_error, word
from tests.conformance import hostile

SHOP = Connection("shop", "mysql", {"secret": "shop"}, Position("p.sql", 3, 1))
SECRET = {"host": "h0st", "port": "3307", "dbname": "d4ta", "username": "us3r", "password": "p4ss w'rd"}
WRONG = {"host": "", "dbname": [], "username": None, "port": "p0rt", "sslmode": "s0me", "sslrootcert": 1.5j}


@pytest.mark.security
@pytest.mark.parametrize("field", ["host", "dbname", "username", "password"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    with pytest.raises(SecretError, match=rf"the secret 'shop' lacks the fields {field} Remedy") as caught:
        read_address(SHOP, {name: value for name, value in SECRET.items() if name != field})
    assert not [value for value in SECRET.values() if value in str(caught.value)]


@pytest.mark.security
@pytest.mark.parametrize("field", WRONG)
def test_a_field_that_is_wrong_is_named_and_no_value_is(field: str) -> None:
    with pytest.raises(SecretError, match=rf"the field {field} of the secret 'shop'") as caught:
        read_address(SHOP, {**SECRET, field: WRONG[field]})
    assert not [value for value in (*SECRET.values(), "p0rt", "s0me") if value in str(caught.value)]


@pytest.mark.security
def test_an_address_is_never_shown() -> None:
    address = read_address(SHOP, SECRET)
    assert not [value for value in SECRET.values() if value in f"{address!r} {address}"]
    assert (address.port, address.sslmode, read_address(SHOP, {**SECRET, "port": 3306}).port) == (3307, "require", 3306)


@pytest.mark.parametrize("mode", SSL_MODES)
def test_each_mode_encrypts_and_verifies_what_it_says(mode: str) -> None:
    encryption: dict[str, Any] = read_address(SHOP, {**SECRET, "sslmode": mode}).encryption()
    context = encryption.get("ssl")
    assert (context is not None) == (mode not in ("disable", "prefer")) and encryption.get("ssl_disabled", False) == (
        mode == "disable"
    )
    if context:
        assert (context.verify_mode == ssl.CERT_REQUIRED, context.check_hostname) == (
            mode.startswith("verify"),
            mode == "verify-full",
        )


NUMBERS: dict[int, type[Exception]] = {
    **dict.fromkeys((1044, 1045, 1049, 1129, 1130, 1251, 1698, 1820, 1862, 2026, 2059, 2061, 3118, 3159), SecretError),
    **dict.fromkeys((1040, 1053, 1203, 1226, 2002, 2003, 2006, 2013, 9999), RetryLater),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_why_a_connection_is_refused_is_told_by_its_number(number: int) -> None:
    found = connection_error(pymysql.err.OperationalError(number, "for 'us3r'@'h0st' (using password: YES)"), "shop", "p.sql:3:1")
    assert type(found) is NUMBERS[number] and found.remedy and "us3r" not in str(found) and "h0st" not in str(found)
    assert isinstance(found, RetryLater) or "'shop'" in found.remedy


@pytest.mark.parametrize(
    ("number", "said"),
    [(167, "AUTOINC_ERANGE"), (1978, "INVALID_DEFAULT_VALUE_FOR_FIELD"), (2013, "CR_SERVER_LOST"), (4094, "SP_STACK_TRACE")],
)
def test_so_has_one_that_the_driver_has_no_name_for(number: int, said: str) -> None:
    assert word(number) == said


def test_no_error_that_is_told_apart_is_without_a_word() -> None:
    known = {*PASSING, *OF_A_ROW, *MISFITS, *MENDED}
    assert {number for number in known if word(number) == "an error"} == set()


def test_a_number_has_mysqls_own_word() -> None:
    assert (word(1213), word(1062), word(99_999)) == ("LOCK_DEADLOCK", "DUP_ENTRY", "an error")


@pytest.mark.security
@pytest.mark.parametrize("text", [*hostile.NAMES, *hostile.VALUES])
def test_what_is_quoted_is_a_name_or_a_text_and_nothing_else(text: str) -> None:
    assert identifier(text)[1:-1].replace("``", "").count("`") == 0 and set(text_literal(text)) <= set("_utf8mb4 x'0123456789abcdef")

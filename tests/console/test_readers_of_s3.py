"""What AWS answers to whoever reads with the caller's own credentials is told by its kind, whichever library has asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner

from console import rejected
from console.main import Verbs
from shared_metadata.errors import RetryLater

FILES = ["s3://atoll-data-1-r/rejected/1.parquet", "s3://atoll-data-1-r/rejected/2.parquet"]
KINDS = [  # S3's code ▸ what is told, and a word of the remedy
    ("AccessDenied", 403, "AWS refuses GetObject: user/x may not", "ask whoever administers the account"),
    ("403", 403, "AWS refuses GetObject: user/x may not", "ask whoever administers the account"),
    ("ExpiredToken", 400, "the AWS credentials have expired", "sign in again"),
    ("InvalidAccessKeyId", 403, "AWS does not know these credentials (InvalidAccessKeyId)", "sign in again"),
    ("InvalidToken", 400, "AWS does not know these credentials (InvalidToken)", "sign in again"),
    ("NoSuchKey", 404, "S3 has no such object any more", "ask again"),
    ("404", 404, "S3 has no such object any more", "ask again"),
    ("NoSuchBucket", 404, "there is no bucket for data in this account and region: SharedMetadata is not deployed", "atoll deploy"),
    ("SlowDown", 503, "AWS refuses GetObject for the moment (SlowDown)", "try again"),
    ("InternalError", 500, "AWS refuses GetObject for the moment (InternalError)", "try again"),
]


def answered(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "user/x may not."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetObject")


def shown(error: BaseException) -> tuple[int, str]:
    """What a command whose work ends with this error prints."""

    def work() -> None:
        raise error

    found = CliRunner().invoke(Verbs(commands={}, callback=work, invoke_without_command=True, name="atoll"))
    return found.exit_code, found.stderr


@pytest.mark.parametrize(("code", "status", "said", "remedy"), KINDS)
def test_each_kind_of_answer_is_told_with_its_remedy(code: str, status: int, said: str, remedy: str) -> None:
    exit_code, text = shown(answered(code, status))
    assert exit_code == 1 and f"error: {said}" in text and remedy in text.partition("help: ")[2]


@pytest.mark.parametrize(("code", "status", "said", "remedy"), KINDS)
@pytest.mark.parametrize("kind", [PermissionError, FileNotFoundError, OSError])
def test_a_library_s_own_error_is_told_by_the_answer_that_it_was_made_of(
    kind: type[OSError], code: str, status: int, said: str, remedy: str
) -> None:
    """s3fs, by which tables' metadata are read, raises Python's own errors from botocore's."""
    error = kind("Forbidden")
    error.__cause__ = answered(code, status)
    exit_code, text = shown(error)
    assert exit_code == 1 and f"error: {said}" in text and remedy in text


def test_no_network_is_told_as_such() -> None:
    error = OSError("no")
    error.__cause__ = EndpointConnectionError(endpoint_url="https://s3.eu-central-1.amazonaws.com")
    exit_code, text = shown(error)
    assert exit_code == 1 and "AWS cannot be reached" in text and "network" in text


def test_a_mistake_of_ours_that_comes_up_while_an_answer_is_handled_is_not_told_as_aws_s() -> None:
    error = KeyError("ours")
    error.__context__ = answered("AccessDenied", 403)
    found = CliRunner().invoke(Verbs(commands={}, callback=lambda: _raise(error), invoke_without_command=True, name="atoll"))
    assert isinstance(found.exception, KeyError)


def _raise(error: BaseException) -> None:
    raise error


class Store:
    """An S3 that answers with one error, or with objects."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.asked = error, list[str]()

    def get_object(self, Bucket: str, Key: str, Range: str) -> Any:
        self.asked.append(f"s3://{Bucket}/{Key}")
        if self.error is not None:
            raise self.error
        return {}


MESSAGES = [  # of DuckDB, where it asks by a path, by a host, and where it does not get so far
    "HTTP GET error reading 'http://127.0.0.1:1/atoll-data-1-r/rejected/x%20y/2.parquet' in region 'r' (HTTP 403 Forbidden)",
    "HTTP GET error on 'https://atoll-data-1-r.s3.r.amazonaws.com/rejected/x%20y/2.parquet?versionId=1' (HTTP 400)",
    "Could not connect to server error for HTTP HEAD to 'http://127.0.0.1:1/atoll-data-1-r/rejected/x%20y/2.parquet'",
]


def refused(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    """DuckDB that does not get to an object."""
    error = duckdb.IOException(f"IO Error: {message}") if "connect" in message else duckdb.HTTPException(f"HTTP Error: {message}")

    monkeypatch.setattr("shared_metadata.contract.parquet.duckdb_session.open_duckdb", lambda _: duckdb.connect())
    monkeypatch.setattr("shared_metadata.contract.parquet.rejected_rows.of_files", lambda *_: _raise(error))


def target(store: Store) -> Any:
    return SimpleNamespace(session=None, account="1", region="r", client=lambda _: store)


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize(("code", "status", "said", "remedy"), KINDS)
def test_why_duckdb_was_refused_is_asked_of_s3_itself(
    monkeypatch: pytest.MonkeyPatch, message: str, code: str, status: int, said: str, remedy: str
) -> None:
    store = Store(answered(code, status))
    refused(monkeypatch, message)
    with pytest.raises(ClientError) as caught, rejected.told_by_s3(target(store)):
        rejected._read(target(store), FILES, 5)
    exit_code, text = shown(caught.value)
    assert exit_code == 1 and said in text and remedy in text and store.asked == ["s3://atoll-data-1-r/rejected/x y/2.parquet"]


@pytest.mark.parametrize("message", [MESSAGES[0], "HTTP GET error (HTTP 503)"])
def test_what_has_passed_meanwhile_is_to_be_asked_again(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    refused(monkeypatch, message)
    found = target(Store(None))
    with pytest.raises(RetryLater, match=r"S3 was not reached .* Remedy: ask again"), rejected.told_by_s3(found):
        rejected._read(found, FILES, 5)


def test_what_the_warehouse_s_engine_was_refused_is_told_by_its_kind_too() -> None:
    """A driver makes an error of its own of what DuckDB says; that is its context."""
    with pytest.raises(ClientError), rejected.told_by_s3(target(Store(answered("AccessDenied", 403)))):
        try:
            raise duckdb.HTTPException(f"HTTP Error: {MESSAGES[0]}")
        except duckdb.Error:
            raise RetryLater("S3 was not reached") from None


@pytest.mark.parametrize("error", [RetryLater("busy"), duckdb.InvalidInputException("HTTP 403 in a value"), KeyError("ours")])
def test_another_error_stays_what_it_is(error: Exception) -> None:
    store = Store(answered("AccessDenied", 403))
    with pytest.raises(type(error)) as caught, rejected.told_by_s3(target(store)):
        raise error
    assert caught.value is error and store.asked == []


def test_no_command_reads_by_a_library_of_its_own_but_the_one_that_asks_again() -> None:
    """A sibling that reads S3 by DuckDB, Arrow or pyiceberg has to tell its refusals as well."""
    from pathlib import Path

    import console

    found = {
        path.name
        for path in Path(console.__file__).parent.glob("*.py")
        if any(f"import {library}" in path.read_text() for library in ("duckdb", "pyarrow", "pyiceberg", "s3fs"))
    }
    assert found == {"rejected.py"}

"""What a function says of an error that nobody expected: its name and place, and nothing of its text, which may quote a row."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared_metadata.contract.runtime import lambda_handler
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler
from shared_metadata.errors import RowError
from tests.conformance.fixtures import FakeContext

pytestmark = pytest.mark.security
SECRET = "a-row's-own-value"


def failing(error: Exception) -> Any:
    def step(event: Any, context: Any) -> dict[str, Any]:
        try:
            raise KeyError(SECRET)  # what an error was raised from is shown in tracebacks
        except KeyError as cause:
            raise error from cause

    return LambdaHandler("extract", lambda: step)


@pytest.fixture(autouse=True)
def _logger_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that writes where the test looks."""
    monkeypatch.setenv("ATOLL_SLICE_ID", f"test.{uuid.uuid4().hex}")
    lambda_handler._observers.cache_clear()


def fail(error: Exception, capfd: pytest.CaptureFixture[str]) -> tuple[BaseException, str]:
    """What was raised, and what was logged."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        failing(error)({"flow": "lake.ops.flights"}, FakeContext())
    return caught.value, "".join(capfd.readouterr())


def test_an_unexpected_error_keeps_its_name_and_shows_its_place_instead_of_its_text(capfd: pytest.CaptureFixture[str]) -> None:
    raised, logged = fail(ValueError(f"cannot convert {SECRET!r}"), capfd)
    assert type(raised).__name__ == "ValueError" and "test_withheld.py" in str(raised)
    assert "test_withheld.py" in logged and "ValueError" in logged and "lake.ops.flights" in logged
    assert SECRET not in str(raised) + logged + repr(raised.__cause__) + repr(raised.args)
    assert raised.__suppress_context__


def test_atolls_own_errors_and_those_of_aws_keep_their_text(capfd: pytest.CaptureFixture[str]) -> None:
    gone = ClientError({"Error": {"Code": "NoSuchBucket", "Message": "The bucket does not exist"}}, "GetObject")
    for error in (RowError("a value is too long", place="p.sql:1:1"), gone):
        raised, logged = fail(error, capfd)
        assert raised is error and str(error) in logged and SECRET not in logged

"""Later is no failure: tells AWS's temporary refusals from lasting ones, in one place for all callers.

A throttle, others who write the same item, no free concurrency, a network interface that is not ready yet, an endpoint that does not
answer: nothing is wrong with what was asked. A client asks again at once (`client.py`), then a step raises WaitForAws, its state
machine waits (infra/workflows.py), the conductor goes on with its next round; and no attempt at a batch is counted (`writer.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

from shared_metadata.errors import DefinitionError, WaitForAws

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# What services say when they are asked too much: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ExecutionLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# … and when another request changes the same thing at this moment.
CONFLICTS = frozenset(
    {
        "ConcurrentModificationException",
        "ConditionalRequestConflict",
        "OperationAborted",
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
# … and when they are down, beside every status of 500 and above.
DOWN = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceException",
        "OperationTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
# Lasting refusals: the caller has no permission.
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
# The same of DynamoDB, for one item of a transaction:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors
ITEM_CONDITION = "ConditionalCheckFailed"
ITEM_LATER = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})
ITEM_FINE = "None"
# What Step Functions calls what Lambda answers, before it has called the function:
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
FUNCTION_ERRORS = (
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
    "Lambda.ENILimitReachedException",
    "Lambda.ResourceConflictException",
    "Lambda.ResourceNotReadyException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.SubnetIPAddressLimitReachedException",
    "Lambda.TooManyRequestsException",
)
NAMES = (WaitForAws.__name__, *FUNCTION_ERRORS)
TRIES = 8
LONGEST_PAUSE_SECONDS = 5.0


class Refusal(Enum):
    """Why AWS has refused a request: a condition does not hold, not now, no permission, or a wrong request."""

    CONDITION = "condition"
    LATER = "later"
    DENIED = "denied"
    WRONG = "wrong"


def refusal(error: ClientError) -> Refusal:
    """Classifies an error; a transaction's by the worst refusal of its items."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code == "TransactionCanceledException":
        return _of_items({str(r.get("Code", ITEM_FINE)) for r in error.response.get("CancellationReasons", [])})
    if code in ("ConditionalCheckFailedException", "PreconditionFailed"):
        return Refusal.CONDITION
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in THROTTLES | CONFLICTS | DOWN or status >= 500 or status == 429:
        return Refusal.LATER
    return Refusal.DENIED if code in DENIED else Refusal.WRONG


def _of_items(codes: set[str]) -> Refusal:
    codes -= {ITEM_FINE}
    if codes - ITEM_LATER - {ITEM_CONDITION}:
        return Refusal.WRONG
    return Refusal.CONDITION if ITEM_CONDITION in codes else Refusal.LATER


def is_later(error: BaseException | None) -> bool:
    """Whether AWS refuses for the moment only, or was not reached; also where a library has wrapped AWS's answer."""
    return later_cause(error) is not None


def later_cause(error: BaseException | None) -> BaseException | None:
    """The temporary refusal in the chain of causes of an error; None for every other error.

    An error that merely came up while another one was handled is its own: a mistake in our code is not AWS's.
    """
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if isinstance(error, WaitForAws) or _is_not_now(error):
            return error
        seen.add(id(error))
        error = error.__cause__ or _wrapped(error)
    return None


def _is_not_now(error: BaseException) -> bool:
    """Whether a connection cannot be made, or breaks off; a certificate that is not accepted is a lasting refusal."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return refusal(error) == Refusal.LATER
    unreached = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
    return isinstance(error, unreached) and not isinstance(error, exceptions.SSLError)


def _wrapped(error: BaseException) -> BaseException | None:
    """The error that boto3 wraps without saying `from`: an upload's or a download's."""
    from boto3.exceptions import Boto3Error

    return error.__context__ if isinstance(error, Boto3Error) and not error.__suppress_context__ else None


def pauses(tries: int = TRIES) -> Iterator[float]:
    """Seconds to wait before each further try: growing, and random, so that callers that collided do not collide again."""
    for attempt in range(tries):
        yield random.uniform(0, min(0.05 * 2**attempt, LONGEST_PAUSE_SECONDS))


def is_contended(error: ClientError) -> bool:
    """Whether other requests write items of this transaction just now; a client has not retried it."""
    code = error.response.get("Error", {}).get("Code")
    return code in ("TransactionCanceledException", "TransactionInProgressException") and refusal(error) == Refusal.LATER


def refused_record(error: ClientError, place: str) -> Exception:
    """The error as it is, or a DefinitionError for what DynamoDB never takes, such as an item of more than 400 KB."""
    if error.response.get("Error", {}).get("Code") not in ("ValidationException", "TransactionCanceledException"):
        return error
    reasons = [str(r.get("Message")) for r in error.response.get("CancellationReasons", []) if r.get("Message")]
    said = "; ".join(reasons) or str(error.response.get("Error", {}).get("Message", ""))
    return DefinitionError(
        f"DynamoDB refuses what is to be recorded: {said}",
        place=place,
        remedy="an item has 400 KB at most: select fewer columns",
    )
